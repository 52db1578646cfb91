package gossip

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/messages"
)

// TestMoved has a member come back at another address, where one who knew the old one
// takes it although it never misses anybody. The members hear that it has failed and is
// there again, and never that it has left, which would deregister its services.
func TestMoved(t *testing.T) {
	for _, key := range []string{"", keyHere} {
		t.Run(fmt.Sprintf("encrypted_%t", key != ""), func(t *testing.T) {
			cfg := func(name, bind string) Config {
				c := config(name)
				c.Bind, c.EncryptKey = netip.MustParseAddrPort(bind), key
				c.Gossip.ProbeInterval = time.Hour
				return c
			}
			a, b := start(t, cfg("a", "127.0.0.1:0")), start(t, cfg("b", "127.0.0.2:0"))
			b.join(t, a)
			a.hears(t, messages.Joined, "b")
			b.kill(t)
			b = start(t, cfg("b", "127.0.0.3:0"))
			b.join(t, a)
			a.hearsOnly(t, "b", messages.Failed, messages.Joined)
			if m, _ := a.view.Load().Member("b"); m.Status != messages.MemberAlive || address(m) != b.at() {
				t.Errorf("a has it as %s at %s, want alive at %s", m.Status, address(m), b.at())
			}
			unharmed(t, a, b)
		})
	}
}

// TestMovedToTheAddressOfAnother swaps the addresses of two members: where each was known
// somebody answers, but it is not the one who was.
func TestMovedToTheAddressOfAnother(t *testing.T) {
	cfg := func(name, bind string) Config {
		c := config(name)
		c.Bind = netip.MustParseAddrPort(bind)
		c.Gossip.ProbeInterval = time.Hour
		return c
	}
	a, b, c := start(t, cfg("a", "127.0.0.1:0")), start(t, cfg("b", "127.0.0.2:0")), start(t, cfg("c", "127.0.0.3:0"))
	b.join(t, a)
	c.join(t, a)
	a.hears(t, messages.Joined, "c")
	atB, atC := b.at(), c.at()
	b.kill(t)
	c.kill(t)
	b, c = start(t, cfg("b", atC)), start(t, cfg("c", atB))
	b.join(t, a)
	c.join(t, a)
	for name, at := range map[string]string{"b": atC, "c": atB} {
		a.finds(t, name, at)
	}
}

// TestMovedAfterItHasFailed shows that nobody waits for half a minute either who has
// missed the member.
func TestMovedAfterItHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Minute) }) // until the last probe has given up
		places := inTheAir(3)
		a, b := startAt(t, "a", places[0]), startAt(t, "b", places[1])
		b.join(t, a)
		a.hears(t, messages.Joined, "b")
		b.kill(t)
		a.hears(t, messages.Failed, "b")
		again := time.Now()
		b = startAt(t, "b", places[2])
		b.join(t, a)
		a.finds(t, "b", b.at())
		if took := time.Since(again); took > 10*time.Second { // of virtual time
			t.Errorf("it took %s", took)
		}
	})
}

// TestCopyOfAMember has two agents with the same name and ID, as when a disk was copied. The one
// that was there first stays, also when it is slow.
func TestCopyOfAMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Minute) }) // until the last probe has given up
		places := inTheAir(3)
		a, b := startAt(t, "a", places[0]), startAt(t, "b", places[1])
		b.join(t, a)
		a.hears(t, messages.Joined, "b")
		twin := startAt(t, "b", places[2])
		for range 20 {
			twin.join(t, a)
			time.Sleep(time.Second)
			if m, _ := a.view.Load().Member("b"); m.Status != messages.MemberAlive || address(m) != b.at() {
				t.Fatalf("a has it as %s at %s, want alive at %s", m.Status, address(m), b.at())
			}
		}
		for _, msg := range a.news.Messages() {
			if change, ok := msg.(*messages.MembersChanged); ok && change.Change != messages.Joined {
				t.Errorf("a is told %+v", change)
			}
		}
	})
}

// inTheAir returns places in a network in memory.
func inTheAir(n int) (places []*radio) {
	net := &air{radios: map[string]*radio{}, slow: 5 * time.Millisecond}
	for i := range n {
		places = append(places, net.radio(fmt.Sprint(i)))
	}
	return places
}

// startAt starts an agent at one of them.
func startAt(t *testing.T, name string, place *radio) *agent {
	t.Helper()
	cfg := config(name)
	cfg.network = func(*memberlist.NetTransportConfig) (network, error) { return place, nil }
	return start(t, cfg)
}

// hearsOnly waits until the agent is told these changes of a member, and wants it to be
// told nothing else of it before, but for an update, which is told when the view is
// published in between.
func (a *agent) hearsOnly(t *testing.T, name string, changes ...messages.MembershipChange) {
	t.Helper()
	for len(changes) > 0 {
		msg := actortest.Next[*messages.MembersChanged](t, a.news)
		for _, m := range msg.Members {
			switch {
			case m.Name != name || msg.Change == messages.Updated:
			case msg.Change != changes[0]:
				t.Fatalf("told that %s has %s, want %s", name, msg.Change, changes[0])
			default:
				changes = changes[1:]
			}
		}
	}
}

// finds waits until the agent has a member alive at an address.
func (a *agent) finds(t *testing.T, name, at string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		m, _ := a.view.Load().Member(name)
		if m.Status == messages.MemberAlive && address(m) == at {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s is %s at %s, want alive at %s", name, m.Status, address(m), at)
		}
	}
}
