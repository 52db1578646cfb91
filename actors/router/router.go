// Package router knows which servers can be asked, in this datacenter and in
// others.
//
//	gossip ──MembersChanged──▶ router ──Routes (published)──▶ invoke
//	invoke ──ServerFailed────▶        ──JoinPool────────────▶ gossip
//
// It owns the order in which servers are asked: one that could not be reached goes
// to the end, and now and then the first does, so that the agents of a datacenter
// spread over its servers even after one has been away.
//
// It keeps nothing across a restart: the order is made anew from the pools.
package router

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// Name is the name the actor is spawned under.
const Name = "router"

// floodInterval is how often it is looked which servers the pools lack. Consul has ten
// seconds.
const floodInterval = 5 * time.Second

// rebalance is how often the first server of each datacenter changes. Consul's
// clients do so every two minutes at the least.
const rebalance = 2 * time.Minute

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger     *zap.Logger                            // required
	Datacenter string                                 // required: ours
	LAN        *messages.Published[messages.PoolView] // required
	WAN        *messages.Published[messages.PoolView] // nil where there is no WAN pool
	Routes     *messages.Published[messages.Routes]   // required: published here

	// WANPool is asked to take in servers of this datacenter that are not in the WAN
	// pool. Optional: nobody is.
	WANPool ask.Address
	// LANPool is asked to contact the servers that were there, when none is: Serf
	// looks for those that failed, now and then, but never for those that left.
	// Optional: nobody is.
	LANPool ask.Address
}

// New returns the producer of a router actor.
func New(cfg Config) actor.Producer {
	return func() actor.Actor {
		return &routerActor{cfg: cfg, log: cfg.Logger.Named("agent.router"), state: newState(cfg.Datacenter)}
	}
}

// routerActor is the shell around state. All fields belong to the mailbox.
type routerActor struct {
	cfg   Config
	log   *zap.Logger
	state *state
	timer *time.Timer

	floods *time.Timer
}

var _ actor.Actor = (*routerActor)(nil)

// What comes from the actor's own timers.
type (
	turn  struct{} // let another server be first
	flood struct{} // have the pools take in the servers that they lack
)

// Receive implements actor.Actor.
func (a *routerActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.look()
		a.cfg.Routes.Publish(a.state.routes())
		a.arm(ctx)
		a.flood(ctx)
		ctx.Request(ctx.Parent(), &messages.Ready{})
	case *messages.MembersChanged:
		a.look()
	case *messages.ServerFailed:
		if a.state.demote(msg.Datacenter, msg.Address) {
			a.log.Debug("asking others before a server that failed", zap.String("address", msg.Address))
			a.cfg.Routes.Publish(a.state.routes())
		}
	case *flood:
		a.flood(ctx)
	case *turn:
		a.state.rotate()
		a.cfg.Routes.Publish(a.state.routes())
		a.arm(ctx)
	case *actor.Stopping, *actor.Restarting:
		for _, t := range []*time.Timer{a.timer, a.floods} {
			if t != nil {
				t.Stop()
			}
		}
	case *actor.Stopped:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// look compares the order with the pools.
func (a *routerActor) look() {
	var wan *messages.PoolView
	if a.cfg.WAN != nil {
		wan = a.cfg.WAN.Load()
	}
	if a.state.update(a.cfg.LAN.Load(), wan, rand.N[int]) {
		a.cfg.Routes.Publish(a.state.routes())
	}
}

// flood has the WAN pool join the servers of this datacenter that it lacks, so that
// joining one server over the WAN joins all. An agent that has lost all its servers
// looks for them where they were.
func (a *routerActor) flood(ctx actor.Context) {
	lan := a.cfg.LAN.Load()
	if a.cfg.WAN != nil {
		if addresses := absent(lan, a.cfg.WAN.Load()); len(addresses) > 0 {
			a.cfg.WANPool.Tell(&messages.JoinPool{Addresses: addresses})
		}
	}
	if addresses := lost(lan); len(addresses) > 0 {
		a.cfg.LANPool.Tell(&messages.JoinPool{Addresses: addresses})
	}
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.floods = time.AfterFunc(floodInterval, func() { root.Send(self, &flood{}) })
}

func (a *routerActor) arm(ctx actor.Context) {
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.timer = time.AfterFunc(rebalance+rand.N(rebalance/4), func() { root.Send(self, &turn{}) })
}
