package dns

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/actor-consul/consul/messages/wire"
)

// TestPreparedQuery asks for prepared queries that the test carries out.
func TestPreparedQuery(t *testing.T) {
	instance := func(node, address, service string, port int) wire.CheckServiceNode {
		return wire.CheckServiceNode{
			Node:    &wire.Node{Node: node, Address: address, Datacenter: "dc2"},
			Service: &wire.NodeService{Service: "web", Address: service, Port: port},
		}
	}
	var mu sync.Mutex
	var asked wire.PreparedQueryExecuteRequest
	calls := 0
	s := newStage(t, func(cfg *Config) {
		cfg.DNS.ServiceTTL = map[string]time.Duration{"web": 5 * time.Second}
		cfg.DNS.MaxStale = time.Minute
		cfg.QueryNames = func(_ context.Context, dc string) ([]string, error) {
			if dc == "dc3" {
				return nil, errors.New("out of order")
			}
			return []string{"far.away", "many"}, nil
		}
		cfg.Execute = func(_ context.Context, args *wire.PreparedQueryExecuteRequest) (*wire.PreparedQueryExecuteResponse, error) {
			mu.Lock()
			defer mu.Unlock()
			asked = *args
			calls++
			found := &wire.PreparedQueryExecuteResponse{Service: "Web", Datacenter: "dc1"}
			switch args.QueryIDOrName {
			case "missing", "away", "_tcp", "way":
				return nil, errors.New("rpc error: Query not found")
			case "broken":
				return nil, errors.New("out of order")
			case "far.away":
				found.Datacenter = "dc2"
				found.DNS.TTL = "7s"
				found.Nodes = wire.CheckServiceNodes{instance("f1", "10.2.0.1", "", 80), instance("f2", "10.2.0.2", "10.2.9.9", 81)}
			case "old":
				if args.AllowStale {
					found.LastContact = time.Hour
				} else {
					found.Nodes = wire.CheckServiceNodes{instance("o", "10.0.0.1", "", 80)}
				}
			case "many":
				for i := range byte(9) {
					found.Nodes = append(found.Nodes, instance("m", "10.0.1."+string('0'+i), "", 80))
				}
			}
			return found, nil
		}
	}).put(t, node("n1", "10.0.0.1")).open(t)
	const soa = "ns consul. 0 IN SOA ns.consul. hostmaster.consul. 0 3600 600 86400 0"
	tests := []struct {
		name, ask, qtype string
		want             []string
	}{
		{"addresses", "far.away.query.consul", "A", []string{"NOERROR aa", "far.away.query.consul. 7 IN A 10.2.0.1", "far.away.query.consul. 7 IN A 10.2.9.9"}},
		{"ports", "far.away.query.consul", "SRV", []string{"NOERROR aa",
			"far.away.query.consul. 7 IN SRV 1 1 80 f1.node.dc2.consul.", "far.away.query.consul. 7 IN SRV 1 1 81 0a020909.addr.dc2.consul.",
			"+ 0a020909.addr.dc2.consul. 7 IN A 10.2.9.9", "+ f1.node.dc2.consul. 7 IN A 10.2.0.1"}},
		{"as_rfc_2782_has_it", "_far.away._tcp.query.consul", "A", []string{"NOERROR aa", "_far.away._tcp.query.consul. 7 IN A 10.2.0.1", "_far.away._tcp.query.consul. 7 IN A 10.2.9.9"}},
		{"no_such_records", "far.away.query.consul", "AAAA", []string{"NOERROR aa", soa}},
		{"nothing_found", "empty.query.consul", "A", []string{"NXDOMAIN aa", soa}},
		{"no_such_query", "missing.query.consul", "A", []string{"NXDOMAIN aa", soa}},
		{"ending_of_rfc_2782", "_tcp.query.consul", "A", []string{"NOERROR aa", soa}},
		{"ending_of_a_query", "away.query.consul", "A", []string{"NOERROR aa", soa}},
		{"middle_of_no_query", "way.query.consul", "A", []string{"NXDOMAIN aa", soa}},
		{"ending_of_nobody_knows_what", "away.query.dc3.consul", "A", []string{"NOERROR aa", soa}},
		{"out_of_order", "broken.query.consul", "A", []string{"SERVFAIL aa"}},
		{"too_old", "old.query.consul", "A", []string{"NOERROR aa", "old.query.consul. 5 IN A 10.0.0.1"}},
		{"of_a_peer", "far.away.query.p.peer.consul", "A", []string{"NXDOMAIN aa", soa}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, h := range []how{{}, {tcp: true}} {
				if got := show(s.ask(t, h, tt.ask, tt.qtype)); !slices.Equal(got, tt.want) {
					t.Errorf("over TCP %t\ngot  %q\nwant %q", h.tcp, got, tt.want)
				}
			}
		})
	}
	t.Run("in_the_order_of_the_query", func(t *testing.T) {
		for range 5 {
			m := s.ask(t, how{}, "many.query.consul", "A")
			for i, rr := range m.Answer {
				if a := rr.(*dns.A).A.String(); a != "10.0.1."+string(rune('0'+i)) {
					t.Errorf("answer %d is %s", i, a)
				}
			}
			if len(m.Answer) != 3 {
				t.Errorf("%d answers, want as many as udp_answer_limit", len(m.Answer))
			}
		}
	})
	t.Run("asked_each_time", func(t *testing.T) {
		mu.Lock()
		before := calls
		mu.Unlock()
		for range 3 {
			s.ask(t, how{}, "far.away.query.consul", "A")
		}
		mu.Lock()
		defer mu.Unlock()
		if calls-before != 3 || asked.Source.Ip != "127.0.0.1" || asked.Agent.Node != "srv1" || asked.Agent.Datacenter != "dc1" || !asked.AllowStale || asked.Datacenter != "" {
			t.Errorf("%d times, %+v", calls-before, asked)
		}
	})
	t.Run("for_a_subnet_elsewhere", func(t *testing.T) {
		m := s.ask(t, how{edns: 1232, tweak: func(m *dns.Msg) {
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: mustAddr("192.0.2.0").AsSlice()}}
		}}, "far.away.query.dc2.consul", "A")
		mu.Lock()
		defer mu.Unlock()
		if asked.Source.Ip != "192.0.2.0" || asked.Datacenter != "dc2" {
			t.Errorf("asked %+v", asked)
		}
		if opt := m.IsEdns0(); opt == nil || len(opt.Option) != 1 || opt.Option[0].(*dns.EDNS0_SUBNET).SourceScope != 24 {
			t.Errorf("the answer is for everybody: %v", opt)
		}
	})
}

// TestNoPreparedQueries: an agent that cannot carry them out has none.
func TestNoPreparedQueries(t *testing.T) {
	s := newStage(t, nil).put(t, node("n1", "10.0.0.1")).open(t)
	if m := s.ask(t, how{}, "q.query.consul", "A"); m.Rcode != dns.RcodeNameError {
		t.Errorf("got %q", show(m))
	}
}

// TestTooManyPreparedQueries: more than may wait are refused at once.
func TestTooManyPreparedQueries(t *testing.T) {
	begun, free := make(chan struct{}), make(chan struct{})
	s := newStage(t, func(cfg *Config) {
		cfg.Limits.PreparedQueries = 1
		cfg.Execute = func(context.Context, *wire.PreparedQueryExecuteRequest) (*wire.PreparedQueryExecuteResponse, error) {
			close(begun)
			<-free
			return &wire.PreparedQueryExecuteResponse{}, nil
		}
	}).put(t, node("n1", "10.0.0.1")).open(t)
	done := make(chan int)
	go func() { done <- s.ask(t, how{}, "q.query.consul", "A").Rcode }()
	<-begun
	if m := s.ask(t, how{}, "q.query.consul", "A"); m.Rcode != dns.RcodeServerFailure {
		t.Errorf("got %q", show(m))
	}
	close(free)
	if code := <-done; code != dns.RcodeNameError {
		t.Errorf("the one that waited: %d", code)
	}
}
