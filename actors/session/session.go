// Package session ends the sessions that nobody renews. It keeps their deadlines
// while this server leads; the sessions themselves are in the replicated state.
//
//	raft   ──LeadershipChanged, NewLeader──▶ session ──ApplyEntry (destroy)──▶ raft
//	invoke ──RenewSession──────────────────▶         ◀──sessions come and go── the published state
//
// A session has a deadline of twice its TTL, as Consul's: the TTL is a promise of the
// least. A renewal moves the deadline and is written nowhere, so it costs no entry of
// the log, and a new leader knows of none: it gives every session its full time
// from when it takes office. A session ends late then, and never early.
//
// That holds through every change of leaders. Whoever is told that his session was
// renewed was told so by a server that a quorum has confirmed as leader after he
// asked, so whoever leads next began to count later. And what a leader decides is
// proposed by itself, never forwarded: once deposed, it can have nothing written.
//
// When the time of a session is up its end is decided: it is proposed until it is
// written or this server is deposed, and a renewal that comes too late is told that
// there is no such session. Many that end at once are proposed some at a time, so
// that they share the log's disk writes and leave room for others'.
//
// Nothing survives a restart of the actor: all deadlines begin anew. It does not end
// sessions whose node or check has failed; the state does that as it is told of it.
package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages"
)

// Name is the name the actor is spawned under.
const Name = "session"

const (
	// batchSize is how many sessions are ended before it is looked what else is due.
	batchSize = 512
	// inFlight is how many of them are proposed at the same time.
	inFlight = 64
	// writeTimeout bounds each proposal.
	writeTimeout = 30 * time.Second
	// pause is how long sessions may come and go before they are looked at again.
	pause = 250 * time.Millisecond
)

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger     *zap.Logger                              // required
	Datacenter string                                   // required
	Raft       ask.Address                              // required
	Status     *messages.Published[messages.RaftStatus] // required
	View       func() *state.View                       // required: the newest state
}

// New returns the producer of a session actor.
func New(cfg Config) actor.Producer {
	return func() actor.Actor { return &sessionActor{cfg: cfg, log: cfg.Logger.Named("consul." + Name)} }
}

// sessionActor is the shell around the rules in state.go. All fields belong to the
// mailbox.
type sessionActor struct {
	cfg   Config
	log   *zap.Logger
	reign *reign // nil while this server does not lead
	timer *time.Timer
}

// reign is the time between gaining and losing leadership.
type reign struct {
	term   uint64
	ctx    context.Context
	end    context.CancelFunc
	leases *leases
	busy   bool // a goroutine is ending sessions
}

// What the actor tells itself. News of an earlier reign is nobody's.
type (
	changed struct{ reign *reign } // sessions have come or gone
	due     struct{ reign *reign }
	ended   struct {
		reign *reign
		ids   []string
		errs  []error // of each
	}
)

// Receive implements actor.Actor.
func (a *sessionActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(ctx.Parent(), &messages.Ready{})
		a.followRaft(ctx)
	case *messages.LeadershipChanged:
		a.followRaft(ctx)
	case *messages.NewLeader:
	case *messages.RenewSession:
		a.renew(ctx, msg)
	case *changed:
		a.changed(ctx, msg)
	case *due:
		a.expire(ctx, msg.reign)
	case *ended:
		a.ended(ctx, msg)
	case *actor.Stopping, *actor.Restarting:
		a.becomeFollower()
	case *actor.Stopped, *actor.DeadLetterResponse:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// followRaft takes up or lays down leadership as the raft status has it.
func (a *sessionActor) followRaft(ctx actor.Context) {
	s := a.cfg.Status.Load()
	switch {
	case !s.Leads():
		a.becomeFollower()
	case a.reign == nil || a.reign.term != s.Term:
		a.becomeFollower()
		a.becomeLeader(ctx, s.Term)
	}
}

func (a *sessionActor) becomeLeader(ctx actor.Context, term uint64) {
	r := &reign{term: term, leases: newLeases()}
	r.ctx, r.end = context.WithCancel(context.Background())
	a.reign = r
	root, self, view := ctx.ActorSystem().Root, ctx.Self(), a.cfg.View
	go follow(r.ctx, view, func() { root.Send(self, &changed{r}) })
}

func (a *sessionActor) becomeFollower() {
	if a.timer != nil {
		a.timer.Stop()
	}
	if a.reign != nil {
		a.reign.end()
		a.reign = nil
		metrics.SetGauge([]string{"session_ttl", "active"}, 0)
	}
}

func (a *sessionActor) renew(ctx actor.Context, msg *messages.RenewSession) {
	// Who asks may know of this server's leadership before this actor is told.
	if a.followRaft(ctx); a.reign == nil {
		msg.Refuse(messages.ErrNotLeader)
		return
	}
	msg.Answer(a.reign.leases.renew(msg.ID, msg.TTL, time.Now()))
	a.arm(ctx)
}

func (a *sessionActor) changed(ctx actor.Context, msg *changed) {
	if msg.reign != a.reign {
		return
	}
	_, sessions := a.cfg.View().Sessions(nil)
	a.reign.leases.follow(sessions, time.Now())
	metrics.SetGauge([]string{"session_ttl", "active"}, float32(len(a.reign.leases.byID)))
	a.arm(ctx)
}

// expire has a goroutine end the sessions whose time is up.
func (a *sessionActor) expire(ctx actor.Context, r *reign) {
	if r != a.reign || r.busy {
		return
	}
	ids := r.leases.expire(time.Now(), batchSize)
	if len(ids) == 0 {
		a.arm(ctx)
		return
	}
	r.busy = true
	root, self, cfg := ctx.ActorSystem().Root, ctx.Self(), a.cfg
	go func() { root.Send(self, &ended{r, ids, destroy(r.ctx, cfg, r.term, ids)}) }()
}

func (a *sessionActor) ended(ctx actor.Context, msg *ended) {
	if msg.reign != a.reign {
		return
	}
	a.reign.busy = false
	var why []error
	for i, id := range msg.ids {
		if err := msg.errs[i]; err != nil {
			a.reign.leases.failed(id, time.Now())
			why = append(why, err)
			continue
		}
		a.reign.leases.forget(id)
		a.log.Debug("Session TTL expired", zap.String("session", id))
	}
	if len(why) > 0 && !errors.Is(why[0], messages.ErrNotLeader) {
		a.log.Error("sessions whose time is up could not be ended; trying again", zap.Int("sessions", len(why)), zap.Error(why[0]))
	}
	a.expire(ctx, a.reign)
}

// arm sets the timer for what is due next.
func (a *sessionActor) arm(ctx actor.Context) {
	if a.timer != nil {
		a.timer.Stop()
	}
	at, some := a.reign.leases.next()
	if !some || a.reign.busy {
		return
	}
	root, self, r := ctx.ActorSystem().Root, ctx.Self(), a.reign
	a.timer = time.AfterFunc(time.Until(at), func() { root.Send(self, &due{r}) })
}
