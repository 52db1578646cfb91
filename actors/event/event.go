// Package event keeps the newest user events of the datacenter and fires new ones.
//
//	http ──FireEvent──▶ event ──FireUserEvent──▶ gossip (LAN)
//	                    event ◀──UserEventReceived── gossip (LAN)
//	                    event ──EventView (published)──▶ http
//
// It owns the ring of the last 256 events that were for this agent. An event says
// itself who it is for, by regular expressions on node, service and tag.
//
// The ring survives a restart of the actor, since it is what was published; events
// that come meanwhile are lost, and all of them are with the process. Nothing is
// carried out on an event: who wants that watches for it.
package event

import (
	"context"
	"fmt"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/go-uuid"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// Name is the name the actor is spawned under.
const Name = "event"

// remoteExec is the event that Consul's command exec fires. It is Consul's own, and
// this agent carries nothing out for others.
const remoteExec = "_rexec"

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger   *zap.Logger                             // required
	NodeName string                                  // required: ours
	LAN      ask.Address                             // required: the gossip pool that spreads events
	Local    *messages.Published[messages.LocalView] // required: the services here
	Events   *messages.Published[messages.EventView] // required: published here

	// Datacenter is ours. Required with Elsewhere, which has a server of another one
	// spread an event that is encoded already; it may wait. nil: there are no others.
	Datacenter string
	Elsewhere  func(context.Context, *wire.EventFireRequest) error
}

// New returns the producer of an event actor.
func New(cfg Config) actor.Producer {
	b := &board{cell: cfg.Events}
	return func() actor.Actor {
		return &eventActor{cfg: cfg, log: cfg.Logger.Named("agent"), board: b}
	}
}

// board is where the events are published. One instance of the actor hands it to
// the next, so that who waits for the next view of the last one is woken.
type board struct {
	cell    *messages.Published[messages.EventView]
	changed chan struct{} // of the view that is published
}

func (b *board) publish(r ring) {
	old := b.changed
	b.changed = make(chan struct{})
	b.cell.Publish(&messages.EventView{Events: r.events, Changed: b.changed})
	if old != nil {
		close(old)
	}
}

// eventActor is the shell around the ring. All fields belong to the mailbox.
type eventActor struct {
	cfg    Config
	log    *zap.Logger
	ring   ring
	board  *board
	bridge *bridge
}

var _ actor.Actor = (*eventActor)(nil)

// Receive implements actor.Actor.
func (a *eventActor) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		a.start()
		ctx.Request(ctx.Parent(), &messages.Ready{})
	case *actor.Stopping, *actor.Restarting:
		if a.bridge != nil {
			a.bridge.close()
		}
	case *actor.Stopped:
	default:
		a.handle(ctx)
	}
}

func (a *eventActor) handle(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *messages.UserEventReceived:
		a.receive(msg)
	case *messages.FireEvent:
		a.fire(msg)
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// start takes over what the instance before this one has published, if there was
// one.
func (a *eventActor) start() {
	a.bridge = newBridge(a.cfg)
	if view := a.cfg.Events.Load(); view != nil {
		a.ring.events = view.Events
	}
	a.board.publish(a.ring)
}

// receive keeps an event that is for this agent.
func (a *eventActor) receive(msg *messages.UserEventReceived) {
	name, ours := strings.CutPrefix(msg.Name, messages.EventPrefix)
	if !ours {
		return // Consul's servers tell each other of leaders this way
	}
	e, err := decode(msg.Payload)
	if err != nil {
		a.log.Error("dropped a user event that cannot be read", zap.String("event", name), zap.Error(err))
		return
	}
	e.LTime = msg.LTime
	if e.Version > version {
		a.log.Warn("a user event is of a newer version and may ask for what this agent does not know",
			zap.String("event", e.Name), zap.Int("version", e.Version))
	}
	mine, err := concerns(&e, a.cfg.NodeName, a.cfg.Local.Load())
	switch {
	case err != nil:
		a.log.Error("dropped a user event", zap.String("event", e.Name), zap.Error(err))
	case !mine:
	case e.Name == remoteExec:
		a.log.Info("ignoring remote exec event, disabled.", zap.String("event_id", e.ID))
	default:
		a.log.Debug("new event", zap.String("event_name", e.Name), zap.String("event_id", e.ID))
		a.ring = a.ring.with(e)
		a.board.publish(a.ring)
	}
}

// fire has an event spread, if it makes sense.
func (a *eventActor) fire(msg *messages.FireEvent) {
	e := msg.Event
	if err := check(&e); err != nil {
		msg.Refuse(err)
		return
	}
	var err error
	if e.ID, err = uuid.GenerateUUID(); err != nil {
		msg.Refuse(fmt.Errorf("no random number for the ID of the event: %w", err))
		return
	}
	e.Version, e.LTime = version, 0
	payload, err := encode(&e)
	if err != nil {
		msg.Refuse(fmt.Errorf("encode event %.64q: %w", e.Name, err))
		return
	}
	a.bridge.fire(msg, e, payload)
}
