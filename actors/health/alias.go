package health

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages/wire"
)

// aliasActor is a check that says what the checks of another service or node say.
// Of this agent it looks at the view when it is told that something has changed; of
// another node it asks the catalog, which answers when something has.
type aliasActor struct {
	child
	end      context.CancelFunc // ends the question that is out; nil: none is
	index    uint64             // of the last answer
	last     result             // reported
	failures int                // in a row
}

// answered is what the catalog has said.
type answered struct {
	of   *aliasActor
	node NodeChecks
	err  error
}

// Receive implements actor.Actor.
func (a *aliasActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.look(ctx)
	case *lookAgain:
		if isLocalAlias(a.run, a.cfg.NodeName) {
			a.look(ctx)
		}
	case *due:
		if a.rang(msg) {
			a.look(ctx)
		}
	case *answered:
		if msg.of == a {
			a.answered(ctx, msg)
		}
	case *actor.Stopping, *actor.Restarting:
		a.disarm()
		if a.end != nil {
			a.end()
		}
	case *renewed, *actor.Stopped:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

func (a *aliasActor) look(ctx actor.Context) {
	if isLocalAlias(a.run, a.cfg.NodeName) {
		a.show(aliasedHere(a.run, viewOf(a.cfg), a.cfg.NodeName))
		a.arm(ctx, aliasEvery) // to be on the safe side
		return
	}
	base, end := context.WithCancel(context.Background())
	a.end = end
	b := bridge{root: ctx.ActorSystem().Root, self: ctx.Self(), timeout: aliasTimeout}
	go b.ask(base, a.cfg.NodeChecks, a)
}

// answered takes in what the catalog has of the other node. One question that fails
// says nothing; more say that nobody knows.
func (a *aliasActor) answered(ctx actor.Context, msg *answered) {
	a.end()
	a.end = nil
	if msg.err != nil {
		a.failures++
		if a.failures > 1 {
			a.show(result{wire.HealthCritical, fmt.Sprintf("Failure checking aliased node or service: %s", msg.err)})
		}
		a.arm(ctx, aliasRetry(a.failures))
		return
	}
	a.failures, a.index = 0, msg.node.Index
	a.show(aliasedNode(a.run, msg.node))
	a.arm(ctx, minInterval)
}

// show reports a result that it has not reported before.
func (a *aliasActor) show(r result) {
	if r != a.last {
		a.last = r
		a.report(r)
	}
}

// The times of a check that is an alias.
const (
	aliasEvery   = time.Minute     // between two looks although nothing has changed
	aliasTimeout = 2 * time.Minute // for an answer of the catalog, which waits for news
)
