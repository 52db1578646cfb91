// Package actortest has what the tests of actors share: a system that dies with
// the test, a probe that stands in for the actors next door, and a parent that
// stands in for the supervisor.
package actortest

import (
	"fmt"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// throttle is how long the framework's dead-letter log keeps a goroutine after
// the first dead letter. It outlives the system, so System waits for it: a
// synctest bubble fails when a goroutine is left in it.
const throttle = time.Millisecond

// System returns an actor system that is shut down when the test ends. Requests
// to nobody are refused, as in the agent.
func System(t testing.TB) *actor.ActorSystem {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	sys := actor.NewActorSystem(
		actor.WithDeadLetterThrottleInterval(throttle),
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }),
	)
	stop := ask.DeadLetters(sys)
	t.Cleanup(func() {
		stop()
		sys.Shutdown()
		time.Sleep(2 * throttle)
	})
	return sys
}

// Spawn starts an actor under name and stops it, waiting, when the test ends. The
// actor has a parent that ignores what it is told; see Parent for one that does
// not.
func Spawn(t testing.TB, sys *actor.ActorSystem, produce actor.Producer, name string) ask.Address {
	t.Helper()
	addr, _ := Parent(t, sys, produce, name)
	return addr
}

// Parent starts an actor under name as the child of a probe, which keeps what the
// actor tells its supervisor (Ready, StartFailed), and stops both, waiting, when
// the test ends. A panic restarts the actor at once.
func Parent(t testing.TB, sys *actor.ActorSystem, produce actor.Producer, name string) (ask.Address, *Probe) {
	t.Helper()
	p := &Probe{got: make(chan any, 1024)}
	child := make(chan *actor.PID, 1)
	props := actor.PropsFromFunc(func(ctx actor.Context) {
		switch msg := ctx.Message().(type) {
		case *actor.Started:
			pid, err := ctx.SpawnNamed(actor.PropsFromProducer(produce), name)
			if err != nil {
				panic(err)
			}
			child <- pid
		case *actor.Stopping, *actor.Stopped, *actor.Restarting, *actor.Terminated:
		default:
			p.got <- msg
		}
	})
	p.pid = sys.Root.SpawnPrefix(props, name+"-parent")
	t.Cleanup(func() { sys.Root.StopFuture(p.pid).Wait() })
	return ask.At(sys, <-child), p
}

// Probe is an actor that keeps what it is sent.
type Probe struct {
	pid *actor.PID
	got chan any
}

// NewProbe spawns a probe under name.
func NewProbe(t testing.TB, sys *actor.ActorSystem, name string) *Probe {
	t.Helper()
	return NewProbeFunc(t, sys, name, func(actor.Context) bool { return false })
}

// NewProbeFunc spawns a probe that first offers each message to answer, and keeps
// those that answer returns false for. It is how a test plays an actor that is
// asked something.
func NewProbeFunc(t testing.TB, sys *actor.ActorSystem, name string, answer func(actor.Context) bool) *Probe {
	t.Helper()
	p := &Probe{got: make(chan any, 4096)}
	pid, err := sys.Root.SpawnNamed(actor.PropsFromFunc(func(ctx actor.Context) {
		switch msg := ctx.Message().(type) {
		case *actor.Started, *actor.Stopping, *actor.Stopped, *actor.Restarting:
		default:
			if !answer(ctx) {
				p.got <- msg
			}
		}
	}), name)
	if err != nil {
		t.Fatalf("spawn %s: %v", name, err)
	}
	p.pid = pid
	t.Cleanup(func() { sys.Root.StopFuture(pid).Wait() })
	return p
}

// Address returns where the probe is reached.
func (p *Probe) Address(sys *actor.ActorSystem) ask.Address { return ask.At(sys, p.pid) }

// PID returns the probe's PID.
func (p *Probe) PID() *actor.PID { return p.pid }

// Messages returns what has come so far, oldest first, and forgets it.
func (p *Probe) Messages() []any {
	var all []any
	for {
		select {
		case m := <-p.got:
			all = append(all, m)
		default:
			return all
		}
	}
}

// Got returns what has come so far, oldest first and written as text, and forgets
// it. A *messages.NewLeader reads NewLeader{ID:a Address:b}.
func (p *Probe) Got() []string {
	var all []string
	for _, m := range p.Messages() {
		v := reflect.Indirect(reflect.ValueOf(m))
		all = append(all, fmt.Sprintf("%s%+v", v.Type().Name(), v))
	}
	return all
}

// Next waits for the next message of type M and drops those before it. It is for
// tests with real sockets; in virtual time, use synctest.Wait and Got. The test
// fails when none comes within a generous deadline.
func Next[M any](t testing.TB, p *Probe) M {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case m := <-p.got:
			if m, ok := m.(M); ok {
				return m
			}
		case <-deadline:
			t.Fatalf("no %T within 30s", *new(M))
		}
	}
}

// AwaitReady waits until the child of a Parent probe has said that it is ready,
// and fails the test when it says that it cannot start.
func AwaitReady(t testing.TB, p *Probe) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case m := <-p.got:
			switch m := m.(type) {
			case *messages.Ready:
				return
			case *messages.StartFailed:
				t.Fatalf("the actor did not start: %v", m.Err)
			}
		case <-deadline:
			t.Fatal("the actor was not ready within 30s")
		}
	}
}
