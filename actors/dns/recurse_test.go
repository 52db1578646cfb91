package dns

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/actor-consul/consul/messages"
)

// other is a DNS server that a test plays.
type other struct {
	at    string
	asked atomic.Int64
}

// newOther starts a server that answers with what answer makes of a reply; nil is
// no answer.
func newOther(t testing.TB, answer func(m *dns.Msg) *dns.Msg) *other {
	t.Helper()
	sock := openPair(t)
	o := &other{at: sock.addr().String()}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, req *dns.Msg) {
		o.asked.Add(1)
		m := new(dns.Msg).SetReply(req)
		m.RecursionAvailable = true
		if m = answer(m); m != nil {
			_ = w.WriteMsg(m)
		}
	})
	for _, srv := range []*dns.Server{{PacketConn: sock.udp[0], Handler: handler}, {Listener: sock.tcp, Handler: handler}} {
		started, ended := make(chan struct{}), make(chan struct{})
		srv.NotifyStartedFunc = func() { close(started) }
		go func() { defer close(ended); _ = srv.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = srv.Shutdown(); <-ended })
	}
	return o
}

// knows answers A questions with one address.
func knows(address string) func(*dns.Msg) *dns.Msg {
	return func(m *dns.Msg) *dns.Msg {
		m.Answer = []dns.RR{addressRecord(m.Question[0].Name, mustAddr(address), 60)}
		return m
	}
}

func says(rcode int) func(*dns.Msg) *dns.Msg {
	return func(m *dns.Msg) *dns.Msg { m.Rcode = rcode; return m }
}

func silent(*dns.Msg) *dns.Msg { return nil }

// losing hears nothing of the first queries.
func losing(n int64, answer func(*dns.Msg) *dns.Msg) func(*dns.Msg) *dns.Msg {
	var heard atomic.Int64
	return func(m *dns.Msg) *dns.Msg {
		if heard.Add(1) <= n {
			return nil
		}
		return answer(m)
	}
}

func TestRecursors(t *testing.T) {
	long := func(m *dns.Msg) *dns.Msg {
		for i := range 100 {
			m.Answer = append(m.Answer, addressRecord(m.Question[0].Name, mustAddr(fmt.Sprintf("192.0.2.%d", i)), 60))
		}
		return m
	}
	const short = 400 * time.Millisecond
	for _, tc := range []struct {
		name   string
		others []func(*dns.Msg) *dns.Msg
		how    how
		want   string
		asked  []int64
		time   time.Duration // of the recursors; if it is short, who is well may be asked again
	}{
		{name: "answer", others: []func(*dns.Msg) *dns.Msg{knows("192.0.2.1")}, want: "NOERROR ra | Example.com. 60 IN A 192.0.2.1", asked: []int64{1}},
		{name: "lost_packet", others: []func(*dns.Msg) *dns.Msg{losing(1, knows("192.0.2.1"))}, want: "NOERROR ra | Example.com. 60 IN A 192.0.2.1", asked: []int64{2}, time: 2 * time.Second},
		{name: "two_lost_packets", others: []func(*dns.Msg) *dns.Msg{losing(2, knows("192.0.2.1"))}, want: "NOERROR ra | Example.com. 60 IN A 192.0.2.1", asked: []int64{3}, time: 2 * time.Second},
		{name: "over_tcp", others: []func(*dns.Msg) *dns.Msg{knows("192.0.2.1")}, how: how{tcp: true}, want: "NOERROR ra | Example.com. 60 IN A 192.0.2.1", asked: []int64{1}},
		{name: "first_that_answers", others: []func(*dns.Msg) *dns.Msg{knows("192.0.2.1"), knows("192.0.2.2")}, want: "NOERROR ra | Example.com. 60 IN A 192.0.2.1", asked: []int64{1, 0}},
		{name: "next_after_failure", others: []func(*dns.Msg) *dns.Msg{says(dns.RcodeServerFailure), says(dns.RcodeRefused), knows("192.0.2.2")}, want: "NOERROR ra | Example.com. 60 IN A 192.0.2.2", asked: []int64{1, 1, 1}},
		{name: "next_after_silence", others: []func(*dns.Msg) *dns.Msg{silent, knows("192.0.2.2")}, want: "NOERROR ra | Example.com. 60 IN A 192.0.2.2", asked: []int64{3, 1}, time: short},
		{name: "no_such_name_is_an_answer", others: []func(*dns.Msg) *dns.Msg{says(dns.RcodeNameError), knows("192.0.2.2")}, want: "NXDOMAIN ra", asked: []int64{1, 0}},
		{name: "nobody_answers", others: []func(*dns.Msg) *dns.Msg{says(dns.RcodeServerFailure), silent}, want: "SERVFAIL ra", asked: []int64{1, 3}, time: short},
		{name: "truncated_is_an_answer", others: []func(*dns.Msg) *dns.Msg{func(m *dns.Msg) *dns.Msg { m.Truncated = true; return m }}, want: "NOERROR tc ra", asked: []int64{1}},
		{name: "other_question", others: []func(*dns.Msg) *dns.Msg{func(m *dns.Msg) *dns.Msg { m.Question[0].Name = "evil.com."; return m }, knows("192.0.2.2")}, want: "NOERROR ra | Example.com. 60 IN A 192.0.2.2", asked: []int64{1, 1}},
		{name: "answer_that_cannot_be_read", others: []func(*dns.Msg) *dns.Msg{long, knows("192.0.2.2")}, want: "NOERROR ra | Example.com. 60 IN A 192.0.2.2", asked: []int64{1, 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var others []*other
			s := newStage(t, func(cfg *Config) {
				cfg.DNS.RecursorTimeout = cmp.Or(tc.time, 8*time.Second)
				for _, answer := range tc.others {
					o := newOther(t, answer)
					others = append(others, o)
					cfg.DNS.Recursors = append(cfg.DNS.Recursors, o.at)
				}
			}).open(t)
			got := show(s.ask(t, tc.how, "Example.com", "A"))
			if want := strings.Split(tc.want, " | "); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			for i, o := range others {
				if n := o.asked.Load(); n < tc.asked[i] || n > tc.asked[i] && tc.time != short {
					t.Errorf("recursor %d was asked %d times, want %d", i, n, tc.asked[i])
				}
			}
		})
	}
}

// TestSilentRecursor wants a recursor that does not answer to cost one query its time,
// and the next ones none, also where a CNAME leads outside.
func TestSilentRecursor(t *testing.T) {
	core, logged := observer.New(zap.WarnLevel)
	dead, well := newOther(t, silent), newOther(t, knows("192.0.2.2"))
	s := newStage(t, func(cfg *Config) {
		cfg.Logger, cfg.DNS.Recursors, cfg.DNS.RecursorTimeout = zap.New(core), []string{dead.at, well.at}, time.Second
	}).put(t, population()...).open(t)
	for range 10 {
		if got := show(s.ask(t, how{}, "example.com", "A")); !slices.Equal(got, []string{"NOERROR ra", "example.com. 60 IN A 192.0.2.2"}) {
			t.Errorf("got %q", got)
		}
		if m := s.ask(t, how{}, "far.service.consul", "A"); len(m.Answer) != 2 {
			t.Errorf("got %q", show(m))
		}
	}
	if n := dead.asked.Load(); n != 3 {
		t.Errorf("the silent recursor was sent %d packets, want those of one query", n)
	}
	if n := logged.FilterMessageSnippet("does not answer").Len(); n != 1 {
		t.Errorf("%d lines say so, want 1", n)
	}
}

// TestNonsenseIsAnAnswer wants a recursor that answers what cannot be read not taken for
// one that is away.
func TestNonsenseIsAnAnswer(t *testing.T) {
	first := newOther(t, func(m *dns.Msg) *dns.Msg {
		if m.Question[0].Name == "odd.example.com." {
			m.Question[0].Name = "evil.com."
			return m
		}
		return knows("192.0.2.1")(m)
	})
	second := newOther(t, knows("192.0.2.2"))
	s := newStage(t, func(cfg *Config) {
		cfg.DNS.Recursors, cfg.DNS.RecursorTimeout = []string{first.at, second.at}, 8*time.Second
	}).open(t)
	s.check(t, []row{
		{"nonsense", "odd.example.com A", "NOERROR ra | odd.example.com. 60 IN A 192.0.2.2"},
		{"sense", "example.com A", "NOERROR ra | example.com. 60 IN A 192.0.2.1"},
	})
}

// TestSilentRecursorsAlone wants the only recursor asked by each query, whatever is
// known of it.
func TestSilentRecursorsAlone(t *testing.T) {
	o := newOther(t, losing(3, knows("192.0.2.1")))
	s := newStage(t, func(cfg *Config) { cfg.DNS.Recursors, cfg.DNS.RecursorTimeout = []string{o.at}, 100*time.Millisecond }).open(t)
	s.check(t, []row{{"silent", "example.com A +udp", "SERVFAIL ra"}, {"there_again", "example.com A", "NOERROR ra | example.com. 60 IN A 192.0.2.1"}})
}

// TestRecursorNotThere has a recursor at a port where nobody listens.
func TestRecursorNotThere(t *testing.T) {
	sock, err := open("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := sock.addr().String()
	sock.close()
	o := newOther(t, knows("192.0.2.2"))
	s := newStage(t, func(cfg *Config) { cfg.DNS.Recursors = []string{gone, o.at} }).open(t)
	for _, h := range []how{{}, {tcp: true}} {
		if got := show(s.ask(t, h, "example.com", "A")); !slices.Equal(got, []string{"NOERROR ra", "example.com. 60 IN A 192.0.2.2"}) {
			t.Errorf("got %q", got)
		}
	}
}

// TestRecursedSizes wants answers of recursors cut to what the client takes.
func TestRecursedSizes(t *testing.T) {
	o := newOther(t, func(m *dns.Msg) *dns.Msg {
		for i := range 100 { // more than was asked for
			m.Answer = append(m.Answer, addressRecord(m.Question[0].Name, mustAddr(fmt.Sprintf("192.0.2.%d", i)), 60))
		}
		m.SetEdns0(4096, false)
		m.Compress = true
		return m
	})
	s := newStage(t, func(cfg *Config) { cfg.DNS.Recursors, cfg.DNS.DisableCompress = []string{o.at}, true }).open(t)
	m, length := rawAsk(t, s.at(), "example.com", dns.TypeA, 2000)
	if length > 2000 || !m.Truncated || len(m.Answer) == 0 || m.IsEdns0() == nil {
		t.Errorf("%d bytes, tc %t, %d answers, OPT %v", length, m.Truncated, len(m.Answer), m.IsEdns0())
	}
}

func TestRecursorsAtRandom(t *testing.T) {
	a, b := newOther(t, knows("192.0.2.1")), newOther(t, knows("192.0.2.2"))
	s := newStage(t, func(cfg *Config) {
		cfg.DNS.Recursors, cfg.DNS.RecursorsAtRandom = []string{a.at, b.at}, true
	}).open(t)
	for range 1000 { // both are first sooner or later
		s.ask(t, how{}, "example.com", "A")
		if a.asked.Load() > 0 && b.asked.Load() > 0 {
			return
		}
	}
	t.Errorf("asked %d and %d times", a.asked.Load(), b.asked.Load())
}

// TestZoneWithRecursors covers the names of the zone while there are recursors.
func TestZoneWithRecursors(t *testing.T) {
	o := newOther(t, func(m *dns.Msg) *dns.Msg {
		name := m.Question[0].Name
		switch m.Question[0].Qtype {
		case dns.TypePTR:
			m.Answer = []dns.RR{&dns.PTR{Hdr: header(name, dns.TypePTR, 60), Ptr: "outside.example.com."}}
		case dns.TypeAAAA:
			m.Answer = []dns.RR{addressRecord(name, mustAddr("2001:db8::1"), 60)}
		default:
			m.Answer = []dns.RR{
				&dns.CNAME{Hdr: header(name, dns.TypeCNAME, 60), Target: "real.example.com."},
				addressRecord("real.example.com.", mustAddr("192.0.2.1"), 60),
				&dns.TXT{Hdr: header(name, dns.TypeTXT, 60), Txt: []string{"noise"}},
			}
		}
		return m
	})
	s := newStage(t, func(cfg *Config) { cfg.DNS.Recursors = []string{o.at} }).put(t, population()...)
	for i := range 12 {
		s.put(t, service("ext", "many", i, at(fmt.Sprintf("h%d.example.com", i))))
	}
	s.open(t).check(t, []row{
		{"zone", "ext.node.consul A", "NOERROR aa ra | ext.node.consul. 0 IN A 10.1.2.3"},
		{"no_such_name", "nope.node.consul A", "NXDOMAIN aa ra" + none},
		{"node_at_a_host_name", "cname.node.consul A", "NOERROR aa ra | cname.node.consul. 0 IN CNAME db.example.com. | db.example.com. 0 IN CNAME real.example.com. | real.example.com. 0 IN A 192.0.2.1"},
		{"service_at_a_host_name", "far.service.consul A", "NOERROR aa ra | db.example.com. 0 IN CNAME real.example.com. | far.service.consul. 0 IN CNAME db.example.com. | real.example.com. 0 IN A 192.0.2.1"},
		{"service_at_a_host_name_six", "far.service.consul AAAA", "NOERROR aa ra | db.example.com. 0 IN AAAA 2001:db8::1 | far.service.consul. 0 IN CNAME db.example.com."},
		{"srv_at_a_host_name", "far.service.consul SRV", "NOERROR aa ra | far.service.consul. 0 IN SRV 1 1 1 db.example.com. | + db.example.com. 0 IN CNAME real.example.com. | + real.example.com. 0 IN A 192.0.2.1"},
		{"ptr_of_a_node", "3.2.1.10.in-addr.arpa PTR", "NOERROR aa ra | 3.2.1.10.in-addr.arpa. 0 IN PTR ext.node.dc1.consul."},
		{"ptr_of_nobody", "9.9.9.9.in-addr.arpa PTR", "NOERROR ra | 9.9.9.9.in-addr.arpa. 60 IN PTR outside.example.com."},
		{"transfer_is_not_passed_on", "example.com AXFR +tcp", "REFUSED"},
	})
	before := o.asked.Load()
	m := s.ask(t, how{tcp: true}, "many.service.consul", "SRV")
	if n := o.asked.Load() - before; len(m.Answer) != 12 || n != maxOutside {
		t.Errorf("%d answers for which recursors were asked %d times, want 12 and %d", len(m.Answer), n, maxOutside)
	}
}

// TestLeadingTo wants of what others say only what leads to an address, and no
// more than fits.
func TestLeadingTo(t *testing.T) {
	found := []dns.RR{&dns.TXT{Hdr: header("x.", dns.TypeTXT, 60)}, &dns.CNAME{Hdr: header("x.", dns.TypeCNAME, 60), Target: "y."}}
	for range 9 {
		found = append(found, addressRecord("y.", mustAddr("192.0.2.1"), 60))
	}
	for edns, want := range map[bool]int{false: maxChased, true: 10} {
		kept := leadingTo(found, 7, edns)
		if len(kept) != want || kept[0].Header().Rrtype != dns.TypeCNAME || kept[want-1].Header().Ttl != 7 {
			t.Errorf("with EDNS %t, kept %v", edns, kept)
		}
	}
}

// TestTooManyRecursions fills the listener with queries that wait, and wants the
// next one refused, and the zone answered.
func TestTooManyRecursions(t *testing.T) {
	release, came := make(chan struct{}), make(chan struct{}, 10)
	o := newOther(t, func(m *dns.Msg) *dns.Msg { came <- struct{}{}; <-release; return m })
	s := newStage(t, func(cfg *Config) {
		cfg.DNS.Recursors, cfg.DNS.RecursorTimeout = []string{o.at}, time.Minute
		cfg.Limits.Recursions = 2
	}).put(t, population()...).open(t)
	done := make(chan *dns.Msg, 2)
	for range 2 {
		go func() { done <- s.ask(t, how{}, "example.com", "A") }()
		<-came
	}
	if m := s.ask(t, how{}, "example.com", "A"); m.Rcode != dns.RcodeServerFailure {
		t.Errorf("one too many is answered with %s", dns.RcodeToString[m.Rcode])
	}
	if m := s.ask(t, how{}, "ext.node.consul", "A"); len(m.Answer) != 1 {
		t.Errorf("the zone is answered with %s", dns.RcodeToString[m.Rcode])
	}
	close(release)
	for range 2 {
		if m := <-done; m.Rcode != dns.RcodeSuccess {
			t.Errorf("one that waited is answered with %s", dns.RcodeToString[m.Rcode])
		}
	}
}

// TestForwardedID wants recursors to be asked with an ID that the client does not
// know, and the client answered with its own.
func TestForwardedID(t *testing.T) {
	ids := make(chan uint16, 100)
	o := newOther(t, func(m *dns.Msg) *dns.Msg { ids <- m.Id; return m })
	s := newStage(t, func(cfg *Config) { cfg.DNS.Recursors = []string{o.at} }).open(t)
	for range 3 { // one may be the same by chance
		m := s.ask(t, how{tweak: func(m *dns.Msg) { m.Id = 4711 }}, "example.com", "A")
		if m.Id != 4711 {
			t.Fatalf("answered with ID %d", m.Id)
		}
		if <-ids != 4711 {
			return
		}
	}
	t.Error("recursors see the client's ID")
}

// TestReconfigure covers recursors that come and go.
func TestReconfigure(t *testing.T) {
	o := newOther(t, knows("192.0.2.1"))
	s := newStage(t, nil).put(t, population()...).open(t)
	cfg := defaults()
	cfg.Recursors, cfg.NodeTTL = []string{o.at}, 30*time.Second
	for _, step := range []struct {
		name string
		dns  messages.DNSConfig
		want []string
	}{
		{"before", defaults(), []string{"REFUSED", "NOERROR aa | ext.node.consul. 0 IN A 10.1.2.3"}},
		{"with_recursors", cfg, []string{"NOERROR ra | example.com. 60 IN A 192.0.2.1", "NOERROR aa ra | ext.node.consul. 30 IN A 10.1.2.3"}},
		{"without", defaults(), []string{"REFUSED", "NOERROR aa | ext.node.consul. 0 IN A 10.1.2.3"}},
	} {
		s.addr.Tell(&messages.Reconfigure{DNS: step.dns})
		s.sync(t)
		s.check(t, []row{{step.name + "_outside", "example.com A", step.want[0]}, {step.name + "_zone", "ext.node.consul A", step.want[1]}})
	}
}

// dialable says whether a TCP connection can be opened.
func dialable(at string) bool {
	c, err := net.DialTimeout("tcp", at, 30*time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}
