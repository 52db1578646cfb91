package local

import (
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/definition"
)

// A change is a request that is made in three steps: it comes to records, on the
// state that the changes before it have left; a goroutine keeps them; they are
// applied, and the asker hears of it.
type change struct {
	records func() ([]record, error)
	apply   func(actor.Context, []record)
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
	a.queue = append(a.queue, &change{records, a.registered, settle})
	a.next(ctx)
}

// registered applies what was registered or taken away.
func (a *localActor) registered(ctx actor.Context, records []record) {
	checksChanged := a.state.apply(records)
	a.publish()
	a.tellOdd(records)
	if checksChanged {
		a.cfg.Health.Tell(&messages.ChecksChanged{})
	}
	a.sync(ctx)
}

// tellOdd logs what is odd about services that are registered nevertheless.
func (a *localActor) tellOdd(records []record) {
	for _, r := range records {
		if r.service == nil {
			continue
		}
		for _, odd := range definition.Odd(r.service) {
			a.log.Warn(odd)
		}
	}
}

// replaceDefinitions puts those of configuration files in the place of those before.
func (a *localActor) replaceDefinitions(ctx actor.Context, msg *messages.ReplaceDefinitions) {
	if a.leaving(msg) {
		return
	}
	a.change(ctx, msg.Settle, func() ([]record, error) { return a.state.replaceDefinitions(msg) })
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
		c.apply(ctx, msg.records)
	}
	c.settle(messages.Unit{}, msg.err)
	a.next(ctx)
}

// setCheckStatus takes in the result of a check. One that has a deadline is kept on
// disk, so that it waits for its turn; after a restart of the agent the others are
// found out again.
func (a *localActor) setCheckStatus(ctx actor.Context, msg *messages.SetCheckStatus) {
	if a.cfg.DiscardCheckOutput {
		msg.Output = ""
	}
	if msg.Expires.IsZero() {
		msg.Settle(messages.Unit{}, a.take(ctx, msg.ID, lastResult{status: msg.Status, output: msg.Output}))
		return
	}
	a.queue = append(a.queue, &change{
		records: func() ([]record, error) { return a.state.resultRecord(msg) },
		apply: func(ctx actor.Context, records []record) {
			// It was found to be in order when its turn began.
			_ = a.take(ctx, msg.ID, *records[0].result)
		},
		settle: msg.Settle,
	})
	a.next(ctx)
}

// take makes a result that of the check.
func (a *localActor) take(ctx actor.Context, id string, r lastResult) error {
	before := a.state.checks[id]
	at, hold := time.Now(), holdOutput(a.cfg.CheckUpdateInterval, rand.Float64())
	soon, err := a.state.setCheck(id, r.status, r.output, at, hold)
	if err != nil {
		return err
	}
	if a.state.expiring(id, r.expires) || soon != never {
		a.publish()
	}
	if before.def.Status != r.status {
		a.cfg.Health.Tell(&messages.CheckStatusChanged{ID: id})
	}
	switch soon {
	case now:
		a.sync(ctx)
	case later:
		a.armBy(ctx, at.Add(hold))
	}
	return nil
}
