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
	for _, m := range serversAt(a.cfg.View.Load().Members, msg.Address) {
		if m.Name != a.cfg.NodeName && a.looks.begin(m.Name, time.Now()) {
			a.bridge.look(a.lib, m)
		}
	}
}

// serversAt returns the servers that are up and say that their port 8300 is at an
// address. There is more than one when one has taken the place of another.
func serversAt(members []messages.Member, address string) (at []messages.Member) {
	for _, m := range members {
		if s, ok := m.Server(); ok && m.Status == messages.MemberAlive && s.Addr.String() == address {
			at = append(at, m)
		}
	}
	return at
}

// looked tells of a server that does not run any more. It is no more than suspect: it
// may be starting again, and then it has the time to say so.
func (a *gossipActor) looked(msg *looked) {
	a.looks.end(msg.member.Name, time.Now())
	switch who := describe(msg.member); {
	case msg.err != nil:
		a.log.Warn(fmt.Sprintf("%s %s does not run any more; the pool has to miss it by itself", a.cfg.title(), who), zap.Error(msg.err))
	case msg.suspect:
		a.log.Info(fmt.Sprintf("%s %s does not run any more, suspecting it", a.cfg.title(), who))
	}
}

// look finds out whether a member has gone, and if so has memberlist suspect it.
func (b *bridge) look(lib *library, m messages.Member) {
	go func() {
		said := &looked{bridge: b, member: m}
		if lib.isGone(m) {
			said.suspect, said.err = lib.suspect(m)
		}
		b.tell(said)
	}()
}

// isGone says whether no process has the port of a member. That the member is silent is
// not enough, which a busy one is too: its machine, or somebody on the way, has to say
// so. It takes two pings, as long as a probe of memberlist's, so that who is back by then
// is suspected by nobody.
func (l *library) isGone(m messages.Member) bool {
	for range silentRounds {
		if l.ping(m.Name, m.Addr, m.Port) || !l.isRefused(m) {
			return false
		}
	}
	return true
}

// isRefused says whether a stream to a member is refused.
func (l *library) isRefused(m messages.Member) bool {
	conn, err := l.wire.DialAddressTimeout(memberlist.Address{Addr: address(m), Name: m.Name}, l.list.ProbeTimeout)
	if err == nil {
		conn.Close() //nolint:errcheck // nothing was said
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// suspect has memberlist do what it does when a member has not answered its probe: begin
// a suspicion, or confirm one. It does not when memberlist has come to know better.
func (l *library) suspect(m messages.Member) (said bool, err error) {
	now, err := l.stateOf(m.Name)
	if err != nil {
		return false, err
	}
	if !now.isAt(m) || now.State != memberlist.StateAlive && now.State != memberlist.StateSuspect {
		return false, nil
	}
	now.State = memberlist.StateSuspect
	_, err = l.wire.confide(l.list.Keyring, []nodeState{now})
	return true, err
}
