package dns

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/actor-consul/consul/messages/wire"
)

// TestStale has a state that is older and older, and wants the leader asked as soon as
// the configuration does not allow it any more, what is packed notwithstanding.
func TestStale(t *testing.T) {
	fresh := func() (wire.CheckServiceNodes, *wire.Node) {
		n := &wire.Node{Node: "n", Address: "10.0.0.2"}
		return wire.CheckServiceNodes{{Node: n, Service: &wire.NodeService{Service: "web", Port: 80}}}, n
	}
	for _, tc := range []struct {
		name       string
		allowStale bool
		maxStale   time.Duration
		age        time.Duration
		down       bool
		want       string
		stale      bool
	}{
		{"defaults", true, forEver, 0, true, "10.0.0.1", false},
		{"defaults_and_old", true, forEver, time.Hour, true, "10.0.0.1", true},
		{"no_limit", true, 0, time.Hour, true, "10.0.0.1", true},
		{"within", true, time.Minute, 30 * time.Second, true, "10.0.0.1", true},
		{"too_old", true, time.Minute, 2 * time.Minute, false, "10.0.0.2", false},
		{"too_old_and_alone", true, time.Minute, 2 * time.Minute, true, "SERVFAIL", false},
		{"never_stale", false, forEver, 0, false, "10.0.0.2", false},
		{"never_stale_and_alone", false, forEver, 0, true, "SERVFAIL", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				count := counters(t)
				age := time.Duration(0)
				err := error(nil)
				if tc.down {
					err = errors.New("no leader")
				}
				d := newDesk(t, func(cfg *Config) {
					cfg.Limits, cfg.DNS.AllowStale, cfg.DNS.MaxStale = DefaultLimits(), tc.allowStale, tc.maxStale
					cfg.Age = func() time.Duration { return age }
					cfg.Elsewhere = &Elsewhere{
						Node: func(_ context.Context, args *wire.NodeSpecificRequest) (*wire.Node, error) {
							if args.Datacenter != "dc1" || args.AllowStale != tc.allowStale {
								t.Errorf("asked with %+v", args)
							}
							_, n := fresh()
							return n, err
						},
						Instances: func(context.Context, *wire.ServiceSpecificRequest) (wire.CheckServiceNodes, error) {
							all, _ := fresh()
							return all, err
						},
					}
				})
				d.put(t, node("n", "10.0.0.1"), service("n", "web", 80))
				if tc.allowStale { // what is known now is packed
					for range 2 {
						d.ask(t, question4096("n.node.consul.", "A"))
						d.ask(t, question4096("web.service.consul.", "A"))
					}
				}
				age = tc.age
				time.Sleep(ageEvery)
				for _, name := range []string{"n.node.consul.", "web.service.consul."} {
					for range 2 {
						m, _ := d.ask(t, question4096(name, "A"))
						got := dns.RcodeToString[m.Rcode]
						if len(m.Answer) == 1 {
							got = m.Answer[0].(*dns.A).A.String()
						}
						if got != tc.want {
							t.Errorf("%s is %s, want %s", name, got, tc.want)
						}
					}
				}
				want := 0
				if tc.stale {
					want = 4
				}
				if n := count("dns.stale_queries"); n != want {
					t.Errorf("%d stale answers are counted, want %d", n, want)
				}
				if tc.name == "too_old_and_alone" { // what is not a matter of the catalog goes on
					if m, _ := d.ask(t, question4096("0a000001.addr.consul.", "A")); len(m.Answer) != 1 {
						t.Errorf("an address is answered with %v", m)
					}
				}
			})
		})
	}
}
