// Package serverrpc is the listener of port 8300, on which servers speak to servers
// and clients to servers.
//
//	servers, client agents ──▶ serverrpc ──RaftConnAccepted──▶ raft
//	                                     ──RemovePeer, GetRaftConfiguration──▶ raft
//	                                     ──invoke──▶ what servers can be asked
//	leave ──Drain──▶ serverrpc
//
// The first byte of a connection says what it is for (package frame). Raft's are
// handed to raft, which owns them from then on. Those for snapshots carry one request
// each, and an archive (bridge_snapshot.go). On those for gRPC clients of Consul's
// subscribe to changes (bridge_subscribe.go). On the others come requests, each of which
// is carried out on a goroutine of its own by package invoke, or, for the few methods
// that are about the server itself, here (methods.go). Nothing of a connection passes
// through the mailbox.
//
// The actor owns the listening socket and decides over its life. It keeps nothing
// across a restart: the connections of requests are cut, the socket is bound again.
// Raft's connections live on.
//
// Who is at the other end is known from its certificate, where TLS is configured
// (actors/certs): then raft, and the methods that only servers need of each other, are
// for servers. Without TLS, who reaches the port may ask, as in Consul. The other side
// of the protocol is the package client.
package serverrpc

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/answers"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
)

// Name is the name the actor is spawned under.
const Name = "serverrpc"

// What a Config that says nothing means.
const (
	DefaultMaxConnsPerClient = 100     // Consul's rpc_max_conns_per_client
	DefaultMaxRequest        = 2 << 20 // bytes; twice what the HTTP API takes
	DefaultHandshakeTimeout  = 5 * time.Second
	DefaultStallTimeout      = 30 * time.Second
)

const (
	// bindAttempts and bindPause give a predecessor that is just ending the time to
	// let go of the port.
	bindAttempts = 10
	bindPause    = 100 * time.Millisecond
)

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger *zap.Logger // required
	Addr   string      // required: host:port to listen at

	Raft       ask.Address                              // required
	Status     *messages.Published[messages.RaftStatus] // required
	Invoker    *invoke.Invoker                          // required
	Datacenter string                                   // required

	// Answers is where the Invoker keeps answers that many want. Optional: without it
	// everybody who subscribes to changes polls.
	Answers *answers.Table

	// Security says how connections are secured. nil: not at all.
	Security Security

	// Zero means the default.
	MaxConnsPerClient int           // at the same time, by IP address; further ones are closed
	MaxRequest        int           // bytes of the arguments of a call
	HandshakeTimeout  time.Duration // for the first byte to come, and TLS to shake hands
	StallTimeout      time.Duration // for each part of a snapshot to come or go, or of a subscription to go

	// Bound, if not nil, is where the address is published that the actor listens
	// at, before it says that it is ready.
	Bound *messages.Published[net.Addr]
}

// Security is how connections are secured and who may do what on them. Its methods are
// called for each connection, on goroutines, and may change their minds.
type Security interface {
	// Incoming returns how to speak TLS to who asks for it; nil: not at all.
	Incoming() *tls.Config
	// AllowsPlain says whether one may do without TLS.
	AllowsPlain() bool
	// AuthorizeServer says why the other end of a connection must not act as a server;
	// nil when it may. The state is nil without TLS.
	AuthorizeServer(*tls.ConnectionState) error
}

// insecure is the Security of a port without TLS.
type insecure struct{}

var _ Security = insecure{}

// Incoming implements Security.
func (insecure) Incoming() *tls.Config { return nil }

// AllowsPlain implements Security.
func (insecure) AllowsPlain() bool { return true }

// AuthorizeServer implements Security.
func (insecure) AuthorizeServer(*tls.ConnectionState) error { return nil }

// New returns the producer of a listener on port 8300.
func New(cfg Config) actor.Producer {
	cfg.MaxConnsPerClient = cmp.Or(cfg.MaxConnsPerClient, DefaultMaxConnsPerClient)
	cfg.MaxRequest = cmp.Or(cfg.MaxRequest, DefaultMaxRequest)
	cfg.HandshakeTimeout = cmp.Or(cfg.HandshakeTimeout, DefaultHandshakeTimeout)
	cfg.StallTimeout = cmp.Or(cfg.StallTimeout, DefaultStallTimeout)
	if cfg.Security == nil {
		cfg.Security = insecure{}
	}
	log := cfg.Logger.Named("consul").Named("rpc")
	return func() actor.Actor { return &serverrpcActor{cfg: cfg, log: log} }
}

// serverrpcActor keeps the socket. All fields belong to the mailbox.
type serverrpcActor struct {
	cfg Config
	log *zap.Logger

	srv      *server
	attempts int // to bind
	retry    *time.Timer
}

var _ actor.Actor = (*serverrpcActor)(nil)

// What the actor is told by itself.
type tryAgain struct{}

// Receive implements actor.Actor.
func (a *serverrpcActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.start(ctx)
	case *actor.Stopping, *actor.Restarting:
		a.release()
	case *messages.Drain:
		a.drain(ctx, msg)
	case *tryAgain:
		a.maybeListen(ctx)
	case *actor.Stopped, *actor.DeadLetterResponse:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

func (a *serverrpcActor) start(ctx actor.Context) {
	a.srv = newServer(a.cfg, a.log)
	a.listen(ctx)
}

// listen binds the address. One that is taken is tried again for a moment.
func (a *serverrpcActor) listen(ctx actor.Context) {
	bound, err := a.srv.listen(a.cfg.Addr)
	switch {
	case err == nil:
		if a.cfg.Bound != nil {
			a.cfg.Bound.Publish(&bound)
		}
		ctx.Request(ctx.Parent(), &messages.Ready{})
	case taken(err) && a.attempts < bindAttempts:
		a.attempts++
		root, self := ctx.ActorSystem().Root, ctx.Self()
		a.retry = time.AfterFunc(bindPause, func() { root.Send(self, &tryAgain{}) })
	default:
		ctx.Request(ctx.Parent(), &messages.StartFailed{Err: explainListen(a.cfg.Addr, err)})
	}
}

// maybeListen tries again, unless the agent is leaving.
func (a *serverrpcActor) maybeListen(ctx actor.Context) {
	if a.srv.draining.Err() == nil {
		a.listen(ctx)
	}
}

// drain closes the socket and answers once no request is under way. Queries that
// wait for news are answered with what there is, subscriptions end, and new requests are
// refused.
func (a *serverrpcActor) drain(ctx actor.Context, msg *messages.Drain) {
	root, asker := ctx.ActorSystem().Root, ctx.Sender()
	a.disarm()
	a.srv.drain(func(inFlight int) {
		if asker != nil {
			root.Send(asker, &messages.StepDone{Step: msg.Step, Note: drained(inFlight)})
		}
	})
}

func drained(inFlight int) string {
	switch inFlight {
	case 0:
		return "no request was under way"
	case 1:
		return "answered 1 request"
	default:
		return fmt.Sprintf("answered %d requests", inFlight)
	}
}

func (a *serverrpcActor) release() {
	a.disarm()
	if a.srv != nil {
		a.srv.close()
	}
}

func (a *serverrpcActor) disarm() {
	if a.retry != nil {
		a.retry.Stop()
	}
}
