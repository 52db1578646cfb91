// Package leave is the leave coordinator: it takes the agent out of its cluster
// step by step, so that nobody notices but by being told.
//
//	cmd, rpc, http ──BeginLeave──▶ leave ──Withdraw, HandOver, LeavePeers──▶ local, raft
//	               ◀──progress───        ──LeavePool, Drain───────────────▶ gossip, listeners
//	                                     ──LeaveEnded──▶ supervisor, which stops the actors
//
// The plan is data, given by the supervisor: each step has an owner, a budget and
// a report. A step that fails, or takes longer than its budget, is noted and the
// plan goes on: whoever wants to leave will be gone.
//
// It keeps nothing across a restart. The supervisor knows that a leave was under
// way and begins it anew; every step may be taken twice.
package leave

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// Name is the name the actor is spawned under.
const Name = "leave"

// hearing is how long the actor waits, when the plan is done, until those who
// watch have passed on the last line.
const hearing = 500 * time.Millisecond

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger *zap.Logger            // required
	Plan   []Step                 // required
	Owners map[string]ask.Address // required: where each step's owner is reached

	// Objection returns why this agent had better not leave, or nil. Who asks for a
	// leave is refused with it, unless they insist. It may wait, and its context ends
	// with the actor. Optional.
	Objection func(context.Context) error
}

// New returns the producer of a leave actor.
func New(cfg Config) actor.Producer {
	return func() actor.Actor {
		return &leaveActor{cfg: cfg, log: cfg.Logger.Named("agent")}
	}
}

// leaveActor walks the plan. All fields belong to the mailbox.
type leaveActor struct {
	cfg Config
	log *zap.Logger

	ctx  context.Context // ends with the actor
	stop context.CancelFunc

	asked    []*messages.BeginLeave // wait for the objection, or that there is none
	progress *progress              // nil while no leave is under way
	force    bool
	watchers []chan messages.LeaveProgress
	unheard  int // watchers that have not heard the end
	timer    *time.Timer
}

var _ actor.Actor = (*leaveActor)(nil)

// What the actor tells itself.
type (
	considered struct{ objection error }

	overdue struct{ step messages.StepID } // the budget of a step is used up
	heard   struct{}                       // a watcher has passed on the last line
	deaf    struct{}                       // the watchers have had their time
)

// Receive implements actor.Actor.
func (a *leaveActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.ctx, a.stop = context.WithCancel(context.Background())
		ctx.Request(ctx.Parent(), &messages.Ready{})
	case *messages.BeginLeave:
		a.begin(ctx, msg)
	case *considered:
		a.considered(ctx, msg.objection)
	case *messages.StepDone:
		a.stepDone(ctx, msg)
	case *overdue:
		a.stepDone(ctx, &messages.StepDone{Step: msg.step, Err: fmt.Errorf("took longer than its %v", a.cfg.Plan[msg.step].Budget)})
	case *heard:
		a.heard(ctx)
	case *deaf:
		a.end(ctx)
	case *actor.Stopping, *actor.Restarting:
		a.stop()
		a.considered(ctx, messages.ErrUnavailable)
		a.disarm()
		a.closeWatchers()
	case *actor.Stopped, *actor.DeadLetterResponse: // an owner that is gone is overdue
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// begin leaves, once nothing speaks against it or nobody would listen.
func (a *leaveActor) begin(ctx actor.Context, msg *messages.BeginLeave) {
	if a.progress != nil || msg.Force || msg.Signal || a.cfg.Objection == nil {
		a.leave(ctx, msg)
		return
	}
	if a.asked = append(a.asked, msg); len(a.asked) > 1 {
		return
	}
	root, self := ctx.ActorSystem().Root, ctx.Self()
	go func() { root.Send(self, &considered{a.cfg.Objection(a.ctx)}) }()
}

// considered answers those who have waited. Somebody may have insisted meanwhile.
func (a *leaveActor) considered(ctx actor.Context, objection error) {
	asked := a.asked
	a.asked = nil
	for _, msg := range asked {
		if a.progress == nil && objection != nil {
			a.log.Warn("not leaving", zap.Error(objection))
			msg.Refuse(objection)
			continue
		}
		a.leave(ctx, msg)
	}
}

// leave starts the plan, or lets one more watch it.
func (a *leaveActor) leave(ctx actor.Context, msg *messages.BeginLeave) {
	first := a.progress == nil
	if first {
		a.progress = newProgress(a.cfg.Plan)
		a.force = msg.Force
	}
	if msg.Expected() {
		msg.Answer(messages.LeaveBegun{Progress: a.watch(), Heard: a.hear(ctx)})
	}
	if first {
		a.log.Info("leaving: " + msg.Why)
		ctx.Request(ctx.Parent(), &messages.LeaveStarted{Begin: *msg.Again()})
		a.step(ctx)
	}
}

// watch opens a channel with room for the whole plan, and in it what has been
// done so far.
func (a *leaveActor) watch() <-chan messages.LeaveProgress {
	w := make(chan messages.LeaveProgress, 2*len(a.cfg.Plan))
	for _, line := range a.progress.ended {
		w <- line
	}
	if a.progress.at >= len(a.cfg.Plan) { // too late to see more
		close(w)
		return w
	}
	a.watchers = append(a.watchers, w)
	a.unheard++
	return w
}

func (a *leaveActor) hear(ctx actor.Context) func() {
	root, self := ctx.ActorSystem().Root, ctx.Self()
	return func() { root.Send(self, &heard{}) }
}

// step begins the next step of the plan, or ends it.
func (a *leaveActor) step(ctx actor.Context) {
	line, more := a.progress.next(time.Now())
	if !more {
		a.log.Info("left; stopping")
		a.closeWatchers()
		a.arm(ctx, hearing, &deaf{})
		a.maybeEnd(ctx)
		return
	}
	a.tell(line)
	at := a.progress.at
	a.arm(ctx, a.cfg.Plan[at].Budget, &overdue{messages.StepID(at)})
	a.ask(ctx, at)
	if next := at + 1; next < len(a.cfg.Plan) && a.cfg.Plan[next].Ahead {
		a.ask(ctx, next)
	}
}

// ask asks the owner of a step for it. What it answers before it is the step's turn
// does not count.
func (a *leaveActor) ask(ctx actor.Context, at int) {
	s := a.cfg.Plan[at]
	ctx.Request(a.cfg.Owners[s.Owner].PID(), s.Make(messages.StepID(at), s.Budget, a.force))
}

func (a *leaveActor) stepDone(ctx actor.Context, msg *messages.StepDone) {
	if a.progress == nil {
		return
	}
	line, ok := a.progress.done(time.Now(), msg)
	if !ok {
		return
	}
	if line.Err != "" {
		a.log.Warn("leave: could not "+line.Step, zap.String("error", line.Err), zap.Duration("took", line.Took))
	} else {
		a.log.Info("leave: "+line.Step, zap.String("done", line.Note), zap.Duration("took", line.Took))
	}
	a.tell(line)
	a.step(ctx)
}

// tell passes a line on to everybody who watches. There is always room.
func (a *leaveActor) tell(line messages.LeaveProgress) {
	for _, w := range a.watchers {
		select {
		case w <- line:
		default:
		}
	}
}

func (a *leaveActor) heard(ctx actor.Context) {
	a.unheard--
	a.maybeEnd(ctx)
}

// maybeEnd ends the leave when the plan is done and nobody is still writing down
// how it went.
func (a *leaveActor) maybeEnd(ctx actor.Context) {
	if a.progress != nil && a.progress.at >= len(a.cfg.Plan) && a.unheard <= 0 {
		a.end(ctx)
	}
}

func (a *leaveActor) end(ctx actor.Context) {
	a.disarm()
	ctx.Request(ctx.Parent(), &messages.LeaveEnded{Report: a.progress.ended})
}

func (a *leaveActor) closeWatchers() {
	for _, w := range a.watchers {
		close(w)
	}
	a.watchers = nil
}

func (a *leaveActor) arm(ctx actor.Context, d time.Duration, msg any) {
	a.disarm()
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.timer = time.AfterFunc(d, func() { root.Send(self, msg) })
}

func (a *leaveActor) disarm() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
