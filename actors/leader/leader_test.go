package leader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// fakeCatalog is a catalog that can be written to.
type fakeCatalog struct {
	mu      sync.Mutex
	entries map[string]entry
	writes  []string
	fail    int // so many writes fail
	grave   uint64
}

func (c *fakeCatalog) NodeEntry(name string) (*wire.Node, *wire.HealthCheck, *wire.NodeService) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[name]
	return e.node, e.serf, e.consul
}

func (c *fakeCatalog) MonitoredNodes() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (c *fakeCatalog) NewestTombstone() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.grave
}

func (c *fakeCatalog) delete(index uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grave = index
}

func (c *fakeCatalog) register(_ context.Context, r *wire.RegisterRequest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail > 0 {
		c.fail--
		return errors.New("not now")
	}
	c.writes = append(c.writes, r.Node+" "+r.Check.Status)
	c.entries[r.Node] = entry{node: &wire.Node{Node: r.Node, Address: r.Address}, serf: r.Check, consul: r.Service}
	return nil
}

func (c *fakeCatalog) deregister(_ context.Context, r *wire.DeregisterRequest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes = append(c.writes, r.Node+" gone")
	delete(c.entries, r.Node)
	return nil
}

func (c *fakeCatalog) told() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.writes
	c.writes = nil
	return w
}

// stage is a leader with everybody around it.
type stage struct {
	catalog *fakeCatalog
	leader  ask.Address
	lan     messages.Published[messages.PoolView]
	status  messages.Published[messages.RaftStatus]
	raft    *actortest.Probe
	barrier error
	hold    bool                // what comes to the barrier stays there
	held    []*messages.Barrier // that has stayed there
	reports atomic.Int64
}

func newStage(t *testing.T) *stage {
	s := &stage{catalog: &fakeCatalog{entries: map[string]entry{}}}
	sys := actortest.System(t)
	s.raft = actortest.NewProbeFunc(t, sys, "raft", func(ctx actor.Context) bool {
		switch msg := ctx.Message().(type) {
		case *messages.Barrier:
			if s.hold {
				s.held = append(s.held, msg)
				break
			}
			msg.Settle(messages.Unit{}, s.barrier)
		case *messages.ApplyEntry:
			s.reap(msg)
		default:
			return false
		}
		return true
	})
	s.leader = actortest.Spawn(t, sys, New(Config{
		Logger: zap.NewNop(), NodeName: "s1", Datacenter: "dc1",
		Raft: s.raft.Address(sys), Status: &s.status, LAN: &s.lan, ReconnectTimeout: 72 * time.Hour,
		Catalog:  func() Catalog { return s.catalog },
		Register: s.catalog.register, Deregister: s.catalog.deregister,
		Report: func() { s.reports.Add(1) },
	}), Name)
	synctest.Wait()
	return s
}

// reap takes in what the leader writes by itself.
func (s *stage) reap(msg *messages.ApplyEntry) {
	s.catalog.mu.Lock()
	defer s.catalog.mu.Unlock()
	if s.catalog.fail > 0 {
		s.catalog.fail--
		msg.Refuse(errors.New("not now"))
		return
	}
	kind, body, err := wire.Split(msg.Entry)
	var req wire.TombstoneRequest
	if err == nil {
		err = wire.Decode(body, 1<<10, &req)
	}
	s.catalog.writes = append(s.catalog.writes, fmt.Sprintln(kind, req.Op, req.ReapIndex, req.Datacenter, err))
	if req.ReapIndex >= s.catalog.grave {
		s.catalog.grave = 0
	}
	msg.Answer(messages.Applied{})
}

func (s *stage) members(all ...messages.Member) { s.lan.Publish(&messages.PoolView{Members: all}) }

func (s *stage) lead() {
	s.status.Publish(&messages.RaftStatus{State: messages.Leader, Term: 2})
	s.leader.Tell(&messages.LeadershipChanged{Leading: true, Term: 2})
	synctest.Wait()
}

func (s *stage) news(c messages.MembershipChange, m ...messages.Member) {
	s.leader.Tell(&messages.MembersChanged{Pool: messages.LAN, Change: c, Members: m})
	synctest.Wait()
}

func (s *stage) want(t *testing.T, when string, want ...string) {
	t.Helper()
	if got := s.catalog.told(); !slices.Equal(got, want) {
		t.Errorf("%s: written %v, want %v", when, got, want)
	}
}

func TestLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		one, two := server("s1", messages.MemberAlive), client("n", messages.MemberAlive)
		s.members(one, two)
		s.news(messages.Joined, one, two)
		s.want(t, "a follower writes nothing")

		s.lead()
		s.want(t, "who gains leadership looks at everybody", "s1 passing", "n passing")
		if got := s.raft.Got(); !slices.Contains(got, "LeaderReady{Term:2}") {
			t.Errorf("raft was told %v, want LeaderReady", got)
		}

		failed := client("n", messages.MemberFailed)
		s.members(one, failed)
		s.news(messages.Failed, failed)
		s.want(t, "who has failed is critical", "n critical")

		s.members(one)
		s.news(messages.Reaped, failed)
		s.want(t, "who was reaped goes", "n gone")

		s.members(one, two)
		time.Sleep(lookInterval)
		synctest.Wait()
		s.want(t, "what went unnoticed is found within a minute", "n passing")

		s.leader.Tell(&messages.LeadershipChanged{Leading: false})
		s.members(one, failed)
		s.news(messages.Failed, failed)
		time.Sleep(2 * lookInterval)
		synctest.Wait()
		s.want(t, "who has lost leadership writes nothing")

		s.members(one)
		s.lead()
		s.want(t, "who is missing when leadership is gained is critical", "n critical")
		time.Sleep(72*time.Hour + lookInterval)
		synctest.Wait()
		s.want(t, "and goes when it has been for long", "n gone")
	})
}

// TestReports: every server reports, at once and then all nine seconds, whoever leads.
func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		time.Sleep(2*reportInterval + time.Second)
		synctest.Wait()
		s.lead()
		time.Sleep(reportInterval)
		synctest.Wait()
		if n := s.reports.Load(); n != 4 {
			t.Errorf("%d reports, want 4", n)
		}
	})
}

func TestWriteThatFailsIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.catalog.fail = 1
		s.members(server("s1", messages.MemberAlive), client("n", messages.MemberAlive))
		s.lead()
		s.want(t, "one that is refused does not hold up the other", "n passing")
		time.Sleep(retryInterval)
		synctest.Wait()
		s.want(t, "it is written a second later", "s1 passing")
	})
}

func TestRestartedLeaderGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.members(server("s1", messages.MemberAlive))
		s.lead()
		s.want(t, "at first", "s1 passing")
		s.members(server("s1", messages.MemberAlive), client("n", messages.MemberAlive))
		s.leader.Tell((*messages.MembersChanged)(nil)) // a broken invariant: the actor panics
		synctest.Wait()
		s.want(t, "after the restart", "n passing")
	})
}

// restore puts another state in the place of the catalog's.
func (s *stage) restore(entries map[string]entry) {
	s.catalog.mu.Lock()
	s.catalog.entries = entries
	s.catalog.mu.Unlock()
	s.leader.Tell(&messages.StateRestored{})
	synctest.Wait()
}

func TestRestoredState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		one, two := server("s1", messages.MemberAlive), client("n", messages.MemberAlive)
		s.members(one, two)
		s.restore(map[string]entry{})
		s.want(t, "a follower leaves it to the leader")

		s.lead()
		s.want(t, "who gains leadership looks at everybody", "s1 passing", "n passing")
		s.raft.Messages()
		s.restore(map[string]entry{})
		s.want(t, "who is not in a restored state is written", "s1 passing", "n passing")
		if got := s.raft.Got(); !slices.Contains(got, "LeaderReady{Term:2}") {
			t.Errorf("raft was told %v, want LeaderReady again", got)
		}

		other := stored(one, wire.HealthPassing)
		other.node.ID = "id-of-old"
		stray := stored(client("old", messages.MemberAlive), wire.HealthPassing)
		s.restore(map[string]entry{"s1": other, "n": stored(two, wire.HealthCritical), "old": stray})
		s.want(t, "and who is there as another is made right", "s1 gone", "s1 passing", "n passing", "old critical")
	})
}

func TestRestoredWhileEstablishing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.members(server("s1", messages.MemberAlive))
		s.hold = true
		s.lead()
		s.leader.Tell(&messages.StateRestored{})
		s.leader.Tell(&messages.StateRestored{})
		synctest.Wait()
		s.want(t, "nothing is written before the barrier is passed")
		s.hold = false
		for _, b := range s.held {
			b.Answer(messages.Unit{})
		}
		synctest.Wait()
		s.want(t, "leadership was taken up on what was restored", "s1 passing")
		ready := 0
		for _, m := range s.raft.Got() {
			if m == "LeaderReady{Term:2}" {
				ready++
			}
		}
		if ready != 2 {
			t.Errorf("raft was told %d times that the leader is ready, want it when it was and again on what was restored", ready)
		}
	})
}

func TestReapsTombstones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		after := func(d time.Duration, when string, want ...string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			s.want(t, when, want...)
		}
		reaped := func(upTo int) string { return fmt.Sprintln("Tombstone reap", upTo, "dc1 <nil>") }
		s.catalog.delete(5)
		after(time.Hour, "a follower reaps nothing")
		s.lead()
		after(tombstoneTTL-time.Second, "before their time, counted from the leader's first day")
		s.catalog.delete(9)
		after(2*time.Second, "after it", reaped(5))
		after(tombstoneTTL-2*time.Second, "before that of the next")
		after(tombstoneGranularity+time.Second, "after it", reaped(9))
		after(time.Hour, "nothing is left")

		s.catalog.delete(12)
		s.catalog.mu.Lock()
		s.catalog.fail = 2
		s.catalog.mu.Unlock()
		after(tombstoneTTL+4*tombstoneGranularity, "tried until it is done", reaped(12))
		s.catalog.delete(20)
		s.leader.Tell(&messages.StateRestored{})
		after(tombstoneTTL+2*tombstoneGranularity, "after a snapshot was restored", reaped(20))
		s.catalog.delete(30)
		time.Sleep(time.Minute)
		s.status.Publish(&messages.RaftStatus{State: messages.Follower, Term: 3})
		s.leader.Tell(&messages.LeadershipChanged{Term: 2})
		after(time.Hour, "a deposed leader reaps nothing")
	})
}
