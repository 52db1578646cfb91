package raft

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/messages"
)

// newCluster returns three servers that began together by bootstrap_expect.
func newCluster(t testing.TB, change func(*Config)) []*testServer {
	t.Helper()
	pool := &messages.Published[messages.PoolView]{}
	var all []*testServer
	for _, id := range []string{"a", "b", "c"} {
		all = append(all, newServer(t, id, func(c *Config) {
			c.BootstrapExpect = 3
			c.Pool = pool
			c.AskPeers = func(context.Context, string) ([]string, error) { return nil, nil }
			if change != nil {
				change(c)
			}
		}).start())
	}
	pool.Publish(poolOf(all...))
	for _, s := range all {
		s.addr.Tell(&messages.MembersChanged{Pool: messages.LAN, Change: messages.Joined})
	}
	return all
}

func poolOf(servers ...*testServer) *messages.PoolView {
	v := &messages.PoolView{Pool: messages.LAN}
	for _, s := range servers {
		at := netip.MustParseAddrPort(s.cfg.Advertise)
		m := server(s.cfg.NodeID, "port="+strconv.Itoa(int(at.Port())))
		m.Addr = at.Addr()
		v.Members = append(v.Members, m)
	}
	return v
}

// leaderOf waits until one of the servers leads and all know it.
func leaderOf(t testing.TB, servers ...*testServer) (leader *testServer, followers []*testServer) {
	t.Helper()
	await(t, "all know one leader", func() bool {
		leader, followers = nil, nil
		for _, s := range servers {
			if s.status.Load().Leads() {
				leader = s
			} else {
				followers = append(followers, s)
			}
		}
		return leader != nil && !slices.ContainsFunc(followers, func(s *testServer) bool {
			return s.status.Load().LeaderID != leader.cfg.NodeID
		})
	})
	return leader, followers
}

func TestClusterBeginsTogether(t *testing.T) {
	all := newCluster(t, nil)
	leader, followers := leaderOf(t, all...)
	leader.leads()
	leader.mustPut("x", "y")
	index, err := do(leader, &messages.ConfirmLeader{})
	if err != nil {
		t.Fatalf("confirm: %v", err)
	}
	for _, f := range followers {
		if err := f.put("z"); !errors.Is(err, messages.ErrNotLeader) {
			t.Errorf("a follower's apply = %v, want %v", err, messages.ErrNotLeader)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		if err := f.status.Load().AwaitApplied(ctx, index.Index); err != nil {
			t.Fatalf("follower: %v", err)
		}
		cancel()
		if got := f.words.get(); !slices.Equal(got, []string{"x", "y"}) {
			t.Errorf("at the read index a follower has %v", got)
		}
		if f.status.Load().LastContact().IsZero() {
			t.Error("a follower has not heard of its leader")
		}
	}
	if conf, err := do(followers[0], &messages.GetRaftConfiguration{}); err != nil || len(conf.Servers) != 3 {
		t.Errorf("configuration = %+v, %v", conf, err)
	}
}

func TestExpectWaitsForAnswers(t *testing.T) {
	pool := &messages.Published[messages.PoolView]{}
	answers := make(chan error, 10)
	s := newServer(t, "a", func(c *Config) {
		c.BootstrapExpect = 2
		c.Pool = pool
		c.AskPeers = func(context.Context, string) ([]string, error) { return nil, <-answers }
	}).start()
	other := server("b", "expect=2")
	v := poolOf(s)
	v.Members[0].Tags["expect"] = "2"
	v.Members = append(v.Members, other)
	pool.Publish(v)
	answers <- errors.New("connection refused")
	s.addr.Tell(&messages.MembersChanged{})
	await(t, "it says that it waits", func() bool { return s.logs.FilterMessage("bootstrap_expect waits for an answer").Len() > 0 })
	answers <- nil
	await(t, "it begins", func() bool {
		conf, err := do(s, &messages.GetRaftConfiguration{})
		return err == nil && len(conf.Servers) == 2
	})
}

func TestExpectFindsAPeerSet(t *testing.T) {
	pool := &messages.Published[messages.PoolView]{}
	s := newServer(t, "a", func(c *Config) {
		c.BootstrapExpect = 2
		c.Pool = pool
		c.AskPeers = func(context.Context, string) ([]string, error) { return []string{"10.0.0.9:8300"}, nil }
	}).start()
	v := poolOf(s)
	v.Members[0].Tags["expect"] = "2"
	v.Members = append(v.Members, server("b", "expect=2"))
	pool.Publish(v)
	s.addr.Tell(&messages.MembersChanged{})
	await(t, "it waits to be taken in", func() bool {
		return s.logs.FilterMessage("server 10.0.0.1:8300 has a peer set already, waiting to be taken in").Len() == 1
	})
	if conf, err := do(s, &messages.GetRaftConfiguration{}); err != nil || len(conf.Servers) != 0 {
		t.Errorf("configuration = %+v, %v", conf, err)
	}
}

func TestLeaderDies(t *testing.T) {
	all := newCluster(t, func(c *Config) { c.DataDir = "" })
	leader, followers := leaderOf(t, all...)
	leader.leads()
	leader.mustPut("x")
	leader.stop()
	_ = leader.ln.Close()
	next, _ := leaderOf(t, followers...)
	next.leads()
	next.mustPut("y")
	if got := next.words.get(); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("the next leader has %v", got)
	}
}

func TestCutOffLeaderConfirmsNothing(t *testing.T) {
	all := newCluster(t, nil)
	leader, followers := leaderOf(t, all...)
	leader.leads()
	for _, f := range followers {
		f.stop()
		_ = f.ln.Close()
	}
	if _, err := do(leader, &messages.ConfirmLeader{}); !errors.Is(err, messages.ErrNotLeader) {
		t.Errorf("confirm without a quorum = %v, want %v", err, messages.ErrNotLeader)
	}
	if err := leader.put("x"); !errors.Is(err, messages.ErrLeadershipLost) && !errors.Is(err, messages.ErrNotLeader) {
		t.Errorf("apply without a quorum = %v", err)
	}
	await(t, "it steps down", func() bool { return !leader.status.Load().Leads() })
}

func TestHandOver(t *testing.T) {
	all := newCluster(t, nil)
	leader, followers := leaderOf(t, all...)
	leader.leads()
	leader.mustPut("x")
	coordinator := actortest.NewProbe(t, leader.sys, "leave")
	ask := func(msg any) *messages.StepDone {
		t.Helper()
		leader.sys.Root.RequestWithCustomSender(leader.addr.PID(), msg, coordinator.PID())
		return actortest.Next[*messages.StepDone](t, coordinator)
	}
	done := ask(&messages.HandOver{Step: 2, Budget: 20 * time.Second})
	if done.Err != nil || done.Step != 2 {
		t.Fatalf("hand over: %+v", done)
	}
	next, _ := leaderOf(t, followers...)
	if want := next.cfg.NodeID + " leads now"; done.Note != want {
		t.Errorf("note = %q, want %q", done.Note, want)
	}
	if done := ask(&messages.HandOver{Step: 3}); done.Note != "this server does not lead" {
		t.Errorf("a second time: %+v", done)
	}
	if done := ask(&messages.LeavePeers{Step: 4}); done.Err != nil || done.Note != "this server stays in the peer set, since it cannot ask the leader" {
		t.Errorf("leave peers: %+v", done)
	}
	next.leads()
	next.mustPut("y")

	if _, err := do(next, &messages.RemovePeer{ID: leader.cfg.NodeID}); err != nil {
		t.Fatalf("remove: %v", err)
	}
	await(t, "it knows that it is removed", func() bool {
		conf, _ := do(next, &messages.GetRaftConfiguration{})
		return len(conf.Servers) == 2 && conf.Index > 1
	})
	if _, err := do(next, &messages.PutPeer{Server: messages.RaftServer{ID: leader.cfg.NodeID, Address: leader.cfg.Advertise}}); err != nil {
		t.Fatalf("put: %v", err)
	}
	conf, _ := do(next, &messages.GetRaftConfiguration{})
	if i := slices.IndexFunc(conf.Servers, func(s messages.RaftServer) bool { return s.ID == leader.cfg.NodeID }); i < 0 || conf.Servers[i].Voter {
		t.Errorf("the peer set is %+v, want %s in it without a vote", conf.Servers, leader.cfg.NodeID)
	}
}

func TestTransferLeadership(t *testing.T) {
	all := newCluster(t, nil)
	leader, followers := leaderOf(t, all...)
	to := followers[0]
	if _, err := do(leader, &messages.TransferLeadership{ID: to.cfg.NodeID, Address: to.cfg.Advertise}); err != nil {
		t.Fatalf("transfer: %v", err)
	}
	if next, _ := leaderOf(t, all...); next != to {
		t.Errorf("%s leads, want %s", next.cfg.NodeID, to.cfg.NodeID)
	}
}

func TestLeavingAlone(t *testing.T) {
	s := newServer(t, "a", bootstrap).start().leads()
	coordinator := actortest.NewProbe(t, s.sys, "leave")
	for _, tt := range []struct {
		name string
		msg  any
		note string
	}{
		{"hand_over", &messages.HandOver{}, "there is no other voter to hand over to"},
		{"leave_peers", &messages.LeavePeers{}, "this is the only voter, so the peer set is kept for when it comes back"},
		{"leave_peers_force", &messages.LeavePeers{Force: true}, "this is the only voter, so the peer set is kept for when it comes back"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.sys.Root.RequestWithCustomSender(s.addr.PID(), tt.msg, coordinator.PID())
			if done := actortest.Next[*messages.StepDone](t, coordinator); done.Note != tt.note || done.Err != nil {
				t.Errorf("got %+v, want %q", done, tt.note)
			}
		})
	}
}

func TestLeavePeers(t *testing.T) {
	all := newCluster(t, func(c *Config) {
		c.RemoveSelf = func(context.Context) error { return errors.New("no route") }
	})
	leader, followers := leaderOf(t, all...)
	pool := leader.cfg.Pool
	leave := func(s *testServer, force bool) *messages.StepDone {
		t.Helper()
		coordinator := actortest.NewProbe(t, s.sys, fmt.Sprint("leave", force))
		s.sys.Root.RequestWithCustomSender(s.addr.PID(), &messages.LeavePeers{Force: force}, coordinator.PID())
		return actortest.Next[*messages.StepDone](t, coordinator)
	}
	whole := pool.Load()
	pool.Publish(poolOf(leader))
	if done := leave(leader, false); done.Note != "the peer set is kept, since too few of the servers that remain are alive to agree on anything" {
		t.Errorf("without a quorum left: %+v", done)
	}
	pool.Publish(whole)
	if done := leave(followers[0], false); done.Err == nil || done.Err.Error() != "leave the peer set: no route" {
		t.Errorf("a follower whose leader cannot be asked: %+v", done)
	}
	if done := leave(leader, true); done.Err != nil {
		t.Errorf("the leader itself: %+v", done)
	}
	next, _ := leaderOf(t, followers...)
	if conf, err := do(next, &messages.GetRaftConfiguration{}); err != nil || len(conf.Servers) != 2 {
		t.Errorf("the peer set is %+v, %v, want two", conf, err)
	}
}

func TestClusterRestartsFromDisk(t *testing.T) {
	dirs := map[string]string{"a": t.TempDir(), "b": t.TempDir(), "c": t.TempDir()}
	all := newCluster(t, func(c *Config) { c.DataDir = dirs[c.NodeID] })
	leader, _ := leaderOf(t, all...)
	leader.leads()
	var want []string
	for i := range 50 {
		word := fmt.Sprint("w", i)
		leader.mustPut(word)
		want = append(want, word)
	}
	for _, s := range all {
		s.stop()
	}
	for _, s := range all {
		s.start()
	}
	leader, followers := leaderOf(t, all...)
	leader.leads()
	if got := leader.words.get(); !slices.Equal(got, want) {
		t.Errorf("the leader has %d words, want %d", len(got), len(want))
	}
	for _, f := range followers {
		await(t, "the followers have all", func() bool { return slices.Equal(f.words.get(), want) })
	}
}

// TestOverwrittenFollower has a follower drop entries that were never committed,
// and restart. See filer.go.
func TestOverwrittenFollower(t *testing.T) {
	dirs := map[string]string{"a": t.TempDir(), "b": t.TempDir(), "c": t.TempDir()}
	all := newCluster(t, func(c *Config) { c.DataDir = dirs[c.NodeID] })
	old, others := leaderOf(t, all...)
	old.leads()
	old.mustPut("x")
	for _, s := range others {
		s.stop()
	}
	if err := old.put("never"); !errors.Is(err, messages.ErrLeadershipLost) {
		t.Fatalf("apply without a quorum = %v, want %v", err, messages.ErrLeadershipLost)
	}
	old.stop()
	for _, s := range others {
		s.start()
	}
	next, _ := leaderOf(t, others...)
	next.leads()
	next.mustPut("y", "z")
	old.start()
	want := []string{"x", "y", "z"}
	await(t, "the old leader has what was committed", func() bool { return slices.Equal(old.words.get(), want) })
	old.stop()
	old.start()
	await(t, "and again after a restart", func() bool { return slices.Equal(old.words.get(), want) })
}
