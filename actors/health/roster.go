package health

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// follow brings the children in line with what is registered. A check that was
// registered again just as it was keeps its child, and the child its counts and its
// schedule. resuming says that the checks are not new: the agent or this actor has
// been started again.
func (a *healthActor) follow(ctx actor.Context, resuming bool) {
	view := a.view()
	a.since.note(view, time.Now())
	have := make(map[string]*wire.CheckType, len(a.children))
	for id, k := range a.children {
		have[id] = k.run
	}
	todo := compare(have, view.Runs)
	for _, id := range todo.stop {
		a.stop(ctx, id)
	}
	for _, id := range todo.start {
		a.spawn(ctx, id, view.Runs[id])
	}
	for _, id := range todo.renewed {
		a.children[id].run = view.Runs[id]
	}
	if !resuming {
		for _, id := range append(todo.renewed, todo.start...) {
			ctx.Send(a.children[id].pid, &renewed{})
		}
	}
	a.lookAgain(ctx) // a service that another check is an alias of may have come or gone
}

// spawn starts the child of a check.
func (a *healthActor) spawn(ctx actor.Context, id string, run *wire.CheckType) {
	k := &kid{id: id, run: run}
	// A number is added to the name: a child that is on its way out may have it still.
	k.pid = ctx.SpawnPrefix(actor.PropsFromProducer(a.cfg.Guard(a.produce(id, run))), url.PathEscape(id))
	k.fate.rose(time.Now())
	a.children[id], a.byPID[k.pid.Id] = k, k
}

// stop ends the child of a check, once it has answered what it was asked. One that
// is down could not.
func (a *healthActor) stop(ctx actor.Context, id string) {
	k := a.children[id]
	delete(a.children, id)
	if k.down {
		ctx.Stop(k.pid)
		return
	}
	ctx.Poison(k.pid)
}

// produce returns the producer of the child of a check.
func (a *healthActor) produce(id string, run *wire.CheckType) actor.Producer {
	cfg, log := &a.cfg, a.log.With(zap.String("check", id))
	if run.Interval > 0 && run.Interval < minInterval {
		log.Warn("check has interval below minimum", zap.Duration("minimum_interval", minInterval))
	}
	return func() actor.Actor {
		c := child{cfg: cfg, log: log, id: id, run: run}
		switch run.Type() {
		case "ttl":
			return &ttlActor{child: c}
		case "alias":
			return &aliasActor{child: c}
		default:
			return &repeatActor{child: c, try: cfg.probes(cfg, run), verdict: newVerdict(run)}
		}
	}
}

// HandleFailure implements actor.SupervisorStrategy: it runs on the actor's own
// goroutine when a child has panicked. The check is critical until its child runs
// again, unless it waits to be told: what it was told counts until the deadline. No
// other check notices.
func (a *healthActor) HandleFailure(sys *actor.ActorSystem, sup actor.Supervisor, who *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	k := a.byPID[who.Id]
	if k == nil || a.children[k.id] != k {
		sup.StopChildren(who) // it is on its way out
		return
	}
	k.down = true
	k.tries++
	wait := k.fate.fell(time.Now(), rand.Float64())
	a.log.Error("a check failed inside of the agent", zap.String("check", k.id), zap.Any("reason", reason), zap.Duration("again_in", wait))
	if k.run.TTL == 0 {
		tell(a.cfg.Local, k.id, result{wire.HealthCritical, fmt.Sprintf("The check failed inside of the agent: %v", reason)})
	}
	root, self, due := sys.Root, a.self, &restartDue{k, k.tries}
	time.AfterFunc(wait, func() { root.Send(self, due) })
}

// restartDue starts a child again that has failed.
func (a *healthActor) restartDue(ctx actor.Context, msg *restartDue) {
	k := msg.of
	if a.children[k.id] != k || k.tries != msg.tries {
		return
	}
	if sup, ok := ctx.(actor.Supervisor); ok {
		k.down = false
		k.fate.rose(time.Now())
		sup.RestartChildren(k.pid)
	}
}

// tell gives local a result that nobody waits for.
func tell(local interface{ Tell(any) }, id string, r result) {
	local.Tell(&messages.SetCheckStatus{ID: id, Status: r.status, Output: r.output})
}
