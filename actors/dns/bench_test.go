package dns

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// BenchmarkUDP measures questions and answers over the loopback, one after the
// other on each processor, beside a bare server of miekg/dns that answers the same
// bytes each time. The ratio of the two is what the zone costs.
func BenchmarkUDP(b *testing.B) {
	s := newStage(b, nil)
	for i := range 20 {
		name := fmt.Sprintf("node-%02d", i)
		s.put(b, node(name, fmt.Sprintf("10.0.0.%d", i)), service(name, "web", 8000), check(name, "web-8000", "passing"))
	}
	s.open(b)
	for _, question := range []struct{ name, host, qtype string }{
		{"node_A", "node-07.node.consul.", "A"},
		{"service_A", "web.service.consul.", "A"},
		{"service_SRV", "web.service.consul.", "SRV"},
	} {
		req := new(dns.Msg).SetQuestion(question.host, dns.StringToType[question.qtype])
		req.SetEdns0(4096, false)
		b.Run(question.name+"/zone", func(b *testing.B) { hammer(b, s.at(), req) })
		b.Run(question.name+"/bare", func(b *testing.B) {
			fixed := exchangeWith(b, s.at(), how{edns: 4096}, question.host, question.qtype)
			hammer(b, bare(b, fixed), req)
		})
	}
}

// bare starts a server that answers every query with the same bytes.
func bare(b *testing.B, m *dns.Msg) string {
	b.Helper()
	raw, err := m.Pack()
	if err != nil {
		b.Fatal(err)
	}
	sock := openPair(b)
	_ = sock.tcp.Close()
	started, ended := make(chan struct{}), make(chan struct{})
	srv := &dns.Server{
		PacketConn:        sock.udp[0],
		NotifyStartedFunc: func() { close(started) },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, req *dns.Msg) {
			_, _ = w.Write(raw)
		}),
	}
	go func() { defer close(ended); _ = srv.ActivateAndServe() }()
	<-started
	b.Cleanup(func() { _ = srv.Shutdown(); <-ended })
	return sock.udp[0].LocalAddr().String()
}

// hammer asks at as fast as answers come. It does not read them: that would be
// most of the work.
func hammer(b *testing.B, at string, req *dns.Msg) {
	raw, err := req.Pack()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		c, err := dns.DialTimeout("udp", at, time.Second)
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		buf := make([]byte, 4096)
		for pb.Next() {
			if _, err := c.Conn.Write(raw); err != nil {
				b.Error(err)
				return
			}
			if n, err := c.Conn.Read(buf); err != nil || n < 12 || buf[7] == 0 {
				b.Errorf("%d bytes, %v", n, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "qps")
}

// BenchmarkAnswer measures the way from a query to the packed answer, without
// sockets.
func BenchmarkAnswer(b *testing.B) {
	s := newStage(b, nil)
	crowd(b, s, 20)
	handler := s.handler(b)
	for _, qtype := range []string{"A", "SRV"} {
		req := new(dns.Msg).SetQuestion("many.service.consul.", dns.StringToType[qtype])
		req.SetEdns0(4096, false)
		b.Run(qtype, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, _ := handler.respond(req, false, netip.Addr{})
				if _, err := m.Pack(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
