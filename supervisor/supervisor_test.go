package supervisor

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

// part is an actor of these tests. What it does wrong is in its fields.
type part struct {
	failStart   error         // says that it cannot start
	panicStart  bool          // panics each time it is started
	silent      bool          // is never ready
	panicOnStop bool          // panics in Stopping
	hangOnStop  time.Duration // takes so long to stop
}

// echo asks a part for an answer.
type echo struct{ messages.Asked[string] }

func (p part) produce() actor.Actor {
	return actor.ReceiveFunc(func(ctx actor.Context) {
		switch msg := ctx.Message().(type) {
		case *actor.Started:
			switch {
			case p.panicStart:
				panic("cannot stand")
			case p.failStart != nil:
				ctx.Request(ctx.Parent(), &messages.StartFailed{Err: p.failStart})
			case !p.silent:
				ctx.Request(ctx.Parent(), &messages.Ready{})
			}
		case *actor.Stopping:
			if p.panicOnStop {
				panic("fell on the way out")
			}
			time.Sleep(p.hangOnStop)
		case *echo:
			msg.Answer("here")
		}
	})
}

// world is a tree of parts with a trace of what happened to it.
type world struct {
	t     *testing.T
	sys   *actor.ActorSystem
	trace chan string
}

func newWorld(t *testing.T) *world {
	return &world{t: t, sys: actortest.System(t), trace: make(chan string, 1000)}
}

func (w *world) begin(children ...child) (*Agent, error) {
	return begin(w.t.Context(), w.sys, children, options{
		log:   zap.NewNop(),
		trace: func(e Event) { w.trace <- strings.TrimSpace(fmt.Sprintf("%s %s", e.What, e.Actor)) },
	})
}

// told returns what has happened since it was last called.
func (w *world) told() []string {
	var all []string
	for len(w.trace) > 0 {
		all = append(all, <-w.trace)
	}
	return all
}

func (w *world) at(name string) ask.Address { return ask.At(w.sys, w.sys.NewLocalPID(path(name))) }

// TestStop asserts the order of a stop from its trace.
func TestStop(t *testing.T) {
	tests := []struct {
		name  string
		b     part
		again bool // is told to stop twice
		want  []string
		err   string
	}{
		{
			name: "backwards",
			want: []string{"stopping c", "stopped c", "stopping b", "stopped b", "stopping a", "stopped a", "ended"},
		},
		{
			name: "a_panic_on_the_way_out_is_swallowed",
			b:    part{panicOnStop: true},
			want: []string{"stopping c", "stopped c", "stopping b", "stopped b", "stopping a", "stopped a", "ended"},
		},
		{
			name: "who_hangs_is_left_behind",
			b:    part{hangOnStop: stopBudget + time.Second},
			want: []string{"stopping c", "stopped c", "stopping b", "overdue b", "stopping a", "stopped a", "ended"},
			err:  "did not stop in time: b",
		},
		{
			name: "who_is_slow_is_waited_for",
			b:    part{hangOnStop: stopBudget - time.Second},
			want: []string{"stopping c", "stopped c", "stopping b", "stopped b", "stopping a", "stopped a", "ended"},
		},
		{
			name:  "a_second_stop_changes_nothing",
			again: true,
			want:  []string{"stopping c", "stopped c", "stopping b", "stopped b", "stopping a", "stopped a", "ended"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a, err := w.begin(
					child{name: "a", policy: alone, produce: part{}.produce},
					child{name: "b", policy: alone, produce: tt.b.produce},
					child{name: "c", policy: alone, produce: part{}.produce},
				)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := w.told(), []string{"started a", "started b", "started c", "running"}; !slices.Equal(got, want) {
					t.Errorf("started %v, want %v", got, want)
				}
				a.Stop()
				if tt.again {
					a.Stop()
				}
				<-a.Done()
				if got := w.told(); !slices.Equal(got, tt.want) {
					t.Errorf("stopped %v\n    want %v", got, tt.want)
				}
				if got := fmt.Sprint(a.Err()); tt.err == "" && a.Err() != nil || !strings.Contains(got, tt.err) {
					t.Errorf("Err = %v, want %q", got, tt.err)
				}
				time.Sleep(2 * stopBudget) // who was left behind ends, too
			})
		})
	}
}

// TestStanding shows the last words of an agent that is told to end at once while
// an actor hangs.
func TestStanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, err := w.begin(
			child{name: "a", policy: alone, produce: part{}.produce},
			child{name: "b", policy: alone, produce: part{hangOnStop: time.Second}.produce},
			child{name: "c", policy: alone, produce: part{}.produce},
		)
		if err != nil {
			t.Fatal(err)
		}
		a.Stop()
		synctest.Wait()
		if got, want := a.Standing(t.Context()), []string{"a", "b"}; !slices.Equal(got, want) {
			t.Errorf("standing: %v, want %v", got, want)
		}
		<-a.Done()
	})
}

// TestStartFails shows that what could start is stopped again, in order, and that
// the reason reaches who started it.
func TestStartFails(t *testing.T) {
	taken := errors.New("port taken")
	tests := []struct {
		name string
		b    part
		want []string
		err  string
	}{
		{name: "with_a_reason", b: part{failStart: taken}, err: "port taken",
			want: []string{"started a", "stopping b", "stopped b", "stopping a", "stopped a", "ended"}},
		{name: "never_ready", b: part{silent: true}, err: "b was not ready within 1m0s",
			want: []string{"started a", "stopping b", "stopped b", "stopping a", "stopped a", "ended"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				_, err := w.begin(
					child{name: "a", policy: alone, produce: part{}.produce},
					child{name: "b", policy: alone, produce: tt.b.produce},
					child{name: "c", policy: alone, produce: part{}.produce},
				)
				if err == nil || err.Error() != tt.err {
					t.Errorf("err = %v, want %s", err, tt.err)
				}
				if got := w.told(); !slices.Equal(got, tt.want) {
					t.Errorf("told %v\nwant %v", got, tt.want)
				}
			})
		})
	}
}

// TestStartIsInterrupted shows that the end of the context stops a start.
func TestStartIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		why := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		_, err := begin(ctx, w.sys, []child{{name: "a", policy: alone, produce: part{silent: true}.produce}}, options{log: zap.NewNop()})
		if !errors.Is(err, why) {
			t.Errorf("err = %v, want %v", err, why)
		}
	})
}

// TestGiveUp shows that an actor that cannot stand ends the agent, and that the
// agent says which and why.
func TestGiveUp(t *testing.T) {
	tests := []struct {
		name   string
		policy policy
		b      part
		crash  bool
		err    string
	}{
		{name: "alone_cannot_stand", policy: alone, b: part{panicStart: true}, err: "b cannot go on: cannot stand"},
		{name: "never_forgives_nothing", policy: never, crash: true, err: "b cannot go on: boom"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a, err := w.begin(
					child{name: "a", policy: alone, produce: part{}.produce},
					child{name: "b", policy: tt.policy, produce: tt.b.produce},
				)
				if tt.crash {
					w.at("b").Tell(&crash{"boom"})
					<-a.Done()
					err = a.Err()
				}
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("err = %v, want %q", err, tt.err)
				}
				told := w.told()
				if want := []string{"stopping a", "stopped a", "ended"}; !slices.Equal(told[len(told)-3:], want) {
					t.Errorf("told %v, want it to end with %v", told, want)
				}
			})
		})
	}
}

// TestRestart shows that an actor lives on after a failure, under the same
// address, and that the tree says what happened.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, err := w.begin(child{name: "a", policy: alone, produce: part{}.produce})
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			w.at("a").Tell(&crash{"boom"})
			if got, err := ask.Do(t.Context(), w.at("a"), &echo{}); got != "here" {
				t.Fatalf("after a failure: %q, %v", got, err)
			}
			time.Sleep(time.Second)
		}
		tree, err := a.Actors(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := tree[0]; got.Restarts != 100 || got.LastFailure != "boom" || got.State != messages.ActorRunning || got.MailboxDepth != 0 {
			t.Errorf("the tree says %+v", got)
		}
		a.Stop()
		<-a.Done()
	})
}

// TestRestartInABurst shows that an actor lives on that fails again before the root
// has heard that it is ready: the news of the failure overtakes the Ready, which
// then is not about the instance that is to come.
func TestRestartInABurst(t *testing.T) {
	const burst = 10 // fewer than the policy forgives
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			a, err := w.begin(child{name: "a", policy: alone, produce: part{}.produce})
			if err != nil {
				t.Fatal(err)
			}
			for range burst {
				w.at("a").Tell(&crash{"boom"})
			}
			if got, err := ask.Do(t.Context(), w.at("a"), &echo{}); got != "here" {
				t.Errorf("after a burst of failures: %q, %v", got, err)
			}
			synctest.Wait()
			tree, err := a.Actors(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := tree[0]; got.Restarts != burst || got.State != messages.ActorRunning {
				t.Errorf("the tree says %+v", got)
			}
			a.Stop()
			<-a.Done()
		})
	}
}

// TestAskerOfAFailureIsAnswered shows that who asked need not wait for a timeout.
func TestAskerOfAFailureIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bad := func() actor.Actor {
			return actor.ReceiveFunc(func(ctx actor.Context) {
				switch ctx.Message().(type) {
				case *actor.Started:
					ctx.Request(ctx.Parent(), &messages.Ready{})
				case *echo, *messages.Drain:
					panic("boom")
				}
			})
		}
		a, err := w.begin(child{name: "a", policy: alone, produce: bad})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ask.Do(t.Context(), w.at("a"), &echo{}); !errors.Is(err, messages.ErrCrashed) {
			t.Errorf("a request: err = %v, want %v", err, messages.ErrCrashed)
		}
		asker := actortest.NewProbe(t, w.sys, "asker")
		w.sys.Root.RequestWithCustomSender(w.at("a").PID(), &messages.Drain{Step: 7}, asker.PID())
		synctest.Wait()
		if got := asker.Messages(); len(got) != 1 || got[0].(*messages.StepDone).Step != 7 || got[0].(*messages.StepDone).Err == nil {
			t.Errorf("a step was answered with %v", got)
		}
		a.Stop()
		<-a.Done()
	})
}

func TestPolicy(t *testing.T) {
	type failure struct {
		lived time.Duration
		wait  time.Duration
		again bool
	}
	const soon, late = 10 * time.Millisecond, time.Second
	tests := []struct {
		name     string
		policy   policy
		failures []failure
	}{
		{name: "first_is_forgiven_at_once", policy: alone, failures: []failure{{late, 0, true}}},
		{name: "in_a_row_doubles", policy: alone, failures: []failure{
			{late, 0, true}, {soon, 25 * time.Millisecond, true}, {soon, 50 * time.Millisecond, true}, {soon, 100 * time.Millisecond, true},
		}},
		{name: "calm_starts_afresh", policy: alone, failures: []failure{
			{late, 0, true}, {soon, 25 * time.Millisecond, true}, {late, 0, true}, {soon, 25 * time.Millisecond, true},
		}},
		{name: "capped_then_given_up", policy: policy{tries: 4, first: time.Second, longest: 2 * time.Second, calm: time.Second}, failures: []failure{
			{soon, 0, true}, {soon, 500 * time.Millisecond, true}, {soon, time.Second, true}, {soon, time.Second, true}, {soon, 0, false},
		}},
		{name: "never", policy: never, failures: []failure{{late, 0, false}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r record
			for i, f := range tt.failures {
				wait, again := tt.policy.judge(&r, f.lived, 0)
				if wait != f.wait || again != f.again {
					t.Errorf("failure %d: judge = %v, %v; want %v, %v", i+1, wait, again, f.wait, f.again)
				}
			}
		})
	}
}
