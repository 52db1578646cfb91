package supervisor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
)

// family is an actor with a child, whose failures it counts and forgives.
type family struct {
	child  *actor.PID
	failed int
}

func (f *family) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		f.child = ctx.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if msg, ok := ctx.Message().(*crash); ok {
				panic(msg.reason)
			}
		}))
	case *hand:
		ctx.Send(f.child, msg.crash)
	}
}

// hand carries a crash through the guard, which would take it for its own.
type hand struct{ crash *crash }

func (f *family) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, _, _ any) {
	f.failed++
	sup.RestartChildren(child)
}

// TestGuardLetsParentsDecide has an actor behind a guard decide about its child, and
// one that does not decide look as if it could not.
func TestGuardLetsParentsDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &family{}
		sys := actortest.System(t)
		addr := actortest.Spawn(t, sys, guarded(func() actor.Actor { return f }, zap.NewNop()), "family")
		for range 30 { // more often than the framework would forgive
			addr.Tell(&hand{&crash{"boom"}})
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		if f.failed != 30 {
			t.Errorf("the parent decided %d times, want 30", f.failed)
		}
	})
	lone := guarded(func() actor.Actor { return actor.ReceiveFunc(func(actor.Context) {}) }, zap.NewNop())()
	if _, ok := lone.(actor.SupervisorStrategy); ok {
		t.Error("an actor that does not decide about children seems to")
	}
}
