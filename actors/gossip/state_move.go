package gossip

import (
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/actor-consul/consul/messages"
)

const (
	// silentRounds is how often in a row a member must not have answered where it is
	// known before it counts as gone from there.
	silentRounds = 2

	// mostRounds is after how many rounds an inquiry ends of which nothing has come.
	mostRounds = 10

	// inquiryPause is how long there is no other inquiry about the same member.
	inquiryPause = 2 * time.Second

	// mostInquiries is how many members there are inquiries about at a time, with those
	// whose pause is not over.
	mostInquiries = 16
)

// claim is the word of somebody in the pool that a member is at another place than
// where it is known.
//
// A node is who its ID says it is, so it may come back elsewhere. Memberlist goes by the
// name: it has no member at another place before it has missed it, and half a minute has
// passed since then. Servers that all come back elsewhere were kept apart by that for a
// minute, if one agent that had not missed them yet told them where the others had been.
type claim struct {
	known messages.Member // where it is known
	said  messages.Member // where it is said to be
	meta  []byte          // its tags there, as memberlist has them
}

// isMove says whether a claim is about one node, and not about two that have one name;
// and not about ourselves, who know better.
func (c claim) isMove(self string) bool {
	id := c.known.Tags["id"]
	return c.known.Name != self && id != "" && id == c.said.Tags["id"] && !samePlace(c.known, c.said)
}

// inquiries are the members about which there is an inquiry, and those about which there
// was one a moment ago. There is no other about them until that is over, and none about
// anybody else while there are too many: what it would have found out is found out later,
// by memberlist.
type inquiries map[string]time.Time

// begin says whether there is to be an inquiry about the member now.
func (q inquiries) begin(name string, now time.Time) bool {
	for other, until := range q {
		if !until.IsZero() && !now.Before(until) {
			delete(q, other)
		}
	}
	if _, busy := q[name]; busy || len(q) >= mostInquiries {
		return false
	}
	q[name] = time.Time{}
	return true
}

// end notes that there is none any more.
func (q inquiries) end(name string, now time.Time) { q[name] = now.Add(inquiryPause) }

// verdict is what has come of an inquiry.
type verdict int

const (
	undecided verdict = iota
	stays             // it answers where it is known
	moved             // it answers where it is said to be, and only there
	nowhere           // it answers at neither place
)

// inquiry is how often a member has not answered where it is known.
type inquiry int

// hear takes in whether it has answered this time, where it is known and where it is
// said to be.
//
// That it answers there is asked for because claims may be older than what is known: who
// still believes that the member is where it was before says so, and must not be
// believed because the member is slow for a moment.
func (q *inquiry) hear(known, said bool) verdict {
	*q++
	switch {
	case known:
		return stays
	case said && *q >= silentRounds:
		return moved
	case *q >= mostRounds:
		return nowhere
	default:
		return undecided
	}
}

// nodeState is what memberlist has of a node, in the form in which members tell each
// other.
type nodeState struct {
	Name        string
	Addr        []byte
	Port        uint16
	Meta        []byte
	Incarnation uint32
	State       memberlist.NodeStateType
	Vsn         []uint8
}

// isAt says whether memberlist has the node where a member is known.
func (n nodeState) isAt(m messages.Member) bool {
	at, _ := netip.AddrFromSlice(n.Addr)
	return at.Unmap() == m.Addr && n.Port == m.Port
}

// relocation is what memberlist has to hear, in that order, to have the member of a
// claim where it has moved to: that it has left where it was, by its own word, since
// then its name is free at once; and that it is alive at the new place. Serf, which has
// heard of no intent to leave, takes the former for a failure, so nobody deregisters
// anything.
//
// Of one who is dead already memberlist does not hear that it has left, so that one
// is alive once more, for as long as it takes to go on.
//
// Each word is newer than the one before. The member answers the last, when it hears of
// it, by one that is newer still and says everything as it is. It returns nil when
// memberlist has the member somewhere else by now.
func (c claim) relocation(now nodeState) (words []nodeState) {
	if !now.isAt(c.known) {
		return nil
	}
	say := func(state memberlist.NodeStateType) {
		now.State = state
		words = append(words, now)
	}
	switch now.State {
	case memberlist.StateLeft: // its name is free
	case memberlist.StateDead:
		now.Incarnation++
		say(memberlist.StateAlive)
		fallthrough
	default:
		say(memberlist.StateLeft)
	}
	now.Incarnation++
	now.Addr, now.Port, now.Meta = c.said.Addr.AsSlice(), c.said.Port, c.meta
	say(memberlist.StateAlive)
	return words
}
