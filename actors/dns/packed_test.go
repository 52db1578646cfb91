package dns

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// desk is a reader without a socket: what it has packed, and what it passes on.
type desk struct {
	*stage
	reader *reader
	set    *messages.Published[settings]
}

func newDesk(t testing.TB, tweak func(*Config)) *desk {
	s := newStage(t, tweak)
	h := s.handler(t)
	return &desk{stage: s, reader: newReader(h), set: h.settings}
}

// ask asks once, and says whether the answer was packed already.
func (d *desk) ask(t testing.TB, req *dns.Msg) (*dns.Msg, bool) {
	t.Helper()
	raw, err := req.Pack()
	if err != nil {
		t.Fatal(err)
	}
	d.reader.study()
	answer := d.reader.answer(raw, time.Now())
	ready := answer != nil
	if !ready {
		w := &written{}
		d.reader.ServeDNS(w, req)
		answer = w.raw
	}
	m := new(dns.Msg)
	if err := m.Unpack(answer); err != nil {
		t.Fatalf("%v\n% x", err, answer)
	}
	if m.Id != req.Id || m.Question[0] != req.Question[0] {
		t.Fatalf("%d %v answers %d %v", m.Id, m.Question, req.Id, req.Question)
	}
	return m, ready
}

// written is a client that takes one answer.
type written struct {
	dns.ResponseWriter
	from *net.UDPAddr // nil: nobody in particular
	raw  []byte
}

func (w *written) RemoteAddr() net.Addr            { return cmp.Or(w.from, new(net.UDPAddr)) }
func (w *written) Write(raw []byte) (int, error)   { w.raw = bytes.Clone(raw); return len(raw), nil }
func (w *written) WriteMsg(m *dns.Msg) (err error) { w.raw, err = m.Pack(); return err }

func question4096(name, qtype string) *dns.Msg {
	return new(dns.Msg).SetQuestion(name, dns.StringToType[qtype]).SetEdns0(4096, false)
}

// TestPackedUntilItChanges changes this and that, and wants what is packed to be
// thrown away by exactly those changes that it depends on.
func TestPackedUntilItChanges(t *testing.T) {
	for _, tc := range []struct {
		name, question, qtype string
		change                func(*desk)
		stays                 bool
	}{
		{"nothing", "web.service.consul.", "A", func(*desk) {}, true},
		{"other_service", "web.service.consul.", "A", func(d *desk) { d.put(t, service("b", "db", 1)) }, true},
		{"other_node", "a.node.consul.", "A", func(d *desk) { d.put(t, node("b", "10.0.0.9")) }, true},
		{"new_instance", "web.service.consul.", "SRV", func(d *desk) { d.put(t, service("b", "web", 81)) }, false},
		{"check", "web.service.consul.", "A", func(d *desk) { d.put(t, check("a", "web-80", "critical")) }, false},
		{"node_check", "web.service.consul.", "A", func(d *desk) { d.put(t, check("a", "", "critical")) }, false},
		{"address_of_its_node", "web.service.consul.", "A", func(d *desk) { d.put(t, node("a", "10.0.0.7")) }, false},
		{"first_instance", "new.service.consul.", "A", func(d *desk) { d.put(t, service("b", "new", 81)) }, false},
		{"its_node", "a.node.consul.", "A", func(d *desk) { d.put(t, node("a", "10.0.0.7")) }, false},
		{"new_node", "c.node.consul.", "A", func(d *desk) { d.put(t, node("c", "10.0.0.7")) }, false},
		{"settings", "a.node.consul.", "A", func(d *desk) { d.set.Publish(newSettings(defaults())) }, false},
		{"restored_state", "a.node.consul.", "A", func(d *desk) { d.store.Abandon() }, true}, // of the same view
		{"restored_state_and_write", "a.node.consul.", "A", func(d *desk) { d.store.Abandon(); d.put(t, node("b", "10.0.0.9")) }, false},
		{"other_node_for_ptr", "1.0.0.10.in-addr.arpa.", "PTR", func(d *desk) { d.put(t, node("c", "10.0.0.9")) }, true},
		{"its_node_for_ptr", "1.0.0.10.in-addr.arpa.", "PTR", func(d *desk) { d.put(t, node("a", "10.0.0.9")) }, false},
		{"check_for_ptr_of_nobody", "9.9.9.192.in-addr.arpa.", "PTR", func(d *desk) { d.put(t, check("a", "", "critical")) }, true},
		{"new_node_for_ptr_of_nobody", "9.9.9.192.in-addr.arpa.", "PTR", func(d *desk) { d.put(t, node("c", "192.9.9.9")) }, false},
		{"new_service_for_ptr_of_nobody", "9.9.9.192.in-addr.arpa.", "PTR", func(d *desk) { d.put(t, service("b", "db", 90, at("192.9.9.9"))) }, false},
		{"nothing_for_ptr", "1.0.0.10.in-addr.arpa.", "PTR", func(d *desk) {}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t, nil)
			d.put(t, node("a", "10.0.0.1"), service("a", "web", 80), node("b", "10.0.0.2"), service("b", "db", 90))
			req := question4096(tc.question, tc.qtype)
			for range 3 { // what tells the time is thrown away once a second
				if _, ready := d.ask(t, req); ready {
					break
				}
			}
			now := time.Now().Truncate(time.Second)
			tc.change(d)
			_, ready := d.ask(t, req)
			brief := !time.Now().Truncate(time.Second).Equal(now)
			if ready != tc.stays && (!tc.stays || !brief) {
				t.Errorf("packed %t, want %t", ready, tc.stays)
			}
		})
	}
}

// TestPackedIsTheSame asks at random while the catalog changes at random, and wants
// each packed answer to be what a listener that keeps nothing says.
func TestPackedIsTheSame(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	d := newDesk(t, nil)
	d.put(t, node("n0", "10.0.0.1"))
	packed := 0
	for range 3000 {
		n, s := random.IntN(3), random.IntN(3)
		on, svc := fmt.Sprintf("n%d", n), fmt.Sprintf("s%d", s)
		switch random.IntN(16) {
		case 0:
			d.put(t, node(on, fmt.Sprintf("10.0.%d.%d", n, random.IntN(9))))
		case 1:
			d.put(t, node(on, "10.0.0.1"), service(on, svc, 80+s))
		case 2:
			status := []string{"passing", "warning", "critical"}[random.IntN(3)]
			d.put(t, node(on, "10.0.0.1"), service(on, svc, 80+s), check(on, fmt.Sprintf("%s-%d", svc, 80+s), status))
		default:
			name := []string{svc + ".service.consul.", on + ".node.consul.", "_" + svc + "._tcp.service.dc1.consul.", "nope.consul."}[random.IntN(4)]
			req := question4096(name, []string{"A", "SRV", "ANY"}[random.IntN(3)])
			got, ready := d.ask(t, req)
			if ready {
				packed++
			}
			fresh := &written{}
			d.stage.handler(t).ServeDNS(fresh, req)
			want := new(dns.Msg)
			if err := want.Unpack(fresh.raw); err != nil {
				t.Fatal(err)
			}
			if g, w := show(got), show(want); !slices.Equal(g, w) {
				t.Fatalf("%s, packed %t:\n%q\nwant\n%q", name, ready, g, w)
			}
		}
	}
	if packed < 500 {
		t.Errorf("only %d answers were packed", packed)
	}
}

// TestPackedSpelling wants the name back as it was asked for, and one packed answer
// for all spellings.
func TestPackedSpelling(t *testing.T) {
	d := newDesk(t, nil)
	d.put(t, node("a", "10.0.0.1"), service("a", "web", 80))
	for i, name := range []string{"web.service.consul.", "wEB.serVice.CONSUL.", "WEB.SERVICE.CONSUL."} {
		m, ready := d.ask(t, question4096(name, "A"))
		if ready != (i > 0) || len(m.Answer) != 1 || m.Answer[0].Header().Name != name {
			t.Errorf("%s: packed %t, answer %v", name, ready, m.Answer)
		}
	}
}

// TestPackedTakesTurns wants every instance first as often as the others, about: half as
// often is more than five standard deviations away, since an order is sent 16 times.
func TestPackedTakesTurns(t *testing.T) {
	d := newDesk(t, nil)
	crowd(t, d.stage, 20)
	const rounds = 40000
	first := map[string]int{}
	for range rounds {
		m, _ := d.ask(t, question4096("many.service.consul.", "A"))
		if len(m.Answer) != 20 {
			t.Fatalf("%d answers, want 20", len(m.Answer))
		}
		first[m.Answer[0].(*dns.A).A.String()]++
	}
	for at, n := range first {
		if n < rounds/20/2 || n > rounds/20*2 {
			t.Errorf("%s is the first %d times of %d", at, n, rounds)
		}
	}
	if len(first) != 20 {
		t.Errorf("%d of 20 are ever the first", len(first))
	}
}

// TestPackedBriefly wants what tells the time to be told anew.
func TestPackedBriefly(t *testing.T) {
	d := newDesk(t, nil)
	d.put(t, node("a", "10.0.0.1"))
	q := d.reader.server.query(question4096("nope.consul.", "A"), d.set.Load())
	r, what := d.reader.server.answer(q)
	f := q.keep(r, what)
	seen := f.first
	if !f.right(q.view, q.set, q.now, &seen) || f.right(q.view, q.set, q.now.Add(time.Second), &seen) {
		t.Errorf("an answer with an SOA record is right until %v, now is %v", f.until, q.now)
	}
}

// TestPackedIsBounded asks for a great many names, and for large answers.
func TestPackedIsBounded(t *testing.T) {
	d := newDesk(t, nil)
	shelf, kept := d.reader.shelf, d.reader.server.kept
	shelf.most, kept.most = 200_000, 200_000
	crowd(t, d.stage, 100)
	for i := range 1000 {
		d.ask(t, question4096(fmt.Sprintf("%s-%d.nope.consul.", bytes.Repeat([]byte("x"), 50), i), "A"))
		d.ask(t, question4096("many.service.consul.", []string{"A", "SRV"}[i%2]))
	}
	d.reader.study()
	sum := 0
	for _, p := range shelf.all {
		sum += p.size
	}
	if sum != shelf.size || sum > shelf.most || sum == 0 {
		t.Errorf("%d bytes are packed, counted as %d, want at most %d", sum, shelf.size, shelf.most)
	}
	sum = 0
	for _, k := range kept.all {
		sum += k.size
	}
	if sum != kept.kept || sum > kept.most || sum == 0 {
		t.Errorf("%d bytes are kept, counted as %d, want at most %d", sum, kept.kept, kept.most)
	}
}

// TestHeld asks a great many questions of a kind, and wants the heap to grow by no more
// than what is counted, about, and that to be bounded.
func TestHeld(t *testing.T) {
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	for _, tc := range []struct {
		name string
		req  func(i int) *dns.Msg
	}{
		{"no_such_name", func(i int) *dns.Msg { return question4096(fmt.Sprintf("n%d.service.consul.", i), "A") }},
		{"no_such_name_of_another_kind", func(i int) *dns.Msg { return question4096(fmt.Sprintf("%063d.nope.node.consul.", i), "SRV") }},
		{"node", func(i int) *dns.Msg {
			return question4096(fmt.Sprintf("node-%04d.node.consul.", i%2000), []string{"A", "ANY", "TXT"}[i%3])
		}},
		{"service", func(i int) *dns.Msg { return question4096(fmt.Sprintf("t%d.many.service.consul.", i%200), "SRV") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t, nil)
			crowd(t, d.stage, 2000, "rack", "r1")
			var all []*wire.RegisterRequest
			for i := range 2000 {
				all = append(all, service(fmt.Sprintf("node-%04d", i), "many", 8000, tags(fmt.Sprintf("t%d", i%200))))
			}
			d.put(t, all...)
			before := heap()
			for i := range 20_000 {
				d.ask(t, tc.req(i))
			}
			d.reader.study()
			grown, counted := heap()-before, d.reader.shelf.size+d.reader.server.kept.kept
			if most := d.reader.shelf.most + d.reader.server.kept.most; counted > most || grown > counted*5/4+1<<20 {
				t.Errorf("the heap has grown by %d KiB, counted are %d KiB, the most is %d KiB", grown>>10, counted>>10, most>>10)
			}
			t.Logf("the heap has grown by %d KiB, counted are %d KiB, with %d packed and %d kept", grown>>10, counted>>10, len(d.reader.shelf.all), len(d.reader.server.kept.all))
			runtime.KeepAlive(d)
		})
	}
}

// TestNotPacked has what must be found anew each time.
func TestNotPacked(t *testing.T) {
	d := newDesk(t, nil)
	for i := range 2 {
		name := fmt.Sprintf("h%d", i)
		d.put(t, node(name, fmt.Sprintf("host%d.example.com", i)), service(name, "names", 80))
	}
	subnet := question4096("h0.node.consul.", "A")
	subnet.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: mustAddr("192.0.2.0").AsSlice()}}
	for name, req := range map[string]*dns.Msg{
		"with_options":        subnet,
		"one_of_many_names":   question4096("names.service.consul.", "A"),
		"for_others":          question4096("example.com.", "A"),
		"other_opcode":        {MsgHdr: dns.MsgHdr{Opcode: dns.OpcodeNotify}, Question: question4096("h0.node.consul.", "A").Question},
		"other_class":         {Question: []dns.Question{{Name: "h0.node.consul.", Qtype: dns.TypeA, Qclass: dns.ClassCHAOS}}},
		"version_that_is_not": versioned(question4096("h0.node.consul.", "A")),
	} {
		for range 3 {
			if _, ready := d.ask(t, req); ready {
				t.Errorf("%s is packed", name)
			}
		}
	}
}

func versioned(m *dns.Msg) *dns.Msg { m.IsEdns0().SetVersion(1); return m }

// FuzzPacked holds a packet that is answered from the shelf to being answered as
// the library's way would.
func FuzzPacked(f *testing.F) {
	for _, m := range []*dns.Msg{
		question4096("web.service.consul.", "A"), question4096("nope.consul.", "SRV"), new(dns.Msg).SetQuestion("a.node.consul.", dns.TypeANY),
		question4096("_web._tcp.service.dc1.CONSUL.", "SRV"), question4096("1.0.0.10.in-addr.arpa.", "PTR"), new(dns.Msg).SetQuestion("consul.", dns.TypeNS),
		new(dns.Msg).SetQuestion("0a000001.addr.consul.", dns.TypeA), new(dns.Msg).SetQuestion("example.com.", dns.TypeA), versioned(question4096("web.service.consul.", "A")),
	} {
		raw, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	d := newDesk(f, nil)
	d.put(f, node("a", "10.0.0.1"), service("a", "web", 80, func(s *wire.NodeService) { s.Tags = []string{"x"} }))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d.reader.study() // what is left of the last one
		d.reader.shelf = newShelf(maxShelf, rand.IntN)
		req := new(dns.Msg)
		readable := req.Unpack(raw) == nil
		begun := time.Now()
		var way []byte // what the library's way says
		for range 2 {
			d.reader.study()
			answer := d.reader.answer(raw, time.Now())
			if answer != nil {
				m := new(dns.Msg)
				if err := m.Unpack(answer); err != nil || !m.Response || !bytes.Equal(answer[:2], raw[:2]) {
					t.Fatalf("% x is answered with % x: %v", raw, answer, err)
				}
				if !bytes.Equal(answer, way) && time.Now().Unix() == begun.Unix() { // a serial is a time
					t.Fatalf("% x is answered with\n% x, want\n% x", raw, answer, way)
				}
			}
			if !readable {
				return
			}
			w := &written{}
			d.reader.ServeDNS(w, req.Copy())
			way = w.raw
		}
	})
}

// TestPTRCounted wants questions about addresses counted, whoever is there.
func TestPTRCounted(t *testing.T) {
	count := counters(t)
	s := newStage(t, nil).put(t, node("a", "10.0.0.1"))
	h := s.handler(t)
	for i, name := range []string{"1.0.0.10.in-addr.arpa.", "9.0.0.10.in-addr.arpa.", "9.0.0.10.in-addr.arpa."} {
		h.ServeDNS(&written{}, question4096(name, "PTR"))
		if n := count("dns.ptr_query"); n != i+1 {
			t.Errorf("%d questions are counted after %s, want %d", n, name, i+1)
		}
	}
}
