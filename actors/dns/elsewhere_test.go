package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/actor-consul/consul/messages/wire"
)

// farAway is another datacenter, dc2, which knows a node and a service.
type farAway struct {
	asked atomic.Int64
	err   error
	wait  chan struct{} // nil: it answers at once
}

func (f *farAway) elsewhere() *Elsewhere {
	reply := func(ctx context.Context, dc string) error {
		f.asked.Add(1)
		if f.wait != nil {
			select {
			case <-f.wait:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if dc != "dc2" {
			return fmt.Errorf("asked a server: %w", wire.ErrNoDCPath)
		}
		return f.err
	}
	node := &wire.Node{Node: "Far", Address: "10.2.0.1", TaggedAddresses: map[string]string{
		"lan_ipv4": "10.2.0.1", "wan": "203.0.113.1", "wan_ipv4": "203.0.113.1", "wan_ipv6": "2001:db8::1",
	}}
	plain := &wire.NodeService{ID: "plain", Service: "web", Port: 80}
	own := &wire.NodeService{ID: "own", Service: "web", Port: 81, Address: "10.2.0.2", TaggedAddresses: map[string]wire.ServiceAddress{
		"wan": {Address: "203.0.113.2", Port: 8081},
	}}
	return &Elsewhere{
		Datacenters: func(context.Context) ([]string, error) { return []string{"dc1", "dc2"}, nil },
		Node: func(ctx context.Context, args *wire.NodeSpecificRequest) (*wire.Node, error) {
			if err := reply(ctx, args.Datacenter); err != nil || args.Node != "far" {
				return nil, err
			}
			return node, nil
		},
		Instances: func(ctx context.Context, args *wire.ServiceSpecificRequest) (wire.CheckServiceNodes, error) {
			if err := reply(ctx, args.Datacenter); err != nil || args.ServiceName != "web" || args.Connect || args.TagFilter && args.ServiceTags[0] != "v1" {
				return nil, err
			}
			return wire.CheckServiceNodes{
				{Node: node, Service: plain}, {Node: node, Service: own},
				{Node: node, Service: plain, Checks: wire.HealthChecks{{Status: wire.HealthCritical}}},
			}, nil
		},
	}
}

// of returns what a server says of a question: the code, and the records in order.
func of(t *testing.T, h *server, name string, qtype uint16) string {
	t.Helper()
	m, _ := h.respond(new(dns.Msg).SetQuestion(name, qtype), true, netip.Addr{})
	var records []string
	for _, rr := range slices.Concat(m.Answer, m.Extra) {
		if _, soa := rr.(*dns.SOA); !soa {
			text := strings.Fields(rr.String())
			records = append(records, strings.Join(slices.Delete(text, 1, 3), " "))
		}
	}
	slices.Sort(records)
	return strings.Join(append([]string{dns.RcodeToString[m.Rcode]}, records...), "; ")
}

func TestElsewhere(t *testing.T) {
	const (
		bothA    = "NOERROR; web.service.dc2.consul. A 10.2.0.1; web.service.dc2.consul. A 10.2.0.2"
		nobody   = "NXDOMAIN"
		notThere = "SERVFAIL"
	)
	tests := []struct {
		name      string
		question  string
		qtype     uint16
		err       error
		translate bool
		want      string
	}{
		{name: "node", question: "Far.node.dc2.consul.", qtype: dns.TypeA, want: "NOERROR; far.node.dc2.consul. A 10.2.0.1"},
		{name: "node_in_dc", question: "far.node.dc2.dc.consul.", qtype: dns.TypeA, want: "NOERROR; far.node.dc2.dc.consul. A 10.2.0.1"},
		{name: "no_such_node", question: "nope.node.dc2.consul.", qtype: dns.TypeA, want: nobody},
		{name: "service", question: "web.service.dc2.consul.", qtype: dns.TypeA, want: bothA},
		{name: "tag", question: "v1.web.service.dc2.consul.", qtype: dns.TypeA, want: strings.ReplaceAll(bothA, "web.", "v1.web.")},
		{name: "no_such_tag", question: "v2.web.service.dc2.consul.", qtype: dns.TypeA, want: nobody},
		{name: "connect", question: "web.connect.dc2.consul.", qtype: dns.TypeA, want: nobody},
		{name: "srv", question: "web.service.dc2.consul.", qtype: dns.TypeSRV, want: "NOERROR; 0a020002.addr.dc2.consul. A 10.2.0.2; " +
			"Far.node.dc2.consul. A 10.2.0.1; web.service.dc2.consul. SRV 1 1 80 Far.node.dc2.consul.; web.service.dc2.consul. SRV 1 1 81 0a020002.addr.dc2.consul."},
		{name: "address", question: "0a020002.addr.dc2.consul.", qtype: dns.TypeA, want: "NOERROR; 0a020002.addr.dc2.consul. A 10.2.0.2"},
		{name: "unknown_datacenter", question: "web.service.dc9.consul.", qtype: dns.TypeA, want: nobody},
		{name: "what_names_end_in", question: "dc2.consul.", qtype: dns.TypeA, want: "NOERROR"},
		{name: "nothing_ends_in_it", question: "dc9.consul.", qtype: dns.TypeA, want: nobody},
		{name: "peer", question: "web.service.dc2.peer.consul.", qtype: dns.TypeA, want: nobody},
		{name: "nobody_answers", question: "web.service.dc2.consul.", qtype: dns.TypeA, err: wire.ErrDCNotAvailable, want: notThere},
		{name: "wan_node", question: "far.node.dc2.consul.", qtype: dns.TypeA, translate: true, want: "NOERROR; far.node.dc2.consul. A 203.0.113.1"},
		{name: "wan_node_ipv6", question: "far.node.dc2.consul.", qtype: dns.TypeAAAA, translate: true, want: "NOERROR; far.node.dc2.consul. AAAA 2001:db8::1"},
		{name: "wan_srv", question: "web.service.dc2.consul.", qtype: dns.TypeSRV, translate: true, want: "NOERROR; Far.node.dc2.consul. A 203.0.113.1; " +
			"cb007102.addr.dc2.consul. A 203.0.113.2; web.service.dc2.consul. SRV 1 1 80 Far.node.dc2.consul.; web.service.dc2.consul. SRV 1 1 8081 cb007102.addr.dc2.consul."},
		{name: "our_own_is_not_translated", question: "near.node.dc1.consul.", qtype: dns.TypeA, translate: true, want: "NOERROR; near.node.dc1.consul. A 10.1.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			far := &farAway{err: tt.err}
			s := newStage(t, func(cfg *Config) {
				cfg.Elsewhere, cfg.TranslateWANAddrs, cfg.DNS.NodeMetaTXT = far.elsewhere(), tt.translate, false
				cfg.Limits = cfg.Limits.orDefaults()
			})
			s.put(t, &wire.RegisterRequest{Node: "near", Address: "10.1.0.1", TaggedAddresses: map[string]string{"wan": "203.0.113.9"}})
			h := s.handler(t)
			for range 2 { // nothing is kept: it is asked anew each time
				if got := of(t, h, tt.question, tt.qtype); got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
			}
			if n := far.asked.Load(); n == 1 {
				t.Error("the second answer is the first one's")
			}
		})
	}
}

// TestElsewhereTogether: those who ask the same at the same time ask once, and those
// who are too many are told so.
func TestElsewhereTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const room = 5
		far := &farAway{wait: make(chan struct{})}
		core, logs := observer.New(zapcore.InfoLevel)
		s := newStage(t, func(cfg *Config) {
			cfg.Elsewhere, cfg.Logger, cfg.Limits.Elsewhere = far.elsewhere(), zap.New(core), room
			cfg.Limits = cfg.Limits.orDefaults()
		})
		s.put(t, &wire.RegisterRequest{Node: "near", Address: "10.1.0.1"})
		h := s.handler(t)
		var running sync.WaitGroup
		var answered, failed atomic.Int64
		for range room {
			running.Go(func() {
				if strings.HasPrefix(of(t, h, "web.service.dc2.consul.", dns.TypeA), "NOERROR") {
					answered.Add(1)
				}
			})
		}
		synctest.Wait()
		for range 3 {
			if of(t, h, "far.node.dc2.consul.", dns.TypeA) == "SERVFAIL" {
				failed.Add(1)
			}
		}
		if got := of(t, h, "near.node.consul.", dns.TypeA); !strings.HasPrefix(got, "NOERROR") {
			t.Errorf("our own datacenter has to wait: %s", got)
		}
		close(far.wait)
		running.Wait()
		if far.asked.Load() != 1 || answered.Load() != room || failed.Load() != 3 {
			t.Errorf("asked %d times, %d were answered, %d refused", far.asked.Load(), answered.Load(), failed.Load())
		}
		if n := logs.FilterMessageSnippet("too many queries wait for other datacenters").Len(); n != 1 {
			t.Errorf("that was said %d times", n)
		}
	})
}

// TestElsewhereIsSilent: nobody waits for ever, and the log says once who was asked.
func TestElsewhereIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &farAway{wait: make(chan struct{})}
		core, logs := observer.New(zapcore.InfoLevel)
		s := newStage(t, func(cfg *Config) {
			cfg.Elsewhere, cfg.Logger = far.elsewhere(), zap.New(core)
			cfg.Limits = cfg.Limits.orDefaults()
		})
		s.put(t, &wire.RegisterRequest{Node: "near", Address: "10.1.0.1"})
		h := s.handler(t)
		for range 2 {
			began := time.Now()
			if got := of(t, h, "far.node.dc2.consul.", dns.TypeA); got != "SERVFAIL" || time.Since(began) != 3*time.Second {
				t.Errorf("%s after %v, want SERVFAIL after 3s", got, time.Since(began))
			}
		}
		far.err = errors.New("Remote DC has no server currently reachable: far (10.2.0.1:8300): connection refused")
		close(far.wait)
		of(t, h, "far.node.dc2.consul.", dns.TypeA)
		far.err = nil
		of(t, h, "far.node.dc2.consul.", dns.TypeA)
		synctest.Wait()
		var said []string
		for _, e := range logs.All() {
			said = append(said, e.Message)
		}
		want := []string{"another datacenter does not answer; queries for it are answered with what it has said before, or with SERVFAIL", "the other datacenter answers again"}
		if !slices.Equal(said, want) {
			t.Errorf("the log says %q, want %q", said, want)
		}
	})
}

// TestElsewhereNobodyAnswers: who makes up names does not fill the memory, or the log.
func TestElsewhereNobodyAnswers(t *testing.T) {
	e := newElsewhere(Config{}, zap.NewNop())
	told := 0
	for i := range 10 * maxFailing {
		for range 2 {
			if e.note(fmt.Sprint("dc", i), true) {
				told++
			}
		}
	}
	if told != maxFailing || len(e.failing) != maxFailing {
		t.Errorf("told %d times, %d are remembered, want %d", told, len(e.failing), maxFailing)
	}
	if !e.note("dc1", false) || e.note("dc1", false) || !e.note("dc1", true) {
		t.Error("after an answer it is not told of who is silent")
	}
}

// TestElsewhereFails: what another datacenter has said, and nobody thought of, ends no
// agent.
func TestElsewhereFails(t *testing.T) {
	far := (&farAway{}).elsewhere()
	far.Node = func(context.Context, *wire.NodeSpecificRequest) (*wire.Node, error) { panic("a bug") }
	s := newStage(t, func(cfg *Config) { cfg.Elsewhere, cfg.Limits = far, cfg.Limits.orDefaults() })
	s.put(t, &wire.RegisterRequest{Node: "near", Address: "10.1.0.1"})
	h := s.handler(t)
	if got := of(t, h, "far.node.dc2.consul.", dns.TypeA); got != "SERVFAIL" {
		t.Error(got)
	}
	if got := of(t, h, "web.service.dc2.consul.", dns.TypeA); !strings.HasPrefix(got, "NOERROR") {
		t.Error(got)
	}
}
