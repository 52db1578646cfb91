package leave

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// plan is a plan of n drains, each with a second, owned by owner.
func plan(names ...string) []Step {
	var p []Step
	for _, n := range names {
		p = append(p, Step{
			Name: n, Owner: "owner", Budget: time.Second,
			Make: func(id messages.StepID, budget time.Duration, _ bool) messages.Step {
				return &messages.Drain{Step: id, Budget: budget}
			},
		})
	}
	return p
}

// TestLeave plays a plan against an owner that does as the step's name says.
func TestLeave(t *testing.T) {
	tests := []struct {
		name  string
		steps []string
		want  []string // what a watcher is told when steps end
	}{
		{name: "all_go_well", steps: []string{"fine", "fine"}, want: []string{"fine: done", "fine: done"}},
		{name: "a_failure_is_noted_and_passed_over", steps: []string{"fails", "fine"}, want: []string{"fails! broken", "fine: done"}},
		{name: "a_step_that_hangs_uses_its_budget_only", steps: []string{"hangs", "fine"}, want: []string{"hangs! took longer than its 1s", "fine: done"}},
		{name: "a_late_answer_is_not_taken_for_the_next", steps: []string{"late", "hangs", "fine"}, want: []string{"late! took longer than its 1s", "hangs! took longer than its 1s", "fine: done"}},
		{name: "an_empty_plan_ends", want: nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sys := actortest.System(t)
				steps := plan(tt.steps...)
				owner := actortest.NewProbeFunc(t, sys, "owner", func(ctx actor.Context) bool {
					d, ok := ctx.Message().(*messages.Drain)
					if !ok {
						return false
					}
					done := &messages.StepDone{Step: d.Step, Note: "done"}
					switch steps[d.Step].Name {
					case "fine":
						ctx.Respond(done)
					case "fails":
						ctx.Respond(d.Failed(errors.New("broken")))
					case "late":
						root, asker := ctx.ActorSystem().Root, ctx.Sender()
						time.AfterFunc(1500*time.Millisecond, func() { root.Send(asker, done) })
					}
					return true
				})
				leave, parent := actortest.Parent(t, sys, New(Config{
					Logger: zap.NewNop(), Plan: steps,
					Owners: map[string]ask.Address{"owner": owner.Address(sys)},
				}), Name)

				begun, err := ask.Do(t.Context(), leave, &messages.BeginLeave{Why: "test"})
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for line := range begun.Progress {
					switch {
					case line.Done && line.Err != "":
						got = append(got, fmt.Sprintf("%s! %s", line.Step, line.Err))
					case line.Done:
						got = append(got, fmt.Sprintf("%s: %s", line.Step, line.Note))
					}
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("watched %q, want %q", got, tt.want)
				}
				synctest.Wait()
				if said := parent.Got(); slices.ContainsFunc(said, ended) {
					t.Errorf("ended before the watcher had heard: %v", said)
				}
				begun.Heard()
				synctest.Wait()
				if said := parent.Got(); !slices.ContainsFunc(said, ended) {
					t.Errorf("the supervisor was told %v, want LeaveEnded", said)
				}
			})
		})
	}
}

// TestAhead asks the owner of a step while the step before is under way, and wants
// the time that both take to be that of the longer one.
func TestAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := actortest.System(t)
		steps := plan("short", "long")
		steps[1].Ahead = true
		steps[1].Budget = 5 * time.Second
		var ended time.Time // when what takes long does
		owner := actortest.NewProbeFunc(t, sys, "owner", func(ctx actor.Context) bool {
			d, ok := ctx.Message().(*messages.Drain)
			if !ok {
				return false
			}
			until := time.Now().Add(500 * time.Millisecond)
			if steps[d.Step].Name == "long" {
				if ended.IsZero() {
					ended = time.Now().Add(4 * time.Second)
				}
				until = ended
			}
			root, asker := ctx.ActorSystem().Root, ctx.Sender()
			time.AfterFunc(time.Until(until), func() { root.Send(asker, &messages.StepDone{Step: d.Step, Note: "done"}) })
			return true
		})
		leave, parent := actortest.Parent(t, sys, New(Config{
			Logger: zap.NewNop(), Plan: steps, Owners: map[string]ask.Address{"owner": owner.Address(sys)},
		}), Name)
		began := time.Now()
		leave.Tell(&messages.BeginLeave{Why: "test"})
		report := actortest.Next[*messages.LeaveEnded](t, parent).Report
		if took := time.Since(began); took != 4*time.Second || len(report) != 2 {
			t.Errorf("the leave took %v with %d steps, want 4s and 2", took, len(report))
		}
		for _, line := range report {
			if line.Err != "" || line.Note != "done" {
				t.Errorf("%+v", line)
			}
		}
	})
}

// TestDeafWatcher shows that a watcher that goes away delays the end by a moment
// only.
func TestDeafWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := actortest.System(t)
		leave, parent := actortest.Parent(t, sys, New(Config{Logger: zap.NewNop()}), Name)
		if _, err := ask.Do(t.Context(), leave, &messages.BeginLeave{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(hearing)
		synctest.Wait()
		if said := parent.Got(); !slices.ContainsFunc(said, ended) {
			t.Errorf("the supervisor was told %v, want LeaveEnded", said)
		}
	})
}

// TestSecondAskerWatchesTheSameLeave shows that asking again joins the leave, and
// that a latecomer sees what has been done.
func TestSecondAskerWatchesTheSameLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := actortest.System(t)
		var steps []messages.StepID
		owner := actortest.NewProbeFunc(t, sys, "owner", func(ctx actor.Context) bool {
			d := ctx.Message().(*messages.Drain)
			steps = append(steps, d.Step)
			if d.Step == 0 {
				ctx.Respond(&messages.StepDone{Step: d.Step, Note: "done"})
			}
			return true
		})
		leave := actortest.Spawn(t, sys, New(Config{
			Logger: zap.NewNop(), Plan: plan("first", "second"),
			Owners: map[string]ask.Address{"owner": owner.Address(sys)},
		}), Name)
		for range 2 {
			begun, err := ask.Do(t.Context(), leave, &messages.BeginLeave{})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			var done []string
			for len(begun.Progress) > 0 {
				if line := <-begun.Progress; line.Done {
					done = append(done, line.Step)
				}
			}
			if want := []string{"first"}; !slices.Equal(done, want) {
				t.Errorf("watched %v end, want %v", done, want)
			}
		}
		if want := []messages.StepID{0, 1}; !slices.Equal(steps, want) {
			t.Errorf("steps taken: %v, want %v", steps, want)
		}
	})
}

func TestObjection(t *testing.T) {
	tests := []struct {
		name  string
		begin messages.BeginLeave
		err   bool
	}{
		{name: "refused", err: true},
		{name: "insisted", begin: messages.BeginLeave{Force: true}},
		{name: "a_signal_cannot_be_refused", begin: messages.BeginLeave{Signal: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				against := errors.New("the quorum")
				leave, parent := actortest.Parent(t, actortest.System(t), New(Config{
					Logger: zap.NewNop(), Objection: func(context.Context) error { return against },
				}), Name)
				_, err := ask.Do(t.Context(), leave, &tt.begin)
				if errors.Is(err, against) != tt.err {
					t.Errorf("err = %v, want the objection: %v", err, tt.err)
				}
				time.Sleep(hearing)
				synctest.Wait()
				if left := slices.ContainsFunc(parent.Got(), ended); left == tt.err {
					t.Errorf("left: %v", left)
				}
			})
		})
	}
}

// TestObjectionTakesItsTime has a signal come while two others wait for the objection.
func TestObjectionTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		against, speak := errors.New("the quorum"), make(chan struct{})
		leave, parent := actortest.Parent(t, actortest.System(t), New(Config{
			Logger: zap.NewNop(),
			Objection: func(context.Context) error {
				<-speak
				return against
			},
		}), Name)
		answers := make(chan error, 2)
		for range cap(answers) {
			go func() {
				_, err := ask.Do(t.Context(), leave, &messages.BeginLeave{})
				answers <- err
			}()
		}
		synctest.Wait()
		if _, err := ask.Do(t.Context(), leave, &messages.BeginLeave{Signal: true}); err != nil {
			t.Fatal(err)
		}
		close(speak)
		for range cap(answers) {
			if err := <-answers; err != nil {
				t.Errorf("refused with %v, although it leaves", err)
			}
		}
		time.Sleep(hearing)
		synctest.Wait()
		if !slices.ContainsFunc(parent.Got(), ended) {
			t.Error("it has not left")
		}
	})
}

// TestStopWhileAsked: nobody waits for an actor that is gone.
func TestStopWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := actortest.System(t)
		leave, _ := actortest.Parent(t, sys, New(Config{
			Logger: zap.NewNop(),
			Objection: func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			},
		}), Name)
		answer := make(chan error, 1)
		go func() {
			_, err := ask.Do(t.Context(), leave, &messages.BeginLeave{})
			answer <- err
		}()
		synctest.Wait()
		if err := sys.Root.StopFuture(leave.PID()).Wait(); err != nil {
			t.Fatal(err)
		}
		if err := <-answer; !errors.Is(err, messages.ErrUnavailable) {
			t.Errorf("err = %v, want %v", err, messages.ErrUnavailable)
		}
	})
}

func ended(said string) bool { return strings.HasPrefix(said, "LeaveEnded") }
