package dns

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestRates(t *testing.T) {
	now := time.Unix(1000, 0)
	r := newRates()
	count := func(n int, from string, limit int) (got [3]int) {
		for range n {
			got[r.take(netip.MustParseAddr(from), limit, now)]++
		}
		return got
	}
	for _, step := range []struct {
		name, from string
		n, limit   int
		after      time.Duration
		want       [3]int // answered, slipped, dropped
	}{
		{"within", "198.51.100.1", 10, 10, 0, [3]int{10, 0, 0}},
		{"beyond", "198.51.100.1", 5, 10, 0, [3]int{0, 3, 2}},
		{"same_network", "198.51.100.200", 2, 10, 0, [3]int{0, 1, 1}},
		{"other_network", "198.51.101.1", 10, 10, 0, [3]int{10, 0, 0}},
		{"half_a_second_later", "198.51.100.1", 6, 10, time.Second / 2, [3]int{5, 0, 1}},
		{"after_a_year_no_more_than_the_rate", "198.51.100.1", 11, 10, 365 * 24 * time.Hour, [3]int{10, 1, 0}},
		{"version_6", "2001:db8:0:1::1", 10, 10, 0, [3]int{10, 0, 0}},
		{"version_6_same_network", "2001:db8:0:2::1", 2, 10, 0, [3]int{0, 1, 1}},
		{"no_limit", "203.0.113.1", 50, 0, 0, [3]int{50, 0, 0}},
		{"private", "10.1.2.3", 50, 10, 0, [3]int{50, 0, 0}},
		{"shared", "100.64.1.1", 50, 10, 0, [3]int{50, 0, 0}},
		{"loopback", "127.0.0.1", 50, 10, 0, [3]int{50, 0, 0}},
		{"loopback_6", "::1", 50, 10, 0, [3]int{50, 0, 0}},
	} {
		t.Run(step.name, func(t *testing.T) {
			now = now.Add(step.after)
			if got := count(step.n, step.from, step.limit); got != step.want {
				t.Errorf("got %v, want %v", got, step.want)
			}
		})
	}
}

// TestClockBack wants a clock that goes back to limit nobody for longer than the
// rate does.
func TestClockBack(t *testing.T) {
	r, from := newRates(), netip.MustParseAddr("198.51.100.1")
	later := time.Unix(1000, 0)
	r.take(from, 10, later)
	for range 8 {
		if v := r.take(from, 10, later.Add(-time.Hour)); v == verdictAnswer {
			return
		}
	}
	t.Error("nobody is answered")
}

// TestSlip wants no answer beyond the rate to be larger than its query, and the hint
// to be one that resolvers follow.
func TestSlip(t *testing.T) {
	d := newDesk(t, func(cfg *Config) { cfg.DNS.UDPResponseRate = 1 })
	req := question4096("wEb.service.consul.", "SRV")
	req.CheckingDisabled = true
	raw, err := req.Pack()
	if err != nil {
		t.Fatal(err)
	}
	hints := 0
	for i := range 20 {
		answer := d.reader.limit(raw, netip.MustParseAddr("198.51.100.1"), time.Unix(0, 0))
		if (answer == nil) != (i == 0) || len(answer) > len(raw) {
			t.Fatalf("query %d is answered with % x", i, answer)
		}
		if len(answer) == 0 {
			continue
		}
		hints++
		m := new(dns.Msg)
		if err := m.Unpack(answer); err != nil || !m.Truncated || !m.Response || m.Id != req.Id || m.Question[0] != req.Question[0] ||
			!m.RecursionDesired || !m.CheckingDisabled || m.Authoritative {
			t.Errorf("%v, error %v", m, err)
		}
	}
	if hints != 10 {
		t.Errorf("%d hints for 19 queries, want 10", hints)
	}
	for _, packet := range []string{"", "x", string(raw[:11]), string(raw[:20])} {
		for range 2 {
			if answer := d.reader.limit([]byte(packet), netip.MustParseAddr("198.51.100.1"), time.Unix(0, 0)); len(answer) > 0 {
				t.Errorf("% x is answered with % x", packet, answer)
			}
		}
	}
}
