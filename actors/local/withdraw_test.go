package local

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// withdraw asks as the leave plan does.
func (s *stage) withdraw(budget time.Duration) {
	s.sys.Root.RequestWithCustomSender(s.local.PID(), &messages.Withdraw{Step: 7, Budget: budget}, s.leave.PID())
}

// withdrawn returns the one answer to a withdrawal.
func (s *stage) withdrawn(t *testing.T) *messages.StepDone {
	t.Helper()
	synctest.Wait()
	got := s.leave.Messages()
	if len(got) != 1 {
		t.Fatalf("the plan was told %v, want one answer", got)
	}
	done, ok := got[0].(*messages.StepDone)
	if !ok || done.Step != 7 {
		t.Fatalf("the plan was told %+v", got[0])
	}
	return done
}

func TestWithdraw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		must(t, s, web("w", ttl("a", "")))
		s.want(t, "registered", "node", "w+a")
		s.withdraw(3 * time.Second)
		if done := s.withdrawn(t); done.Err != nil || done.Note != "node 'n1', services: 1, checks: 1" {
			t.Errorf("answered %+v", done)
		}
		s.want(t, "withdrawn", "-node")
		if s.node() != nil || s.service("w") != nil {
			t.Error("the catalog has the node still")
		}

		for _, err := range []error{refused(t, s, web("x")), refused(t, s, checkOf("", "x"))} {
			if !errors.Is(err, messages.ErrLeaving) {
				t.Errorf("err = %v, want %v", err, messages.ErrLeaving)
			}
		}
		must(t, s, result("a", wire.HealthPassing, ""))
		must(t, s, &messages.DeregisterService{ID: "w"})
		s.local.Tell(&messages.NewLeader{ID: "x"})
		s.local.Tell(&messages.Reconfigure{NodeMeta: map[string]string{"x": "y"}})
		s.crash()
		synctest.Wait()
		s.local.Tell(&messages.NewLeader{ID: "y"})
		time.Sleep(10 * syncInterval)
		s.want(t, "nothing is written any more, whatever happens")

		s.withdraw(3 * time.Second)
		if done := s.withdrawn(t); done.Err != nil {
			t.Errorf("a second time: %v", done.Err)
		}
		s.want(t, "the step may be taken twice", "-node")
	})
}

func TestWithdrawOfANodeThatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCatalog()
		c.down = errors.New("not yet")
		s := newStageOn(t, c)
		s.withdraw(3 * time.Second)
		if done := s.withdrawn(t); done.Err != nil {
			t.Errorf("answered %v", done.Err)
		}
	})
}

func TestWithdrawFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.setFail(failing(wire.ErrNoLeader, "-node"))
		s.withdraw(3 * time.Second)
		if done := s.withdrawn(t); !errors.Is(done.Err, wire.ErrNoLeader) || !strings.Contains(done.Err.Error(), "take node 'n1' from the catalog") {
			t.Errorf("answered %v", done.Err)
		}
		time.Sleep(2 * syncInterval)
		s.want(t, "nothing is written although it failed", "node")
	})
}

func TestWithdrawBeforeAnythingIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.want(t, "at the start", "node")
		if err := s.last.shelf.turn.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.crash()
		s.withdraw(3 * time.Second)
		if done := s.withdrawn(t); done.Err != nil {
			t.Errorf("answered %v", done.Err)
		}
		s.last.shelf.turn.pass()
		time.Sleep(syncInterval)
		s.want(t, "and nothing after", "-node")
	})
}

// TestWithdrawDuringASync: a write that is under way must not put the node back
// after it was taken away.
func TestWithdrawDuringASync(t *testing.T) {
	const budget = 4 * time.Second
	tests := []struct {
		name   string
		during func(ctx context.Context) error // of the write that is under way
		took   time.Duration
		want   []string
		err    string
	}{
		{
			name:   "write_ends",
			during: func(context.Context) error { time.Sleep(time.Second); return nil },
			took:   time.Second, want: []string{"a", "-node"},
		},
		{
			name:   "write_fails",
			during: func(context.Context) error { time.Sleep(time.Second); return errors.New("no") },
			took:   time.Second, want: []string{"-node"},
		},
		{
			name:   "write_is_broken_off",
			during: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			took:   budget / 2, want: []string{"-node"},
		},
		{
			name:   "write_does_not_end",
			during: func(context.Context) error { time.Sleep(time.Hour); return errors.New("no") },
			took:   budget, err: "a write to the catalog is under way",
		},
	}
	for _, tt := range tests {
		for _, restart := range []bool{false, true} {
			if restart && tt.name == "write_is_broken_off" {
				continue // the end of the instance breaks it off
			}
			t.Run(fmt.Sprintf("%s/restart=%t", tt.name, restart), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStage(t)
					s.want(t, "at the start", "node")
					s.setDown(errors.New("not yet"))
					must(t, s, web("a"))
					must(t, s, web("b"))
					s.setDuring(func(ctx context.Context, what string) error {
						if what == "-node" {
							return nil
						}
						return tt.during(ctx)
					})
					s.setDown(nil)
					s.local.Tell(&messages.NewLeader{ID: "x"})
					synctest.Wait() // a is on its way
					if restart {
						s.crash()
						synctest.Wait()
					}
					began := time.Now()
					s.withdraw(budget)
					synctest.Wait()
					if got := s.told(); len(got) != 0 {
						t.Errorf("written %q beside the write under way", got)
					}
					time.Sleep(tt.took - time.Millisecond)
					synctest.Wait()
					if got := s.leave.Messages(); len(got) != 0 {
						t.Errorf("answered %v after %s", got[0], time.Since(began))
					}
					time.Sleep(2 * time.Millisecond)
					done := s.withdrawn(t)
					if (done.Err != nil) != (tt.err != "") || done.Err != nil && !strings.Contains(done.Err.Error(), tt.err) {
						t.Errorf("answered %v, want %q", done.Err, tt.err)
					}
					s.want(t, "in this order", tt.want...)
					time.Sleep(2 * time.Hour)
					s.want(t, "and nothing after")
					if tt.err == "" && s.node() != nil {
						t.Error("the catalog has the node still")
					}
				})
			})
		}
	}
}

// TestWithdrawWithNobodyToTell is how a person would send it.
func TestWithdrawWithNobodyToTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.want(t, "at the start", "node")
		s.local.Tell(&messages.Withdraw{Budget: time.Second})
		s.want(t, "withdrawn", "-node")
	})
}
