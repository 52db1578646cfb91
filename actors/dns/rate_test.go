package dns

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
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

// TestCharged wants answers to be paid for by their size, by whomever they are sent.
func TestCharged(t *testing.T) {
	now, from, private := time.Unix(1000, 0), netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("10.0.0.1")
	r := newRates()
	count := func(from netip.Addr) (n int) {
		for range 200 {
			if r.take(from, 100, now) == verdictAnswer {
				n++
			}
		}
		return n
	}
	for _, tc := range []struct {
		name string
		size int // of an answer
		want int // answers that are left for that second
	}{
		{"none", 0, 100}, {"one_token", 512, 100}, {"two", 513, 99}, {"eight", 4096, 93}, {"more_than_there_are", 512 * 201, 0}, {"paid_the_second_after", 0, 0}, {"and_then_well_again", 0, 100},
	} {
		now = now.Add(time.Second)
		r.charge(from, 100, tc.size)
		r.charge(private, 100, tc.size)
		if got := count(from); got != tc.want {
			t.Errorf("%s: %d answers, want %d", tc.name, got, tc.want)
		}
		if got := count(private); got != 200 {
			t.Errorf("%s: %d answers to a private network, want all", tc.name, got)
		}
	}
	r.charge(from, 0, 1<<20)
	if now = now.Add(time.Second); count(from) != 100 {
		t.Error("what is sent without a limit is charged")
	}
}

// How many times larger an answer over UDP can be than its query in the zone consul, as
// DESIGN.md says.
const (
	factor     = 98
	factorLess = 17 // without EDNS
)

// TestAmplification asks the shortest questions that there are for the most that
// there is, and wants the answers bounded, and what is sent to one network in a second
// whether it is packed or not.
func TestAmplification(t *testing.T) {
	d := newDesk(t, func(cfg *Config) { cfg.DNS.UDPResponseRate = 100 })
	crowd(t, d.stage, 5000)
	for i := range 5000 {
		d.put(t, service(fmt.Sprintf("node-%04d", i), "s", 80))
	}
	var meta []string
	for i := range 64 {
		meta = append(meta, fmt.Sprintf("k%d", i), strings.Repeat("v", 20+i))
	}
	d.put(t, node("n", "10.0.0.1", meta...))
	victim := &net.UDPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 53}
	sent, asked := 0, 0
	for i := range 1000 {
		name := []string{"s.service.consul.", "n.node.consul."}[i/3%2]
		req := new(dns.Msg).SetQuestion(name, []uint16{dns.TypeA, dns.TypeSRV, dns.TypeANY}[i%3])
		most := factorLess
		if i%12 > 0 {
			req.SetEdns0(dns.MaxMsgSize, false)
			most = factor
		}
		raw, err := req.Pack()
		if err != nil {
			t.Fatal(err)
		}
		asked += len(raw)
		answer := d.reader.limit(raw, victim.AddrPort().Addr().Unmap(), time.Unix(1000, 0))
		if answer == nil {
			w := &written{from: victim}
			d.reader.ServeDNS(w, req)
			answer = w.raw
		}
		if len(answer) > maxUDPSize || len(answer) > most*len(raw) {
			t.Fatalf("%d bytes answer %d", len(answer), len(raw))
		}
		sent += len(answer)
	}
	hints := 1000 / 2 * 47
	if most := 100*tokenSize + maxUDPSize + hints; sent > most {
		t.Errorf("%d bytes in a second for %d, want at most %d", sent, asked, most)
	}
}
