// Package health finds out how the services of this agent are, by the checks that
// are registered for them.
//
//	local ──ChecksChanged, CheckStatusChanged──▶ health ──one child a check
//	http  ──ReportCheck────────────────────────▶          ──SetCheckStatus──▶ local
//	                                                      ──DeregisterService─▶
//
// The actor has a child for every check that is run, which comes and goes with the
// check (roster.go). There are three sorts: those that try something again and
// again (repeat.go), those that wait to be told (ttl.go), and those that repeat what
// other checks say (alias.go). What is tried is a probe (probe.go): a program, a
// connection, a request. A probe runs on a goroutine with a time limit; a program
// gets a process group of its own, which is killed with all that it has started,
// however the program ends. On Linux, who has left the group is found and killed, too
// (orphans_linux.go).
//
// What results mean is plain rules (state*.go): how many in a row it takes, when a
// deadline has passed, which services have been critical for too long and go.
//
// A child that fails is started again, later each time, and its check is critical
// meanwhile; no other check is touched. The actor itself keeps nothing that has to
// survive: the view of local has the results and the deadlines. It does not write
// to the catalog, and does not decide what may be registered.
package health

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// Name is the name the actor is spawned under.
const Name = "health"

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger *zap.Logger // required

	View  *messages.Published[messages.LocalView] // required: what is registered here
	Local ask.Address                             // required: hears the results

	NodeName string // required: a check that is an alias of this node looks at what is registered here

	// NodeChecks returns what the catalog has of another node, once it has changed
	// since index, or after a while. It is called on goroutines, may wait, and ends
	// when the context does. Required for checks that are an alias of another node's.
	NodeChecks func(ctx context.Context, node string, index uint64) (NodeChecks, error)

	// OutputMaxSize is how many bytes of the output of a check are kept; 0 means
	// DefaultOutputMaxSize. A check may ask for less.
	OutputMaxSize int
	// TLS returns the certificates of this agent, for connections of checks that use
	// TLS: each begins with what is in force then. They expect the name of this node at
	// the other end, unless the check says another, as in Consul. It is called on
	// goroutines. nil: the defaults, and the name that the check connects to.
	TLS func() *tls.Config
	// DockerHost is where Docker listens, as in DOCKER_HOST; empty means its socket.
	DockerHost string

	// Guard wraps a child as the supervisor wraps this actor. Optional.
	Guard func(actor.Producer) actor.Producer

	probes func(*Config, *wire.CheckType) probe // newProbe, but for tests
}

// NodeChecks is what the catalog has of a node.
type NodeChecks struct {
	Index    uint64
	Known    bool // there is such a node
	Services map[string]*wire.NodeService
	Checks   wire.HealthChecks
}

// DefaultOutputMaxSize is Consul's: 4 KiB of each output.
const DefaultOutputMaxSize = 4096

// New returns the producer of the health checker.
func New(cfg Config) actor.Producer {
	cfg.OutputMaxSize = cmp.Or(cfg.OutputMaxSize, DefaultOutputMaxSize)
	if cfg.Guard == nil {
		cfg.Guard = func(p actor.Producer) actor.Producer { return p }
	}
	if cfg.probes == nil {
		cfg.probes = newProbe
	}
	since := critical{}
	return func() actor.Actor {
		return &healthActor{
			cfg: cfg, log: cfg.Logger.Named("agent"),
			since: since, children: map[string]*kid{}, byPID: map[string]*kid{},
		}
	}
}

// healthActor is the parent of the checks. All fields belong to the mailbox.
type healthActor struct {
	cfg Config
	log *zap.Logger

	self     *actor.PID
	children map[string]*kid // by ID of the check
	byPID    map[string]*kid // those that have not ended, by ID of the PID
	since    critical        // is handed from one instance to the next
	reaping  *time.Timer
	ended    bool // on its way out: whoever is spawned now would never be told to stop
}

// kid is the parent's side of a child.
type kid struct {
	id    string
	run   *wire.CheckType
	pid   *actor.PID
	fate  fate
	down  bool // it has failed and waits to be started again
	tries int  // counts failures, so that a restart that is due late is known
}

// What the actor tells itself.
type (
	reapDue    struct{ of *healthActor }
	restartDue struct {
		of    *kid
		tries int
	}
)

var (
	_ actor.Actor              = (*healthActor)(nil)
	_ actor.SupervisorStrategy = (*healthActor)(nil)
)

// Receive implements actor.Actor.
func (a *healthActor) Receive(ctx actor.Context) {
	if a.ended && !ends(ctx.Message()) {
		return
	}
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.started(ctx)
	case *messages.ChecksChanged:
		a.follow(ctx, false)
		if msg.Anew {
			a.remind(ctx)
		}
	case *messages.CheckStatusChanged:
		a.statusChanged(ctx)
	case *messages.ReportCheck:
		a.reported(ctx, msg)
	case *reapDue:
		a.reapDue(ctx, msg)
	case *restartDue:
		a.restartDue(ctx, msg)
	case *actor.Terminated:
		delete(a.byPID, msg.Who.Id)
	case *actor.Stopping, *actor.Restarting:
		a.release()
	case *actor.Stopped, *actor.DeadLetterResponse:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// started spawns the checks that there are. Deadlines go on from where they were.
func (a *healthActor) started(ctx actor.Context) {
	a.self = ctx.Self()
	a.follow(ctx, true)
	a.armReaping(ctx)
	ctx.Request(ctx.Parent(), &messages.Ready{})
}

// ends says whether a message is still for an actor that stops. While the framework
// waits for the children it goes on handing over others; a request is refused.
func ends(msg any) bool {
	switch msg := msg.(type) {
	case *actor.Stopping, *actor.Restarting, *actor.Stopped, *actor.Terminated:
		return true
	case messages.Refuser:
		msg.Refuse(messages.ErrUnavailable)
	}
	return false
}

func (a *healthActor) release() {
	a.ended = true
	if a.reaping != nil {
		a.reaping.Stop()
	}
}

// view returns what is registered here.
func (a *healthActor) view() *messages.LocalView { return viewOf(&a.cfg) }

func viewOf(cfg *Config) *messages.LocalView {
	if v := cfg.View.Load(); v != nil {
		return v
	}
	return &messages.LocalView{}
}

// statusChanged notes since when checks are critical, and has those that are an
// alias look again.
func (a *healthActor) statusChanged(ctx actor.Context) {
	a.since.note(a.view(), time.Now())
	a.lookAgain(ctx)
}

// remind has the checks that wait to be told tell local of their deadlines, of which it
// may have heard nothing: after another start such a check would be critical.
func (a *healthActor) remind(ctx actor.Context) {
	for _, k := range a.children {
		if k.run.TTL > 0 {
			ctx.Send(k.pid, &remind{})
		}
	}
}

// lookAgain has the checks that are an alias of others of this agent look at them.
func (a *healthActor) lookAgain(ctx actor.Context) {
	for _, k := range a.children {
		if isLocalAlias(k.run, a.cfg.NodeName) {
			ctx.Send(k.pid, &lookAgain{})
		}
	}
}

// reported hands what a service says of itself to its check.
func (a *healthActor) reported(ctx actor.Context, msg *messages.ReportCheck) {
	view := a.view()
	run := view.Runs[msg.ID]
	switch {
	case view.Checks[msg.ID] == nil:
		msg.Refuse(fmt.Errorf("%w %q. Ensure that the check ID is passed, not the check name.", messages.ErrUnknownCheck, msg.ID)) // Consul's text
		return
	case run == nil || run.TTL <= 0:
		msg.Refuse(fmt.Errorf("CheckID %q %w", msg.ID, messages.ErrNoTTL))
		return
	}
	if k := a.children[msg.ID]; k == nil || k.run != run {
		a.follow(ctx, false) // its news is still on the way
	}
	k := a.children[msg.ID]
	if k == nil || k.down {
		msg.Refuse(messages.ErrUnavailable)
		return
	}
	ctx.Send(k.pid, msg)
}

// armReaping sets the timer for the next look at services that may have to go.
func (a *healthActor) armReaping(ctx actor.Context) {
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.reaping = time.AfterFunc(reapEvery, func() { root.Send(self, &reapDue{a}) })
}

// reapDue deregisters the services that have been critical for too long.
func (a *healthActor) reapDue(ctx actor.Context, msg *reapDue) {
	if msg.of != a {
		return
	}
	view := a.view()
	for _, r := range reap(view, a.since, time.Now()) {
		a.log.Info("deregistering a service that has been critical for longer than its check lets it",
			zap.String("service", r.service), zap.String("check", r.check), zap.Duration("timeout", r.after))
		go deregister(a.cfg.Local, r.service, a.log)
	}
	a.armReaping(ctx)
}
