package dns

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// crowd puts n instances of the service "many" on as many nodes.
func crowd(t testing.TB, s *stage, n int, meta ...string) *stage {
	t.Helper()
	var all []*wire.RegisterRequest
	for i := range n {
		name := fmt.Sprintf("node-%04d", i)
		all = append(all, node(name, fmt.Sprintf("10.0.%d.%d", i/250, i%250), meta...), service(name, "many", 8000))
	}
	return s.put(t, all...)
}

func TestLimits(t *testing.T) {
	for _, tc := range []struct {
		name    string
		tweak   func(*messages.DNSConfig)
		n       int
		how     how
		qtype   string
		answers int
		tc      bool
	}{
		{name: "three_without_edns", n: 20, qtype: "A", answers: 3},
		{name: "three_srv_without_edns", n: 20, qtype: "SRV", answers: 3},
		{name: "three_with_the_least_edns", n: 20, how: how{edns: 512}, qtype: "A", answers: 3},
		{name: "less_than_the_least_edns", n: 20, how: how{edns: 100}, qtype: "A", answers: 3},
		{name: "all_with_edns", n: 20, how: how{edns: 1232}, qtype: "A", answers: 20},
		{name: "all_over_tcp", n: 200, how: how{tcp: true}, qtype: "A", answers: 200},
		{name: "all_srv_over_tcp", n: 200, how: how{tcp: true}, qtype: "SRV", answers: 200},
		{name: "what_fits_with_edns", n: 200, how: how{edns: 1232}, qtype: "A", answers: 74},
		{name: "what_fits_in_64k", n: 4100, how: how{tcp: true}, qtype: "A", answers: 4093},
		{name: "tc_is_off", n: 200, how: how{edns: 1232}, qtype: "SRV", answers: 19},
		{name: "tc_is_on", n: 200, tweak: func(c *messages.DNSConfig) { c.EnableTruncate = true }, how: how{edns: 1232}, qtype: "A", answers: 74, tc: true},
		{name: "tc_for_udp_answer_limit", n: 20, tweak: func(c *messages.DNSConfig) { c.EnableTruncate = true }, qtype: "A", answers: 3, tc: true},
		{name: "no_tc_when_all_fit", n: 3, tweak: func(c *messages.DNSConfig) { c.EnableTruncate = true }, qtype: "A", answers: 3},
		{name: "udp_answer_limit", n: 20, tweak: func(c *messages.DNSConfig) { c.UDPAnswerLimit = 5 }, qtype: "A", answers: 5},
		{name: "udp_answer_limit_has_a_limit", n: 20, tweak: func(c *messages.DNSConfig) { c.UDPAnswerLimit = 100 }, qtype: "A", answers: 8},
		{name: "no_udp_answer_limit", n: 100, tweak: func(c *messages.DNSConfig) { c.UDPAnswerLimit = 0 }, qtype: "A", answers: 29},
		{name: "a_record_limit", n: 20, tweak: func(c *messages.DNSConfig) { c.ARecordLimit = 2 }, qtype: "A", answers: 2},
		{name: "a_record_limit_over_tcp", n: 20, tweak: func(c *messages.DNSConfig) { c.ARecordLimit = 2 }, how: how{tcp: true}, qtype: "A", answers: 2},
		{name: "a_record_limit_is_not_for_srv", n: 20, tweak: func(c *messages.DNSConfig) { c.ARecordLimit = 2 }, how: how{tcp: true}, qtype: "SRV", answers: 20},
		{name: "without_compression", n: 200, tweak: func(c *messages.DNSConfig) { c.DisableCompress = true }, how: how{edns: 1232}, qtype: "A", answers: 33},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(t, func(cfg *Config) {
				if tc.tweak != nil {
					tc.tweak(&cfg.DNS)
				}
			})
			m := crowd(t, s, tc.n).open(t).ask(t, tc.how, "many.service.consul", tc.qtype)
			if len(m.Answer) != tc.answers || m.Truncated != tc.tc {
				t.Errorf("%d answers, tc %t, want %d, %t", len(m.Answer), m.Truncated, tc.answers, tc.tc)
			}
			if tc.qtype == "SRV" {
				checkHosts(t, m)
			}
		})
	}
}

// checkHosts wants the address of each host that an SRV record names, and none of
// others.
func checkHosts(t testing.TB, m *dns.Msg) {
	t.Helper()
	hosts := map[string]bool{}
	for _, rr := range m.Extra {
		if rr.Header().Rrtype == dns.TypeA {
			hosts[rr.Header().Name] = true
		}
	}
	for _, rr := range m.Answer {
		if target := rr.(*dns.SRV).Target; !hosts[target] {
			t.Errorf("no address of %s", target)
		}
	}
	if len(hosts) != len(m.Answer) {
		t.Errorf("addresses of %d hosts, want %d", len(hosts), len(m.Answer))
	}
}

// TestSizes asks for much in every way and measures the packets.
func TestSizes(t *testing.T) {
	s := newStage(t, func(cfg *Config) { cfg.DNS.UDPAnswerLimit = 0 })
	var meta []string
	for i := range 40 {
		meta = append(meta, fmt.Sprintf("key%d", i), strings.Repeat("v", 200))
	}
	crowd(t, s, 100, meta...)
	for i := range 60 { // with one CNAME each, and one chain that is long
		s.put(t, service("node-0000", "names", i, at(fmt.Sprintf("%s.%d.example.com", strings.Repeat("x", 60), i))))
	}
	s.open(t)
	for _, size := range []uint16{0, 1, 511, 512, 513, 700, 1232, 4096, 65535} {
		for _, question := range []string{
			"many.service.consul A", "many.service.consul SRV", "many.service.consul ANY", "many.service.consul TXT", "many.service.consul MX",
			"names.service.consul SRV", "names.service.consul A", "node-0000.node.consul A", "node-0000.node.consul TXT", "node-0000.node.consul ANY",
			"node-0000.node.consul AAAA", "consul SOA", "consul NS", "nope.consul A", "0.0.0.10.in-addr.arpa PTR", "example.com A",
		} {
			name, qtype, _ := strings.Cut(question, " ")
			m, length := rawAsk(t, s.at(), name, dns.StringToType[qtype], size)
			if limit := min(max(int(size), 512), maxUDPSize); length > limit {
				t.Errorf("%s with EDNS size %d is answered with %d bytes", question, size, length)
			}
			if opt := m.IsEdns0(); (opt != nil) != (size > 0) {
				t.Errorf("%s with EDNS size %d has OPT %v", question, size, opt)
			}
		}
	}
}

// rawAsk asks over UDP and returns the answer and its size.
func rawAsk(t testing.TB, at, name string, qtype, size uint16) (*dns.Msg, int) {
	t.Helper()
	c, err := dns.DialTimeout("udp", at, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	req := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
	if size > 0 {
		req.SetEdns0(size, false)
	}
	if err := c.WriteMsg(req); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	c.UDPSize = dns.MaxMsgSize
	raw, err := c.ReadMsgHeader(nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	m := new(dns.Msg)
	if err := m.Unpack(raw); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return m, len(raw)
}

// TestFill fills messages of random sizes with shares of random shapes.
func TestFill(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func() string { return strings.Repeat("x", 1+random.IntN(60)) }
	for range 3000 {
		r := &share{rest: random.IntN(2)}
		for range random.IntN(30) {
			host := text() + ".node.dc1.consul."
			r.answer = append(r.answer, &dns.SRV{Hdr: header("web.service.consul.", dns.TypeSRV, 0), Target: host})
			for range random.IntN(3) {
				r.extra = append(r.extra, addressRecord(host, mustAddr("10.0.0.1"), 0))
			}
			r.upTo = append(r.upTo, len(r.extra))
		}
		if random.IntN(2) == 0 {
			r.upTo = nil
		}
		for range random.IntN(4) {
			r.meta = append(r.meta, &dns.TXT{Hdr: header(text()+".consul.", dns.TypeTXT, 0), Txt: chunks(text())})
			r.ns = append(r.ns, &dns.NS{Hdr: header("consul.", dns.TypeNS, 0), Ns: text() + ".consul."})
		}
		m := new(dns.Msg).SetQuestion("web.service.consul.", dns.TypeSRV)
		m.Compress = random.IntN(2) == 0
		m.SetEdns0(1232, false)
		b := bounds{size: 512 + random.IntN(2048), answers: random.IntN(3) * random.IntN(20)}
		trimmed := r.fill(m, b)
		raw, err := m.Pack()
		if err != nil || len(raw) > b.size {
			t.Fatalf("%d bytes, error %v, want at most %d", len(raw), err, b.size)
		}
		if trimmed != (len(m.Answer) < len(r.answer)+r.rest) {
			t.Fatalf("trimmed is %t with %d of %d answers", trimmed, len(m.Answer), len(r.answer))
		}
		if m.IsEdns0() == nil {
			t.Fatal("the OPT record is gone")
		}
		if b.answers > 0 && len(m.Answer) > b.answers {
			t.Fatalf("%d answers, want at most %d", len(m.Answer), b.answers)
		}
		if n := len(m.Answer); r.upTo != nil && n > 0 && len(m.Extra) < r.upTo[n-1]+1 {
			t.Fatalf("%d additional records for %d answers, want at least %d", len(m.Extra), n, r.upTo[n-1]+1)
		}
	}
}

// TestNothingFits wants TC where not one answer fits, whatever enable_truncate says.
func TestNothingFits(t *testing.T) {
	s := newStage(t, nil)
	s.put(t, node("n", "10.0.0.1", "a", strings.Repeat("v", 500)), service("n", "web", 80)).open(t)
	m := s.ask(t, how{}, "n.node.consul", "TXT")
	if len(m.Answer) != 0 || !m.Truncated {
		t.Errorf("%d answers, tc %t, want none and TC", len(m.Answer), m.Truncated)
	}
	m = s.ask(t, how{tcp: true}, "n.node.consul", "TXT")
	if len(m.Answer) != 1 || m.Truncated {
		t.Errorf("%d answers over TCP, tc %t, want one", len(m.Answer), m.Truncated)
	}
	m = s.ask(t, how{}, "n.node.consul", "A")
	if len(m.Answer) != 1 || len(m.Extra) != 0 || m.Truncated {
		t.Errorf("%d answers, %d additional, tc %t, want the address alone", len(m.Answer), len(m.Extra), m.Truncated)
	}
}

func TestServiceTTL(t *testing.T) {
	set := newSettings(messages.DNSConfig{ServiceTTL: map[string]time.Duration{
		"web": time.Second, "web*": 2 * time.Second, "we*": 3 * time.Second, "Db": 1500 * time.Millisecond, "long": 1 << 62, "neg": -1,
	}})
	for name, want := range map[string]uint32{
		"web": 1, "web2": 2, "west": 3, "w": 0, "db": 1, "long": 1<<31 - 1, "neg": 0,
	} {
		if got := set.serviceTTL(name); got != want {
			t.Errorf("the TTL of %s is %d, want %d", name, got, want)
		}
	}
}

func TestWeight(t *testing.T) {
	inst := func(w *wire.Weights, statuses ...string) *wire.CheckServiceNode {
		n := &wire.CheckServiceNode{Service: &wire.NodeService{Weights: w}}
		for _, s := range statuses {
			n.Checks = append(n.Checks, &wire.HealthCheck{Status: s})
		}
		return n
	}
	for _, tc := range []struct {
		name string
		inst *wire.CheckServiceNode
		want uint16
	}{
		{"none", inst(nil), 1},
		{"passing", inst(&wire.Weights{Passing: 5, Warning: 2}, "passing"), 5},
		{"warning", inst(&wire.Weights{Passing: 5, Warning: 2}, "passing", "warning"), 2},
		{"warning_at_zero", inst(&wire.Weights{Passing: 5}, "warning"), 0},
		{"too_great", inst(&wire.Weights{Passing: 1 << 20}), 65535},
		{"negative", inst(&wire.Weights{Passing: -1}), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := weight(tc.inst); got != tc.want {
				t.Errorf("weight is %d, want %d", got, tc.want)
			}
		})
	}
}

// TestLeastSize holds what is left out before it is measured to be what would not
// have fitted: no record may take less than its least size.
func TestLeastSize(t *testing.T) {
	owner := "web.service.consul."
	for _, rr := range []dns.RR{
		addressRecord(owner, mustAddr("10.0.0.1"), 0), addressRecord(owner, mustAddr("::1"), 0),
		&dns.SRV{Hdr: header(owner, dns.TypeSRV, 0), Target: "."},
		&dns.SRV{Hdr: header(owner, dns.TypeSRV, 0), Target: owner},
		&dns.SRV{Hdr: header(owner, dns.TypeSRV, 0), Target: `\001\002\003.x\.y.consul.`},
		&dns.CNAME{Hdr: header(owner, dns.TypeCNAME, 0), Target: owner},
		&dns.TXT{Hdr: header(owner, dns.TypeTXT, 0), Txt: []string{""}},
	} {
		m := new(dns.Msg).SetQuestion(owner, rr.Header().Rrtype)
		m.Compress = true
		empty := m.Len()
		m.Answer = []dns.RR{rr}
		raw, err := m.Pack()
		if got := len(raw) - empty; err != nil || got < leastSize(rr) {
			t.Errorf("%v takes %d bytes, error %v, not at least %d", rr, got, err, leastSize(rr))
		}
	}
}

func TestLeave(t *testing.T) {
	for n := range 20 {
		for want := range n + 1 {
			if want == 0 && n > 0 {
				continue // the caller has tried it
			}
			if got := leave(n, func(leave int) bool { return leave >= want }); got != want {
				t.Errorf("leave %d of %d, want %d", got, n, want)
			}
		}
	}
}
