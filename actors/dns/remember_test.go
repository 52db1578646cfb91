package dns

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/actor-consul/consul/messages/wire"
)

// servers are what a listener without a socket asks. They fail, or do not answer, when
// the test wants that.
type servers struct {
	*stage
	how   func(context.Context) error
	asked int
	at    string // what they answer
}

func newServers(t *testing.T, tweak func(*Config)) (*servers, *server) {
	s := &servers{at: "10.0.0.1", how: func(context.Context) error { return nil }}
	instances := func() wire.CheckServiceNodes {
		return wire.CheckServiceNodes{{Node: &wire.Node{Node: "n", Address: s.at}, Service: &wire.NodeService{Service: "web", Port: 80}}}
	}
	s.stage = newStage(t, func(cfg *Config) {
		cfg.Limits = DefaultLimits()
		cfg.Execute = func(ctx context.Context, _ *wire.PreparedQueryExecuteRequest) (*wire.PreparedQueryExecuteResponse, error) {
			s.asked++
			return &wire.PreparedQueryExecuteResponse{Service: "web", Nodes: instances()}, s.how(ctx)
		}
		cfg.Elsewhere = &Elsewhere{
			Instances: func(ctx context.Context, _ *wire.ServiceSpecificRequest) (wire.CheckServiceNodes, error) {
				s.asked++
				return instances(), s.how(ctx)
			},
		}
		if tweak != nil {
			tweak(cfg)
		}
	}).put(t, node("n1", "10.0.0.1"))
	return s, s.handler(t)
}

func gone(context.Context) error { return errors.New("no known servers") }

func hangs(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

// TestRemembered asks while nobody can be asked, and wants what was said before, in
// less time than a resolver waits.
func TestRemembered(t *testing.T) {
	for name, host := range map[string]string{"prepared_query": "qw.query.consul.", "other_datacenter": "web.service.dc2.consul."} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				count := counters(t)
				s, h := newServers(t, func(cfg *Config) { cfg.DNS.MaxStale = time.Hour })
				defer synctest.Wait()
				ask := func(want string, within time.Duration) {
					t.Helper()
					w, began := &written{}, time.Now()
					h.ServeDNS(w, question4096(host, "A"))
					took := time.Since(began)
					synctest.Wait() // for who asks aside
					m := new(dns.Msg)
					if err := m.Unpack(w.raw); err != nil {
						t.Fatal(err)
					}
					got := dns.RcodeToString[m.Rcode]
					if len(m.Answer) > 0 {
						got = m.Answer[0].(*dns.A).A.String()
					}
					if got != want || took > within {
						t.Errorf("answered with %s after %s, want %s within %s", got, took, want, within)
					}
				}
				s.how = hangs
				ask("SERVFAIL", executeTimeout) // never said
				s.how = func(context.Context) error { return nil }
				ask("10.0.0.1", 0)
				s.at = "10.0.0.2"
				ask("10.0.0.2", 0) // it is asked each time
				s.how = gone
				ask("10.0.0.2", 0)
				time.Sleep(time.Minute)
				s.how = hangs
				ask("10.0.0.2", rememberAfter)
				before := s.asked
				for range 100 { // and the next ones do not wait
					ask("10.0.0.2", 0)
				}
				if n := s.asked - before; n > 1 {
					t.Errorf("others are asked %d times by those who have an answer already", n)
				}
				if count("dns.remembered") != 102 {
					t.Errorf("%d answers are counted, want 102", count("dns.remembered"))
				}
				time.Sleep(time.Minute)
				s.how, s.at = func(context.Context) error { return nil }, "10.0.0.3"
				ask("10.0.0.3", 0)
				time.Sleep(time.Hour + time.Second)
				s.how = gone
				ask("SERVFAIL", 0) // older than max_stale
			})
		})
	}
}

// TestForgotten wants no answer remembered once others have said that there is none.
func TestForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := newServers(t, nil)
		var codes []int
		for _, how := range []func(context.Context) error{
			func(context.Context) error { return nil }, func(context.Context) error { return errors.New("rpc error: Query not found") }, gone,
		} {
			s.how = how
			w := &written{}
			h.ServeDNS(w, question4096("qw.query.consul.", "A"))
			codes = append(codes, int(w.raw[3]&0xF))
		}
		if !slices.Equal(codes, []int{dns.RcodeSuccess, dns.RcodeNameError, dns.RcodeServerFailure}) {
			t.Errorf("got %v", codes)
		}
	})
}

// TestOthersPanic wants a panic where others are asked to cost its question the answer.
func TestOthersPanic(t *testing.T) {
	s, h := newServers(t, nil)
	s.how = func(context.Context) error { panic("as the test wants it") }
	w := &written{}
	h.ServeDNS(w, question4096("qw.query.consul.", "A"))
	if code := int(w.raw[3] & 0xF); code != dns.RcodeServerFailure {
		t.Errorf("answered with %s", dns.RcodeToString[code])
	}
}

// TestUseCache wants others asked no more often than the configuration has it.
func TestUseCache(t *testing.T) {
	for _, tc := range []struct {
		name  string
		age   time.Duration
		asked int // by questions now, a second later and an hour later
	}{{"any_age", 0, 1}, {"a_minute", time.Minute, 2}, {"new_each_time", 1, 3}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, h := newServers(t, func(cfg *Config) { cfg.DNS.UseCache, cfg.DNS.CacheMaxAge, cfg.DNS.AllowStale = true, tc.age, false })
				for _, wait := range []time.Duration{0, time.Second, time.Hour} {
					time.Sleep(wait)
					w := &written{}
					h.ServeDNS(w, question4096("qw.query.consul.", "A"))
					if w.raw[7] != 1 {
						t.Errorf("after %s there is no answer", wait)
					}
				}
				if s.asked != tc.asked {
					t.Errorf("asked %d times, want %d", s.asked, tc.asked)
				}
			})
		})
	}
}
