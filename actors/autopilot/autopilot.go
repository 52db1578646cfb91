// Package autopilot keeps the peer set of a datacenter: who is in it, who votes, and
// where each server is.
//
//	raft   ──LeadershipChanged────────▶ autopilot ──GetRaftConfiguration, PutPeer, RemovePeer──▶ raft
//	gossip ──MembersChanged───────────▶           ──Stats────────────▶ the other servers
//	                                              ──AutopilotState───▶ http, serverrpc (published)
//
// It runs on every server and works while its server leads. Each time something
// happens, and every two seconds, it compares the peer set with the LAN pool and with
// what the servers say of their logs, makes the most urgent change that is due, and
// compares again: one change at a time, and no piece of news can get lost. The rules
// are in state.go and its neighbours:
//
//   - who joins is taken in without a vote, and gets one when it has been healthy for
//     server_stabilization_time; at once, when it had one before or when the
//     datacenter is still forming;
//   - who has left is removed at once; who has failed is removed when a replacement
//     has joined (cleanup_dead_servers), so that a restart costs nobody a vote;
//   - a live voter is never removed and never loses its vote;
//   - a server is its node ID: its address follows it. Where two claim one ID or one
//     address, the peer set stays, and the log names both;
//   - a server that has a peer set of its own, in which there is nobody of ours, is
//     not taken in: its log is another.
//
// It does not use hashicorp/raft-autopilot, whose states and words it shares: that
// removes a failed voter while a majority remains, without waiting for a replacement,
// and makes whoever comes back wait for the stabilization time. A rolling restart
// loses the quorum that way (consul#8118). It also owns goroutines and locks, where
// here there is a mailbox.
//
// While it follows it only looks, so that a new leader knows who was a voter. Nothing
// survives a restart of the actor: the state is made anew within a second, servers
// are as healthy as they are found, for how long starts from zero, and who was a
// voter is who is one now.
//
// It does not remove what operators want removed (operator raft remove-peer asks raft
// itself), does not demote anybody, and knows neither redundancy zones nor upgrade
// migrations.
package autopilot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// New returns the producer of an autopilot actor.
func New(cfg Config) actor.Producer {
	return func() actor.Actor {
		return &autopilotActor{cfg: cfg, log: cfg.Logger.Named(Name), memory: newMemory(), told: map[string]bool{}}
	}
}

// autopilotActor is the shell around the rules in state.go. All fields belong to the
// mailbox.
type autopilotActor struct {
	cfg Config
	log *zap.Logger

	ctx context.Context // ends with the actor
	end context.CancelFunc

	memory *memory
	roster roster                // as it was at the last look
	peers  []messages.RaftServer // as they were then
	reign  *reign                // nil while this server does not lead
	told   map[string]bool       // the problems that were told

	busy   bool // a goroutine reads the peer set or changes it
	again  bool // something came in meanwhile
	wakeAt time.Time
	timer  *time.Timer
}

// reign is the time between gaining and losing leadership.
type reign struct {
	term     uint64
	reading  reading
	polling  bool // a goroutine asks the servers
	polled   bool // it has been done
	health   map[string]health
	failures map[string]int // by server: how many changes failed in a row
}

// What the actor tells itself.
type (
	wake   struct{}
	looked struct {
		peers []messages.RaftServer
		err   error
	}
	polled struct {
		reign   *reign
		reading reading
	}
	changed struct {
		reign  *reign
		change change
		err    error
	}
)

// Receive implements actor.Actor.
func (a *autopilotActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.started(ctx)
	case *messages.LeadershipChanged:
		a.look(ctx)
	case *messages.NewLeader:
	case *messages.MembersChanged:
		a.membersChanged(ctx, msg)
	case *wake:
		a.wake(ctx)
	case *looked:
		a.looked(ctx, msg)
	case *polled:
		a.polled(ctx, msg)
	case *changed:
		a.changed(ctx, msg)
	case *actor.Stopping, *actor.Restarting:
		a.release()
	case *actor.Stopped, *actor.DeadLetterResponse:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

func (a *autopilotActor) started(ctx actor.Context) {
	a.ctx, a.end = context.WithCancel(context.Background())
	ctx.Request(ctx.Parent(), &messages.Ready{})
	a.look(ctx)
}

func (a *autopilotActor) release() {
	a.becomeFollower()
	if a.timer != nil {
		a.timer.Stop()
	}
	if a.end != nil {
		a.end()
	}
}

// membersChanged looks at the servers when it is one of them that has changed; of
// other agents there are many.
func (a *autopilotActor) membersChanged(ctx actor.Context, msg *messages.MembersChanged) {
	isServer := func(m messages.Member) bool { _, ok := m.Server(); return ok }
	if msg.Pool == messages.LAN && slices.ContainsFunc(msg.Members, isServer) {
		a.look(ctx)
	}
}

// wake is what happens when nothing else has for a while: a leader asks the servers
// first.
func (a *autopilotActor) wake(ctx actor.Context) {
	a.wakeAt = time.Time{}
	if a.followRaft(); a.reign != nil {
		a.poll(ctx)
		return
	}
	a.look(ctx)
}

// followRaft takes up or lays down leadership as the raft status has it. Each look
// does, so a message that got lost while the actor restarted does no harm.
func (a *autopilotActor) followRaft() {
	s := a.cfg.Status.Load()
	switch {
	case !s.Leads():
		a.becomeFollower()
	case a.reign == nil || a.reign.term != s.Term:
		a.becomeFollower()
		a.reign = &reign{term: s.Term, failures: map[string]int{}}
	}
}

func (a *autopilotActor) becomeFollower() {
	if a.reign != nil {
		a.reign = nil
		a.cfg.State.Publish(nil)
	}
}

// look reads the peer set and has everything compared. While a goroutine is at work
// it remembers to look again.
func (a *autopilotActor) look(ctx actor.Context) {
	if a.busy {
		a.again = true
		return
	}
	a.busy, a.again = true, false
	root, self, life, raft := ctx.ActorSystem().Root, ctx.Self(), a.ctx, a.cfg.Raft
	go func() {
		peers, err := fetch(life, raft)
		report(life, root, self, &looked{peers, err})
	}()
}

func (a *autopilotActor) looked(ctx actor.Context, msg *looked) {
	a.busy = false
	pool := a.cfg.LAN.Load()
	if msg.err != nil || pool == nil {
		a.wakeWithin(ctx, retryInterval)
		return
	}
	a.followRaft()
	now := time.Now()
	s := &situation{
		self: a.cfg.NodeID, expect: a.cfg.Expect, conf: a.settings(), peers: msg.peers,
		roster: readRoster(pool.Members, a.cfg.Datacenter, msg.peers), memory: a.memory, now: now,
	}
	a.roster, a.peers = s.roster, s.peers
	dismissed := a.memory.observe(s.peers, s.roster, now)
	switch {
	case a.reign == nil || !s.roster.byID[a.cfg.NodeID].alive():
		a.wakeWithin(ctx, lookInterval)
	case !a.reign.polled:
		a.poll(ctx)
	default:
		for _, id := range dismissed {
			a.log.Info(fmt.Sprintf("%s was taken out of the peer set; unless it leaves, it is taken in again in %v", s.roster.byID[id].describe(), dismissal))
		}
		a.judge(ctx, s)
	}
	if a.again {
		a.look(ctx)
	}
}

// settings returns what is in force. A last_contact_threshold of nothing, which a
// client writes that leaves it out, would have no server ever be healthy: it stands
// for the default.
func (a *autopilotActor) settings() wire.AutopilotConfig {
	c := a.cfg.Settings()
	if c == nil {
		return defaults
	}
	conf := *c
	conf.LastContactThreshold = cmp.Or(conf.LastContactThreshold, defaults.LastContactThreshold)
	return conf
}

// judge works out how the servers are and what is to be done, publishes the one and
// begins the other. A leader that has not caught up does nothing yet: what the
// settings are is not known for sure.
func (a *autopilotActor) judge(ctx actor.Context, s *situation) {
	s.health = assess(a.reign.health, s.peers, s.roster, a.reign.reading, s.conf, s.now)
	for _, news := range s.turns(a.reign.health) {
		a.log.Info(news)
	}
	a.reign.health = s.health
	s.own = a.reign.reading.own
	a.publish(s.report(a.cfg.NodeMeta))
	a.tell(append(s.roster.problems, s.strangers()...))
	if s.unasked() {
		a.poll(ctx)
	}

	if !a.cfg.Status.Load().Ready {
		a.wakeWithin(ctx, eagerInterval)
		return
	}
	due := s.changes()
	if len(due) == 0 {
		a.wakeWithin(ctx, s.wait())
		return
	}
	// One that fails again and again does not hold up the others.
	slices.SortStableFunc(due, func(x, y change) int { return a.reign.failures[x.peer.ID] - a.reign.failures[y.peer.ID] })
	a.carryOut(ctx, due[0])
}

func (a *autopilotActor) publish(state *wire.AutopilotState) {
	a.cfg.State.Publish(state)
	healthy := float32(0)
	if state.Healthy {
		healthy = 1
	}
	metrics.SetGauge([]string{"autopilot", "healthy"}, healthy)
	metrics.SetGauge([]string{"autopilot", "failure_tolerance"}, float32(state.FailureTolerance))
}

// tell logs each problem once, and again when it comes back.
func (a *autopilotActor) tell(problems []string) {
	now := make(map[string]bool, len(problems))
	for _, p := range problems {
		if now[p] = true; !a.told[p] {
			a.log.Error(p)
		}
	}
	a.told = now
}

func (a *autopilotActor) carryOut(ctx actor.Context, c change) {
	a.busy = true
	a.log.Info(c.news)
	root, self, life, raft, r := ctx.ActorSystem().Root, ctx.Self(), a.ctx, a.cfg.Raft, a.reign
	go func() { report(life, root, self, &changed{r, c, apply(life, raft, c)}) }()
}

// changed hears what came of a change. Everything is looked at again: the next one
// is worked out from how things are then.
func (a *autopilotActor) changed(ctx actor.Context, msg *changed) {
	a.busy = false
	c := msg.change
	if msg.err != nil {
		msg.reign.failures[c.peer.ID]++
		if !errors.Is(msg.err, messages.ErrNotLeader) {
			a.log.Error("could not change the peer set; trying again", zap.String("change", c.news), zap.Error(msg.err))
		}
		a.wakeWithin(ctx, retryInterval)
		return
	}
	delete(msg.reign.failures, c.peer.ID)
	a.memory.made(c)
	a.look(ctx)
}

// poll asks the servers how they are.
func (a *autopilotActor) poll(ctx actor.Context) {
	if a.reign.polling {
		return
	}
	a.reign.polling = true
	var servers []messages.Server
	for _, r := range a.roster.byID {
		if r.alive() && r.ID != a.cfg.NodeID {
			servers = append(servers, r.Server)
		}
	}
	root, self, life, cfg, r := ctx.ActorSystem().Root, ctx.Self(), a.ctx, a.cfg, a.reign
	peers := a.peers
	go func() { report(life, root, self, &polled{r, poll(life, cfg, servers, peers)}) }()
}

func (a *autopilotActor) polled(ctx actor.Context, msg *polled) {
	msg.reign.polling, msg.reign.polled = false, true
	msg.reign.reading = msg.reading
	a.look(ctx)
}

// wakeWithin makes sure that the actor wakes before so much time has passed.
func (a *autopilotActor) wakeWithin(ctx actor.Context, d time.Duration) {
	at := time.Now().Add(d)
	if !a.wakeAt.IsZero() && !at.Before(a.wakeAt) {
		return
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	a.wakeAt = at
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.timer = time.AfterFunc(d, func() { root.Send(self, &wake{}) })
}
