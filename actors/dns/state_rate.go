package dns

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

// The networks that share a rate: an attacker who forges a source means all of it
// as a rule, and has no more than this to forge from.
const (
	rateBits4 = 24
	rateBits6 = 56
)

// rateSlots bounds what is remembered of sources. Two networks may share a slot,
// and its rate; then those who are no attackers still have TCP.
const rateSlots = 4096

// tokenSize is how many bytes of an answer one token pays for.
const tokenSize = 512

// rates limits what goes to each network over UDP, so that a forged source cannot be
// flooded with it (response rate limiting). An answer takes a token for every 512 bytes
// that it begins. Networks that are private are not limited: a resolver there asks for
// much. One goroutine takes; any may charge.
type rates struct {
	seed  maphash.Seed
	slots [rateSlots]bucket
}

// bucket is a token bucket of one second. The zero value is full.
type bucket struct {
	spent float64      // tokens that are missing at that time; more than there are, after a large answer
	at    time.Time    // when last asked
	slip  bool         // the next query beyond the rate gets a hint
	owed  atomic.Int64 // tokens that have been charged since
}

// verdict is what becomes of a query.
type verdict int

const (
	verdictAnswer verdict = iota
	verdictSlip           // an answer that is no larger than the query, and says: use TCP
	verdictDrop
)

func newRates() *rates { return &rates{seed: maphash.MakeSeed()} }

// take asks for an answer of one token to a source, at so many a second; 0 is no
// limit. Beyond the rate every second query is dropped.
func (r *rates) take(from netip.Addr, perSecond int, now time.Time) verdict {
	if perSecond <= 0 || !public(from) {
		return verdictAnswer
	}
	b := r.bucket(from)
	if b.owed.Load() > 0 {
		b.spent += float64(b.owed.Swap(0))
	}
	b.spent = max(0, b.spent-max(0, now.Sub(b.at)).Seconds()*float64(perSecond))
	b.at = now
	if b.spent+1 <= float64(perSecond) {
		b.spent++
		return verdictAnswer
	}
	b.slip = !b.slip
	if b.slip {
		return verdictSlip
	}
	return verdictDrop
}

// charge takes what an answer of that size has cost beyond its first token.
func (r *rates) charge(from netip.Addr, perSecond, size int) {
	if more := (size - 1) / tokenSize; more > 0 && perSecond > 0 && public(from) {
		r.bucket(from).owed.Add(int64(more))
	}
}

func (r *rates) bucket(from netip.Addr) *bucket {
	return &r.slots[maphash.Comparable(r.seed, network(from))%rateSlots]
}

// network is what addr shares its rate with.
func network(addr netip.Addr) netip.Addr {
	bits := rateBits6
	if addr.Is4() {
		bits = rateBits4
	}
	p, _ := addr.WithZone("").Prefix(bits)
	return p.Addr()
}

// carrierGrade is shared address space (RFC 6598).
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// public says whether anybody could be at an address.
func public(addr netip.Addr) bool {
	return !addr.IsPrivate() && !addr.IsLoopback() && !addr.IsLinkLocalUnicast() && !carrierGrade.Contains(addr)
}
