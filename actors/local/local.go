// Package local keeps the services and checks that are registered at this agent,
// and keeps the catalog in line with them (anti-entropy).
//
//	http, health ──RegisterService, SetCheckStatus──▶ local ──register, deregister──▶ the catalog
//	raft         ──NewLeader──────────────────────▶        ◀──what the catalog has──
//
// What is registered here is the truth for this node, and the catalog is the truth
// for the cluster: the actor compares the two when something has changed here, when
// a leader is found, and once a minute, and writes what differs, each thing by
// itself, so that one that is refused does not hold up the others.
//
// Registrations survive a restart of the actor and of the agent: each is a file
// below DIR/services or DIR/checks, and a request is answered once its file is on
// disk. Those of configuration files are not kept twice.
//
// It does not run checks.
package local

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// Name is the name the actor is spawned under.
const Name = "local"

const (
	syncInterval  = time.Minute
	retryInterval = 3 * time.Second
	syncTimeout   = 30 * time.Second
)

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger *zap.Logger // required
	Node   *wire.Node  // required: what this node says of itself
	Server bool

	// Definitions are those of the configuration files.
	Services []*messages.RegisterService
	Checks   []*messages.RegisterCheck

	DataDir string // where registrations are kept; empty: nowhere

	View *messages.Published[messages.LocalView] // required: published here

	// Read returns what the catalog has of this node. Read, Register and Deregister
	// are called on goroutines and may wait.
	Read       func(context.Context) (*wire.NodeServices, wire.HealthChecks, error) // required
	Register   func(context.Context, *wire.RegisterRequest) error                   // required
	Deregister func(context.Context, *wire.DeregisterRequest) error                 // required
}

// New returns the producer of a local actor.
func New(cfg Config) actor.Producer {
	return func() actor.Actor {
		return &localActor{cfg: cfg, log: cfg.Logger.Named("agent"), state: newState(cfg.Node, cfg.Server)}
	}
}

// localActor is the shell around state. All fields belong to the mailbox.
type localActor struct {
	cfg   Config
	log   *zap.Logger
	state *state
	shelf *shelf

	ready     bool
	pending   []*change // wait for their files
	saving    bool
	syncing   bool
	again     bool // something changed while syncing
	withdrawn bool // leaving: nothing is written any more
	stop      context.CancelFunc
	ctx       context.Context // ends with this instance
	timer     *time.Timer
}

// A change waits until its files are written; then it is made and answered.
type change struct {
	files []file
	apply func() error
	reply func(error)
}

// What the actor tells itself.
type (
	loaded struct {
		services []*messages.RegisterService
		checks   []*messages.RegisterCheck
		problems []error
	}
	saved struct {
		changes []*change
		errs    []error // by change
	}
	fetched struct {
		has remote
		err error
	}
	synced  struct{ failed bool }
	due     struct{}
	cleared struct {
		answer func(*messages.StepDone)
		done   *messages.StepDone
	}
)

// Receive implements actor.Actor.
func (a *localActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.started(ctx)
	case *actor.Stopping, *actor.Restarting:
		a.release()
	case *actor.Stopped, *actor.DeadLetterResponse:
	case *loaded:
		a.loaded(ctx, msg)
	case *saved:
		a.saved(ctx, msg)
	case *fetched:
		a.fetched(ctx, msg)
	case *synced:
		a.synced(ctx, msg)
	case *due:
		a.sync(ctx)
	case *cleared:
		msg.answer(msg.done)
	default:
		a.handle(ctx, msg)
	}
}

// handle has one case for each message of the protocol.
func (a *localActor) handle(ctx actor.Context, msg any) {
	switch msg := msg.(type) {
	case *messages.RegisterService:
		a.registerService(ctx, msg)
	case *messages.DeregisterService:
		a.deregisterService(ctx, msg)
	case *messages.RegisterCheck:
		a.registerCheck(ctx, msg)
	case *messages.DeregisterCheck:
		a.deregisterCheck(ctx, msg)
	case *messages.SetCheckStatus:
		a.setCheckStatus(ctx, msg)
	case *messages.NewLeader:
		if msg.ID != "" {
			a.sync(ctx)
		}
	case *messages.Reconfigure:
		a.reconfigure(ctx, msg)
	case *messages.Withdraw:
		a.withdraw(ctx, msg)
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// started reads what was kept. The actor is ready when it is in place.
func (a *localActor) started(ctx actor.Context) {
	a.ctx, a.stop = context.WithCancel(context.Background())
	a.shelf = newShelf(a.cfg.DataDir)
	root, self, shelf := ctx.ActorSystem().Root, ctx.Self(), a.shelf
	go func() { root.Send(self, shelf.load()) }()
}

func (a *localActor) loaded(ctx actor.Context, msg *loaded) {
	for _, err := range msg.problems {
		a.log.Warn("a registration could not be read", zap.Error(err))
	}
	// Configuration files come last: they win over what was registered.
	for _, s := range append(msg.services, a.cfg.Services...) {
		a.state.addService(s)
	}
	for _, c := range append(msg.checks, a.cfg.Checks...) {
		if err := a.state.addCheck(c); err != nil {
			a.log.Warn("a check is left out", zap.String("check", c.Check.CheckID), zap.Error(err))
		}
	}
	a.publish()
	a.ready = true
	ctx.Request(ctx.Parent(), &messages.Ready{})
	a.sync(ctx)
	a.save(ctx) // what came in meanwhile
}

func (a *localActor) registerService(ctx actor.Context, msg *messages.RegisterService) {
	var files []file
	if !msg.FromConfig {
		files = append(files, serviceFile(msg))
		for _, c := range msg.Checks {
			files = append(files, checkFile(&messages.RegisterCheck{Check: c, Token: msg.Token}))
		}
	}
	a.change(ctx, files, func() error {
		a.drop(a.state.addService(msg))
		return nil
	}, msg.Settle)
}

func (a *localActor) deregisterService(ctx actor.Context, msg *messages.DeregisterService) {
	a.change(ctx, []file{{kind: services, id: msg.ID}}, func() error {
		gone, err := a.state.removeService(msg.ID)
		a.drop(gone)
		return err
	}, msg.Settle)
}

func (a *localActor) registerCheck(ctx actor.Context, msg *messages.RegisterCheck) {
	if err := a.state.mayAddCheck(msg.Check); err != nil {
		msg.Refuse(err)
		return
	}
	var files []file
	if !msg.FromConfig {
		files = append(files, checkFile(msg))
	}
	a.change(ctx, files, func() error { return a.state.addCheck(msg) }, msg.Settle)
}

func (a *localActor) deregisterCheck(ctx actor.Context, msg *messages.DeregisterCheck) {
	a.change(ctx, []file{{kind: checks, id: msg.ID}}, func() error { return a.state.removeCheck(msg.ID) }, msg.Settle)
}

// setCheckStatus is not kept on disk: after a restart a check runs again.
func (a *localActor) setCheckStatus(ctx actor.Context, msg *messages.SetCheckStatus) {
	changed, err := a.state.setCheck(msg.ID, msg.Status, msg.Output)
	if changed {
		a.publish()
		a.sync(ctx)
	}
	msg.Settle(messages.Unit{}, err)
}

func (a *localActor) reconfigure(ctx actor.Context, msg *messages.Reconfigure) {
	node := *a.state.node
	node.Meta = msg.NodeMeta
	a.state.node = &node
	a.sync(ctx)
}

// change queues a change until its files are on disk.
func (a *localActor) change(ctx actor.Context, files []file, apply func() error, settle func(messages.Unit, error)) {
	a.pending = append(a.pending, &change{files, apply, func(err error) { settle(messages.Unit{}, err) }})
	a.save(ctx)
}

// drop removes the files of checks that went with something else. It need not be
// waited for: a check without its service is left out at the next start.
func (a *localActor) drop(gone []string) {
	for _, id := range gone {
		a.pending = append(a.pending, &change{files: []file{{kind: checks, id: id}}})
	}
}

// save has a goroutine write the files of all that is pending.
func (a *localActor) save(ctx actor.Context) {
	if !a.ready || a.saving || len(a.pending) == 0 {
		return
	}
	batch := a.pending
	a.pending, a.saving = nil, true
	root, self, shelf := ctx.ActorSystem().Root, ctx.Self(), a.shelf
	go func() {
		errs := make([]error, len(batch))
		for i, c := range batch {
			errs[i] = shelf.put(c.files)
		}
		root.Send(self, &saved{batch, errs})
	}()
}

func (a *localActor) saved(ctx actor.Context, msg *saved) {
	a.saving = false
	for i, c := range msg.changes {
		err := msg.errs[i]
		if err == nil && c.apply != nil {
			err = c.apply()
			a.publish() // before the answer: who registers reads what it registered
		}
		if c.reply != nil {
			c.reply(err)
		} else if err != nil {
			a.log.Warn("a file of a registration stays behind", zap.Error(err))
		}
	}
	a.sync(ctx)
	a.save(ctx)
}

func (a *localActor) publish() { a.cfg.View.Publish(a.state.view()) }

// sync compares with the catalog and writes what differs; see bridge.go.
func (a *localActor) sync(ctx actor.Context) {
	if !a.ready || a.withdrawn {
		return
	}
	if a.syncing {
		a.again = true
		return
	}
	a.syncing, a.again = true, false
	root, self, base, read := ctx.ActorSystem().Root, ctx.Self(), a.ctx, a.cfg.Read
	go func() {
		has, err := fetch(base, read)
		root.Send(self, &fetched{has, err})
	}()
}

func (a *localActor) fetched(ctx actor.Context, msg *fetched) {
	if a.withdrawn {
		a.syncing = false
		return
	}
	if msg.err != nil {
		a.log.Error("failed to sync remote state", zap.Error(msg.err))
		a.synced(ctx, &synced{failed: true})
		return
	}
	writes := a.state.compare(msg.has)
	if len(writes) == 0 {
		a.synced(ctx, &synced{})
		return
	}
	root, self, base := ctx.ActorSystem().Root, ctx.Self(), a.ctx
	w := writer{log: a.log, register: a.cfg.Register, deregister: a.cfg.Deregister}
	go func() { root.Send(self, &synced{failed: !w.write(base, writes)}) }()
}

func (a *localActor) synced(ctx actor.Context, msg *synced) {
	a.syncing = false
	switch {
	case msg.failed:
		a.arm(ctx, retryInterval)
	case a.again:
		a.sync(ctx)
	default:
		a.arm(ctx, syncInterval)
	}
}

// withdraw takes this node from the catalog and writes nothing any more.
func (a *localActor) withdraw(ctx actor.Context, msg *messages.Withdraw) {
	a.withdrawn = true
	root, self, asker := ctx.ActorSystem().Root, ctx.Self(), ctx.Sender()
	base, deregister, node := a.ctx, a.cfg.Deregister, a.state.node
	note := fmt.Sprintf("node '%s', services: %d, checks: %d", node.Node, len(a.state.services), len(a.state.checks))
	go func() {
		within, cancel := context.WithTimeout(base, msg.Budget)
		defer cancel()
		done := &messages.StepDone{Step: msg.Step, Note: note}
		if err := deregister(within, &wire.DeregisterRequest{Datacenter: node.Datacenter, Node: node.Node}); err != nil {
			done = msg.Failed(err)
		}
		root.Send(self, &cleared{func(d *messages.StepDone) { root.Send(asker, d) }, done})
	}()
}

func (a *localActor) release() {
	if a.stop != nil {
		a.stop()
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	for _, c := range a.pending {
		if c.reply != nil {
			c.reply(messages.ErrUnavailable)
		}
	}
	a.pending = nil
}

// arm sets the timer for the next sync, spread so that agents that started
// together do not all ask at once.
func (a *localActor) arm(ctx actor.Context, d time.Duration) {
	if a.timer != nil {
		a.timer.Stop()
	}
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.timer = time.AfterFunc(d+rand.N(d/4+1), func() { root.Send(self, &due{}) })
}
