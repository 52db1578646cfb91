package gossip

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/actor-consul/consul/messages"
)

// TestConnectionLost loses a connection to a server b, with what may have become of it.
// If nobody has its port, b is to have failed when the time is over in which it may come
// back, and not when a probe has missed it first.
func TestConnectionLost(t *testing.T) {
	const (
		looked    = 500 * time.Millisecond // a ping without an answer
		suspected = 4 * time.Second
		probed    = time.Minute // it is missed anyway by then
	)
	tests := []struct {
		name    string
		happens func(t *testing.T, b *agent, s *sluice, again func())
		told    int
		failed  time.Duration // 0: not
	}{
		{"killed", func(t *testing.T, b *agent, _ *sluice, _ func()) { b.kill(t) }, 1, looked + suspected},
		{"killed_and_back", func(t *testing.T, b *agent, _ *sluice, again func()) {
			b.kill(t)
			time.AfterFunc(suspected/2, again)
		}, 1, 0},
		{"closed", func(*testing.T, *agent, *sluice, func()) {}, 0, 0},
		{"silent", func(_ *testing.T, _ *agent, s *sluice, _ func()) { s.shut() }, 0, probed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				t.Cleanup(func() { time.Sleep(time.Minute) }) // until the last probe has given up
				core, said := observer.New(zap.InfoLevel)
				places := inTheAir(2)
				a := startServer(t, "a", "8301", func() network { return places[0] }, zap.New(core))
				var s *sluice
				begin := func() *agent {
					return startServer(t, "b", "8302", func() network {
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
				for _, port := range []string{"9999", "8301", "8302", "8302"} { // nobody's, its own, b's
					a.addr.Tell(&messages.ConnectionLost{Address: "127.0.0.1:" + port})
				}
				for tt.failed > 0 && a.status("b") != messages.MemberFailed {
					if took := time.Since(lost); took > tt.failed+50*time.Millisecond {
						t.Fatalf("b is %s after %s", a.status("b"), took)
					}
					time.Sleep(10 * time.Millisecond)
				}
				time.Sleep(probed)
				if tt.failed == 0 && a.status("b") != messages.MemberAlive {
					t.Errorf("b is %s, want alive", a.status("b"))
				}
				told := said.FilterMessage(`(LAN) agent "b" (ID id-b, 127.0.0.1:2) does not run any more, suspecting it`).Len()
				if told != tt.told {
					t.Errorf("suspected %d times for that, want %d: %v", told, tt.told, said.All())
				}
			})
		})
	}
}

// startServer starts an agent that is reached at a place in a network in memory, with the
// timings of a LAN.
func startServer(t *testing.T, name, port string, place func() network, log *zap.Logger) *agent {
	t.Helper()
	cfg := config(name)
	cfg.Logger, cfg.Profile, cfg.Gossip = log, ProfileLAN, messages.GossipConfig{}
	cfg.Tags["port"] = port
	cfg.network = func(*memberlist.NetTransportConfig) (network, error) { return place(), nil }
	return start(t, cfg)
}
