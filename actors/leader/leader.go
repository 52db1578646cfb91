// Package leader does what only the leader of a datacenter does: it brings the
// catalog in line with the membership of the LAN pool, and has old deletions of keys
// forgotten.
//
//	raft   ──LeadershipChanged, NewLeader──▶ leader ──LeaderReady, Barrier, ApplyEntry (reap)──▶ raft
//	raft   ──StateRestored─────────────────▶        ──register, deregister──▶ the log
//	gossip ──MembersChanged────────────────▶
//
// On every server the actor runs, hears who leads, and has the metrics told how much
// of everything there is; all else it does only while this server leads. When it
// begins to lead it first waits until all that earlier leaders have committed is
// applied here (a barrier), and then looks at every member, since nobody has told it
// what changed while somebody else led. From then on it follows the news, and looks
// at everybody again once a minute. When a snapshot is restored it begins as it did
// at first: the state that it has kept in line is gone.
//
// It keeps nothing across a restart: it starts over with a barrier and a look at
// everybody, which changes only what is not as it should be.
package leader

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// Name is the name the actor is spawned under.
const Name = "leader"

const (
	// lookInterval is how often everybody is looked at, for what went unnoticed.
	lookInterval = time.Minute
	// retryInterval is how soon a look that failed is taken again.
	retryInterval = time.Second
	// writeTimeout bounds each write. A write that is lost is made up for by the
	// next look.
	writeTimeout = 30 * time.Second
)

// Catalog is what the actor reads of the replicated state, at one moment.
type Catalog interface {
	// NodeEntry returns the node of that name, its serfHealth check and its service
	// "consul"; each is nil when it is not there.
	NodeEntry(name string) (*wire.Node, *wire.HealthCheck, *wire.NodeService)
	// MonitoredNodes returns the names of all nodes that have a serfHealth check.
	MonitoredNodes() []string
	// NewestTombstone returns the index of the last key deletion that is remembered, 0
	// if none is.
	NewestTombstone() uint64
}

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger     *zap.Logger                              // required
	NodeName   string                                   // required: of this server
	Datacenter string                                   // required
	Raft       ask.Address                              // required
	Status     *messages.Published[messages.RaftStatus] // required
	LAN        *messages.Published[messages.PoolView]   // required
	WAN        *messages.Published[messages.PoolView]   // nil where there is no WAN pool
	Catalog    func() Catalog                           // required: the newest state

	// ReconnectTimeout is for how long a node that the pool does not know stays in the
	// catalog, critical. Required.
	ReconnectTimeout time.Duration

	// Register and Deregister write to the catalog. They are called on goroutines
	// and may wait.
	Register   func(context.Context, *wire.RegisterRequest) error   // required
	Deregister func(context.Context, *wire.DeregisterRequest) error // required

	// Initialize writes what a new datacenter needs and an old one has. It is
	// called, likewise on a goroutine, whenever leadership is gained. Optional.
	Initialize func(context.Context) error

	// Report tells the metrics how much of everything there is. It is called, likewise
	// on a goroutine, every nine seconds on every server. Optional.
	Report func()
}

// New returns the producer of a leader actor.
func New(cfg Config) actor.Producer {
	return func() actor.Actor {
		return &leaderActor{
			cfg:     cfg,
			log:     cfg.Logger.Named("consul"),
			self:    self{name: cfg.NodeName, datacenter: cfg.Datacenter},
			servers: map[string]messages.Server{},
			told:    map[string]string{},
		}
	}
}

// leaderActor is the shell around the rules in state.go. All fields belong to the
// mailbox.
type leaderActor struct {
	cfg  Config
	log  *zap.Logger
	self self

	reign   *reign                     // nil while this server does not lead
	servers map[string]messages.Server // that are up, by name and datacenter
	told    map[string]string          // members whose names are taken, and by whom
	again   bool                       // something came in while the writer was busy
	timer   *time.Timer
	reports *time.Timer // nil before the first
}

// reign is the time between gaining and losing leadership.
type reign struct {
	term        uint64
	ctx         context.Context
	end         context.CancelFunc
	established bool // the barrier is passed
	outdated    bool // a snapshot was restored meanwhile
	busy        bool // a goroutine is writing

	absent  *absence
	graves  graveyard
	sweeper *time.Timer // nil before the first sweep
}

// What the actor tells itself.
type (
	established struct {
		term uint64
		err  error
	}
	written struct {
		term uint64
		err  error
	}
	look struct{}
)

// Receive implements actor.Actor.
func (a *leaderActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.started(ctx)
	case *messages.LeadershipChanged:
		a.leadershipChanged(ctx, msg)
	case *messages.NewLeader:
		a.newLeader(msg)
	case *messages.StateRestored:
		a.stateRestored(ctx)
	case *messages.MembersChanged:
		a.membersChanged(ctx, msg)
	case *established:
		a.established(ctx, msg)
	case *written:
		a.written(ctx, msg)
	case *look:
		a.reconcile(ctx)
	case *sweep:
		a.sweep(ctx, msg.reign)
	case *reaped:
		a.reaped(ctx, msg)
	case *report:
		a.report(ctx)
	case *reported:
		a.armReport(ctx)
	case *actor.Stopping, *actor.Restarting:
		a.becomeFollower()
		a.disarmReport()
	case *actor.Stopped, *actor.DeadLetterResponse:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// started picks up where an instance before it fell: raft tells of leadership
// once.
func (a *leaderActor) started(ctx actor.Context) {
	for _, pool := range []*messages.Published[messages.PoolView]{a.cfg.WAN, a.cfg.LAN} {
		if pool != nil && pool.Load() != nil {
			a.tellServers(pool.Load().Members)
		}
	}
	ctx.Request(ctx.Parent(), &messages.Ready{})
	a.report(ctx)
	if s := a.cfg.Status.Load(); s.Leads() {
		a.acquire(ctx, s.Term)
	}
}

func (a *leaderActor) leadershipChanged(ctx actor.Context, msg *messages.LeadershipChanged) {
	switch {
	case msg.Leading && a.reigns(msg.Term):
		// It was so when this instance started, and it has acted upon it.
	case msg.Leading:
		a.acquire(ctx, msg.Term)
	default:
		a.becomeFollower()
		a.log.Info("cluster leadership lost")
	}
}

// acquire takes up leadership, and says so in the page's order.
func (a *leaderActor) acquire(ctx actor.Context, term uint64) {
	a.becomeFollower()
	a.log.Info("cluster leadership acquired")
	a.log.Info("New leader elected: " + a.cfg.NodeName)
	a.becomeLeader(ctx, term)
}

func (a *leaderActor) newLeader(msg *messages.NewLeader) {
	if msg.ID == "" {
		return
	}
	// This server tells of itself when it takes up leadership.
	if name := a.nameOf(msg); name != a.cfg.NodeName {
		a.log.Info("New leader elected: " + name)
	}
}

// nameOf returns the node name of a leader, which raft knows by its ID only.
func (a *leaderActor) nameOf(msg *messages.NewLeader) string {
	if pool := a.cfg.LAN.Load(); pool != nil {
		for _, m := range pool.Members {
			if m.Tags["id"] == msg.ID {
				return m.Name
			}
		}
	}
	return msg.Address
}

func (a *leaderActor) becomeLeader(ctx actor.Context, term uint64) {
	r := &reign{term: term, absent: newAbsence(a.cfg.ReconnectTimeout)}
	r.ctx, r.end = context.WithCancel(context.Background())
	a.reign = r
	a.establish(ctx)
}

// establish has a goroutine see to what comes before all other work.
func (a *leaderActor) establish(ctx actor.Context) {
	r, root, self, cfg := a.reign, ctx.ActorSystem().Root, ctx.Self(), a.cfg
	r.established, r.outdated = false, false
	go func() {
		root.Send(self, &established{r.term, establish(r.ctx, cfg, r.term)})
	}()
}

// stateRestored begins again with the state of a snapshot, which may lack anything.
func (a *leaderActor) stateRestored(ctx actor.Context) {
	switch {
	case a.reign == nil:
	case a.reign.established:
		a.log.Info("a snapshot was restored, bringing the catalog in line with the members")
		a.establish(ctx)
	default: // once more, when it is through
		a.reign.outdated = true
	}
}

func (a *leaderActor) becomeFollower() {
	if a.reign != nil {
		a.reign.end()
		if a.reign.sweeper != nil {
			a.reign.sweeper.Stop()
		}
		a.reign = nil
	}
	a.again = false
	if a.timer != nil {
		a.timer.Stop()
	}
}

func (a *leaderActor) established(ctx actor.Context, msg *established) {
	if !a.reigns(msg.term) {
		return
	}
	if msg.err != nil {
		a.log.Warn("could not take up leadership; trying again", zap.Error(msg.err))
		a.becomeFollower()
		if s := a.cfg.Status.Load(); s.Leads() {
			a.becomeLeader(ctx, s.Term)
		}
		return
	}
	if a.reign.outdated {
		a.establish(ctx)
		return
	}
	a.reign.established = true
	a.reconcile(ctx)
	if a.reign.sweeper == nil {
		a.sweep(ctx, a.reign)
	}
}

func (a *leaderActor) membersChanged(ctx actor.Context, msg *messages.MembersChanged) {
	a.tellServers(msg.Members)
	if msg.Pool == messages.LAN {
		if msg.Change == messages.Reaped && a.reign != nil {
			a.reign.absent.reap(msg.Members)
		}
		a.reconcile(ctx)
	}
}

// tellServers logs which servers come and go.
func (a *leaderActor) tellServers(members []messages.Member) {
	for _, s := range comings(a.servers, members) {
		verb := "removing"
		if s.Status == messages.MemberAlive {
			verb = "adding"
		}
		a.log.Info(verb + " server for datacenter: " + s.Datacenter + ", addr: " + s.Addr.String())
	}
}

// reconcile works out what is not as it should be and has a goroutine write it. It
// looks at everybody each time: comparing is cheap, and no piece of news can get
// lost. While a goroutine writes, it remembers to look again.
func (a *leaderActor) reconcile(ctx actor.Context) {
	if a.reign == nil || !a.reign.established {
		return
	}
	if a.reign.busy {
		a.again = true
		return
	}
	a.again = false
	defer metrics.MeasureSince([]string{"leader", "reconcile"}, time.Now())
	changes := a.changes()
	if len(changes) == 0 {
		a.arm(ctx, lookInterval)
		return
	}
	a.reign.busy = true
	r, root, self := a.reign, ctx.ActorSystem().Root, ctx.Self()
	w := writer{log: a.log, register: a.cfg.Register, deregister: a.cfg.Deregister}
	go func() { root.Send(self, &written{r.term, w.write(r.ctx, changes)}) }()
}

// changes compares the pool with the catalog.
func (a *leaderActor) changes() []*change {
	pool := a.cfg.LAN.Load()
	if pool == nil {
		return nil
	}
	catalog := a.cfg.Catalog()
	stored := func(node string) (e entry) {
		e.node, e.serf, e.consul = catalog.NodeEntry(node)
		return e
	}
	var all []*change
	alive := living(pool.Members)
	for _, m := range pool.Members {
		if m.Tags["dc"] != a.cfg.Datacenter {
			continue
		}
		known := stored(m.Name)
		if other, ok := namesake(m, known, alive); ok {
			a.tellNamesakes(m, other)
			continue
		}
		if c := a.self.impostor(m, known); c != nil {
			all, known = append(all, c), entry{}
		}
		if c := a.self.judge(m, known); c != nil {
			all = append(all, c)
		}
	}
	return append(all, a.self.strays(pool.Members, catalog.MonitoredNodes(), stored, a.reign.absent, time.Now())...)
}

// tellNamesakes says once that a member has to have another name.
func (a *leaderActor) tellNamesakes(m messages.Member, other string) {
	if a.told[m.Name] == other {
		return
	}
	a.told[m.Name] = other
	a.log.Error(fmt.Sprintf("member '%s' (%s) is not in the catalog, which does not tell its name from that of member '%s'; give it another one",
		m.Name, m.Tags["id"], other))
}

func (a *leaderActor) written(ctx actor.Context, msg *written) {
	if !a.reigns(msg.term) {
		return
	}
	a.reign.busy = false
	switch {
	case msg.err != nil && !errors.Is(msg.err, context.Canceled):
		a.log.Error("could not bring the catalog in line with the members; trying again", zap.Error(msg.err))
		a.arm(ctx, retryInterval)
	case a.again:
		a.reconcile(ctx)
	default:
		a.arm(ctx, lookInterval)
	}
}

func (a *leaderActor) reigns(term uint64) bool { return a.reign != nil && a.reign.term == term }

// arm sets the timer for the next look at everybody.
func (a *leaderActor) arm(ctx actor.Context, d time.Duration) {
	if a.timer != nil {
		a.timer.Stop()
	}
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.timer = time.AfterFunc(d, func() { root.Send(self, &look{}) })
}
