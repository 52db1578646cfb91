package gossip

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/actor-consul/consul/messages"
)

// conflicts is told by memberlist, on its goroutines and under its lock, that a member
// is said to be at another place than where it is known. It passes that on as a claim if
// it is about one node, and drops it when too many wait: whoever is elsewhere says so
// again. Serf has its own way to be told, which comes first.
type conflicts struct {
	memberlist.ConflictDelegate
	self   string
	claims chan claim
}

// claimsWaiting is how many claims wait for the actor.
const claimsWaiting = 2 * mostInquiries

// watchConflicts puts a conflicts before Serf's. Serf sets its own just before it makes
// memberlist, which asks for its address before it starts any goroutine: that is when
// this has to be called.
func watchConflicts(list *memberlist.Config, self string, claims chan claim) {
	list.Conflict = &conflicts{ConflictDelegate: list.Conflict, self: self, claims: claims}
}

// NotifyConflict implements memberlist.ConflictDelegate.
func (c *conflicts) NotifyConflict(existing, other *memberlist.Node) {
	c.ConflictDelegate.NotifyConflict(existing, other)
	known, err := nodeMember(existing)
	if err != nil {
		return
	}
	said, err := nodeMember(other)
	if err != nil {
		return
	}
	claim := claim{known: known, said: said, meta: bytes.Clone(other.Meta)}
	if !claim.isMove(c.self) {
		return
	}
	select {
	case c.claims <- claim:
	default:
	}
}

// inquire finds out whether the member of a claim has moved, and if so has memberlist
// take it where it is.
func (b *bridge) inquire(lib *library, c claim) {
	go func() {
		v := lib.inquire(c, b.stop)
		var err error
		if v == moved {
			err = lib.relocate(c)
		}
		b.tell(&inquired{b, c, v, err})
	}()
}

func (l *library) inquire(c claim, stop <-chan struct{}) verdict {
	var q inquiry
	for {
		v := q.hear(l.visit(c))
		if v != undecided {
			return v
		}
		select {
		case <-time.After(l.list.ProbeTimeout): // who is busy for a moment may answer later
		case <-stop:
			return undecided
		}
	}
}

// visit asks for a member at both places of a claim. Where it is known the answer may
// come by either way: who can be reached by one of them is not gone. Where it is said to
// be it has to be the member's own, with the key of the pool.
func (l *library) visit(c claim) (known, said bool) {
	var all sync.WaitGroup
	var byStream bool
	all.Go(func() { said = l.ping(c.known.Name, c.said.Addr, c.said.Port) })
	all.Go(func() { byStream = l.knock(c) })
	known = l.ping(c.known.Name, c.known.Addr, c.known.Port)
	all.Wait()
	return known || byStream, said
}

// ping asks by packet; nobody answers but the member of that name.
func (l *library) ping(name string, addr netip.Addr, port uint16) bool {
	_, err := l.serf.Memberlist().Ping(name, &net.UDPAddr{IP: addr.AsSlice(), Port: int(port)})
	return err == nil
}

// knock asks by stream for the member where it is known. Another agent that listens there
// now hangs up, so whatever is said is an answer.
func (l *library) knock(c claim) bool {
	patience := l.list.ProbeTimeout
	conn, err := l.wire.DialAddressTimeout(memberlist.Address{Addr: address(c.known), Name: c.known.Name}, patience)
	if err != nil {
		return false
	}
	defer conn.Close()
	question := encode(pingMsg, &struct {
		SeqNo uint32
		Node  string
	}{Node: c.known.Name})
	keys := l.list.Keyring
	if !l.list.GossipVerifyOutgoing {
		keys = nil
	}
	sealed, err := seal(keys, question)
	if err != nil {
		return true // nothing was asked
	}
	conn.SetDeadline(time.Now().Add(patience)) //nolint:errcheck // it has one
	if _, err := conn.Write(sealed); err != nil {
		return false
	}
	n, _ := conn.Read(make([]byte, 1))
	return n > 0
}

// relocateTries is how often to have memberlist take a member elsewhere. Who still
// believes that it is where it was may say so just when its name is free, and it is there
// again.
const relocateTries = 3

// relocate has memberlist take the member of a claim where it has moved to. Not one who
// leaves: Serf would have it as left, and its services would go.
func (l *library) relocate(c claim) error {
	for tries := 0; ; tries++ {
		switch m := l.member(c.known.Name); {
		case samePlace(m, c.said):
			return nil
		case m.Status == messages.MemberLeaving:
			return errors.New("it is leaving")
		case tries == relocateTries:
			return errors.New("memberlist has not taken it there, its own lines say why")
		}
		if err := l.tryRelocate(c); err != nil {
			return err
		}
	}
}

func (l *library) tryRelocate(c claim) error {
	now, err := l.stateOf(c.known.Name)
	if err != nil {
		return err
	}
	words := c.relocation(now)
	if words == nil {
		return errors.New("it is known elsewhere by now")
	}
	_, err = l.wire.confide(l.list.Keyring, words)
	return err
}

// stateOf returns what memberlist has of a member.
func (l *library) stateOf(name string) (nodeState, error) {
	now, err := l.wire.confide(l.list.Keyring, nil)
	if err != nil {
		return nodeState{}, err
	}
	i := slices.IndexFunc(now, func(n nodeState) bool { return n.Name == name })
	if i < 0 {
		return nodeState{}, errors.New("it is not known any more")
	}
	return now[i], nil
}

// member returns what Serf has of a member, or the zero Member.
func (l *library) member(name string) messages.Member {
	for _, m := range l.serf.Members() {
		if m.Name == name {
			return memberOf(m)
		}
	}
	return messages.Member{}
}
