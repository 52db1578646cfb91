// Package dns is the DNS listener: the zone of the datacenter on port 8600, UDP
// and TCP.
//
//	resolvers ──query──▶ shelf, what is packed already
//	                       └─▶ miekg/dns ──▶ zone ──read──▶ the catalog's view
//	                                     └─▶ recursors, for names outside of the zone
//	supervisor ──Reconfigure──▶ dns ◀──Drain── leave
//
// The actor owns the sockets and little else: it opens them, closes them, and
// drains them when the agent leaves. Queries never pass through its mailbox and
// ask nobody: each is answered on a goroutine of its own (bridge.go) from the
// state as the last write left it, so an election or a lost leader stops no
// answer. A server that has not restored its state yet says SERVFAIL.
//
// What is answered is decided without a socket. question.go reads a name into a
// lookup; answer.go and its neighbours make the records from the lookup, the view
// and the settings; size.go leaves out what does not fit; recurse.go asks others.
//
// What has been found stays right until the rows of the catalog change that it
// rests upon (kept.go). So it is found once, for both protocols, and each goroutine
// that reads a UDP socket keeps it packed and sends it by itself (packed.go,
// reader.go), in another order every time.
//
// A handler that panics costs its own query a SERVFAIL and nobody else anything.
// A restart of the actor opens the sockets anew at the same ports; what was
// reconfigured stays in force.
//
// What is asked of another datacenter is asked of a server there (elsewhere.go): once
// for all who ask the same at the same time, by so many and for so long. A datacenter
// that nobody knows has no names; one that does not answer is a line in the log.
//
// Prepared queries a server carries out, this one or another, and the answer is for
// the one who asked, in the query's order (execute.go). Whoever has asked waits for
// that, and nobody else.
//
// What others have said last is remembered, and said again when they cannot be asked
// (remember.go). A SERVFAIL is for what was never known.
package dns

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

// Name is the name the actor is spawned under.
const Name = "dns"

// New returns the producer of a DNS listener.
func New(cfg Config) actor.Producer {
	cfg.Limits = cfg.Limits.orDefaults()
	l := &life{}
	l.settings.Publish(newSettings(cfg.DNS))
	return func() actor.Actor {
		return &dnsActor{cfg: cfg, log: cfg.Logger.Named(Name), life: l}
	}
}

// life is what outlives a restart of the actor.
type life struct {
	settings messages.Published[settings]
	bound    []netip.AddrPort // where the listener was, to be there again
	drained  bool             // the listener has said goodbye and does not come back
}

// dnsActor keeps the sockets. All fields belong to the mailbox.
type dnsActor struct {
	cfg  Config
	log  *zap.Logger
	life *life

	server *server // nil while not listening
	tries  int     // to open the sockets again
	timer  *time.Timer
}

var _ actor.Actor = (*dnsActor)(nil)

// What the actor and its bridge tell the actor.
type (
	tryAgain struct{} // to open the sockets
	ended    struct { // a socket takes no more queries
		server *server
		what   string
		err    error
	}
	drained struct { // what was in flight when the drain began is answered, or time is up
		step  messages.StepID
		asker *actor.PID
		begun int64 // queries in flight at the beginning
		left  int64 // and at the end
	}
)

// Receive implements actor.Actor.
func (a *dnsActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started, *tryAgain:
		a.listen(ctx)
	case *messages.Reconfigure:
		a.life.settings.Publish(newSettings(msg.DNS))
		a.warnOfAll()
	case *messages.Drain:
		a.drain(ctx, msg)
	case *drained:
		a.drained(ctx, msg)
	case *ended:
		a.ended(msg)
	case *actor.Stopping, *actor.Restarting:
		a.close()
	case *actor.Stopped, *actor.DeadLetterResponse:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// listen opens the sockets and begins to answer. A port that was ours before a
// restart may take a moment to become free; at the first start, one that is taken
// is for a person to sort out.
func (a *dnsActor) listen(ctx actor.Context) {
	if a.life.drained {
		ctx.Request(ctx.Parent(), &messages.Ready{})
		return
	}
	sockets, err := openAll(a.cfg.Addrs, a.life.bound)
	if err != nil {
		if a.life.bound != nil && taken(err) && a.tries < rebindTries {
			a.tries++
			a.log.Warn("cannot open the sockets again yet", zap.Error(err), zap.Duration("retry_in", rebindEvery))
			a.arm(ctx)
			return
		}
		ctx.Request(ctx.Parent(), &messages.StartFailed{Err: err})
		return
	}
	a.tries, a.life.bound = 0, addresses(sockets)
	if a.cfg.Bound != nil {
		bound := a.life.bound
		a.cfg.Bound.Publish(&bound)
	}
	a.server = newServer(a.cfg, a.log, &a.life.settings, ctx.ActorSystem().Root, ctx.Self())
	a.server.serve(sockets)
	for _, at := range a.life.bound {
		a.log.Info("listening", zap.Stringer("address", at), zap.Strings("networks", []string{"udp", "tcp"}))
	}
	a.warnOfAll()
	ctx.Request(ctx.Parent(), &messages.Ready{})
}

// drain takes on no more queries, and reports when those in flight are answered.
func (a *dnsActor) drain(ctx actor.Context, msg *messages.Drain) {
	a.life.drained = true
	a.disarm()
	if a.server == nil {
		ctx.Respond(&messages.StepDone{Step: msg.Step, Note: "was not listening"})
		return
	}
	go a.server.drain(&drained{step: msg.Step, asker: ctx.Sender()}, msg.Budget)
}

func (a *dnsActor) drained(ctx actor.Context, msg *drained) {
	if msg.asker != nil {
		ctx.Send(msg.asker, msg.done())
	}
}

// done is the report of a drain.
func (d *drained) done() *messages.StepDone {
	report := &messages.StepDone{Step: d.step, Note: fmt.Sprintf("answered %d queries in flight", max(0, d.begun-d.left))}
	if d.left > 0 {
		report.Err = fmt.Errorf("%d queries were still waiting for recursors", d.left)
	}
	return report
}

// ended is called when a socket takes no more queries. When it was not us who
// closed it, the actor cannot do its work and fails.
func (a *dnsActor) ended(msg *ended) {
	if msg.server != a.server || a.life.drained {
		return
	}
	panic(fmt.Sprintf("%s takes no more queries: %v", msg.what, msg.err))
}

// close closes the sockets and all connections.
func (a *dnsActor) close() {
	a.disarm()
	if a.server != nil {
		a.server.close()
		a.server = nil
	}
}

func (a *dnsActor) arm(ctx actor.Context) {
	a.disarm()
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.timer = time.AfterFunc(rebindEvery, func() { root.Send(self, &tryAgain{}) })
}

func (a *dnsActor) disarm() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
