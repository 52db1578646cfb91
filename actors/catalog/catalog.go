// Package catalog keeps the replicated state: the tables, and the state machine
// through which the raft log changes them.
//
//	raft ──Apply, Snapshot, Restore──▶ FSM ──▶ state.Store ──View──▶ everybody who reads
//	                                    └──what a human should know──▶ catalog (log)
//
// The FSM is called on raft's goroutine and publishes what it has written before
// it answers. Reads go to the view and never to the actor, which hears only what
// is worth a log line, and that the state is broken.
//
// A panic while an entry is applied means that the state is not what the log says
// it is. The write is undone, every later one is refused, no snapshot is taken any
// more, and the actor panics, so that its supervisor ends the agent: what was
// acknowledged is right, and nothing wrong ever is. The state does not survive a
// restart by itself; raft brings it back from its snapshot and log.
//
// The package does not decide what may enter the log: that is for
// actors/catalog/endpoint. The rules of the tables are in actors/catalog/state.
package catalog

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// Name is the name the actor is spawned under.
const Name = "catalog"

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger *zap.Logger // required
	FSM    *FSM        // required; the same that raft has
}

// New returns the producer of a catalog actor.
func New(cfg Config) actor.Producer {
	return func() actor.Actor {
		return &catalogActor{cfg: cfg, log: cfg.Logger.Named("consul.fsm")}
	}
}

// catalogActor speaks for the FSM. Every field belongs to the mailbox.
type catalogActor struct {
	cfg Config
	log *zap.Logger
}

var _ actor.Actor = (*catalogActor)(nil)

// Receive implements actor.Actor.
func (a *catalogActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.cfg.FSM.report(ask.At(ctx.ActorSystem(), ctx.Self()))
		ctx.Request(ctx.Parent(), &messages.Ready{})
	case *actor.Stopping, *actor.Restarting:
		a.cfg.FSM.report(ask.Address{})
	case *actor.Stopped:
	case notice:
		a.handle(msg)
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// handle has one case for each notice of the FSM.
func (a *catalogActor) handle(msg notice) {
	switch msg := msg.(type) {
	case *entrySkipped:
		a.log.Warn("skipped a log entry that this version does not know; servers that do know it now hold another state",
			zap.Stringer("type", msg.Type), zap.Uint64("index", msg.Index), zap.String("reason", msg.Reason))
	case *entryUnreadable:
		a.log.Error("refused a log entry that cannot be read",
			zap.Stringer("type", msg.Type), zap.Uint64("index", msg.Index), zap.Error(msg.Err))
	case *restored:
		a.log.Info("restored the state from a snapshot", zap.Uint64("index", msg.Index), zap.Int("records", msg.Records))
		for t, n := range msg.Skipped {
			a.log.Warn("left out records of a snapshot that this version does not know", zap.Stringer("type", t), zap.Int("records", n))
		}
	case *stateBroken:
		a.log.Error("the state machine failed; this agent stops, so that it cannot serve a wrong state",
			zap.Uint64("index", msg.Index), zap.Stringer("type", msg.Type), zap.Any("panic", msg.Panic), zap.ByteString("stack", msg.Stack))
		panic(fmt.Sprintf("catalog: applying log entry %d (%s): %v", msg.Index, msg.Type, msg.Panic))
	}
}
