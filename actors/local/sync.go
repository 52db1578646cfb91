package local

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

func (a *localActor) newLeader(ctx actor.Context, msg *messages.NewLeader) {
	if msg.ID != "" {
		a.failures = 0
		a.sync(ctx)
	}
}

// reconfigure takes over what the node says of itself.
func (a *localActor) reconfigure(ctx actor.Context, msg *messages.Reconfigure) {
	a.state.setMeta(msg.NodeMeta)
	a.lasting.node = a.state.node
	a.sync(ctx)
}

// sync has a goroutine fetch what the catalog has. While one is at work, it
// remembers to sync again.
func (a *localActor) sync(ctx actor.Context) {
	if !a.ready || a.lasting.pen.down.Load() {
		return
	}
	if a.syncing {
		a.again = true
		return
	}
	a.syncing, a.again = true, false
	tell, base, name, read := a.teller(ctx), a.ctx, a.state.node.Node, a.cfg.Read
	go func() {
		has, err := fetch(base, name, read)
		tell(&fetched{has, err})
	}()
}

// awaitSync answers at once when no sync is under way: then there is nothing to be
// told, or the last try has failed.
func (a *localActor) awaitSync(msg *messages.AwaitSync) {
	if !a.syncing {
		msg.Answer(messages.Unit{})
		return
	}
	a.waiting = append(a.waiting, msg)
}

// fetched compares and has a goroutine write what differs.
func (a *localActor) fetched(ctx actor.Context, msg *fetched) {
	a.covered, a.waiting = append(a.covered, a.waiting...), nil
	if msg.err != nil {
		a.tellFailure(msg.err)
		a.rest(ctx, false)
		return
	}
	if a.state.learn(msg.has) {
		a.publish()
	}
	a.found = true
	todo := a.state.compare(msg.has, time.Now())
	if todo.empty() {
		a.rest(ctx, true)
		return
	}
	tell, base, pen := a.teller(ctx), a.ctx, a.lasting.pen
	go func() { tell(&synced{pen.carryOut(base, todo)}) }()
}

// tellFailure says that nothing could be synced. An agent that has just started knows
// no server before it has joined one, and that is no error yet.
func (a *localActor) tellFailure(err error) {
	switch {
	case !errors.Is(err, wire.ErrNoServers) || a.found:
		// The text is that of the page "Run the Agent".
		a.log.Error("failed to sync remote state: " + err.Error())
	case a.failures == 0:
		a.log.Info("no server is known yet; services and checks are synced when one is")
	default:
		a.log.Debug("no server is known yet")
	}
}

// synced takes note of what became of the writes.
func (a *localActor) synced(ctx actor.Context, msg *synced) {
	well := true
	for _, o := range msg.done {
		switch {
		case o.err == nil:
			a.state.wrote(o.write)
			verb := "Synced "
			if o.write.deregister != nil {
				verb = "Deregistered "
			}
			a.log.Info(verb + o.write.what)
		case errors.Is(o.err, messages.ErrLeaving): // the node has been withdrawn
		case denied(o.err): // not before somebody has changed the rights
			a.log.Warn("ACLs keep this agent from syncing "+o.write.what, zap.Error(o.err))
		default:
			a.log.Warn("could not sync "+o.write.what, zap.Error(o.err))
			well = false
		}
	}
	a.rest(ctx, well)
}

// rest ends a sync and sets the timer for the next, unless something has changed
// meanwhile.
func (a *localActor) rest(ctx actor.Context, well bool) {
	a.syncing = false
	if !a.again {
		a.covered, a.waiting = append(a.covered, a.waiting...), nil
	}
	for _, w := range a.covered {
		w.Answer(messages.Unit{})
	}
	a.covered = nil
	var wait time.Duration
	if well {
		a.failures = 0
		wait = syncEvery(a.members())
	} else {
		a.failures++
		wait = retryAfter(a.failures)
	}
	if a.again {
		a.sync(ctx)
		return
	}
	at := time.Now()
	a.disarm()
	a.armBy(ctx, at.Add(spread(wait, rand.Float64())))
	if due, ok := a.state.outputDue(at); ok {
		a.armBy(ctx, due)
	}
}

func (a *localActor) members() int {
	if a.cfg.Members == nil {
		return 1
	}
	return a.cfg.Members()
}

// withdraw takes this node from the catalog and lets nothing be written any more.
func (a *localActor) withdraw(ctx actor.Context, msg *messages.Withdraw) {
	pen, node := a.lasting.pen, a.state.node
	pen.down.Store(true)
	a.disarm()
	done := &messages.StepDone{
		Step: msg.Step,
		Note: fmt.Sprintf("node '%s', services: %d, checks: %d", node.Node, len(a.state.services), len(a.state.checks)),
	}
	root, leave, budget := ctx.ActorSystem().Root, ctx.Sender(), msg.Budget
	go func() {
		// Whatever becomes of this instance, the node goes and the plan hears of it.
		if err := pen.withdraw(&wire.DeregisterRequest{Datacenter: node.Datacenter, Node: node.Node}, budget); err != nil {
			done = msg.Failed(fmt.Errorf("take node '%s' from the catalog: %w", node.Node, err))
		}
		if leave != nil {
			root.Send(leave, done)
		}
	}()
}

// armBy sets the timer for the next sync, unless it goes off sooner than at.
func (a *localActor) armBy(ctx actor.Context, at time.Time) {
	if a.lasting.pen.down.Load() || !a.alarm.IsZero() && !at.Before(a.alarm) {
		return
	}
	a.disarm()
	tell := a.teller(ctx)
	a.alarm = at
	a.timer = time.AfterFunc(time.Until(at), func() { tell(&due{}) })
}

func (a *localActor) disarm() {
	if a.timer != nil {
		a.timer.Stop()
	}
	a.timer, a.alarm = nil, time.Time{}
}
