package invoke_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/serf/coordinate"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// caller is an agent whose calls of other servers are kept.
type caller struct {
	inv    *invoke.Invoker
	status messages.Published[messages.RaftStatus]
	routes messages.Published[messages.Routes]
	wan    messages.Published[messages.PoolView]
	called []string // addresses
	answer func(ctx context.Context, address string, reply any) error
}

func newCaller(client bool) *caller {
	c := &caller{answer: func(context.Context, string, any) error { return nil }}
	c.inv = invoke.New(invoke.Config{
		Datacenter: "dc1", Client: client, View: state.NewStore().View, Status: &c.status, Routes: &c.routes, WAN: &c.wan,
		Call: func(ctx context.Context, address, _ string, _ wire.Request, reply any) error {
			c.called = append(c.called, address)
			return c.answer(ctx, address, reply)
		},
	})
	return c
}

func serverAt(dc, addr string) messages.Server {
	return messages.Server{Name: "s-" + addr, Datacenter: dc, Addr: netip.MustParseAddrPort(addr)}
}

func (c *caller) put(ctx context.Context, dc string) error {
	return invoke.Write(ctx, c.inv, endpoint.KVApply, &wire.KVSRequest{Datacenter: dc, Op: wire.KVSet, DirEnt: wire.DirEntry{Key: "k"}}, new(bool))
}

func (c *caller) nodes(ctx context.Context, dc string) error {
	return invoke.Read(ctx, c.inv, endpoint.ListNodes, &wire.DCSpecificRequest{Datacenter: dc}, new(wire.IndexedNodes))
}

// TestClientWaitsForServers: who comes before the first join is not sent away at once.
func TestClientWaitsForServers(t *testing.T) {
	tests := []struct {
		name  string
		after time.Duration // a server is known; 0 is never
		err   error
		took  time.Duration
	}{
		{name: "until_one_is_known", after: 3 * time.Second, took: 3 * time.Second},
		{name: "not_for_ever", err: invoke.ErrNoServers, took: 7 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCaller(true)
				if tt.after > 0 {
					time.AfterFunc(tt.after, func() {
						c.routes.Publish(&messages.Routes{Servers: map[string][]messages.Server{"dc1": {serverAt("dc1", "10.0.0.1:8300")}}})
					})
				}
				began := time.Now()
				err := c.put(t.Context(), "")
				if took := time.Since(began); !errors.Is(err, tt.err) || took.Round(100*time.Millisecond) != tt.took {
					t.Errorf("a write: %v after %v, want %v after %v", err, took, tt.err, tt.took)
				}
			})
		})
	}
}

// TestStatusIsNotHeld: what is asked to find out whether anybody is there says at once
// that nobody is.
func TestStatusIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(true)
		began := time.Now()
		err := invoke.Do(t.Context(), c.inv, invoke.StatusLeader, &wire.DCSpecificRequest{}, new(string))
		if took := time.Since(began); !errors.Is(err, invoke.ErrNoServers) || took != 0 {
			t.Errorf("%v after %v", err, took)
		}
		server := newCaller(false)
		server.status.Publish(&messages.RaftStatus{LeaderAddr: "10.0.0.9:8300"})
		var leader string
		if err := invoke.Do(t.Context(), server.inv, invoke.StatusLeader, &wire.DCSpecificRequest{}, &leader); err != nil || leader != "10.0.0.9:8300" || len(server.called) > 0 {
			t.Errorf("a server says %q, %v, having asked %v", leader, err, server.called)
		}
	})
}

// TestUnreachableDatacenter: the error says who was asked, and why it was of no use.
func TestUnreachableDatacenter(t *testing.T) {
	refused := func(context.Context, string, any) error { return &invoke.Unsent{Err: errors.New("connection refused")} }
	two := []messages.Server{serverAt("dc2", "10.2.0.1:8300"), serverAt("dc2", "10.2.0.2:8300")}
	tests := []struct {
		name   string
		client bool
		routes messages.Routes
		answer func(context.Context, string, any) error
		is     error
		text   []string
		asked  int
	}{
		{name: "nobody_knows_it", is: invoke.ErrNoPath},
		{name: "all_refuse", routes: messages.Routes{Servers: map[string][]messages.Server{"dc2": two}}, answer: refused, is: invoke.ErrUnavailable,
			text: []string{"s-10.2.0.1:8300 (10.2.0.1:8300): connection refused", "10.2.0.2"}, asked: 2},
		{name: "all_have_failed", routes: messages.Routes{Failed: map[string][]messages.Server{"dc2": two}}, is: invoke.ErrUnavailable,
			text: []string{"(10.2.0.1:8300): the WAN pool regards it as failed"}},
		{name: "one_is_leaving", routes: messages.Routes{Servers: map[string][]messages.Server{"dc2": two}}, asked: 2,
			answer: func(_ context.Context, address string, _ any) error {
				if address == "10.2.0.1:8300" {
					return messages.ErrLeaving
				}
				return nil
			}},
		{name: "a_server_knows_that_it_is_gone", client: true, asked: 1, is: invoke.ErrUnavailable, text: []string{"far (x): gone"},
			routes: messages.Routes{Servers: map[string][]messages.Server{"dc1": {serverAt("dc1", "10.0.0.1:8300")}}},
			answer: func(context.Context, string, any) error {
				return errors.New("Remote DC has no server currently reachable: far (x): gone")
			}},
		{name: "a_server_does_not_know_it", client: true, asked: 1, is: invoke.ErrNoPath,
			routes: messages.Routes{Servers: map[string][]messages.Server{"dc1": {serverAt("dc1", "10.0.0.1:8300")}}},
			answer: func(context.Context, string, any) error { return errors.New("No path to datacenter") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCaller(tt.client)
				c.routes.Publish(&tt.routes)
				if tt.answer != nil {
					c.answer = tt.answer
				}
				began := time.Now()
				err := c.put(t.Context(), "dc2")
				if !errors.Is(err, tt.is) || len(c.called) != tt.asked || time.Since(began) != 0 {
					t.Errorf("%v, having asked %v, after %v; want %v", err, c.called, time.Since(began), tt.is)
				}
				for _, part := range tt.text {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("the error %q lacks %q", err, part)
					}
				}
			})
		})
	}
}

// TestShareOfTheTime: a server that is silent leaves time for the next.
func TestShareOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(false)
		c.routes.Publish(&messages.Routes{Servers: map[string][]messages.Server{"dc2": {serverAt("dc2", "10.2.0.1:8300"), serverAt("dc2", "10.2.0.2:8300")}}})
		c.answer = func(ctx context.Context, address string, _ any) error {
			if address == "10.2.0.1:8300" {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		began := time.Now()
		if err := c.nodes(ctx, "dc2"); err != nil || time.Since(began) != 2*time.Second {
			t.Errorf("a read: %v after %v, want 2s", err, time.Since(began))
		}
	})
}

// TestNobodyAnswersHere: the servers of a client agent that were asked are named.
func TestNobodyAnswersHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(true)
		c.routes.Publish(&messages.Routes{Servers: map[string][]messages.Server{"dc1": {serverAt("dc1", "10.0.0.1:8300")}}})
		c.answer = func(context.Context, string, any) error { return &invoke.Unsent{Err: errors.New("connection refused")} }
		err := c.put(t.Context(), "dc1")
		if !errors.Is(err, messages.ErrNoLeader) || err.Error() != "No cluster leader: s-10.0.0.1:8300 (10.0.0.1:8300): connection refused" {
			t.Error(err)
		}
	})
}

// TestServerWithoutALeader: one that is cut off from the others has waited in vain; the
// request goes to one that knows who leads, if there is one.
func TestServerWithoutALeader(t *testing.T) {
	tests := []struct {
		name   string
		knows  string // the server that knows a leader
		err    error
		called []string // methods at servers
	}{
		{name: "the_last_knows_one", knows: "3", called: []string{"KVS.Apply 1", "Status.Leader 2", "Status.Leader 3", "KVS.Apply 3"}},
		{name: "nobody_leads", err: messages.ErrNoLeader, called: []string{"KVS.Apply 1", "Status.Leader 2", "Status.Leader 3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCaller(true)
				var all []messages.Server
				for _, n := range []string{"1", "2", "3"} {
					all = append(all, serverAt("dc1", "10.0.0."+n+":8300"))
				}
				c.routes.Publish(&messages.Routes{Servers: map[string][]messages.Server{"dc1": all}})
				var called []string
				c.answer = func(_ context.Context, address string, reply any) error {
					n := strings.TrimSuffix(strings.TrimPrefix(address, "10.0.0."), ":8300")
					leader, asked := reply.(*string)
					switch {
					case !asked:
						called = append(called, "KVS.Apply "+n)
						if n != tt.knows {
							return messages.ErrNoLeader
						}
					case n == tt.knows:
						*leader = "10.0.0.9:8300"
						fallthrough
					default:
						called = append(called, "Status.Leader "+n)
					}
					return nil
				}
				if err := c.put(t.Context(), "dc1"); !errors.Is(err, tt.err) || !slices.Equal(called, tt.called) {
					t.Errorf("%v after %v, want %v after %v", err, called, tt.err, tt.called)
				}
			})
		})
	}
}

// TestStrangerAnswersNobody: what others write at a server that has a smaller peer set
// of its own beside the pool's would be nowhere else.
func TestStrangerAnswersNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.lead()
		put := &wire.KVSRequest{Op: wire.KVSet, DirEnt: wire.DirEntry{Key: "k"}}
		s.autopilot.Publish(&wire.AutopilotState{})
		if err := s.inv.InvokeFor(t.Context(), &endpoint.KVApply, put, new(bool)); err != nil {
			t.Errorf("a server of the pool: %v", err)
		}
		s.autopilot.Publish(&wire.AutopilotState{Outnumbered: true})
		if err := s.inv.InvokeFor(t.Context(), &endpoint.KVApply, put, new(bool)); !errors.Is(err, messages.ErrNotLeader) {
			t.Errorf("a stranger: %v, want %v", err, messages.ErrNotLeader)
		}
		if err := s.inv.InvokeFor(t.Context(), invoke.StatusLeader, &wire.DCSpecificRequest{}, new(string)); err != nil {
			t.Errorf("who leads is no secret: %v", err)
		}
		if err := s.put(t.Context(), "k", "v"); err != nil {
			t.Errorf("its own clients: %v", err)
		}
	})
}

// away is a coordinate that is so far from the origin.
func away(seconds float64) *coordinate.Coordinate {
	c := coordinate.NewCoordinate(coordinate.DefaultConfig())
	c.Vec[0], c.Height = seconds, 0
	return c
}

func TestDatacenters(t *testing.T) {
	member := func(name, dc string, status messages.MemberStatus) messages.Member {
		return messages.Member{Name: name + "." + dc, Status: status, Tags: map[string]string{"dc": dc}}
	}
	c := newCaller(false)
	coords := map[string]*coordinate.Coordinate{
		"me.dc1": away(0), "a.far": away(2), "a.near": away(0.1), "b.near": away(0.2), "c.near": away(9), "f.failed": away(1),
	}
	c.wan.Publish(&messages.PoolView{
		Local: "me.dc1", Coordinate: func(name string) *coordinate.Coordinate { return coords[name] },
		Members: []messages.Member{
			member("me", "dc1", messages.MemberAlive), member("a", "far", messages.MemberAlive), member("f", "failed", messages.MemberFailed),
			member("a", "near", messages.MemberAlive), member("b", "near", messages.MemberAlive), member("c", "near", messages.MemberAlive),
			member("z", "unknown", messages.MemberAlive), member("a", "another", messages.MemberAlive), member("g", "gone", messages.MemberLeft),
		},
	})
	var got []string
	err := invoke.Do(t.Context(), c.inv, invoke.ListDatacenters, &wire.DatacentersRequest{}, &got)
	if want := []string{"dc1", "near", "failed", "far", "another", "unknown"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("datacenters %v, %v; want %v", got, err, want)
	}
	var maps []wire.DatacenterMap
	if err := invoke.Do(t.Context(), c.inv, invoke.DatacenterMaps, &wire.EmptyReadRequest{}, &maps); err != nil || len(maps) != 6 {
		t.Fatalf("%v, %v", maps, err)
	}
	for _, m := range maps {
		want := map[string]int{"near": 3, "far": 1, "failed": 1, "dc1": 1}[m.Datacenter]
		if m.AreaID != "wan" || m.Coordinates == nil || len(m.Coordinates) != want || want == 1 && strings.Contains(m.Coordinates[0].Node, ".") {
			t.Errorf("%s has %v, want %d", m.Datacenter, m.Coordinates, want)
		}
	}
}
