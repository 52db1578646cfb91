package router

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/messages"
)

// pool is a pool of servers, each written NAME.DC, alive.
func pool(names ...string) *messages.PoolView {
	v := &messages.PoolView{}
	for i, n := range names {
		dc := n[len(n)-3:]
		v.Members = append(v.Members, messages.Member{
			Name: n, Status: messages.MemberAlive, Addr: netip.AddrFrom4([4]byte{127, 0, 0, byte(i + 1)}),
			Tags: map[string]string{"role": "consul", "dc": dc, "port": "8300"},
		})
	}
	return v
}

func first(int) int { return 0 }

func names(servers []messages.Server) (all []string) {
	for _, s := range servers {
		all = append(all, s.Name)
	}
	return all
}

func TestUpdate(t *testing.T) {
	failed := pool("a.dc1", "b.dc1")
	failed.Members[0].Status = messages.MemberFailed
	moved := pool("b.dc1", "a.dc1") // the other way round: each has the other's address
	steps := []struct {
		name     string
		lan, wan *messages.PoolView
		dc1, dc2 []string
		changed  bool
	}{
		{name: "nothing_known"},
		{name: "new_ones_go_where_chance_says", lan: pool("a.dc1", "b.dc1"), dc1: []string{"b", "a"}, changed: true},
		{name: "the_same_again", lan: pool("a.dc1", "b.dc1"), dc1: []string{"b", "a"}},
		{name: "the_wan_has_the_others", lan: pool("a.dc1", "b.dc1"), wan: pool("a.dc1", "x.dc2"), dc1: []string{"b", "a"}, dc2: []string{"x"}, changed: true},
		{name: "the_failed_go", lan: failed, dc1: []string{"b"}, changed: true},
		{name: "one_that_moved_is_new", lan: moved, dc1: []string{"b", "a"}, changed: true},
		{name: "all_gone", changed: true},
	}
	s := newState("dc1")
	for _, tt := range steps {
		changed := s.update(tt.lan, tt.wan, first)
		r := s.routes().Servers
		if !slices.Equal(names(r["dc1"]), tt.dc1) || !slices.Equal(names(r["dc2"]), tt.dc2) || changed != tt.changed {
			t.Errorf("%s: dc1 %v, dc2 %v, changed %v; want %v, %v, %v", tt.name, names(r["dc1"]), names(r["dc2"]), changed, tt.dc1, tt.dc2, tt.changed)
		}
	}
}

// TestLostDatacenter: the servers of a datacenter that all failed are still known.
func TestLostDatacenter(t *testing.T) {
	s := newState("dc1")
	wan := pool("a.dc1", "x.dc2", "y.dc2")
	s.update(nil, wan, first)
	lost := pool("a.dc1", "x.dc2", "y.dc2")
	for i := range lost.Members {
		lost.Members[i].Status = messages.MemberFailed
	}
	if !s.update(nil, lost, first) || s.update(nil, lost, first) {
		t.Error("it is news once that they have failed")
	}
	r := s.routes()
	if got := names(r.Failed["dc2"]); len(r.Servers["dc2"]) != 0 || !slices.Equal(got, []string{"x", "y"}) || r.Failed["dc1"] != nil {
		t.Errorf("can be asked: %v, have failed: %v", r.Servers, r.Failed)
	}
	if !s.update(nil, wan, first) || len(s.routes().Failed) != 0 || len(s.routes().Servers["dc2"]) != 2 {
		t.Errorf("when they are back: %+v", s.routes())
	}
}

func TestDemoteAndRotate(t *testing.T) {
	s := newState("dc1")
	s.update(pool("a.dc1", "b.dc1", "c.dc1"), nil, func(n int) int { return n - 1 })
	held := s.routes().Servers["dc1"]
	if !s.demote("dc1", "127.0.0.1:8300") || s.demote("dc1", "127.0.0.1:8300") || s.demote("dc1", "127.0.0.9:8300") || s.demote("dc9", "x") {
		t.Error("only the first demotion changes anything")
	}
	if got, want := names(s.routes().Servers["dc1"]), []string{"b", "c", "a"}; !slices.Equal(got, want) {
		t.Errorf("after a demotion: %v, want %v", got, want)
	}
	s.rotate()
	if got, want := names(s.routes().Servers["dc1"]), []string{"c", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("after a turn: %v, want %v", got, want)
	}
	if got, want := names(held), []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("what was published has changed: %v, want %v", got, want)
	}
}

func TestAbsent(t *testing.T) {
	lan, wan := pool("a.dc1", "b.dc1", "c.dc1"), pool("a.dc1", "b.dc1", "x.dc2")
	for i := range lan.Members {
		lan.Members[i].Name = lan.Members[i].Name[:1]
		lan.Members[i].Tags["wan_join_port"] = "8302"
	}
	wan.Members[1].Status = messages.MemberFailed
	tests := []struct {
		name     string
		lan, wan *messages.PoolView
		want     []string
	}{
		{name: "new_and_failed_ones", lan: lan, wan: wan, want: []string{"b.dc1/127.0.0.2:8302", "c.dc1/127.0.0.3:8302"}},
		{name: "all_there", lan: lan, wan: pool("a.dc1", "b.dc1", "c.dc1")},
		{name: "no_wan", lan: lan},
		{name: "no_wan_port", lan: pool("a.dc1"), wan: pool("x.dc2")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := absent(tt.lan, tt.wan); !slices.Equal(got, tt.want) {
				t.Errorf("absent = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestLost(t *testing.T) {
	with := func(statuses ...messages.MemberStatus) *messages.PoolView {
		v := pool("a.dc1", "b.dc1", "c.dc1")
		for i, status := range statuses {
			v.Members[i].Status, v.Members[i].Port = status, 8301
		}
		delete(v.Members[2].Tags, "role") // a client
		return v
	}
	tests := []struct {
		name string
		lan  *messages.PoolView
		want []string
	}{
		{name: "nothing_known"},
		{name: "one_is_there", lan: with(messages.MemberLeft, messages.MemberAlive, messages.MemberAlive)},
		{name: "none_is_there", lan: with(messages.MemberLeft, messages.MemberFailed, messages.MemberAlive),
			want: []string{"a.dc1/127.0.0.1:8301", "b.dc1/127.0.0.2:8301"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := lost(tt.lan); !slices.Equal(got, tt.want) {
				t.Errorf("lost = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRouter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lan messages.Published[messages.PoolView]
		var routes messages.Published[messages.Routes]
		lan.Publish(pool("a.dc1", "b.dc1"))
		r := actortest.Spawn(t, actortest.System(t), New(Config{Logger: zap.NewNop(), Datacenter: "dc1", LAN: &lan, Routes: &routes}), Name)
		synctest.Wait()
		before := names(routes.Load().Servers["dc1"])
		if len(before) != 2 {
			t.Fatalf("at the start: %v", before)
		}
		failed := routes.Load().Servers["dc1"][0]
		r.Tell(&messages.ServerFailed{Datacenter: "dc1", Address: failed.Addr.String()})
		synctest.Wait()
		if got := names(routes.Load().Servers["dc1"]); got[1] != failed.Name {
			t.Errorf("after a failure of %s: %v", failed.Name, got)
		}
		time.Sleep(rebalance * 5 / 4)
		synctest.Wait()
		if got := names(routes.Load().Servers["dc1"]); got[0] != failed.Name {
			t.Errorf("after a while: %v, want %s first again", got, failed.Name)
		}
		lan.Publish(pool("a.dc1"))
		r.Tell(&messages.MembersChanged{Pool: messages.LAN})
		synctest.Wait()
		if got := names(routes.Load().Servers["dc1"]); !slices.Equal(got, []string{"a"}) {
			t.Errorf("after one left: %v", got)
		}
	})
}
