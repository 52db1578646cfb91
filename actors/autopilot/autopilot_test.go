package autopilot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is an autopilot with a raft that does as it is told, and servers that say
// what the test wants them to say.
type stage struct {
	t         *testing.T
	sys       *actor.ActorSystem
	autopilot ask.Address
	logs      *observer.ObservedLogs
	status    messages.Published[messages.RaftStatus]
	lan       messages.Published[messages.PoolView]
	state     messages.Published[wire.AutopilotState]

	mu    sync.Mutex
	peers []messages.RaftServer
	wrote []string         // the changes that raft was asked for, as outline writes them
	fail  map[string]error // changes that raft refuses
	hang  chan struct{}    // when set, raft answers changes once it is closed
	conf  *wire.AutopilotConfig
	said  map[string]stats // by letter; who is not here is fine
	asked int              // how often servers were asked
}

func newStage(t *testing.T, set string, members []messages.Member) *stage {
	core, logs := observer.New(zap.DebugLevel)
	s := &stage{t: t, sys: actortest.System(t), logs: logs, peers: peers(set), fail: map[string]error{}, said: map[string]stats{}}
	raft := actortest.NewProbeFunc(t, s.sys, "raft", s.raft)
	s.members(members...)
	s.autopilot = actortest.Spawn(t, s.sys, New(Config{
		Logger: zap.New(core), NodeID: "aa", Datacenter: "dc1", Raft: raft.Address(s.sys),
		Status: &s.status, LAN: &s.lan, State: &s.state,
		Settings: func() *wire.AutopilotConfig {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.conf
		},
		Stats: s.stats,
	}), Name)
	synctest.Wait()
	return s
}

func (s *stage) raft(ctx actor.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch msg := ctx.Message().(type) {
	case *messages.GetRaftConfiguration:
		msg.Answer(messages.RaftConfiguration{Servers: slices.Clone(s.peers)})
	case *messages.PutPeer:
		s.change(change{peer: msg.Server}, func(err error) { msg.Settle(messages.Unit{}, err) })
	case *messages.RemovePeer:
		s.change(change{peer: messages.RaftServer{ID: msg.ID}, remove: true}, func(err error) { msg.Settle(messages.Unit{}, err) })
	}
	return true
}

// change plays raft: the answer comes when the change is made.
func (s *stage) change(c change, settle func(error)) {
	text := outline([]change{c})
	s.wrote = append(s.wrote, text)
	if err := s.fail[text]; err != nil {
		settle(err)
		return
	}
	answer := func() {
		s.peers = applied(s.peers, c)
		settle(nil)
	}
	if s.hang == nil {
		answer()
		return
	}
	hang := s.hang
	go func() {
		<-hang
		s.mu.Lock()
		defer s.mu.Unlock()
		answer()
	}()
}

func (s *stage) stats(ctx context.Context, server messages.Server) (uint64, uint64, time.Duration, error) {
	s.mu.Lock()
	said, ok := s.said[server.Name]
	s.asked++
	s.mu.Unlock()
	switch {
	case !ok:
		return 2, 10, 50 * time.Millisecond, nil
	case said.err != nil && errors.Is(said.err, context.DeadlineExceeded): // it hangs
		<-ctx.Done()
		return 0, 0, 0, ctx.Err()
	default:
		return said.term, said.index, said.contact, said.err
	}
}

// set changes what the others say and do.
func (s *stage) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *stage) timesAsked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *stage) members(all ...messages.Member) { s.lan.Publish(&messages.PoolView{Members: all}) }

// news has gossip tell what has changed.
func (s *stage) news(c messages.MembershipChange, m ...messages.Member) {
	s.autopilot.Tell(&messages.MembersChanged{Pool: messages.LAN, Change: c, Members: m})
	synctest.Wait()
}

func (s *stage) lead() {
	const term = 2
	s.status.Publish(&messages.RaftStatus{State: messages.Leader, Term: term, Ready: true, Stats: func() map[string]string {
		return map[string]string{"last_log_term": "2", "last_log_index": "10"}
	}})
	s.autopilot.Tell(&messages.LeadershipChanged{Leading: true, Term: term})
	synctest.Wait()
}

func (s *stage) follow() {
	s.status.Publish(&messages.RaftStatus{State: messages.Follower, Term: 9})
	s.autopilot.Tell(&messages.LeadershipChanged{Leading: false})
	synctest.Wait()
}

func pass(d time.Duration) {
	time.Sleep(d) // in virtual time
	synctest.Wait()
}

// want holds what raft was asked to change since the last time.
func (s *stage) want(when, want string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := strings.Join(s.wrote, " "); got != want {
		s.t.Errorf("%s: raft was asked for %q, want %q", when, got, want)
	}
	s.wrote = nil
}

func (s *stage) logged(text string) int {
	return len(s.logs.Filter(func(e observer.LoggedEntry) bool { return strings.Contains(e.Message, text) }).All())
}

func TestAutopilot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a", live("ab"))
		pass(time.Minute)
		s.want("a follower changes nothing", "")
		if s.timesAsked() > 0 || s.state.Load() != nil {
			t.Error("a follower asks the servers how they are, or says so")
		}

		s.lead()
		s.want("who gains leadership looks at once", "b- b")

		c := server("c", alive)
		s.members(with("ab", c)...)
		s.set(func() { s.said["c"] = stats{contact: -1} })
		s.news(messages.Joined, c)
		s.want("a newcomer", "c-")
		pass(time.Minute)
		s.want("one that is not healthy waits", "")
		s.set(func() { delete(s.said, "c") })
		pass(eagerInterval)
		s.want("while forming, it is a voter as soon as it is", "c")

		d := server("d", alive)
		s.members(with("abc", d)...)
		s.news(messages.Joined, d)
		pass(9 * time.Second)
		s.want("later, it has to be healthy for a while", "d-")
		pass(3 * time.Second)
		s.want("and is a voter then", "d")

		b := server("b", failed)
		s.members(with("acd", b)...)
		s.news(messages.Failed, b)
		s.want("who has failed and been replaced goes", "!b")

		c = server("c", left)
		s.members(with("ad", b, c)...)
		s.news(messages.Left, c)
		s.want("who has left goes", "!c")

		s.follow()
		s.members(live("abcd")...)
		s.news(messages.Joined, live("bc")...)
		pass(time.Minute)
		s.want("who has lost leadership changes nothing", "")
		if s.state.Load() != nil {
			t.Error("who has lost leadership still says how the servers are")
		}
	})
}

// TestVoterAcrossLeaders: a server that was a voter while another led is one at once
// when it is back.
func TestVoterAcrossLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a b c d", live("abcd"))
		pass(lookInterval)
		s.set(func() { s.peers = peers("a b c") })
		s.members(with("abc", server("d", failed))...)
		s.news(messages.Failed, server("d", failed))
		s.lead()
		s.members(live("abcd")...)
		s.news(messages.Joined, server("d", alive))
		pass(time.Second)
		s.want("it was a voter before", "d- d")
	})
}

// TestTakenOutByHand: whoever an operator takes out, or takes itself out since it
// leaves, is not taken in again at once.
func TestTakenOutByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a b c", live("abc"))
		s.lead()
		s.set(func() { s.peers = peers("a b") })
		pass(dismissal - lookInterval)
		s.want("it stays out", "")
		if s.logged("was taken out of the peer set; unless it leaves, it is taken in again in 1m0s") != 1 {
			t.Errorf("nobody was told: %v", s.logs.All())
		}
		pass(3 * lookInterval)
		s.want("it lives, so it is taken in again", "c- c")
	})
}

func TestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a b c", with("ab", server("c", failed)))
		s.lead()
		got := s.state.Load()
		if got == nil || got.Healthy || got.FailureTolerance != 0 || !got.Servers["bb"].Health.Healthy || got.Servers["bb"].Stats.LastIndex != 10 {
			t.Fatalf("the state is %+v", got)
		}
		s.members(live("abc")...)
		s.news(messages.Joined, server("c", alive))
		pass(lookInterval)
		if got := s.state.Load(); !got.Healthy || got.FailureTolerance != 1 {
			t.Errorf("with all alive: %+v", got)
		}
		if s.logged(`server "c" (ID "cc", 10.0.0.99:8300) is healthy`) != 1 {
			t.Errorf("that it is healthy was not told: %v", s.logs.All())
		}

		// One that hangs holds up neither the state nor what is to be done.
		s.set(func() { s.said["b"] = stats{err: context.DeadlineExceeded} })
		pass(lookInterval + statsTimeout)
		if got := s.state.Load(); got.Healthy || got.Servers["bb"].Health.Healthy {
			t.Errorf("with one that hangs: %+v", got.Servers["bb"])
		}
		s.members(with("ab", server("c", left))...)
		s.news(messages.Left, server("c", left))
		s.want("while one hangs", "!c")
	})
}

func TestLeaderThatHasNotCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a", live("ab"))
		s.status.Publish(&messages.RaftStatus{State: messages.Leader, Term: 2})
		s.autopilot.Tell(&messages.LeadershipChanged{Leading: true, Term: 2})
		pass(time.Second)
		s.want("it may not know the settings yet", "")
		if s.state.Load() == nil {
			t.Error("it does not say how the servers are")
		}
		s.lead()
		pass(time.Second)
		s.want("it has caught up", "b- b")
	})
}

// TestOneAtATime: nothing else is asked of raft while it makes a change, and what
// came in meanwhile is seen to afterwards.
func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a b", with("a", server("b", left)))
		hang := make(chan struct{})
		s.set(func() { s.hang = hang })
		s.lead()
		s.members(with("ac", server("b", left))...)
		s.news(messages.Joined, server("c", alive))
		pass(10 * time.Second)
		s.want("while raft is at it", "!b")
		s.set(func() { s.hang = nil })
		close(hang)
		pass(time.Second)
		s.want("when it is done", "c- c")
	})
}

// TestRefused: what raft refuses is tried again, and does not hold up the rest.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a b@x c@y d@z", live("abcd"))
		s.set(func() { s.fail["b"] = errors.New("not now") })
		s.lead()
		pass(3*retryInterval + retryInterval/2)
		s.want("in turns", "b c d b b b")
		if got := s.logs.FilterMessage("could not change the peer set; trying again").Len(); got != 4 {
			t.Errorf("that it was refused was told %d times, want 4", got)
		}
		s.set(func() { delete(s.fail, "b") })
		pass(retryInterval)
		s.want("in the end", "b")
		pass(time.Minute)
		s.want("and that was all", "")
	})
}

// TestNotLeaderAnyMore: raft knows before the status does.
func TestNotLeaderAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a b", with("a", server("b", left)))
		s.set(func() { s.fail["!b"] = messages.ErrNotLeader })
		s.lead()
		s.want("it asks once", "!b")
		s.follow()
		pass(time.Minute)
		s.want("and then knows", "")
		if s.logged("could not change") > 0 {
			t.Errorf("it complains: %v", s.logs.All())
		}
	})
}

// TestRestart: an instance that takes the place of one that has crashed finds out by
// itself that it leads.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a b c", live("abc"))
		s.lead()
		s.autopilot.Tell((*messages.MembersChanged)(nil)) // a broken invariant: the actor panics
		s.members(with("ab", server("c", left))...)
		pass(time.Second)
		s.want("after the restart", "!c")
		if got := s.state.Load(); got == nil || !got.Healthy {
			t.Errorf("the state after the restart is %+v", got)
		}
	})
}

// TestConflict: a person is told once, and again when it comes back.
func TestConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a b", with("ab", server("c", alive, tagged("id", "bb"))))
		s.lead()
		pass(time.Minute)
		s.want("nothing is changed", "")
		const told = `node ID "bb" is claimed by the servers "b" (10.0.0.98:8300) and "c" (10.0.0.99:8300)`
		if got := s.logged(told); got != 1 {
			t.Errorf("it was told %d times, want once", got)
		}
		s.members(live("ab")...)
		pass(lookInterval)
		s.members(with("ab", server("c", alive, tagged("id", "bb")))...)
		pass(lookInterval)
		if got := s.logged(told); got != 2 {
			t.Errorf("it was told %d times, want twice", got)
		}
	})
}

// TestNewsOfClients: a thousand clients that come keep no server from being asked.
func TestNewsOfClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a b", live("ab"))
		s.lead()
		s.set(func() { s.asked = 0 })
		for i := range 1000 {
			s.news(messages.Joined, server("n", alive, tagged("role", "node"), tagged("id", fmt.Sprint(i))))
			pass(10 * time.Millisecond)
		}
		if got := s.timesAsked(); got != 5 {
			t.Errorf("in 10 s the other server was asked %d times, want 5", got)
		}
	})
}

// TestSettings: those of the replicated state count as soon as they are there.
func TestSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a b c", live("abcd"))
		s.lead()
		s.want("by default it has to be stable for 10 s", "d-")
		s.set(func() {
			s.conf = &wire.AutopilotConfig{ServerStabilizationTime: time.Millisecond}
		})
		pass(lookInterval)
		s.want("and now for a millisecond", "d")
	})
}

// TestEmptyPool: what the pool does not show yet is no reason to do anything.
func TestEmptyPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a b c d", nil)
		s.lead()
		pass(time.Hour)
		s.want("not even itself is in the pool", "")
	})
}
