package health

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages/wire"
)

// repeatActor is a check that tries something again and again.
type repeatActor struct {
	child
	try     probe
	verdict verdict

	end context.CancelFunc // ends what is being tried; nil: nothing is
}

// ended is what came of a try. over says that it has come to its end: one that
// hangs is reported before.
type ended struct {
	of     *repeatActor
	result *result
	over   bool
}

// Receive implements actor.Actor.
func (a *repeatActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		// Checks that were registered together do not all run at once.
		a.arm(ctx, rand.N(interval(a.run)))
	case *due:
		if a.rang(msg) {
			a.begin(ctx)
		}
	case *ended:
		if msg.of == a {
			a.ended(ctx, msg)
		}
	case *actor.Stopping, *actor.Restarting:
		a.disarm()
		if a.end != nil {
			a.end()
		}
	case *renewed, *lookAgain, *actor.Stopped:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// begin has a goroutine try.
func (a *repeatActor) begin(ctx actor.Context) {
	base, end := context.WithCancel(context.Background())
	a.end = end
	b := bridge{root: ctx.ActorSystem().Root, self: ctx.Self(), timeout: timeout(a.run)}
	go b.try(base, a.try, a)
}

// ended judges a result. The next try comes an interval after this one is over, so
// there are never two.
func (a *repeatActor) ended(ctx actor.Context, msg *ended) {
	if msg.result != nil {
		a.judge(*msg.result)
	}
	if msg.over {
		a.end()
		a.end = nil
		a.arm(ctx, interval(a.run))
	}
}

func (a *repeatActor) judge(r result) {
	status, counts := a.verdict.judge(r.status)
	if !counts {
		a.log.Debug("Check has not reached its threshold", zap.String("status", r.status))
		return
	}
	if was := a.was(); was.status != status && status != wire.HealthPassing {
		a.log.Warn("Check is now "+status, zap.String("output", brief(r.output)))
	}
	a.report(result{status, r.output})
}

// interval returns how long a check rests between two tries.
func interval(run *wire.CheckType) time.Duration { return max(run.Interval, minInterval) }
