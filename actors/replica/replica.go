// Package replica keeps a copy of the catalog on a client agent, which has no raft,
// so that it can answer DNS by itself, also while no server can be reached.
//
//	replica ──Replica.Snapshot, Replica.Changes──▶ a server
//	        ──Load, Apply──▶ the state that dns reads
//
// It asks for the catalog page by page, and from then on for the log entries that
// change it, which a server holds back until there are some. A server that does not
// go back far enough makes it start over. What it had stays in place until then.
//
// It keeps nothing across a restart, and starts over.
package replica

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// Name is the name the actor is spawned under.
const Name = "replica"

const (
	retryFirst = 250 * time.Millisecond
	retryMost  = 15 * time.Second
	// retryStranger is how long to leave alone a server of Consul's, which does not
	// know the question: it says so in its log, and closes the stream on which it was
	// asked, with what others ask on it.
	retryStranger = 5 * time.Minute
	// patience is how long a server holds a question back.
	patience = 5 * time.Minute
)

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger *zap.Logger // required

	// Snapshot and Changes ask a server. They are called on goroutines and wait.
	Snapshot func(context.Context, *wire.ReplicaSnapshotRequest) (*wire.ReplicaSnapshot, error) // required
	Changes  func(context.Context, *wire.ReplicaChangesRequest) (*wire.ReplicaChanges, error)   // required

	// Load replaces the state, Apply takes in one change of it.
	Load  func(index uint64, records []*wire.RegisterRequest) error // required
	Apply func(index uint64, entry []byte) error                    // required
}

// New returns the producer of a replica actor.
func New(cfg Config) actor.Producer {
	return func() actor.Actor { return &replicaActor{cfg: cfg, log: cfg.Logger.Named("agent.replica")} }
}

// replicaActor asks one question at a time. All fields belong to the mailbox.
type replicaActor struct {
	cfg  Config
	log  *zap.Logger
	ctx  context.Context // ends with this instance
	stop context.CancelFunc

	begun   bool   // pages are coming in
	first   uint64 // the index of the first page
	records []*wire.RegisterRequest

	index  uint64 // of the last change that was taken in
	failed int    // questions in a row
	timer  *time.Timer
}

var _ actor.Actor = (*replicaActor)(nil)

// What the actor tells itself.
type (
	paged struct {
		page *wire.ReplicaSnapshot
		err  error
	}
	changed struct {
		changes *wire.ReplicaChanges
		err     error
	}
	again struct{}
)

// Receive implements actor.Actor.
func (a *replicaActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.ctx, a.stop = context.WithCancel(context.Background())
		ctx.Request(ctx.Parent(), &messages.Ready{})
		a.askPage(ctx, "")
	case *paged:
		a.paged(ctx, msg)
	case *changed:
		a.changed(ctx, msg)
	case *again:
		a.again(ctx)
	case *actor.Stopping, *actor.Restarting:
		if a.timer != nil {
			a.timer.Stop()
		}
		if a.stop != nil {
			a.stop()
		}
	case *actor.Stopped:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

func (a *replicaActor) askPage(ctx actor.Context, after string) {
	root, self, base, cfg := ctx.ActorSystem().Root, ctx.Self(), a.ctx, a.cfg
	go func() {
		args := &wire.ReplicaSnapshotRequest{After: after, QueryOptions: wire.QueryOptions{AllowStale: true}}
		page, err := cfg.Snapshot(base, args)
		root.Send(self, &paged{page, err})
	}()
}

// paged takes in a page. Later pages may know more than the first; what came in
// between is taken in once more from the changes, which does no harm.
func (a *replicaActor) paged(ctx actor.Context, msg *paged) {
	if msg.err != nil {
		a.startOver()
		a.retry(ctx, msg.err)
		return
	}
	if !a.begun {
		a.begun, a.first = true, msg.page.Index
	}
	a.records = append(a.records, msg.page.Records...)
	if msg.page.Next != "" {
		a.askPage(ctx, msg.page.Next)
		return
	}
	index, records := a.first, a.records
	a.startOver()
	if err := a.cfg.Load(index, records); err != nil {
		a.retry(ctx, err)
		return
	}
	a.index, a.failed = max(index, 1), 0
	a.log.Debug("took over the catalog", zap.Int("records", len(records)), zap.Uint64("index", index))
	a.askChanges(ctx)
}

func (a *replicaActor) startOver() { a.begun, a.first, a.records, a.index = false, 0, nil, 0 }

func (a *replicaActor) askChanges(ctx actor.Context) {
	root, self, base, cfg, index := ctx.ActorSystem().Root, ctx.Self(), a.ctx, a.cfg, a.index
	go func() {
		args := &wire.ReplicaChangesRequest{QueryOptions: wire.QueryOptions{
			AllowStale: true, MinQueryIndex: index, MaxQueryTime: patience,
		}}
		changes, err := cfg.Changes(base, args)
		root.Send(self, &changed{changes, err})
	}()
}

func (a *replicaActor) changed(ctx actor.Context, msg *changed) {
	switch {
	case msg.err != nil:
		a.retry(ctx, msg.err)
		return
	case msg.changes.TooOld || len(msg.changes.Indexes) != len(msg.changes.Entries):
		a.log.Info("the server has moved on too far; taking over the catalog anew")
		a.startOver()
		a.askPage(ctx, "")
		return
	}
	a.failed = 0
	for i, entry := range msg.changes.Entries {
		index := msg.changes.Indexes[i]
		if index <= a.index {
			continue
		}
		if err := a.cfg.Apply(index, entry); err != nil {
			a.log.Debug("a change was refused here", zap.Uint64("index", index), zap.Error(err))
		}
		a.index = index
	}
	a.askChanges(ctx)
}

// retry asks again after a while, longer each time.
func (a *replicaActor) retry(ctx actor.Context, err error) {
	if a.failed == 0 {
		a.log.Warn("cannot follow the catalog; answering from what is known", zap.Error(err))
	}
	wait := retryMost
	if a.failed < 6 {
		wait = retryFirst << a.failed
	}
	if strings.Contains(err.Error(), "rpc: can't find ") {
		wait = retryStranger
	}
	a.failed++
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.timer = time.AfterFunc(wait, func() { root.Send(self, &again{}) })
}

func (a *replicaActor) again(ctx actor.Context) {
	if a.index > 0 {
		a.askChanges(ctx)
		return
	}
	a.askPage(ctx, "")
}
