package session

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// stage is a session actor, the state, and a raft that is played.
type stage struct {
	t       *testing.T
	store   atomic.Pointer[state.Store]
	session ask.Address
	status  messages.Published[messages.RaftStatus]

	mu      sync.Mutex
	writes  int   // that raft was asked for
	refuse  error // what raft says instead
	held    []*messages.ApplyEntry
	holding bool // raft keeps what it is asked for
	most    int  // that it kept at a time
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t}
	s.store.Store(state.NewStore())
	s.write(func(tx *state.Tx) error {
		return tx.EnsureRegistration(&wire.RegisterRequest{Node: "n", Address: "10.0.0.1"})
	})
	sys := actortest.System(t)
	raft := actortest.NewProbeFunc(t, sys, "raft", func(ctx actor.Context) bool {
		if msg, ok := ctx.Message().(*messages.ApplyEntry); ok {
			s.apply(msg)
		}
		return true
	})
	s.session = actortest.Spawn(t, sys, New(Config{
		Logger: zap.NewNop(), Datacenter: "dc1", Raft: raft.Address(sys), Status: &s.status, View: s.view,
	}), Name)
	synctest.Wait()
	return s
}

func (s *stage) view() *state.View { return s.store.Load().View() }

func (s *stage) write(fn func(*state.Tx) error) {
	s.t.Helper()
	if err := s.store.Load().Update(s.view().LastIndex()+1, time.Now(), fn); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) apply(msg *messages.ApplyEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	switch {
	case s.refuse != nil:
		msg.Refuse(s.refuse)
	case s.holding:
		s.held = append(s.held, msg)
		s.most = max(s.most, len(s.held))
	default:
		s.commit(msg)
	}
}

// will says what raft does with the next entries.
func (s *stage) will(holding bool, refuse error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding, s.refuse = holding, refuse
}

// asked returns how many entries raft was asked for, and those that it holds, which
// it gives out.
func (s *stage) asked() (int, []*messages.ApplyEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held
	s.held = nil
	return s.writes, held
}

func (s *stage) commit(msg *messages.ApplyEntry) {
	kind, body, err := wire.Split(msg.Entry)
	var req wire.SessionRequest
	if err == nil {
		err = wire.Decode(body, 1<<20, &req)
	}
	if err != nil || kind != wire.SessionRequestType || req.Op != wire.SessionDestroy || req.Datacenter != "dc1" {
		s.t.Errorf("raft was asked for %v %+v: %v", kind, req, err)
	}
	s.write(func(tx *state.Tx) error { tx.SessionDestroy(req.Session.ID); return nil })
	msg.Answer(messages.Applied{Index: s.view().LastIndex()})
}

func (s *stage) create(id, ttl string) {
	s.write(func(tx *state.Tx) error { return tx.SessionCreate(&wire.Session{ID: id, Node: "n", TTL: ttl}) })
	synctest.Wait()
}

func (s *stage) lead(term uint64) {
	s.status.Publish(&messages.RaftStatus{State: messages.Leader, Term: term})
	s.session.Tell(&messages.LeadershipChanged{Leading: true, Term: term})
	synctest.Wait()
}

func (s *stage) depose(term uint64) {
	s.status.Publish(&messages.RaftStatus{State: messages.Follower, Term: term + 1})
	s.session.Tell(&messages.LeadershipChanged{Term: term})
	synctest.Wait()
}

// after lets time pass and checks how many sessions there are then.
func (s *stage) after(d time.Duration, when string, sessions int) {
	s.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	if _, all := s.view().Sessions(nil); len(all) != sessions {
		s.t.Errorf("%s: %d sessions, want %d", when, len(all), sessions)
	}
}

// renew renews the session a.
func (s *stage) renew() (bool, error) {
	return ask.Do(s.t.Context(), s.session, &messages.RenewSession{ID: "a", TTL: 10 * time.Second})
}

// slack is what a deadline may be late: that sessions come is seen so often.
const slack = pause + time.Millisecond

func TestSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.create("a", "10s")
		s.lead(2)
		s.create("b", "20s")
		s.create("for-ever", "")
		s.after(20*time.Second-time.Millisecond, "before twice the TTL", 3)
		s.after(slack, "after twice the TTL", 2)
		s.after(20*time.Second-slack-time.Millisecond, "before the other's", 2)
		s.after(2*slack, "after the other's", 1)
		s.after(48*time.Hour, "without a TTL", 1)
		if n, _ := s.asked(); n != 2 {
			t.Errorf("%d entries for 2 sessions", n)
		}
	})
}

func TestRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		if _, err := s.renew(); !errors.Is(err, messages.ErrNotLeader) {
			t.Errorf("a follower renews: %v", err)
		}
		s.create("a", "10s")
		s.lead(2)
		for range 10 {
			s.after(15*time.Second, "renewed in time", 1)
			if lives, err := s.renew(); err != nil || !lives {
				t.Fatalf("renew: %v, %v", lives, err)
			}
		}
		if n, _ := s.asked(); n != 0 {
			t.Errorf("renewals cost %d entries of the log", n)
		}
		s.will(true, nil)
		s.after(20*time.Second+time.Millisecond, "its end is being written", 1)
		if lives, err := s.renew(); err != nil || lives {
			t.Errorf("a renewal after the end was decided: %v, %v", lives, err)
		}
		_, held := s.asked()
		s.commit(held[0])
		s.after(0, "when it is written", 0)
	})
}

// TestRenewalBeforeTheNews: who asks knows of the leadership before the actor does.
func TestRenewalBeforeTheNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.create("a", "10s")
		s.status.Publish(&messages.RaftStatus{State: messages.Leader, Term: 2})
		if lives, err := s.renew(); err != nil || !lives {
			t.Errorf("renew: %v, %v", lives, err)
		}
		s.after(time.Second, "and then the news come", 1)
		s.lead(2)
		s.after(19*time.Second+slack, "which change nothing", 0)
	})
}

// TestNewLeaderBeginsAnew: every session has its full time from a leader on, and a
// deposed one ends none.
func TestNewLeaderBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.create("a", "10s")
		s.lead(2)
		s.after(19*time.Second, "under the first leader", 1)
		s.depose(2)
		s.after(time.Hour, "a follower lets it live", 1)
		s.lead(5)
		s.after(19*time.Second, "its time begins anew", 1)
		s.lead(7) // another reign, whose gap nobody saw
		s.after(20*time.Second-time.Millisecond, "and again", 1)
		s.after(slack, "and is over once", 0)
	})
}

func TestDeposedWhileEnding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.lead(2)
		for i := range 3 * inFlight {
			s.create(fmt.Sprint(i), "10s")
		}
		s.will(true, nil)
		s.after(21*time.Second, "their ends are being written", 3*inFlight)
		s.status.Publish(&messages.RaftStatus{State: messages.Leader, Term: 4})
		_, held := s.asked()
		for _, msg := range held {
			msg.Refuse(messages.ErrLeadershipLost)
		}
		s.after(0, "the log was another's meanwhile", 3*inFlight)
		if n, _ := s.asked(); n != inFlight {
			t.Errorf("%d ends were proposed, want the %d of the old reign and none in the new", n, inFlight)
		}
	})
}

// TestManyExpireAtOnce: ten thousand leave room for others, and all go.
func TestManyExpireAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		const many = 10_000
		s.write(func(tx *state.Tx) error {
			for i := range many {
				if err := tx.SessionCreate(&wire.Session{ID: fmt.Sprint(i), Node: "n", TTL: "10s"}); err != nil {
					return err
				}
			}
			return nil
		})
		s.lead(2)
		s.will(true, nil)
		s.after(20*time.Second, "as they come", many)
		for n, held := s.asked(); len(held) > 0; n, held = s.asked() {
			for _, msg := range held {
				s.commit(msg)
			}
			synctest.Wait()
			if n > many {
				t.Fatalf("%d entries for %d sessions", n, many)
			}
		}
		s.after(0, "when all are written", 0)
		if s.most > inFlight {
			t.Errorf("%d were on their way at a time, want %d at most", s.most, inFlight)
		}
	})
}

func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.create("a", "10s")
		s.lead(2)
		s.will(false, messages.ErrOverloaded)
		s.after(10*time.Minute, "while the log takes nothing", 1)
		if n, _ := s.asked(); n < 10 || n > 20 {
			t.Errorf("%d tries in ten minutes", n)
		}
		s.will(false, nil)
		s.after(retryMost, "when it does again", 0)
	})
}

// TestRestored: what a snapshot brings has its full time, whatever was before.
func TestRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.create("a", "10s")
		s.lead(2)
		s.after(15*time.Second, "before", 1)
		old := s.store.Load()
		restorer := state.NewRestorer(100)
		for kind, record := range old.View().Records() {
			if _, err := restorer.Record(kind, func(into any) error {
				switch into := into.(type) {
				case *wire.RegisterRequest:
					*into = *record.(*wire.RegisterRequest)
				case *wire.Session:
					*into = wire.Session{ID: "b", Node: "n", TTL: "10s"}
				default:
					return errors.New("not for this test")
				}
				return nil
			}); err != nil && kind != wire.IndexRequestType {
				t.Fatal(err)
			}
		}
		s.store.Store(restorer.Commit())
		old.Abandon()
		s.after(20*time.Second-time.Millisecond, "a restored session", 1)
		s.after(slack, "after its time", 0)
	})
}
