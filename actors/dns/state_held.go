package dns

import (
	"github.com/miekg/dns"
)

// What things take in memory, in bytes: what Go allocates for them, and for their
// places in maps and slices. It is a bound, not a measure; TestHeld compares.
const (
	heldFound    = 112 // with what says when it is no longer right
	heldResponse = 176
	heldChange   = 8 + 96  // a channel, which may be held by nobody else
	heldEntry    = 32 + 96 // of a map, and what it refers to
	heldRecord   = 96      // of an address, and a place in a slice
	heldMsg      = 400     // a question, as the library has it
	heldForm     = 32
)

// held is how much memory is held by what was found.
func (f *found) held() int {
	return heldFound + len(f.changes)*heldChange + f.response.held()
}

// held is how much memory a response holds. Records that several answers refer to are
// counted with each of them.
func (r *response) held() int {
	if r == nil {
		return 0
	}
	n := heldResponse
	for _, all := range [][]dns.RR{r.answer, r.ns, r.extra, r.meta} {
		n += heldByRecords(all)
	}
	for _, all := range r.refers {
		n += 24 + heldByRecords(all)
	}
	return n
}

func heldByRecords(all []dns.RR) (n int) {
	for _, rr := range all {
		switch rr := rr.(type) {
		case *dns.A, *dns.AAAA:
			n += heldRecord
		case *dns.SRV:
			n += heldRecord + 2*len(rr.Target) // it has been put together, and so has the name of its address
		default:
			n += heldRecord + 64 + dns.Len(rr)
		}
	}
	return n
}
