package raft

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/limits"
	"github.com/actor-consul/consul/messages"
)

// New returns the producer of a raft actor. It is ready when the log is read and
// raft runs on it; who leads is known later.
func New(cfg Config) actor.Producer {
	cfg = cfg.withDefaults()
	return func() actor.Actor {
		log := cfg.Logger.Named(Name)
		return &raftActor{cfg: cfg, log: log, limits: limits.New(log), expect: cfg.BootstrapExpect}
	}
}

// raftActor is the shell around a node. All fields belong to the mailbox.
type raftActor struct {
	cfg  Config
	log  *zap.Logger
	tell func(any) // to itself, from any goroutine

	limits *limits.Refusals

	opening chan *opened // what comes of opening the log; nil when it has come
	node    *node        // nil until then
	early   []any        // what the node's goroutines told before it came

	standing standing // as it was published last
	ready    bool     // the leader actor has caught up, in this term
	confirms confirms
	reign    context.Context // ends when this server leads no more in this term
	endReign context.CancelFunc
	failing  error // why the log cannot be written

	expect  int // servers to begin with; 0 when there is nothing to wait for
	asking  bool
	problem string // the last that was said about the pool

	handovers []*handover
	archives  archives

	recovering *messages.RecoverPeers // what an operator has asked for and waits for
	recovered  *recovery              // the node is opened anew for it

	nextProbe, nextAsk *time.Timer
}

var _ actor.Actor = (*raftActor)(nil)

// What the actor tells itself, from the goroutines of bridge.go and its timers.
type (
	openedNow struct{}
	opened    struct {
		node *node
		err  error
	}
	stood struct{ now standing }
	heard struct {
		id    string
		term  uint64
		leads bool // it regards us as the leader of the term
	}
	logTrouble    struct{ err error } // nil: it is over
	probe         struct{}
	probed        struct{ err error }
	machineFailed struct{ err error }
)

// Receive implements actor.Actor.
func (a *raftActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.started(ctx)
	case *openedNow:
		a.opened(ctx)
	case *actor.Stopping, *actor.Restarting:
		a.release()
	case *actor.Stopped:
	default:
		a.handle(ctx, msg)
	}
}

// handle has one line for each message. Nothing but a connection comes before the
// actor has said that it is ready, except from those who have its address already.
func (a *raftActor) handle(ctx actor.Context, msg any) {
	if a.node == nil {
		a.turnAway(msg)
		return
	}
	switch msg := msg.(type) {
	case *messages.ApplyEntry:
		a.apply(msg)
	case *messages.Barrier:
		a.barrier(msg)
	case *messages.ConfirmLeader:
		a.confirm(msg)
	case *messages.LeaderReady:
		a.leaderReady(msg)
	case *messages.RaftConnAccepted:
		a.node.stream.hand(msg.Conn)
	case *messages.GetRaftConfiguration:
		msg.Answer(messages.RaftConfiguration{Index: a.node.journal.config.Load(), Servers: a.node.peers()})
	case *messages.PutPeer:
		a.node.putPeer(msg)
	case *messages.RemovePeer:
		a.node.removePeer(msg)
	case *messages.TransferLeadership:
		a.transfer(msg)
	case *messages.TakeSnapshot:
		a.node.takeSnapshot(msg)
	case *messages.SaveSnapshot:
		a.saveSnapshot(msg)
	case *messages.RestoreSnapshot:
		a.restoreSnapshot(msg)
	case *messages.MembersChanged:
		a.maybeBootstrap()
	case *messages.RecoverPeers:
		a.recoverPeers(msg)
	case *messages.HandOver:
		a.handOver(ctx, msg)
	case *messages.LeavePeers:
		a.leavePeers(ctx, msg)
	default:
		a.handleOwn(ctx, msg)
	}
}

// handleOwn has one line for each message that the actor tells itself.
func (a *raftActor) handleOwn(ctx actor.Context, msg any) {
	switch msg := msg.(type) {
	case *stood:
		a.stood(msg.now)
	case *heard:
		a.heard(msg)
	case *transferred:
		a.transferred(msg)
	case *handoverAgain:
		a.handoverAgain(msg.h)
	case *handoverDue:
		a.handoverDue(msg.h)
	case *bootstrapDue:
		a.maybeBootstrap()
	case *peersAsked:
		a.peersAsked(msg)
	case *archived:
		a.archived()
	case *spooled:
		a.spooled(msg)
	case *unarchived:
		a.archives.restoring = false
	case *replaced:
		a.replaced()
	case *surveyed:
		a.surveyed(msg)
	case *preserved:
		a.preserved(msg)
	case *logTrouble:
		a.logTrouble(msg.err)
	case *probe:
		a.node.probe()
	case *probed:
		a.probed(msg.err)
	case *machineFailed:
		a.machineFailed(ctx, msg.err)
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

func (a *raftActor) started(ctx actor.Context) {
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.tell = func(msg any) { root.Send(self, msg) }
	result := make(chan *opened, 1)
	a.opening = result
	cfg, tell := a.cfg, a.tell
	go func() {
		n, err := open(cfg, tell)
		result <- &opened{n, err}
		tell(&openedNow{})
	}()
}

// opened takes over what the goroutine has opened, unless release has.
func (a *raftActor) opened(ctx actor.Context) {
	var msg *opened
	select {
	case msg = <-a.opening: // a nil channel is never ready
		a.opening = nil
	default:
		return
	}
	if a.recovered != nil {
		a.reopened(ctx, msg)
		return
	}
	if msg.err != nil {
		ctx.Request(ctx.Parent(), &messages.StartFailed{Err: msg.err})
		return
	}
	a.node = msg.node
	if a.expect > 0 && a.node.hadState {
		a.log.Info("there is a raft log, so bootstrap_expect counts no more")
		a.expect = 0
	}
	a.publish()
	ctx.Request(ctx.Parent(), &messages.Ready{})
	a.maybeBootstrap()
	a.takeEarly(ctx)
}

// takeEarly hears what the node has told before the actor knew it: it may lead by
// now.
func (a *raftActor) takeEarly(ctx actor.Context) {
	early := a.early
	a.early = nil
	for _, msg := range early {
		a.handleOwn(ctx, msg)
	}
}

// release ends the node. It waits, but not for long.
func (a *raftActor) release() {
	a.quiesce()
	a.endReign()
	if a.recovering != nil {
		a.recovering.Refuse(messages.ErrLeaving)
		a.recovering = nil
	}
	if a.opening != nil {
		select {
		case o := <-a.opening:
			a.node = o.node
		case <-time.After(endBudget):
			a.log.Warn("the log is still being read, it is left open")
		}
		a.opening = nil
	}
	if a.node != nil {
		a.node.stop()
		a.standing = standing{state: messages.Shutdown, term: a.standing.term}
		a.ready = false
		a.publish()
		a.node = nil
	}
}

// quiesce refuses all that waits for the node.
func (a *raftActor) quiesce() {
	stop(a.nextProbe, a.nextAsk)
	for _, h := range slices.Clone(a.handovers) {
		a.conclude(h, "", messages.ErrLeaving)
	}
	a.refuseArchives()
	a.confirms.refuse(messages.ErrLeaving)
	a.becomeUnready()
}

// turnAway answers what comes while the log is being opened, and keeps what the
// node itself tells: it runs a moment before the actor knows it.
func (a *raftActor) turnAway(msg any) {
	switch msg := msg.(type) {
	case messages.Refuser:
		msg.Refuse(messages.ErrUnavailable) // a peer whose connection is closed so tries again
	case *messages.MembersChanged:
	case *nodeEnded:
		a.early = nil // of the node before
	case *stood, *heard, *logTrouble, *probed, *machineFailed:
		a.early = append(a.early, msg)
	default:
		a.log.Debug("not started yet", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// after sends the actor a message when some time has passed.
func (a *raftActor) after(d time.Duration, msg any) *time.Timer {
	return time.AfterFunc(d, func() { a.tell(msg) })
}

func stop(timers ...*time.Timer) {
	for _, t := range timers {
		if t != nil {
			t.Stop()
		}
	}
}

func (a *raftActor) publish() {
	a.cfg.Status.Publish(a.node.status(a.standing, a.ready))
}

// stood takes over a new standing: first it is published, then it is told.
func (a *raftActor) stood(now standing) {
	before := a.standing
	a.standing = now
	if !before.leads() || !now.leads() || now.term != before.term {
		a.becomeUnready()
	}
	a.publish()
	for _, news := range before.news(now) {
		a.cfg.Leader.Tell(news)
		for _, w := range a.cfg.Watchers {
			w.Tell(news)
		}
		if _, ok := news.(*messages.NewLeader); ok {
			a.cfg.Local.Tell(news)
		}
	}
	a.settleHandovers()
}

// becomeUnready ends what belongs to one reign.
func (a *raftActor) becomeUnready() {
	a.ready = false
	a.confirms.refuse(messages.ErrNotLeader)
	if a.endReign != nil {
		a.endReign()
	}
	a.reign, a.endReign = context.WithCancel(context.Background())
}

// machineFailed ends the agent: the state machine has left out an entry.
func (a *raftActor) machineFailed(ctx actor.Context, err error) {
	var c *crash
	if errors.As(err, &c) {
		a.log.Error("the state machine has failed, the agent ends", zap.Error(err), zap.ByteString("stack", c.stack))
	}
	ctx.Request(ctx.Parent(), &messages.StartFailed{Err: fmt.Errorf("raft: %w", err)})
}
