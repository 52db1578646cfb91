// Package local keeps the services and checks that are registered at this agent,
// and keeps the catalog in line with them (anti-entropy).
//
//	http, health ──RegisterService, SetCheckStatus──▶ local ──register, deregister──▶ the catalog
//	raft         ──NewLeader, StateRestored───────▶        ◀──what the catalog has──
//	leave        ──Withdraw───────────────────────▶        ──ChecksChanged──▶ health
//
// What is registered here is the truth for this node, and the catalog is the truth
// for the cluster: the actor compares the two when something has changed here, when
// a leader is found, when a snapshot is restored, and once a minute, and writes what
// differs, each thing by itself, so that one that is refused does not hold up the
// others. An output of a check that changes while its status stays may wait for some
// minutes.
//
// Registrations survive a restart of the actor and of the agent: each is a file
// below DIR/services or DIR/checks, and a request is answered once its file is on
// disk. Those of configuration files are not kept twice, and win over what was
// registered under the same ID. The results of checks survive a restart of the
// actor. Those that have a deadline, because a service reports them, are kept below
// DIR/checks/state and survive one of the agent too, until the deadline and not
// longer; the other checks are critical then until they have run.
//
// Once the node is withdrawn, nothing is written any more, whatever restarts.
//
// It does not run checks.
package local

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// Name is the name the actor is spawned under.
const Name = "local"

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger *zap.Logger // required

	// Node is what this node says of itself. Its address is the one that the LAN
	// pool knows: the leader writes that, and would write against another. Required.
	Node   *wire.Node
	Server bool // the agent is a server

	// Services and Checks are the definitions of configuration files.
	Services []*messages.RegisterService
	Checks   []*messages.RegisterCheck

	// EnableScriptChecks lets checks that run programs be registered over HTTP,
	// EnableLocalScriptChecks in configuration files.
	EnableScriptChecks, EnableLocalScriptChecks bool
	// SidecarMinPort and SidecarMaxPort are the range that proxies get their ports
	// from. 0: they have to bring one.
	SidecarMinPort, SidecarMaxPort int

	DataDir string // where registrations are kept; empty: in memory only

	// CheckUpdateInterval is how long the catalog may have an older output of a check
	// whose status has not changed. 0: not at all.
	CheckUpdateInterval time.Duration
	// DiscardCheckOutput has all checks without output.
	DiscardCheckOutput bool

	View   *messages.Published[messages.LocalView] // required: published here
	Health ask.Address                             // is told of ChecksChanged; nobody by default

	// Members returns how many agents there are, which spreads their comparisons. nil:
	// few.
	Members func() int

	// Read returns what the catalog has of this node: its services, nil when the node
	// is not there, and its checks. What it returns is not changed. Register and
	// Deregister write, and may change what they are given. All are called on
	// goroutines, may wait, and end when the context does.
	Read       func(context.Context) (*wire.NodeServices, wire.HealthChecks, error) // required
	Register   func(context.Context, *wire.RegisterRequest) error                   // required
	Deregister func(context.Context, *wire.DeregisterRequest) error                 // required
}

// New returns the producer of a local actor.
func New(cfg Config) actor.Producer {
	return produce(cfg, &lasting{
		shelf: newShelf(cfg.DataDir, configured(cfg.Services, cfg.Checks)),
		pen:   newPen(&cfg),
		node:  cfg.Node,
	})
}

func produce(cfg Config, l *lasting) actor.Producer {
	return func() actor.Actor {
		return &localActor{
			cfg: cfg, log: cfg.Logger.Named("agent"),
			lasting: l, state: newState(l.node, cfg.Server, allowed{
				scripts: cfg.EnableScriptChecks, localScripts: cfg.EnableLocalScriptChecks,
				ports: ports{cfg.SidecarMinPort, cfg.SidecarMaxPort},
			}),
		}
	}
}

// lasting is what one instance of the actor leaves to the next.
type lasting struct {
	shelf *shelf
	pen   *pen
	node  *wire.Node // as configured last

	changed chan struct{} // is closed when there is a newer view
}

// localActor is the shell around state. All fields belong to the mailbox.
type localActor struct {
	cfg     Config
	log     *zap.Logger
	lasting *lasting
	state   *state

	ctx context.Context // ends with this instance
	end context.CancelFunc

	ready  bool
	early  []messages.Refuser // requests that came before
	queue  []*change          // wait for their turn
	saving *change            // its records are being kept; nil: none are

	waiting []*messages.AwaitSync // for a sync that has not compared yet
	covered []*messages.AwaitSync // by the sync that is under way

	syncing  bool
	again    bool // something changed meanwhile
	failures int  // of syncs in a row
	found    bool // a server has answered
	timer    *time.Timer
	alarm    time.Time // when the timer goes off; zero: it is not set
}

// own is what an instance tells itself, by way of a goroutine or a timer. The next
// instance, which gets it when this one has failed meanwhile, does not listen.
type own struct {
	of  *localActor
	msg any
}

// What comes in an own.
type (
	loaded struct {
		records  []record
		problems []error
		err      error
	}
	saved struct {
		records []record
		err     error
	}
	fetched struct {
		has remote
		err error
	}
	synced struct{ done []outcome }
	due    struct{}
)

// Receive implements actor.Actor.
func (a *localActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.started(ctx)
	case *actor.Stopping, *actor.Restarting:
		a.release()
	case *actor.Stopped, *actor.DeadLetterResponse:
	case *own:
		if msg.of == a {
			a.handleOwn(ctx, msg.msg)
		}
	default:
		a.handle(ctx, msg)
	}
}

// handleOwn has one case for each message to itself.
func (a *localActor) handleOwn(ctx actor.Context, msg any) {
	switch msg := msg.(type) {
	case *loaded:
		a.loaded(ctx, msg)
	case *saved:
		a.saved(ctx, msg)
	case *fetched:
		a.fetched(ctx, msg)
	case *synced:
		a.synced(ctx, msg)
	case *due:
		a.alarm = time.Time{}
		a.sync(ctx)
	}
}

// handle has one case for each message of the protocol.
func (a *localActor) handle(ctx actor.Context, msg any) {
	if r, ok := msg.(messages.Refuser); ok && !a.ready {
		a.early = append(a.early, r)
		return
	}
	switch msg := msg.(type) {
	case *messages.RegisterService:
		a.registerService(ctx, msg)
	case *messages.DeregisterService:
		a.deregisterService(ctx, msg)
	case *messages.RegisterCheck:
		a.registerCheck(ctx, msg)
	case *messages.DeregisterCheck:
		a.deregisterCheck(ctx, msg)
	case *messages.ReplaceDefinitions:
		a.replaceDefinitions(ctx, msg)
	case *messages.SetCheckStatus:
		a.setCheckStatus(ctx, msg)
	case *messages.AwaitSync:
		a.awaitSync(msg)
	case *messages.NewLeader:
		a.newLeader(ctx, msg)
	case *messages.StateRestored:
		a.sync(ctx)
	case *messages.Reconfigure:
		a.reconfigure(ctx, msg)
	case *messages.Withdraw:
		a.withdraw(ctx, msg)
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// started has a goroutine read what was kept. The actor is ready when it is in
// place.
func (a *localActor) started(ctx actor.Context) {
	a.ctx, a.end = context.WithCancel(context.Background())
	tell, base, shelf := a.teller(ctx), a.ctx, a.lasting.shelf
	go func() {
		records, problems, err := shelf.load(base)
		tell(&loaded{records, problems, err})
	}()
}

func (a *localActor) loaded(ctx actor.Context, msg *loaded) {
	problems := msg.problems
	if msg.err == nil {
		problems = append(problems, a.state.restore(msg.records)...)
	}
	for _, p := range problems {
		a.log.Warn(p.Error())
	}
	if msg.err != nil {
		ctx.Request(ctx.Parent(), &messages.StartFailed{Err: msg.err})
		return
	}
	a.tellOdd(msg.records)
	a.state.resume(msg.records, time.Now())
	a.state.recall(a.cfg.View.Load())
	a.publish()
	a.ready = true
	ctx.Request(ctx.Parent(), &messages.Ready{})
	a.cfg.Health.Tell(&messages.ChecksChanged{Anew: true})
	early := a.early
	a.early = nil
	for _, msg := range early {
		a.handle(ctx, msg)
	}
	a.sync(ctx)
}

// release ends what is under way and lets nobody wait.
func (a *localActor) release() {
	if a.end != nil {
		a.end()
	}
	a.disarm()
	for _, r := range a.early {
		r.Refuse(messages.ErrUnavailable)
	}
	for _, c := range a.queue {
		c.settle(messages.Unit{}, messages.ErrUnavailable)
	}
	if a.saving != nil {
		a.saving.settle(messages.Unit{}, fmt.Errorf("whether this was kept is unknown: %w", messages.ErrUnavailable))
	}
	for _, w := range append(a.waiting, a.covered...) {
		w.Refuse(messages.ErrUnavailable)
	}
	a.early, a.queue, a.saving, a.waiting, a.covered = nil, nil, nil, nil, nil
}

// publish comes before every answer: who registers reads what it registered.
func (a *localActor) publish() {
	next, before := make(chan struct{}), a.lasting.changed
	v := a.state.view()
	v.Changed = next
	a.cfg.View.Publish(v)
	a.lasting.changed = next
	if before != nil {
		close(before)
	}
}

// teller returns how a goroutine or a timer speaks to this instance.
func (a *localActor) teller(ctx actor.Context) func(msg any) {
	root, self := ctx.ActorSystem().Root, ctx.Self()
	return func(msg any) { root.Send(self, &own{a, msg}) }
}
