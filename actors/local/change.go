package local

import (
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/messages"
)

// A change is a request that is made in three steps: it comes to records, on the
// state that the changes before it have left; a goroutine keeps them; they are
// applied, and the asker hears of it.
type change struct {
	records func() ([]record, error)
	settle  func(messages.Unit, error)
}

func (a *localActor) registerService(ctx actor.Context, msg *messages.RegisterService) {
	if a.leaving(msg) {
		return
	}
	a.change(ctx, msg.Settle, func() ([]record, error) { return a.state.registerService(msg) })
}

func (a *localActor) deregisterService(ctx actor.Context, msg *messages.DeregisterService) {
	a.change(ctx, msg.Settle, func() ([]record, error) { return a.state.deregisterService(msg.ID) })
}

func (a *localActor) registerCheck(ctx actor.Context, msg *messages.RegisterCheck) {
	if a.leaving(msg) {
		return
	}
	a.change(ctx, msg.Settle, func() ([]record, error) { return a.state.registerCheck(msg) })
}

func (a *localActor) deregisterCheck(ctx actor.Context, msg *messages.DeregisterCheck) {
	a.change(ctx, msg.Settle, func() ([]record, error) { return a.state.deregisterCheck(msg.ID) })
}

// leaving refuses what is to be registered although nobody would see it.
func (a *localActor) leaving(msg messages.Refuser) bool {
	down := a.lasting.pen.down.Load()
	if down {
		msg.Refuse(messages.ErrLeaving)
	}
	return down
}

func (a *localActor) change(ctx actor.Context, settle func(messages.Unit, error), records func() ([]record, error)) {
	a.queue = append(a.queue, &change{records, settle})
	a.next(ctx)
}

// next has a goroutine keep the records of the next change, unless one is at it.
func (a *localActor) next(ctx actor.Context) {
	for a.saving == nil && len(a.queue) > 0 {
		c := a.queue[0]
		a.queue = a.queue[1:]
		records, err := c.records()
		if err != nil {
			c.settle(messages.Unit{}, err)
			continue
		}
		a.saving = c
		tell, base, shelf := a.teller(ctx), a.ctx, a.lasting.shelf
		go func() { tell(&saved{records, shelf.put(base, records)}) }()
	}
}

func (a *localActor) saved(ctx actor.Context, msg *saved) {
	c := a.saving
	a.saving = nil
	if msg.err == nil {
		checksChanged := a.state.apply(msg.records)
		a.publish()
		if checksChanged {
			a.cfg.Health.Tell(&messages.ChecksChanged{})
		}
	}
	c.settle(messages.Unit{}, msg.err)
	if msg.err == nil {
		a.sync(ctx)
	}
	a.next(ctx)
}

// setCheckStatus is not kept on disk: after a restart of the agent a check runs
// again.
func (a *localActor) setCheckStatus(ctx actor.Context, msg *messages.SetCheckStatus) {
	output := msg.Output
	if a.cfg.DiscardCheckOutput {
		output = ""
	}
	at, hold := time.Now(), holdOutput(a.cfg.CheckUpdateInterval, rand.Float64())
	soon, err := a.state.setCheck(msg.ID, msg.Status, output, at, hold)
	if soon != never {
		a.publish()
	}
	msg.Settle(messages.Unit{}, err)
	switch soon {
	case now:
		a.sync(ctx)
	case later:
		a.armBy(ctx, at.Add(hold))
	}
}
