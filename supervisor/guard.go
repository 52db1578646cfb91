package supervisor

import (
	"fmt"
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

// guard stands around an actor and makes its failures bearable: the stack goes to
// the log, whoever asked has an answer at once, and a panic on the way out does
// not hang the parent, as it would in the framework.
//
// It costs a defer a message and no allocation.
type guard struct {
	inner actor.Actor
	log   *zap.Logger
}

var (
	_ actor.Actor              = (*guard)(nil)
	_ actor.Actor              = (*parentGuard)(nil)
	_ actor.SupervisorStrategy = (*parentGuard)(nil)
)

// guarded wraps each actor that produce makes.
func guarded(produce actor.Producer, log *zap.Logger) actor.Producer {
	return func() actor.Actor {
		g := &guard{inner: produce(), log: log}
		if s, ok := g.inner.(actor.SupervisorStrategy); ok {
			return &parentGuard{guard: g, SupervisorStrategy: s}
		}
		return g
	}
}

// parentGuard stands around an actor that decides itself what becomes of its
// children when they fail. The framework asks the outermost for that, and an actor
// that does not decide has to look as if it could not.
type parentGuard struct {
	*guard
	actor.SupervisorStrategy
}

// Receive implements actor.Actor.
func (g *guard) Receive(ctx actor.Context) {
	defer func() {
		if reason := recover(); reason != nil {
			g.failed(ctx, reason)
		}
	}()
	if c, ok := ctx.Message().(*crash); ok {
		panic(c.reason)
	}
	g.inner.Receive(ctx)
}

// crash makes an actor fail, wherever it stands. Only tests send it: it is how
// they show that the agent lives through the failure of any of its parts.
type crash struct{ reason string }

// failed logs the failure, answers the asker, and hands the failure on to the
// supervisor, unless the actor is on its way out anyway.
func (g *guard) failed(ctx actor.Context, reason any) {
	msg := ctx.Message()
	g.log.Debug("the stack of a failure", zap.ByteString("stack", debug.Stack()))
	g.log.Error(fmt.Sprintf("failed on a message: %v", reason), zap.String("message", fmt.Sprintf("%T", msg)))

	err := fmt.Errorf("%w (%v)", messages.ErrCrashed, reason)
	if r, ok := msg.(messages.Refuser); ok {
		r.Refuse(err)
	}
	if s, ok := msg.(messages.Step); ok && ctx.Sender() != nil {
		ctx.Respond(s.Failed(err))
	}

	switch msg.(type) {
	case *actor.Restarting, *actor.Stopping, *actor.Stopped:
	default:
		panic(reason)
	}
}
