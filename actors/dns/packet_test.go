package dns

import (
	"encoding/hex"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// questionBytes are the bytes of "ext.node.consul. IN A" behind a header.
const questionBytes = "03657874046e6f646506636f6e73756c0000010001"

// optBytes is an OPT record that says 1232.
const optBytes = "00002904d0000000000000"

// TestMalformed sends packets that are no queries. Those that are answered with
// "" are dropped: an answer could be sent to a victim, or be the start of a loop.
func TestMalformed(t *testing.T) {
	count := counters(t)
	s := newStage(t, nil).put(t, population()...).open(t)
	for _, tc := range []struct{ name, packet, want string }{
		{"empty", "", ""},
		{"short_header", "4711010000010000000000", ""},
		{"a_response", "471181000001000000000000" + questionBytes, ""},
		{"header_alone", "471101000001000000000000", "FORMERR"},
		{"no_question", "471101000000000000000000", "FORMERR"},
		{"two_questions", "471101000002000000000000" + questionBytes + questionBytes, "FORMERR"},
		{"truncated_question", "471101000001000000000000" + questionBytes[:20], "FORMERR"},
		{"pointer_to_itself", "471101000001000000000000c00c00010001", "FORMERR"},
		{"pointer_to_nowhere", "471101000001000000000000cfff00010001", "FORMERR"},
		{"label_type_unknown", "47110100000100000000000041ffff0000010001", "FORMERR"},
		{"missing_additional", "471101000001000000000001" + questionBytes, "NOERROR"},
		{"bad_additional", "471101000001000000000001" + questionBytes + "00002904d0000000000005ffff", "FORMERR"},
		{"too_many_additional", "471101000001000000000003" + questionBytes, "FORMERR"},
		{"answers_in_a_query", "471101000001000200000000" + questionBytes, "FORMERR"},
		{"two_opts", "471101000001000000000002" + questionBytes + optBytes + optBytes, "FORMERR opt"},
		{"no_question_with_opt", "471101000000000000000001" + optBytes, "FORMERR opt"},
		{"two_questions_with_opt", "471101000002000000000001" + questionBytes + questionBytes + optBytes, "FORMERR opt"},
		{"update_with_opt", "471129000001000000000001" + questionBytes + optBytes, "NOTIMP opt"},
		{"large_update", "471129000001000000200000" + questionBytes, "NOTIMP"},
		{"iquery", "471109000000000100000000" + "00000100010000000000040a000001", "NOTIMP"},
		{"other_class_with_opt", "471101000001000000000001" + questionBytes[:len(questionBytes)-1] + "3" + optBytes, "REFUSED opt"},
		{"other_name_with_opt", "471101000001000000000001" + "0178000001" + "0001" + optBytes, "REFUSED opt"},
		{"well_with_opt", "471101000001000000000001" + questionBytes + optBytes, "NOERROR opt"},
		{"update", "471129000001000000000000" + questionBytes, "NOTIMP"},
		{"notify", "471121000001000000000000" + questionBytes, "NOTIMP"},
		{"status", "471111000001000000000000" + questionBytes, "NOTIMP"},
		{"garbage_behind", "471101000001000000000000" + questionBytes + "deadbeef", "NOERROR"},
		{"well", "471101000001000000000000" + questionBytes, "NOERROR"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw, err := hex.DecodeString(tc.packet)
			if err != nil {
				t.Fatal(err)
			}
			before := count("dns.invalid")
			if got := send(t, s.at(), raw, tc.want == ""); got != tc.want {
				t.Errorf("answered with %q, want %q", got, tc.want)
			}
			counted := !strings.HasPrefix(tc.want, "NOERROR") && !strings.HasPrefix(tc.want, "REFUSED")
			if n := count("dns.invalid") - before; (n == 1) != counted || n > 1 {
				t.Errorf("counted %d times, want %t", n, counted)
			}
		})
	}
}

// send sends a packet, and behind it a query that is well: what comes before the
// answer to that is the answer to the packet, unless one overtakes the other. It
// returns its code; "" when silence is expected and a few queries were answered.
func send(t *testing.T, at string, raw []byte, silence bool) string {
	t.Helper()
	c, err := dns.DialTimeout("udp", at, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.Conn.Write(raw); err != nil {
		t.Fatal(err)
	}
	got := ""
	for id := uint16(1); ; id++ { // answers may overtake each other
		well := question4096("ext.node.consul.", "A")
		well.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef"}} // it is not answered from the shelf
		well.Id = id
		if err := c.WriteMsg(well); err != nil {
			t.Fatal(err)
		}
		for {
			m, err := c.ReadMsg()
			if err != nil {
				t.Fatal(err)
			}
			if m.Id == id {
				break
			}
			got = dns.RcodeToString[m.Rcode]
			if m.IsEdns0() != nil {
				got += " opt"
			}
		}
		if got != "" || silence && id == 20 || id == 5000 {
			return got
		}
	}
}

// recorder is a response writer that keeps what it is given.
type recorder struct {
	dns.ResponseWriter
	from net.Addr
	sent [][]byte
}

func (r *recorder) RemoteAddr() net.Addr { return r.from }

func (r *recorder) Write(raw []byte) (int, error) {
	r.sent = append(r.sent, raw)
	return len(raw), nil
}

func (r *recorder) WriteMsg(m *dns.Msg) error {
	raw, err := m.Pack()
	r.sent = append(r.sent, raw)
	return err
}

// TestUnpackable has an answer that cannot be sent, and wants the client told.
func TestUnpackable(t *testing.T) {
	w := &recorder{from: &net.UDPAddr{}}
	req := new(dns.Msg).SetQuestion("x.consul.", dns.TypeTXT)
	broken := new(dns.Msg).SetReply(req)
	broken.Answer = []dns.RR{&dns.TXT{Hdr: header("x.consul.", dns.TypeTXT, 0), Txt: []string{strings.Repeat("x", 256)}}}
	newStage(t, nil).handler(t).write(w, req, broken)
	m := new(dns.Msg)
	if len(w.sent) != 1 || m.Unpack(w.sent[0]) != nil || m.Rcode != dns.RcodeServerFailure {
		t.Errorf("answered with %d messages, %s, want SERVFAIL", len(w.sent), dns.RcodeToString[m.Rcode])
	}
}

// FuzzPacket gives packets to the handler as the library does, and wants one
// answer to each that is a query, of a size that was asked for and with the ID and
// the question that it had.
func FuzzPacket(f *testing.F) {
	for _, question := range []string{
		"ext.node.consul A", "srv1.node.consul ANY", "web.service.consul A", "db.service.consul SRV", "_db._tcp.consul SRV", "v1.web.service.dc1.consul AAAA",
		"0a010203.addr.consul A", "consul SOA", "consul NS", "consul AXFR", "3.2.1.10.in-addr.arpa PTR", "example.com A", "web.virtual.consul A", `\000\255\..node.consul TXT`, ". NS",
	} {
		name, qtype, _ := strings.Cut(question, " ")
		m := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[qtype])
		for _, edns := range []uint16{0, 512, 4096} {
			if edns > 0 {
				m.SetEdns0(edns, true)
			}
			raw, err := m.Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(raw, edns == 4096)
		}
	}
	for _, packet := range []string{"471101000001000000000000", "471101000001000000000000c00c00010001", "471121000001000000000000" + questionBytes} {
		raw, err := hex.DecodeString(packet)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, false)
	}

	s := newStage(f, nil).put(f, population()...)
	handler := s.handler(f)
	f.Fuzz(func(t *testing.T, raw []byte, tcp bool) {
		req := new(dns.Msg)
		if err := req.Unpack(raw); err != nil || req.Response {
			return
		}
		w := &recorder{from: &net.UDPAddr{}}
		limit := 512
		if opt := req.IsEdns0(); opt != nil {
			limit = max(limit, int(opt.UDPSize()))
		}
		if tcp {
			w.from, limit = &net.TCPAddr{}, 65535
		}
		handler.ServeDNS(w, req)
		if len(w.sent) != 1 || len(w.sent[0]) > limit {
			t.Fatalf("%d answers, the first of %d bytes, want one of at most %d", len(w.sent), len(w.sent[0]), limit)
		}
		m := new(dns.Msg)
		if err := m.Unpack(w.sent[0]); err != nil {
			t.Fatalf("the answer cannot be read: %v", err)
		}
		if m.Id != req.Id || !m.Response {
			t.Fatalf("the answer to %d is %d, response %t", req.Id, m.Id, m.Response)
		}
		if len(req.Question) == 1 && len(m.Question) == 1 && m.Question[0] != req.Question[0] {
			t.Fatalf("the question was %v and is %v", req.Question[0], m.Question[0])
		}
		if m.Rcode == dns.RcodeServerFailure {
			t.Fatalf("a query is answered with SERVFAIL: %v", req.Question)
		}
	})
}
