// Package gossip keeps this agent in a pool of agents that know each other: the LAN
// pool of its datacenter and, on servers, the WAN pool of all datacenters. It is
// spawned once for each pool.
//
//	http, rpc ──JoinPool, ForceLeave, ChangeKeyring──▶ gossip ◀──Serf──▶ other agents
//	leave ──LeavePool──▶ gossip ──StepDone──▶ leave
//	connections to servers ──ConnectionLost──▶ gossip
//	gossip ──MembersChanged──▶ raft, leader, serverrpc
//	gossip ──UserEventReceived──▶ event
//
// The actor owns Serf and, below it, memberlist with its transport, keyring and
// delegates. The members are published as a PoolView before anybody is told of a
// change, so whoever hears of one finds it there; and what subscribers have been
// told is what the view says, even where Serf had to drop an event.
//
// A restart keeps the identity: name, port, tags, keys, and the peers, which are
// joined again. The others see at most a short failure. The same holds for a new
// process, from the files in serf/ below the data directory; without one, the peers
// have to be joined again. An agent that comes back at another address with its node ID
// is found there at once, though memberlist goes by names.
//
// It does not put members into the catalog (leader does), nor does it decide what a
// member's failure means.
package gossip

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/coordinate"
	"github.com/hashicorp/serf/serf"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

const (
	// refreshInterval is how often the view is published without an event, for its
	// figures, and compared with what subscribers have been told.
	refreshInterval = 10 * time.Second

	// rejoinInterval is how often to look for peers from before a restart, when those
	// that were tried at first are not there. Serf's own for failed members.
	rejoinInterval = 30 * time.Second

	// bindInterval and bindTries are how a restarted instance waits for its port.
	bindInterval = 250 * time.Millisecond
	bindTries    = 20
)

// A chore is what a timer is for.
type chore int

const (
	reopen chore = iota
	publish
	retryJoin
	rejoin
	forget
	doubt
)

// seat is what one instance of the actor leaves to the next. It belongs to the
// mailbox, as the instances do.
type seat struct {
	starts  int
	served  bool            // an instance has been ready
	gone    <-chan struct{} // closed when the instance before has let go
	tags    map[string]string
	keys    *memberlist.Keyring
	port    uint16
	leaving bool // the pool has been left, or is being: no instance comes back to it
	told    roster
}

// New returns the producer of a gossip actor.
func New(cfg Config) actor.Producer {
	cfg = cfg.withDefaults()
	s := &seat{tags: cfg.Tags, told: roster{}}
	return func() actor.Actor {
		return &gossipActor{
			cfg:       cfg,
			log:       cfg.Logger.Named("agent"),
			seat:      s,
			timers:    map[chore]*time.Timer{},
			retry:     newRetryPlan(cfg.RetryInterval, cfg.RetryMax),
			back:      newRetryPlan(rejoinInterval, 0),
			doubts:    doubts{},
			forced:    forced{},
			inquiries: inquiries{},
			looks:     inquiries{},
		}
	}
}

// gossipActor is the shell around Serf: it turns messages into calls on the bridge
// and their outcomes into answers. Every field belongs to the mailbox.
type gossipActor struct {
	cfg  Config
	log  *zap.Logger
	seat *seat

	bridge    *bridge  // nil when there is nothing to release
	lib       *library // nil while the pool is not open
	bindTries int
	timers    map[chore]*time.Timer
	retry     retryPlan // of -retry-join
	carried   carried   // after a restart
	back      retryPlan // of joining those again
	tagging   bool      // the pool is being told of our tags
	retag     bool      // and has to be told again
	doubts    doubts
	doubting  bool // a timer runs for them
	forced    forced
	inquiries inquiries // about claims that a member has moved
	looks     inquiries // after members to which a connection was lost
	goodbyes  []goodbye
	left      bool
	farewell  saidGoodbye // when left
}

// goodbye is a LeavePool that waits for its end.
type goodbye struct {
	to   *actor.PID
	step messages.StepID
}

var _ actor.Actor = (*gossipActor)(nil)

// Receive implements actor.Actor. It knows the actor's life; what is asked of it is
// in handle, what the library says in heard.
func (a *gossipActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.start(ctx)
	case *actor.Restarting:
		a.release()
	case *actor.Stopping:
		if b := a.bridge; b != nil {
			a.release()
			b.awaitGone()
		}
	case *actor.Stopped:
	case settlement:
		a.refresh(ctx, nil)
		msg.settle()
	case interface{ source() *bridge }:
		if msg.source() == a.bridge && a.bridge != nil {
			a.heard(ctx, msg)
		} else if r, ok := msg.(messages.Refuser); ok {
			r.Refuse(messages.ErrCrashed)
		}
	default:
		a.handle(ctx, msg)
	}
}

// handle has one case for each message that others send.
func (a *gossipActor) handle(ctx actor.Context, msg any) {
	switch msg := msg.(type) {
	case *messages.JoinPool:
		a.join(msg)
	case *messages.ForceLeave:
		a.forceLeave(ctx, msg)
	case *messages.ChangeKeyring:
		a.changeKeyring(msg)
	case *messages.FireUserEvent:
		a.fireUserEvent(msg)
	case *messages.SetTags:
		a.setTags(msg)
	case *messages.ConnectionLost:
		a.connectionLost(msg)
	case *messages.LeavePool:
		a.leave(ctx, msg)
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// heard has one case for each message of the bridge.
func (a *gossipActor) heard(ctx actor.Context, msg any) {
	switch msg := msg.(type) {
	case *opened:
		a.opened(ctx, msg.lib)
	case *openFailed:
		a.openFailed(ctx, msg.err)
	case *news:
		a.refresh(ctx, msg.items)
		a.bridge.took()
	case *joined:
		a.joined(ctx, msg)
	case *tagged:
		a.tagged(ctx, msg.err)
	case *questioned:
		a.questioned(ctx, msg)
	case *heardClaim:
		a.inquire(msg.claim)
		a.bridge.took()
	case *inquired:
		a.inquired(msg)
	case *looked:
		a.looked(msg)
	case *saidGoodbye:
		a.saidGoodbye(ctx, msg)
	case *due:
		a.due(ctx, msg.what)
	case *collapsed:
		panic("serf has shut itself down")
	}
}

func (a *gossipActor) start(ctx actor.Context) {
	a.seat.starts++
	if a.seat.leaving { // it failed on its way out; there is nothing to come back for
		a.ready(ctx)
		return
	}
	if err := a.cfg.check(); err != nil {
		a.tellParent(ctx, &messages.StartFailed{Err: err})
		return
	}
	a.open(ctx)
}

func (a *gossipActor) open(ctx actor.Context) {
	a.bridge = newBridge(ctx)
	p := plan{cfg: a.cfg, tags: a.seat.tags, keys: a.seat.keys, port: a.seat.port}
	go a.bridge.run(p, a.seat.gone)
	a.seat.gone = a.bridge.gone
}

// openFailed gives up, unless it is the port that is missing and an instance before
// this one had it: then it is on its way out.
func (a *gossipActor) openFailed(ctx actor.Context, err error) {
	a.bindTries++
	if errors.Is(err, errBusy) && a.seat.starts > 1 && a.bindTries < bindTries {
		a.arm(reopen, bindInterval)
		return
	}
	a.tellParent(ctx, &messages.StartFailed{Err: err})
}

func (a *gossipActor) opened(ctx actor.Context, lib *library) {
	a.lib = lib
	a.seat.keys, a.seat.port = lib.keys, lib.port
	for _, note := range lib.notes {
		a.log.Warn(a.cfg.title() + " " + note)
	}
	if !maps.Equal(lib.self.Tags, a.seat.tags) { // they have changed meanwhile
		a.tellTags()
	}
	restarted := a.seat.served
	if restarted {
		a.carried = carry(a.cfg.View.Load(), a.cfg.NodeName)
		a.arm(forget, a.cfg.ReconnectTimeout)
	}
	a.refresh(ctx, nil)
	a.arm(publish, refreshInterval)
	switch {
	case restarted:
		a.ready(ctx)
		a.rejoin()
	case len(a.cfg.Join) > 0:
		a.contact(startJoin, a.cfg.Join)
	default:
		a.ready(ctx)
	}
}

// ready tells the parent, and begins what may take its time.
func (a *gossipActor) ready(ctx actor.Context) {
	a.seat.served = true
	a.tellParent(ctx, &messages.Ready{})
	if a.lib != nil && len(a.cfg.RetryJoin) > 0 {
		a.contact(repeatedJoin, a.cfg.RetryJoin)
	}
}

// refresh publishes the view, and then tells the subscribers what has happened.
func (a *gossipActor) refresh(ctx actor.Context, items []any) {
	if a.lib == nil {
		return
	}
	members := a.carried.merge(membersOf(a.lib.serf.Members()))
	a.doubt(members)
	members, prune := a.forced.apply(members)
	if len(prune) > 0 {
		a.bridge.prune(a.lib.serf, prune)
	}
	byName(members)
	a.lib.gate.known.Store(newHolders(a.lib.self, members))
	a.cfg.View.Publish(a.view(members))

	for _, item := range items {
		switch item := item.(type) {
		case *messages.MembersChanged:
			if item.Members = a.seat.told.hear(item.Change, item.Members); len(item.Members) > 0 {
				a.tell(ctx, item)
			}
		case *messages.UserEventReceived:
			if to := a.cfg.Events.PID(); to != nil {
				ctx.Send(to, item)
			}
		}
	}
	for _, change := range a.seat.told.missed(members) {
		a.tell(ctx, change)
	}
}

func (a *gossipActor) view(members []messages.Member) *messages.PoolView {
	s := a.lib.serf
	return &messages.PoolView{
		Pool:       a.cfg.Pool,
		Local:      a.cfg.NodeName,
		Members:    members,
		Encrypted:  s.EncryptionEnabled(),
		Stats:      s.Stats(),
		Coordinate: func(name string) *coordinate.Coordinate { return coordinateOf(s, a.cfg.NodeName, name) },
	}
}

func (a *gossipActor) tell(ctx actor.Context, change *messages.MembersChanged) {
	change.Pool = a.cfg.Pool
	for _, s := range a.cfg.Subscribers {
		if to := s.PID(); to != nil {
			ctx.Send(to, change)
		}
	}
}

func (a *gossipActor) due(ctx actor.Context, what chore) {
	switch what {
	case reopen:
		a.open(ctx)
	case publish:
		a.refresh(ctx, nil)
		a.arm(publish, refreshInterval)
	case retryJoin:
		a.contact(repeatedJoin, a.cfg.RetryJoin)
	case rejoin:
		a.rejoin()
	case forget:
		clear(a.carried)
		a.refresh(ctx, nil)
	case doubt:
		a.doubting = false
		a.refresh(ctx, nil)
	}
}

func (a *gossipActor) arm(what chore, after time.Duration) {
	a.timers[what] = a.bridge.after(after, what)
}

// release lets go of the pool without a goodbye. The goroutine of the bridge does
// the work; the next instance waits for it.
func (a *gossipActor) release() {
	for _, t := range a.timers {
		t.Stop()
	}
	if a.bridge != nil {
		close(a.bridge.stop)
		a.bridge, a.lib = nil, nil
	}
}

func (a *gossipActor) tellParent(ctx actor.Context, msg any) {
	if parent := ctx.Parent(); parent != nil {
		ctx.Request(parent, msg) // it tells from whom
	}
}

// coordinateOf returns the newest coordinate that Serf has, for any goroutine.
func coordinateOf(s *serf.Serf, self, name string) *coordinate.Coordinate {
	if name == self {
		if c, err := s.GetCoordinate(); err == nil {
			return c // a copy
		}
		return nil
	}
	if c, ok := s.GetCachedCoordinate(name); ok {
		return c.Clone()
	}
	return nil
}
