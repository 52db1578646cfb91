// Package watch evaluates the queries that somebody waits for when their answers
// have changed, once for all who wait.
//
//	invoke ──FollowQuery──▶ watch ──Follow──▶ answers.Query ──wake──▶ who waits
//
// The actor owns the set of queries that are followed, one goroutine each, whatever
// the number of those who wait. It does not come between them and their answers,
// which go from the goroutine to the query (actors/answers): a busy mailbox delays
// nobody.
//
// A query that nobody waits for any more is followed for a while longer, since who
// has been answered mostly asks again.
//
// The queries, their answers and those who wait are not the actor's. After a restart
// it finds them where they were, and who waits notices nothing. What it is not told
// while it does not run, it finds when it starts.
package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

// Name is the name the actor is spawned under.
const Name = "watch"

// patience is how often the actor looks for queries that nobody waits for.
const patience = 10 * time.Second

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger *zap.Logger // required
	// Waited returns the queries that somebody waits for. Required.
	Waited func() []messages.Followed
}

// New returns the producer of a watch actor.
func New(cfg Config) actor.Producer {
	return func() actor.Actor {
		return &watchActor{cfg: cfg, log: cfg.Logger.Named("agent").Named(Name), followed: map[messages.Followed]context.CancelFunc{}}
	}
}

// watchActor keeps the goroutines. All fields belong to the mailbox.
type watchActor struct {
	cfg      Config
	log      *zap.Logger
	bridge   *bridge
	followed map[messages.Followed]context.CancelFunc
	timer    *time.Timer // nil while nothing is followed
}

var _ actor.Actor = (*watchActor)(nil)

// What the bridge and the clock tell the actor.
type (
	ended  struct{ query messages.Followed } // it is followed no more
	review struct{}                          // time to look who is waited for
)

// Receive implements actor.Actor.
func (a *watchActor) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		a.bridge = newBridge(ctx)
		for _, q := range a.cfg.Waited() {
			a.follow(q)
		}
		ctx.Request(ctx.Parent(), &messages.Ready{})
	case *actor.Stopping, *actor.Restarting:
		a.close()
	case *actor.Stopped:
	default:
		a.handle(ctx)
	}
}

func (a *watchActor) handle(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *messages.FollowQuery:
		a.follow(msg.Query)
	case *ended:
		a.ended(msg.query)
	case *review:
		a.review()
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

func (a *watchActor) follow(q messages.Followed) {
	if a.followed[q] != nil {
		return
	}
	a.followed[q] = a.bridge.follow(q)
	metrics.SetGauge([]string{"watch", "queries"}, float32(len(a.followed)))
	if a.timer == nil {
		a.timer = a.bridge.after(patience, &review{})
	}
}

// ended forgets a query, unless somebody has begun to wait for it meanwhile.
func (a *watchActor) ended(q messages.Followed) {
	cancel := a.followed[q]
	if cancel == nil {
		return // of a bridge before this one
	}
	cancel()
	delete(a.followed, q)
	metrics.SetGauge([]string{"watch", "queries"}, float32(len(a.followed)))
	if q.Waited() {
		a.follow(q)
	}
}

// review lets go of the queries that nobody waits for.
func (a *watchActor) review() {
	a.timer = nil
	for q, cancel := range a.followed {
		if !q.Waited() {
			cancel()
		}
	}
	if len(a.followed) > 0 {
		a.timer = a.bridge.after(patience, &review{})
	}
}

func (a *watchActor) close() {
	if a.timer != nil {
		a.timer.Stop()
	}
	if a.bridge != nil {
		a.bridge.close()
	}
}
