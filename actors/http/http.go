// Package http is the HTTP listener: Consul's API on port 8500.
//
//	clients ──request──▶ net/http ──invoke.Read, invoke.Write──▶ state, raft
//	                              ──ask.Do──▶ gossip, leave, logs, raft, supervisor
//	supervisor ──Reconfigure──▶ http ◀──Drain── leave
//
// The actor owns the sockets and little else: it opens them, closes them, and
// drains them when the agent leaves. Requests never pass through its mailbox.
// Each is served on the goroutine of its connection, by one line of the table in
// routes.go; that line says what the request is, how its arguments are found and
// how the answer is shown, and the rest is done in one place for all of them
// (api.go, query.go, command.go, respond.go).
//
// A handler that panics costs its own request an answer and nobody else anything.
// A restart of the actor closes every connection and opens the sockets anew; what
// was reconfigured stays in force.
//
// It decides nothing about the cluster, keeps no data, and does not know which
// server answers: that is actors/invoke.
package http

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

// Name is the name the actor is spawned under.
const Name = "http"

// New returns the producer of an HTTP listener.
func New(cfg Config) actor.Producer {
	cfg.Limits.fillIn()
	l := &life{strangers: newStrangers(cfg.Logger.Named(Name))}
	l.settings.Publish(&messages.HTTPConfig{
		ResponseHeaders:   cfg.ResponseHeaders,
		MaxConnsPerClient: cfg.Limits.MaxConnsPerClient,
	})
	return func() actor.Actor {
		return &httpActor{cfg: cfg, log: cfg.Logger.Named(Name), life: l}
	}
}

// life is what outlives a restart of the actor.
type life struct {
	settings messages.Published[messages.HTTPConfig]
	bound    bool // the sockets were ours before, so one that is taken may be our own, lingering
	drained  bool // the listener has said goodbye and does not come back

	strangers *strangers
}

// httpActor keeps the sockets. All fields belong to the mailbox, but for the api,
// which the connections' goroutines share.
type httpActor struct {
	cfg  Config
	log  *zap.Logger
	life *life

	api       *api
	server    *http.Server // nil while not listening
	listeners []net.Listener
	release   context.CancelFunc // ends what the bridge and the requests are doing
	rebind    rebinding
	timer     *time.Timer
}

var _ actor.Actor = (*httpActor)(nil)

// What the actor and its bridge tell the actor.
type (
	tryAgain struct{} // to open the sockets
	ended    struct { // a socket accepts no more
		server *http.Server
		addr   net.Addr
		err    error
	}
	settled struct { // what was in flight when the drain began is answered, or time is up
		step  messages.StepID
		asker *actor.PID
		begun int // requests in flight at the beginning
		left  int // and at the end
	}
)

// Receive implements actor.Actor.
func (a *httpActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started, *tryAgain:
		a.listen(ctx)
	case *messages.Reconfigure:
		a.life.settings.Publish(&msg.HTTP)
	case *messages.Drain:
		a.drain(ctx, msg)
	case *settled:
		ctx.Send(msg.asker, msg.done())
	case *ended:
		a.ended(msg)
	case *actor.Stopping, *actor.Restarting:
		a.close()
	case *actor.Stopped:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// listen opens the sockets and begins to serve. A socket that was ours before the
// restart may take a moment to become free; at the first start, a port that is
// taken is for a person to sort out.
func (a *httpActor) listen(ctx actor.Context) {
	if a.life.drained {
		ctx.Request(ctx.Parent(), &messages.Ready{})
		return
	}
	listeners, err := openAll(a.cfg, a.life.strangers)
	if err != nil {
		if wait, again := a.rebind.next(a.life.bound, taken(err)); again {
			a.log.Warn("cannot open the sockets again yet", zap.Error(err), zap.Duration("retry_in", wait))
			a.arm(ctx, wait)
			return
		}
		ctx.Request(ctx.Parent(), &messages.StartFailed{Err: err})
		return
	}
	a.life.bound, a.rebind = true, rebinding{}
	a.serve(ctx, listeners)
	ctx.Request(ctx.Parent(), &messages.Ready{})
}

func (a *httpActor) serve(ctx actor.Context, listeners []net.Listener) {
	base, cancel := context.WithCancel(context.Background())
	a.release = cancel
	a.api = newAPI(base, a.cfg, a.log, &a.life.settings)
	a.listeners = listeners
	a.server = newServer(base, a.cfg, a.life.strangers, a.api)
	b := bridge{root: ctx.ActorSystem().Root, self: ctx.Self()}
	for _, l := range listeners {
		a.log.Info("listening", zap.Stringer("address", l.Addr()))
		go b.serve(a.server, l)
	}
	go b.serve(a.server, a.api.back)
}

// drain takes on nothing new, lets what waits answer with what it has, and reports
// when all that was in flight is answered.
func (a *httpActor) drain(ctx actor.Context, msg *messages.Drain) {
	a.life.drained = true
	if a.server == nil {
		a.disarm()
		ctx.Respond(&messages.StepDone{Step: msg.Step, Note: "was not listening"})
		return
	}
	for _, l := range a.listeners {
		l.Close()
	}
	begun, idle := a.api.flight.settled() // before those who wait are sent home
	a.api.wake()
	b := bridge{root: ctx.ActorSystem().Root, self: ctx.Self()}
	go b.drain(a.server, a.api, idle, &settled{step: msg.Step, asker: ctx.Sender(), begun: begun}, msg.Budget)
}

// done is the report of a drain.
func (s *settled) done() *messages.StepDone {
	report := &messages.StepDone{Step: s.step, Note: fmt.Sprintf("answered %d requests in flight", s.begun-s.left)}
	if s.left > 0 {
		report.Err = fmt.Errorf("%d of %d requests were still in flight", s.left, s.begun)
	}
	return report
}

// ended is called when a socket accepts no more. When it was not us who closed it,
// the actor cannot do its work and fails.
func (a *httpActor) ended(msg *ended) {
	if msg.server != a.server || closedByUs(msg.err) {
		return
	}
	panic(fmt.Sprintf("%s accepts no more connections: %v", msg.addr, msg.err))
}

// close closes the sockets and all connections.
func (a *httpActor) close() {
	a.disarm()
	if a.server == nil {
		return
	}
	a.api.wake()
	a.release()
	a.server.Close() // closes the listeners too
	a.server = nil
}

func (a *httpActor) arm(ctx actor.Context, wait time.Duration) {
	a.disarm()
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.timer = time.AfterFunc(wait, func() { root.Send(self, &tryAgain{}) })
}

func (a *httpActor) disarm() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
