package gossip

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

// connectionLost finds out whether a server still runs that a connection has been lost
// to. Of one that was killed we hear that way at once, while it may be seconds until
// somebody probes it.
func (a *gossipActor) connectionLost(msg *messages.ConnectionLost) {
	if a.seat.leaving || a.lib == nil {
		return
	}
	m, known := serverAt(a.cfg.View.Load().Members, msg.Address)
	if known && m.Name != a.cfg.NodeName && a.inquiries.begin(m.Name, time.Now()) {
		a.bridge.look(a.lib, m)
	}
}

// serverAt returns the server that is up and has its port 8300 at an address.
func serverAt(members []messages.Member, address string) (messages.Member, bool) {
	for _, m := range members {
		if s, ok := m.Server(); ok && m.Status == messages.MemberAlive && s.Addr.String() == address {
			return m, true
		}
	}
	return messages.Member{}, false
}

// looked tells of a server that does not run any more. It is no more than suspect: it
// may be starting again, and then it has the time to say so.
func (a *gossipActor) looked(msg *looked) {
	a.inquiries.end(msg.member.Name, time.Now())
	switch who := describe(msg.member); {
	case msg.err != nil:
		a.log.Warn(fmt.Sprintf("%s %s does not run any more; the pool has to miss it by itself", a.cfg.title(), who), zap.Error(msg.err))
	case msg.gone:
		a.log.Info(fmt.Sprintf("%s %s does not run any more, suspecting it", a.cfg.title(), who))
	}
}

// look finds out whether a member has gone, and if so has memberlist suspect it.
func (b *bridge) look(lib *library, m messages.Member) {
	go func() {
		gone := lib.isGone(m)
		var err error
		if gone {
			err = lib.suspect(m)
		}
		b.tell(&looked{b, m, gone, err})
	}()
}

// isGone says whether no process has the port of a member. That the member is silent is
// not enough, which a busy one is too: its machine has to say so.
func (l *library) isGone(m messages.Member) bool {
	if l.ping(m.Name, m.Addr, m.Port) {
		return false
	}
	conn, err := l.wire.DialAddressTimeout(memberlist.Address{Addr: address(m), Name: m.Name}, l.list.ProbeTimeout)
	if err == nil {
		conn.Close() //nolint:errcheck // nothing was said
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// suspect has memberlist do what it does when a member has not answered its probe.
func (l *library) suspect(m messages.Member) error {
	now, err := l.stateOf(m.Name)
	if err != nil || now.State != memberlist.StateAlive || !now.isAt(m) {
		return err // or it has come to know better
	}
	now.State = memberlist.StateSuspect
	_, err = l.wire.confide(l.list.Keyring, []nodeState{now})
	return err
}
