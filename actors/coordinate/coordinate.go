// Package coordinate tells the servers where this agent is in the round-trip space of
// the LAN pool, and on the leader writes down what the agents tell.
//
//	the LAN view ──where this agent is──▶ coordinate ──Coordinate.Update──▶ the leader
//	invoke ──UpdateCoordinate───────────▶            ──a batch──▶ the log
//
// Every agent sends its own coordinate now and then: the more agents there are, the
// more rarely, so that the leader hears of so many in a second and no more. The
// leader gathers what comes for a moment and writes it with few entries of the log;
// the newest of a node counts. What is too much is dropped: the next comes soon, and
// a coordinate moves slowly.
//
// Nothing survives a restart: what had been gathered is lost, and comes again.
package coordinate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/serf/coordinate"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/limits"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// Name is the name the actor is spawned under.
const Name = "coordinate"

// What a Config that says nothing means. The numbers are Consul's but for the period,
// which is five seconds there: here what is told can be read almost at once, and when
// nothing is told nothing is written.
const (
	DefaultRateTarget  = 64.0 // updates a second that the leader is to hear of
	DefaultIntervalMin = 15 * time.Second
	DefaultPeriod      = time.Second
	DefaultBatchSize   = 128
	DefaultMaxBatches  = 5
)

// sendTimeout bounds each telling and each writing.
const sendTimeout = 10 * time.Second

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger     *zap.Logger                            // required
	NodeName   string                                 // required
	Datacenter string                                 // required
	LAN        *messages.Published[messages.PoolView] // required

	// Send tells the leader where this agent is. It is called on a goroutine and may
	// wait. nil: nothing is told (disable_coordinates).
	Send func(context.Context, *wire.CoordinateUpdateRequest) error
	// Propose has what agents have told written, if this server leads. It is called on
	// a goroutine and may wait. nil on client agents.
	Propose func(context.Context, wire.Coordinates) error

	// Zero means the default.
	RateTarget  float64       // updates a second, of all agents
	IntervalMin time.Duration // between two updates of an agent, at the least
	Period      time.Duration // for which the leader gathers updates
	BatchSize   int           // updates in an entry of the log
	MaxBatches  int           // entries of the log for each period; what is more is dropped
}

// New returns the producer of a coordinate actor.
func New(cfg Config) actor.Producer {
	cfg.RateTarget = cmp.Or(cfg.RateTarget, DefaultRateTarget)
	cfg.IntervalMin = cmp.Or(cfg.IntervalMin, DefaultIntervalMin)
	cfg.Period = cmp.Or(cfg.Period, DefaultPeriod)
	cfg.BatchSize = cmp.Or(cfg.BatchSize, DefaultBatchSize)
	cfg.MaxBatches = cmp.Or(cfg.MaxBatches, DefaultMaxBatches)
	return func() actor.Actor {
		log := cfg.Logger.Named("consul." + Name)
		return &coordinateActor{cfg: cfg, log: log, limits: limits.New(log), gathered: newBatch(cfg.BatchSize * cfg.MaxBatches)}
	}
}

// coordinateActor is the shell around the rules in state.go. All fields belong to the
// mailbox.
type coordinateActor struct {
	cfg      Config
	log      *zap.Logger
	limits   *limits.Refusals
	gathered *batch

	ctx     context.Context // ends with this instance
	end     context.CancelFunc
	writing bool // a goroutine is
	sending *time.Timer
	gather  *time.Timer // runs while something is gathered
}

var _ actor.Actor = (*coordinateActor)(nil)

// What the actor tells itself.
type (
	send    struct{}
	sent    struct{ err error }
	flush   struct{}
	flushed struct{ err error }
)

// Receive implements actor.Actor.
func (a *coordinateActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.ctx, a.end = context.WithCancel(context.Background())
		a.armSend(ctx)
		ctx.Request(ctx.Parent(), &messages.Ready{})
	case *messages.UpdateCoordinate:
		a.note(ctx, msg)
	case *send:
		a.send(ctx)
	case *sent:
		a.sent(ctx, msg)
	case *flush:
		a.flush(ctx)
	case *flushed:
		a.flushed(ctx, msg)
	case *actor.Stopping, *actor.Restarting:
		a.release()
	case *actor.Stopped, *actor.DeadLetterResponse:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// armSend sets the timer for the next update of this agent.
func (a *coordinateActor) armSend(ctx actor.Context) {
	if a.cfg.Send == nil {
		return
	}
	wait := interval(a.members(), a.cfg.RateTarget, a.cfg.IntervalMin)
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.sending = time.AfterFunc(wait+rand.N(wait), func() { root.Send(self, &send{}) })
}

func (a *coordinateActor) members() int {
	if view := a.cfg.LAN.Load(); view != nil {
		return len(view.Members)
	}
	return 1
}

// send tells the leader where this agent is, if the pool knows.
func (a *coordinateActor) send(ctx actor.Context) {
	coord := a.own()
	if coord == nil {
		a.armSend(ctx)
		return
	}
	args := &wire.CoordinateUpdateRequest{Datacenter: a.cfg.Datacenter, Node: a.cfg.NodeName, Coord: coord}
	root, self, base, tell := ctx.ActorSystem().Root, ctx.Self(), a.ctx, a.cfg.Send
	go func() {
		ctx, cancel := context.WithTimeout(base, sendTimeout)
		defer cancel()
		root.Send(self, &sent{tell(ctx, args)})
	}()
}

func (a *coordinateActor) own() *coordinate.Coordinate {
	view := a.cfg.LAN.Load()
	if view == nil || view.Coordinate == nil {
		return nil
	}
	return view.Coordinate(view.Local)
}

func (a *coordinateActor) sent(ctx actor.Context, msg *sent) {
	if msg.err != nil && a.ctx.Err() == nil { // the next one comes soon
		a.log.Debug("could not tell the servers where this agent is", zap.Error(msg.err))
	}
	a.armSend(ctx)
}

// note gathers an update.
func (a *coordinateActor) note(ctx actor.Context, msg *messages.UpdateCoordinate) {
	if !a.gathered.note(msg.Coordinate) {
		a.limits.Refused("coordinate_updates", "dropping coordinates of agents: more came than are written in a period; see sync_coordinate_rate_target")
		msg.Refuse(messages.ErrOverloaded)
		return
	}
	msg.Answer(messages.Unit{})
	a.armGather(ctx)
}

// armGather sets the timer for what is gathered to be written, unless it is set.
func (a *coordinateActor) armGather(ctx actor.Context) {
	if a.gather != nil || a.writing || a.gathered.empty() {
		return
	}
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.gather = time.AfterFunc(a.cfg.Period, func() { root.Send(self, &flush{}) })
}

// flush has a goroutine write what is gathered.
func (a *coordinateActor) flush(ctx actor.Context) {
	a.gather = nil
	parts, dropped := a.gathered.take(a.cfg.BatchSize)
	if dropped > 0 {
		a.log.Warn("more agents told where they are than are written at a time; the rest was dropped", zap.Int("dropped", dropped))
	}
	a.writing = true
	root, self, base, propose := ctx.ActorSystem().Root, ctx.Self(), a.ctx, a.cfg.Propose
	go func() {
		ctx, cancel := context.WithTimeout(base, sendTimeout)
		defer cancel()
		var err error
		for _, part := range parts {
			if err = propose(ctx, part); err != nil {
				break
			}
		}
		root.Send(self, &flushed{err})
	}()
}

func (a *coordinateActor) flushed(ctx actor.Context, msg *flushed) {
	a.writing = false
	switch {
	case msg.err == nil || a.ctx.Err() != nil:
	case errors.Is(msg.err, messages.ErrNotLeader), errors.Is(msg.err, messages.ErrLeadershipLost):
		a.log.Debug("who leads now will hear where the agents are", zap.Error(msg.err))
	default:
		a.log.Warn("could not write down where agents are", zap.Error(msg.err))
	}
	a.armGather(ctx)
}

func (a *coordinateActor) release() {
	for _, t := range []*time.Timer{a.sending, a.gather} {
		if t != nil {
			t.Stop()
		}
	}
	if a.end != nil {
		a.end()
	}
}
