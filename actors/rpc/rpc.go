// Package rpc is the listener of port 8400, on which the command line of this
// program and those of Consul 0.1 to 0.7 speak to the agent.
//
//	consul members, join, ... ──▶ rpc ──JoinPool, ForceLeave, ChangeKeyring──▶ gossip
//	                                  ──BeginLeave──▶ leave
//	                                  ──SubscribeLogs──▶ logs
//	                                  ──Reload, ListActors──▶ supervisor
//	leave ──Drain──▶ rpc
//
// The actor owns the listening sockets and decides over their life: when they are
// bound, tried again, drained and closed. Each connection is served on goroutines
// of its own (the bridge files), which ask the other actors and read what those
// have published; nothing of a connection passes through the mailbox but that a
// command has begun and has ended.
//
// It keeps nothing across a restart: connections are cut, the sockets are bound
// again.
//
// It knows the protocol from messages/agentrpc and has no rules of its own about
// members, keys or logs. It checks no ACL: as in Consul, who may connect may
// command, which is why the default address is that of the loopback.
package rpc

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/socket"
	"github.com/actor-consul/consul/messages"
)

// Name is the name the actor is spawned under.
const Name = "rpc"

// What a Config that says nothing means.
const (
	DefaultMaxConns         = 128
	DefaultHandshakeTimeout = 5 * time.Second
	DefaultRetryInterval    = 10 * time.Second
)

// A Listener is an address to listen at.
type Listener struct {
	Network string // tcp or unix
	Address string // ip:port, or the path of a socket
}

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger    *zap.Logger // required
	Listeners []Listener  // required

	// Socket is whose the files of unix sockets are.
	Socket socket.Owner

	// Explicit says that somebody asked for these addresses. An address that is
	// taken then keeps the agent from starting; otherwise it is tried again until
	// it is free.
	Explicit bool

	Server     bool   // this agent is a server
	Datacenter string // required

	LAN, WAN          ask.Address // WAN may be nobody
	Leave, Supervisor ask.Address // required
	Logs              ask.Address // required

	LANView *messages.Published[messages.PoolView] // required
	WANView *messages.Published[messages.PoolView] // nil where there is no WAN pool

	// Stats returns what `consul info` prints, by group and name. Required; see
	// NewStats. It is called on goroutines and may wait.
	Stats func(context.Context) map[string]map[string]string

	// How a line of the log is written, as text and as JSON, and how a level is
	// read. Required; actors/logs has them.
	Format     func([]byte, messages.LogEntry) []byte
	FormatJSON func([]byte, messages.LogEntry) []byte
	ParseLevel func(string) (messages.LogLevel, error)

	// Zero means the default.
	MaxConns         int           // at the same time; further ones are closed
	HandshakeTimeout time.Duration // for a new connection to shake hands
	RetryInterval    time.Duration // between attempts at an address that is taken

	// Bound, if not nil, is where the addresses are published that the actor
	// listens at, before it says that it is ready.
	Bound *messages.Published[[]net.Addr]
}

// New returns the producer of an RPC listener.
func New(cfg Config) actor.Producer {
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = DefaultMaxConns
	}
	if cfg.HandshakeTimeout <= 0 {
		cfg.HandshakeTimeout = DefaultHandshakeTimeout
	}
	if cfg.RetryInterval <= 0 {
		cfg.RetryInterval = DefaultRetryInterval
	}
	return func() actor.Actor {
		return &rpcActor{cfg: cfg, log: cfg.Logger.Named("agent").Named(Name)}
	}
}

// rpcActor keeps the sockets. All fields belong to the mailbox.
type rpcActor struct {
	cfg Config
	log *zap.Logger

	srv   *server
	taken []Listener // addresses that are not ours yet
	retry *time.Timer
	work  work
	asker *actor.PID // who waits for the drain
}

var _ actor.Actor = (*rpcActor)(nil)

// What the actor is told by itself and by its connections. Those name the server
// they belong to: after a restart there is another.
type (
	tryAgain     struct{}
	commandBegan struct{ srv *server }
	commandEnded struct{ srv *server }
)

// Receive implements actor.Actor.
func (a *rpcActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.start(ctx)
	case *actor.Stopping, *actor.Restarting:
		a.release()
	case *messages.Drain:
		a.drain(ctx, msg)
	case *tryAgain:
		a.listen(ctx)
	case *commandBegan:
		a.commandBegan(msg)
	case *commandEnded:
		a.commandEnded(ctx, msg)
	case *actor.Stopped, *actor.DeadLetterResponse:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

func (a *rpcActor) start(ctx actor.Context) {
	a.srv = newServer(a.cfg, a.log, ctx.ActorSystem().Root, ctx.Self())
	a.taken = a.cfg.Listeners
	if err := a.listen(ctx); err != nil && a.cfg.Explicit {
		ctx.Request(ctx.Parent(), &messages.StartFailed{Err: err})
		return
	}
	ctx.Request(ctx.Parent(), &messages.Ready{})
}

// listen binds the addresses that are not ours yet, and comes back later for
// those that others have. It returns the first reason for which one could not be
// bound.
func (a *rpcActor) listen(ctx actor.Context) (first error) {
	again := a.retry != nil
	wanted := a.taken
	a.taken = nil
	for _, l := range wanted {
		err := a.srv.listen(l)
		switch {
		case err == nil && again:
			a.log.Info("listening after all", zap.String("address", l.Address))
		case err != nil:
			a.taken = append(a.taken, l)
			if first == nil {
				first = explainListen(l, err)
			}
		}
	}
	if a.cfg.Bound != nil {
		bound := a.srv.addrs()
		a.cfg.Bound.Publish(&bound)
	}
	if first != nil && !a.cfg.Explicit {
		a.wait(ctx, first, again)
	}
	return first
}

// wait arms the timer for the next attempt. Only the first is worth a line.
func (a *rpcActor) wait(ctx actor.Context, why error, again bool) {
	if !again {
		a.log.Warn("an RPC address could not be bound; going on without it and trying again",
			zap.Duration("every", a.cfg.RetryInterval), zap.Error(why))
	}
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.retry = time.AfterFunc(a.cfg.RetryInterval, func() { root.Send(self, &tryAgain{}) })
}

// drain closes the sockets and answers once no command is under way. A monitor
// goes on to the end, and so does a leave, which waits for this very step.
func (a *rpcActor) drain(ctx actor.Context, msg *messages.Drain) {
	a.disarm()
	a.taken = nil
	a.srv.drain()
	a.asker = ctx.Sender()
	a.answer(ctx, a.work.drain(msg.Step))
}

func (a *rpcActor) commandBegan(msg *commandBegan) {
	if msg.srv == a.srv {
		a.work.began()
	}
}

func (a *rpcActor) commandEnded(ctx actor.Context, msg *commandEnded) {
	if msg.srv == a.srv {
		a.answer(ctx, a.work.ended())
	}
}

func (a *rpcActor) answer(ctx actor.Context, done *messages.StepDone) {
	if done != nil && a.asker != nil {
		ctx.Send(a.asker, done)
	}
}

func (a *rpcActor) release() {
	a.disarm()
	if a.srv != nil {
		a.srv.close()
	}
}

func (a *rpcActor) disarm() {
	if a.retry != nil {
		a.retry.Stop()
	}
}
