package supervisor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/leave"
	"github.com/actor-consul/consul/messages"
)

// A child is one line of the tree.
type child struct {
	name    string
	policy  policy
	produce actor.Producer
	budget  time.Duration // for stopping; zero means stopBudget

	reconfigure bool // is told when the configuration has changed
}

const (
	stopBudget  = 5 * time.Second
	startBudget = 60 * time.Second // raft may have a long log to replay
)

// root is the actor at the top. It starts the children in order, restarts those
// that fail, and stops them in the opposite order. It is told and tells; what to
// do next is decided by order and policy.
type root struct {
	log      *zap.Logger
	children []child
	reload   func() (*messages.Reconfigure, messages.ReloadReport, error)
	trace    func(Event)

	begun chan<- error   // has room for one: nil when all run, or why they cannot
	ended chan<- outcome // has room for one

	order   *order
	nodes   []node
	byPID   map[string]int
	err     error // why the agent ends, if not because it was asked to
	leaving *messages.LeaveStarted
	timer   *time.Timer
}

// node is the root's side of a child.
type node struct {
	pid    *actor.PID
	gauge  gauge
	pin    *pinned
	vitals vitals
	since  time.Time // of the stop
}

// outcome is how the agent ended.
type outcome struct {
	err      error
	standing []string // actors that did not stop in time
}

// What the root tells itself, and is told by Agent.
type (
	halt       struct{ err error }
	restartDue struct{ i, restarts int }
	startDue   struct{ i int } // the actor should be ready by now
	stopDue    struct{ i int } // the actor should be gone by now
	reloaded   struct {
		asked  *messages.Reload
		news   *messages.Reconfigure
		report messages.ReloadReport
		err    error
	}
)

var (
	_ actor.Actor              = (*root)(nil)
	_ actor.SupervisorStrategy = (*root)(nil)
)

// Receive implements actor.Actor.
func (r *root) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		r.do(ctx, r.order.begin())
	case *messages.Ready:
		r.ready(ctx)
	case *messages.StartFailed:
		r.startFailed(ctx, msg)
	case *actor.Terminated:
		r.gone(ctx, msg.Who)
	case *restartDue:
		r.restart(ctx, msg)
	case *startDue:
		r.startOverdue(ctx, msg.i)
	case *stopDue:
		r.stopOverdue(ctx, msg.i)
	case *halt:
		r.halt(ctx, msg.err)
	case *messages.LeaveStarted:
		r.leaving = msg
	case *messages.LeaveEnded:
		r.halt(ctx, nil)
	case *messages.ListActors:
		msg.Answer(r.list())
	case *messages.Reload:
		r.readConfiguration(ctx, msg)
	case *reloaded:
		r.reconfigure(ctx, msg)
	case *actor.Stopping, *actor.Stopped, *actor.Restarting:
	default:
		r.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// do takes the step that order has decided on.
func (r *root) do(ctx actor.Context, s step) {
	switch s.do {
	case start:
		r.start(ctx, s.i)
	case stop:
		r.stop(ctx, s.i)
	case settle:
		r.disarm()
		r.tell(Event{What: Running})
		r.begun <- nil
	case finish:
		r.finish(ctx)
	}
}

func (r *root) start(ctx actor.Context, i int) {
	c, n := r.children[i], &r.nodes[i]
	n.pin = pin(c.name)
	n.vitals.state = messages.ActorStarting
	n.vitals.since = time.Now()
	props := actor.PropsFromProducer(guarded(c.produce, r.log.Named(c.name)),
		actor.WithMailbox(withAnteroom(actor.Unbounded(&n.gauge))),
		actor.WithDispatcher(n.pin))
	r.byPID[ctx.Self().Id+"/"+c.name] = i // its first words may come before Spawn returns
	pid, err := ctx.SpawnNamed(props, c.name)
	if err != nil {
		r.halt(ctx, fmt.Errorf("start %s: %w", c.name, err))
		return
	}
	n.pid = pid
	r.arm(ctx, startBudget, &startDue{i})
}

func (r *root) ready(ctx actor.Context) {
	i, ok := r.sender(ctx)
	if !ok || !r.order.alive[i] || r.order.phase == stopping {
		return
	}
	n := &r.nodes[i]
	if n.vitals.state == messages.ActorRestarting {
		return // it was said before the failure, which overtook it
	}
	n.vitals.state = messages.ActorRunning
	r.tell(Event{What: Started, Actor: r.children[i].name, Took: time.Since(n.vitals.since)})
	if r.leaving != nil && r.children[i].name == leave.Name {
		ctx.Send(n.pid, r.leaving.Begin.Again())
	}
	r.do(ctx, r.order.ready(i))
}

// startFailed ends the agent, or its start: the actor has said that trying again
// would not help.
func (r *root) startFailed(ctx actor.Context, msg *messages.StartFailed) {
	if i, ok := r.sender(ctx); ok {
		r.nodes[i].vitals.failed(time.Now(), msg.Err)
	}
	r.halt(ctx, msg.Err)
}

func (r *root) startOverdue(ctx actor.Context, i int) {
	if r.order.phase == starting && i == r.order.at {
		r.halt(ctx, fmt.Errorf("%s was not ready within %v", r.children[i].name, startBudget))
	}
}

// halt begins the ordered stop; err is nil when somebody asked for it.
func (r *root) halt(ctx actor.Context, err error) {
	if r.err == nil {
		r.err = err
	}
	r.do(ctx, r.order.halt())
}

func (r *root) stop(ctx actor.Context, i int) {
	c, n := r.children[i], &r.nodes[i]
	r.stopping(i)
	if n.pid == nil { // it could not even be spawned
		r.gone(ctx, ctx.ActorSystem().NewLocalPID(ctx.Self().Id+"/"+c.name))
		return
	}
	budget := c.budget
	if budget == 0 {
		budget = stopBudget
	}
	r.arm(ctx, budget, &stopDue{i})
	ctx.Stop(n.pid)
}

// stopping notes that an actor is on its way out, once.
func (r *root) stopping(i int) {
	n := &r.nodes[i]
	if n.vitals.state == messages.ActorStopping {
		return
	}
	n.vitals.state = messages.ActorStopping
	n.since = time.Now()
	r.tell(Event{What: Stopping, Actor: r.children[i].name})
}

// gone hears that a child has ended, which is as it should be only while the root
// is stopping it. Otherwise the child was given up, and the agent with it.
func (r *root) gone(ctx actor.Context, who *actor.PID) {
	i, ok := r.byPID[who.Id]
	if !ok || !r.order.alive[i] {
		return
	}
	c, n := r.children[i], &r.nodes[i]
	n.vitals.state = messages.ActorStopped
	n.pin.release()
	if r.order.phase == stopping {
		r.tell(Event{What: Stopped, Actor: c.name, Took: time.Since(n.since)})
		r.do(ctx, r.order.gone(i))
		return
	}
	r.order.gone(i)
	r.tell(Event{What: Lost, Actor: c.name})
	r.halt(ctx, fmt.Errorf("%s cannot go on: %s", c.name, n.vitals.failure))
}

func (r *root) stopOverdue(ctx actor.Context, i int) {
	if r.order.phase == stopping && i == r.order.at && r.order.alive[i] {
		r.tell(Event{What: Overdue, Actor: r.children[i].name, Took: time.Since(r.nodes[i].since)})
		r.do(ctx, r.order.overdue(i))
	}
}

// finish reports how it went. The root itself stays when a child does: stopping
// it would wait for the child.
func (r *root) finish(ctx actor.Context) {
	r.disarm()
	out := outcome{err: r.err}
	for _, i := range r.order.standing() {
		out.standing = append(out.standing, r.children[i].name)
	}
	r.tell(Event{What: Ended})
	select {
	case r.begun <- errors.Join(r.err, errStopped):
	default: // it had begun
	}
	r.ended <- out
	if len(out.standing) == 0 {
		ctx.Stop(ctx.Self())
	}
}

// errStopped is what Start returns beside the reason, if any, when the agent was
// stopped before all of it ran.
var errStopped = errors.New("stopped while starting")

// HandleFailure implements actor.SupervisorStrategy: it runs on the root's own
// goroutine when a child has panicked.
func (r *root) HandleFailure(sys *actor.ActorSystem, sup actor.Supervisor, who *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	i, ok := r.byPID[who.Id]
	if !ok {
		sup.StopChildren(who)
		return
	}
	if r.order.phase == stopping { // it goes before its turn: nobody starts it again
		r.stopping(i)
		sup.StopChildren(who)
		return
	}
	c, n := r.children[i], &r.nodes[i]
	n.gauge.handled.Add(1) // the mailbox does not count a message that failed
	now := time.Now()
	n.vitals.failed(now, reason)
	wait, again := c.policy.judge(&n.vitals.record, now.Sub(n.vitals.since), rand.Float64())
	if !again {
		sup.StopChildren(who)
		return
	}
	n.vitals.state = messages.ActorRestarting
	n.vitals.restarts++
	r.tell(Event{What: Restarting, Actor: c.name, Took: wait})
	due := &restartDue{i, n.vitals.restarts}
	if wait == 0 {
		r.rise(sup, n, who)
		return
	}
	root, self := sys.Root, r.self(sys)
	time.AfterFunc(wait, func() { root.Send(self, due) })
}

func (r *root) restart(ctx actor.Context, due *restartDue) {
	n := &r.nodes[due.i]
	if r.order.phase == stopping || n.vitals.state != messages.ActorRestarting || n.vitals.restarts != due.restarts {
		return
	}
	if sup, ok := ctx.(actor.Supervisor); ok {
		r.rise(sup, n, n.pid)
	}
}

// rise starts a failed actor again, now.
func (r *root) rise(sup actor.Supervisor, n *node, who *actor.PID) {
	n.vitals.state = messages.ActorStarting
	n.vitals.since = time.Now()
	sup.RestartChildren(who)
}

func (r *root) list() []messages.ActorInfo {
	all := make([]messages.ActorInfo, len(r.children))
	for i, c := range r.children {
		all[i] = r.nodes[i].vitals.info(c.name, &r.nodes[i].gauge)
	}
	return all
}

// readConfiguration reads files, which takes time, so a goroutine does it.
func (r *root) readConfiguration(ctx actor.Context, msg *messages.Reload) {
	if r.reload == nil {
		msg.Refuse(errors.New("this agent has no configuration to reload"))
		return
	}
	read, root, self := r.reload, ctx.ActorSystem().Root, ctx.Self()
	go func() {
		news, report, err := read()
		root.Send(self, &reloaded{msg, news, report, err})
	}()
}

func (r *root) reconfigure(ctx actor.Context, msg *reloaded) {
	if msg.err != nil {
		r.log.Error("the configuration cannot be reloaded; the old one stays in force", zap.Error(msg.err))
	} else {
		for i, c := range r.children {
			if c.reconfigure && r.order.alive[i] {
				ctx.Send(r.nodes[i].pid, msg.news)
			}
		}
	}
	msg.asked.Settle(msg.report, msg.err)
}

func (r *root) sender(ctx actor.Context) (i int, ok bool) {
	if ctx.Sender() == nil {
		return 0, false
	}
	i, ok = r.byPID[ctx.Sender().Id]
	return i, ok
}

func (r *root) self(sys *actor.ActorSystem) *actor.PID { return sys.NewLocalPID(Name) }

func (r *root) tell(e Event) {
	e.log(r.log)
	if r.trace != nil {
		r.trace(e)
	}
}

// arm sets the one timer; only one actor is being started or stopped at a time.
func (r *root) arm(ctx actor.Context, d time.Duration, msg any) {
	r.disarm()
	root, self := ctx.ActorSystem().Root, ctx.Self()
	r.timer = time.AfterFunc(d, func() { root.Send(self, msg) })
}

func (r *root) disarm() {
	if r.timer != nil {
		r.timer.Stop()
	}
}
