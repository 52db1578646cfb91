package logs

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// Name is the actor's name in the tree.
const Name = "logs"

// readerRoom is how many entries may wait for a reader.
const readerRoom = 512

// Config is what the actor needs.
type Config struct {
	Logger  *zap.Logger // the root logger; required
	Control *Control    // what came with it; required
}

// New returns a producer of the actor.
func New(cfg Config) actor.Producer {
	return func() actor.Actor {
		return &logsActor{
			cfg:     cfg,
			log:     cfg.Logger.Named("agent"),
			state:   newState(),
			readers: map[uint64]chan messages.LogUpdate{},
		}
	}
}

// logsActor gives state its entries and its readers their channels.
type logsActor struct {
	cfg     Config
	log     *zap.Logger
	state   *state
	readers map[uint64]chan messages.LogUpdate // the same that state has
	batch   []messages.LogEntry                // scratch
}

var _ actor.Actor = (*logsActor)(nil)

// Receive implements actor.Actor. It knows the actor's life; what the actor
// does is in handle.
func (a *logsActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.cfg.Control.attach(ask.At(ctx.ActorSystem(), ctx.Self()))
		ctx.Request(ctx.Parent(), &messages.Ready{})
	case *actor.Restarting, *actor.Stopping:
		a.release()
	case *actor.Stopped:
	default:
		a.handle(msg)
	}
}

// handle has one case for each message that the actor takes.
func (a *logsActor) handle(msg any) {
	switch msg := msg.(type) {
	case *entriesWaiting:
		a.takeEntries()
	case *messages.SubscribeLogs:
		msg.Settle(a.subscribe(msg.Level))
	case *messages.UnsubscribeLogs:
		a.takeEntries() // a reader gets what was logged before it went
		a.end(msg.ID)
		a.tellLevel()
	case *messages.Reconfigure:
		a.setLevel(msg.LogLevel)
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// subscribe first takes what waits, so that it is among what is recent.
func (a *logsActor) subscribe(level messages.LogLevel) (*messages.LogSubscription, error) {
	a.takeEntries()
	id := a.cfg.Control.ids.Add(1)
	recent, err := a.state.subscribe(id, level)
	if err != nil {
		return nil, err
	}
	entries := make(chan messages.LogUpdate, readerRoom)
	a.readers[id] = entries
	a.tellLevel()
	return &messages.LogSubscription{ID: id, Recent: recent, Entries: entries}, nil
}

// takeEntries passes on what waits in the queue.
func (a *logsActor) takeEntries() {
	batch, lost := a.cfg.Control.queue.take(a.batch[:0])
	a.state.addLost(lost)
	gone := false
	for _, e := range batch {
		for _, id := range a.state.add(e, a.offer) {
			a.end(id)
			gone = true
		}
	}
	clear(batch)
	a.batch = batch
	if gone {
		a.tellLevel()
	}
}

// offer puts an entry into a reader's channel when there is room.
func (a *logsActor) offer(id uint64, u messages.LogUpdate) bool {
	select {
	case a.readers[id] <- u:
		return true
	default:
		return false
	}
}

// end closes a reader's channel; the reader need not be known.
func (a *logsActor) end(id uint64) {
	if entries, ok := a.readers[id]; ok {
		delete(a.readers, id)
		close(entries)
	}
	a.state.unsubscribe(id)
}

// tellLevel makes the core enable what the readers want.
func (a *logsActor) tellLevel() { a.cfg.Control.read(a.state.lowest()) }

// setLevel changes what the sinks get. The name was checked with the rest of the
// configuration; an empty one is none.
func (a *logsActor) setLevel(name string) {
	if name == "" {
		return
	}
	level, err := ParseLevel(name)
	if err != nil {
		a.log.Warn("the log level stays as it is", zap.Error(err))
		return
	}
	if was := a.cfg.Control.Level(); level != was {
		a.cfg.Control.SetLevel(level)
		a.log.Info("log level changed", zap.String("from", textLevel(was)), zap.String("to", textLevel(level)))
	}
}

// release passes on what is there and ends all subscriptions. What is logged from
// now on waits for the next instance.
func (a *logsActor) release() {
	a.cfg.Control.attach(ask.Address{})
	a.takeEntries()
	for id := range a.readers {
		a.end(id)
	}
	a.tellLevel()
}
