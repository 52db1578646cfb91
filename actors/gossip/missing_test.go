package gossip

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/actor-consul/consul/messages"
)

const (
	lookTime    = time.Second // two pings without an answer
	suspectTime = 4 * time.Second
	leeway      = 50 * time.Millisecond // packets take their time
)

// TestConnectionLost loses a connection to a server b, with what may have become of it.
// If nobody has its port, b is to have failed when the time is over in which it may come
// back, and not when a probe has missed it first.
func TestConnectionLost(t *testing.T) {
	const probed = time.Minute // it is missed anyway by then
	tests := []struct {
		name    string
		happens func(t *testing.T, b *agent, s *sluice, again func())
		told    int
		failed  time.Duration // 0: not
	}{
		{"killed", func(t *testing.T, b *agent, _ *sluice, _ func()) { b.kill(t) }, 1, lookTime + suspectTime},
		{"back_while_looked_for", func(t *testing.T, b *agent, _ *sluice, again func()) {
			b.kill(t)
			time.AfterFunc(lookTime-100*time.Millisecond, again)
		}, 0, 0},
		{"back_while_suspect", func(t *testing.T, b *agent, _ *sluice, again func()) {
			b.kill(t)
			time.AfterFunc(lookTime+suspectTime-100*time.Millisecond, again)
		}, 1, 0},
		{"closed", func(*testing.T, *agent, *sluice, func()) {}, 0, 0},
		{"silent", func(_ *testing.T, _ *agent, s *sluice, _ func()) { s.shut() }, 0, probed},
		{"left", func(t *testing.T, b *agent, _ *sluice, _ func()) {
			b.leaves(t)
			b.kill(t)
		}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				t.Cleanup(func() { time.Sleep(time.Minute) }) // until the last probe has given up
				core, said := observer.New(zap.InfoLevel)
				places := inTheAir(2)
				a := startServer(t, "a", func() network { return places[0] }, zap.New(core))
				var s *sluice
				begin := func() *agent {
					return startServer(t, "b", func() network {
						places[1].down.Store(false)
						s = newSluice(places[1])
						return s
					}, zap.NewNop())
				}
				b := begin()
				b.join(t, a)
				a.hears(t, messages.Joined, "b")

				tt.happens(t, b, s, func() { begin().join(t, a) })
				lost := time.Now()
				for _, port := range []string{"9999", "1", "2", "2"} { // nobody's, its own, b's
					a.addr.Tell(&messages.ConnectionLost{Address: "127.0.0.1:" + port})
				}
				a.awaitFailed(t, "b", lost, tt.failed)
				time.Sleep(probed)
				if tt.failed == 0 && a.status("b") == messages.MemberFailed {
					t.Error("b has failed")
				}
				told := said.FilterMessage(`(LAN) agent "b" (ID id-b, 127.0.0.1:2) does not run any more, suspecting it`).Len()
				if told != tt.told {
					t.Errorf("suspected %d times for that, want %d: %v", told, tt.told, said.All())
				}
			})
		})
	}
}

// TestConnectionsLost has three members lose their connections to a fourth. In a pool of
// that size a suspicion takes six times as long unless two others confirm it.
func TestConnectionsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Minute) }) // until the last probe has given up
		var all []*agent
		for i, place := range inTheAir(4) {
			a := startServer(t, fmt.Sprint("m", i), func() network { return place }, zap.NewNop())
			if i > 0 {
				a.join(t, all[0])
			}
			all = append(all, a)
		}
		for _, a := range all {
			for i := range all {
				a.finds(t, fmt.Sprint("m", i), fmt.Sprint("127.0.0.1:", i+1))
			}
		}
		all[3].kill(t)
		lost := time.Now()
		for _, a := range all[:3] {
			a.addr.Tell(&messages.ConnectionLost{Address: "127.0.0.1:4"})
		}
		for _, a := range all[:3] {
			a.awaitFailed(t, "m3", lost, lookTime+suspectTime)
		}
	})
}

// TestLostAndMoved has a server that was killed come back at another address: that a
// connection to it was lost holds up nobody who finds out that it has moved.
func TestLostAndMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Minute) }) // until the last probe has given up
		places := inTheAir(3)
		at := func(i int) func() network { return func() network { return places[i] } }
		a, b := startServer(t, "a", at(0), zap.NewNop()), startServer(t, "b", at(1), zap.NewNop())
		b.join(t, a)
		a.hears(t, messages.Joined, "b")
		b.kill(t)
		a.addr.Tell(&messages.ConnectionLost{Address: "127.0.0.1:2"})
		b = startServer(t, "b", at(2), zap.NewNop())
		b.join(t, a)
		again := time.Now()
		a.finds(t, "b", b.at())
		if took := time.Since(again); took > suspectTime {
			t.Errorf("it took %s", took)
		}
	})
}

// startServer starts a server that is reached at a place in a network in memory, with the
// timings of a LAN. It says that its port 8300 is the one that it gossips at.
func startServer(t *testing.T, name string, place func() network, log *zap.Logger) *agent {
	t.Helper()
	cfg := config(name)
	at := place()
	cfg.Logger, cfg.Profile, cfg.Gossip = log, ProfileLAN, messages.GossipConfig{}
	cfg.Tags["port"] = fmt.Sprint(at.GetAutoBindPort())
	cfg.network = func(*memberlist.NetTransportConfig) (network, error) { return at, nil }
	return start(t, cfg)
}

// awaitFailed wants a member to have failed so long after it was lost, if it is to fail.
func (a *agent) awaitFailed(t *testing.T, name string, lost time.Time, after time.Duration) {
	t.Helper()
	for after > 0 && a.status(name) != messages.MemberFailed {
		if took := time.Since(lost); took > after+leeway {
			t.Fatalf("%s is %s after %s", name, a.status(name), took)
		}
		time.Sleep(leeway / 10)
	}
}
