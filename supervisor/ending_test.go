package supervisor

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/leave"
	"github.com/actor-consul/consul/messages"
)

// intercept offers what an actor is sent to take first. What take says true of
// never reaches the actor.
func intercept(name string, take func(actor.Context) bool) func([]child) {
	return func(children []child) {
		i := slices.IndexFunc(children, func(c child) bool { return c.name == name })
		inner := children[i].produce
		children[i].produce = func() actor.Actor {
			a := inner()
			return actor.ReceiveFunc(func(ctx actor.Context) {
				if !take(ctx) {
					a.Receive(ctx)
				}
			})
		}
	}
}

// budget gives an actor so much time to stop.
func budget(name string, d time.Duration) func([]child) {
	return func(children []child) {
		i := slices.IndexFunc(children, func(c child) bool { return c.name == name })
		children[i].budget = d
	}
}

// hurry gives the steps of a leave that name owns so much time, for this test.
func hurry(t *testing.T, name string, d time.Duration) {
	plan := leavePlan
	t.Cleanup(func() { leavePlan = plan })
	leavePlan = slices.Clone(plan)
	for i := range leavePlan {
		if leavePlan[i].Owner == name {
			leavePlan[i].Budget = d
		}
	}
}

// is reports whether an actor is being sent an M.
func is[M any](ctx actor.Context) bool {
	_, ok := ctx.Message().(M)
	return ok
}

// TestEnding ends a whole server in every way that goes wrong on the way, and
// shows from its trace that the rest happens in order all the same: first the
// plan, then one actor after the other.
func TestEnding(t *testing.T) {
	const short = 100 * time.Millisecond
	release := make(chan struct{}) // what hangs, hangs until then
	t.Cleanup(func() { close(release) })
	hang := func() bool { <-release; return false }
	once := func(f func()) func(actor.Context) {
		done := false // by the mailbox of one actor
		return func(actor.Context) {
			if !done {
				done = true
				f()
			}
		}
	}

	tests := []struct {
		name   string
		mend   func(*site) []func([]child)
		failed map[string]string // by step, a part of why
		late   []string          // actors that do not stop in time
		early  []string          // actors that fail, and go before their turn
		err    string
		again  func(*site) // is done when the first actor is told to stop
	}{
		{name: "all_is_well"},
		{
			name: "a_step_hangs",
			mend: func(s *site) []func([]child) {
				hurry(s.t, wanName, short)
				return []func([]child){intercept(wanName, is[*messages.LeavePool])}
			},
			failed: map[string]string{"say goodbye to the WAN": "took longer than its 100ms"},
		},
		{
			name: "a_step_panics",
			mend: func(*site) []func([]child) {
				return []func([]child){intercept("http", func(ctx actor.Context) bool {
					if is[*messages.Drain](ctx) {
						panic("fell on the way")
					}
					return false
				})}
			},
			failed: map[string]string{"answer the HTTP requests in flight": "fell on the way"},
		},
		{
			name: "every_step_fails",
			mend: func(s *site) (all []func([]child)) {
				for _, step := range leavePlan {
					all = append(all, intercept(step.Owner, func(ctx actor.Context) bool {
						msg, ok := ctx.Message().(messages.Step)
						if ok {
							ctx.Respond(msg.Failed(errors.New("out of order")))
						}
						return ok
					}))
				}
				return all
			},
			failed: map[string]string{"": "out of order"},
		},
		{
			name: "the_coordinator_fails_on_the_way",
			mend: func(s *site) []func([]child) {
				fail := once(func() { s.tell(leave.Name, &crash{"chaos"}) })
				return []func([]child){intercept("raft", func(ctx actor.Context) bool {
					if is[*messages.LeavePeers](ctx) {
						fail(ctx)
					}
					return false
				})}
			},
		},
		{
			name: "an_actor_hangs_and_is_left_behind",
			mend: func(*site) []func([]child) {
				return []func([]child){budget("rpc", short), intercept("rpc", func(ctx actor.Context) bool {
					return is[*actor.Stopping](ctx) && hang()
				})}
			},
			late: []string{"rpc"},
			err:  "did not stop in time: rpc",
		},
		{
			name: "an_actor_panics_on_its_way_out",
			mend: func(*site) []func([]child) {
				return []func([]child){intercept("local", func(ctx actor.Context) bool {
					if is[*actor.Stopped](ctx) {
						panic("fell on the way out")
					}
					return false
				})}
			},
		},
		{
			name:  "is_told_again_to_stop",
			again: func(s *site) { s.agent.Stop(); s.agent.Stop() },
		},
		{
			name:  "is_told_again_to_leave",
			again: func(s *site) { s.tell(leave.Name, &messages.BeginLeave{Why: "again"}) },
		},
		{
			name:  "actors_fail_while_others_stop",
			again: func(s *site) { s.tell("raft", &crash{"chaos"}); s.tell("logs", &crash{"chaos"}) },
			early: []string{"raft", "logs"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			var mend []func([]child)
			if tt.mend != nil {
				mend = tt.mend(s)
			}
			if tt.again != nil {
				mend = append(mend, intercept(leave.Name, func(ctx actor.Context) bool {
					if is[*actor.Stopping](ctx) {
						tt.again(s)
					}
					return false
				}))
			}
			s.start(mend...)
			s.leave(tt.failed)
			s.ended()
			if got := fmt.Sprint(s.agent.Err()); got != cmp.Or(tt.err, "<nil>") {
				t.Errorf("Err = %s, want %q", got, tt.err)
			}
			got, want := s.story.ending(), backwards(ground(t).tree(), tt.late...)
			for _, name := range tt.early {
				if s.story.count(Stopping, name) != 1 || s.story.count(Stopped, name) != 1 {
					t.Errorf("%s is to be stopped once: %v", name, got)
				}
				got, want = without(name, got), without(name, want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("it ended  %v\nit should %v", got, want)
			}
		})
	}
}

// without returns a story without an actor.
func without(actor string, lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.HasSuffix(l, " "+actor) })
}

// leave leaves and checks the report: all steps in the order of the plan, of which
// those in failed did, and no actor stopped before the end. The step "" is every
// step.
func (s *site) leave(failed map[string]string) {
	s.t.Helper()
	begun, err := s.agent.Leave(s.t.Context(), "test")
	if err != nil {
		s.t.Fatal(err)
	}
	var ended []string
	for line := range begun.Progress {
		if !line.Done {
			continue
		}
		ended = append(ended, line.Step)
		why, ok := failed[line.Step]
		if !ok {
			why = failed[""]
		}
		if (why == "") != (line.Err == "") || !strings.Contains(line.Err, why) {
			s.t.Errorf("%s: %q, want %q", line.Step, line.Err, why)
		}
	}
	if told := s.story.ending(); len(told) > 0 {
		s.t.Errorf("before the plan was done: %v", told)
	}
	begun.Heard()
	var want []string
	for _, step := range leavePlan {
		want = append(want, step.Name)
	}
	if s.story.count(Restarting, leave.Name) == 0 && !slices.Equal(ended, want) {
		s.t.Errorf("steps   %q\nthe plan %q", ended, want)
	}
}

// TestStopInsteadOfLeave shows that who cannot wait for the end of the plan is
// heard: the actors are stopped at once, in order.
func TestStopInsteadOfLeave(t *testing.T) {
	s := newSite(t)
	atStep := make(chan struct{})
	s.start(intercept(lanName, func(ctx actor.Context) bool {
		if !is[*messages.LeavePool](ctx) {
			return false
		}
		close(atStep)
		return true // it will never be done
	}))
	if _, err := s.agent.Leave(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	<-atStep
	s.stop()
	if got, want := s.story.ending(), backwards(ground(t).tree()); !slices.Equal(got, want) {
		t.Errorf("it ended  %v\nit should %v", got, want)
	}
	if _, err := s.agent.Leave(t.Context(), "test"); !errors.Is(err, messages.ErrUnavailable) {
		t.Errorf("a leave after the end: %v, want %v", err, messages.ErrUnavailable)
	}
}
