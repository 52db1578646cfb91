package health

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// ttlActor is a check that waits to be told, and is critical when it is not told in
// time. Its deadline is kept by local with its result, on disk too, so a restart
// neither puts it off nor brings it forward.
type ttlActor struct {
	child
	deadline time.Time
}

// Receive implements actor.Actor.
func (a *ttlActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.resume(ctx)
	case *renewed:
		a.renew(ctx)
	case *remind:
		a.remind()
	case *messages.ReportCheck:
		a.reported(ctx, msg)
	case *due:
		if a.rang(msg) {
			a.expire()
		}
	case *actor.Stopping, *actor.Restarting:
		a.disarm()
	case *lookAgain, *actor.Stopped:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// resume goes on from the deadline that local has, if it has one.
func (a *ttlActor) resume(ctx actor.Context) {
	now := time.Now()
	expires := viewOf(a.cfg).Expires[a.id]
	if expires.IsZero() {
		a.renew(ctx)
		return
	}
	a.deadline = resumed(expires, now, a.run.TTL)
	if !now.Before(a.deadline) {
		a.expire()
		return
	}
	a.arm(ctx, a.deadline.Sub(now))
}

// renew begins the time anew and leaves the status as it is: the service has said
// that it is there, not how it is.
func (a *ttlActor) renew(ctx actor.Context) {
	a.begin(ctx)
	a.expiring(result{}, messages.Asked[messages.Unit]{})
}

// remind tells local again what it does not know: that the deadline is over, or when it
// will be.
func (a *ttlActor) remind() {
	switch over := a.alarm == nil; {
	case over && a.was().status != wire.HealthCritical:
		a.expire()
	case !over && !viewOf(a.cfg).Expires[a.id].Equal(a.deadline):
		a.expiring(result{}, messages.Asked[messages.Unit]{})
	}
}

// reported takes in what the service says.
func (a *ttlActor) reported(ctx actor.Context, msg *messages.ReportCheck) {
	a.begin(ctx)
	a.expiring(result{msg.Status, cut(msg.Output, outputMax(a.cfg, a.run))}, msg.Asked)
}

func (a *ttlActor) begin(ctx actor.Context) {
	a.deadline = time.Now().Add(a.run.TTL)
	a.arm(ctx, a.run.TTL)
}

// expire makes the check critical.
func (a *ttlActor) expire() {
	a.log.Warn("Check missed TTL, is now critical")
	a.expiring(result{wire.HealthCritical, expired(a.was().output)}, messages.Asked[messages.Unit]{})
}

// expiring gives local a result that counts until the deadline; one without a status
// is that which is in force. Who asked for it is answered by local.
func (a *ttlActor) expiring(r result, asked messages.Asked[messages.Unit]) {
	a.log.Debug("Check status updated", zap.String("status", r.status))
	a.cfg.Local.Tell(&messages.SetCheckStatus{Asked: asked, ID: a.id, Status: r.status, Output: r.output, Expires: a.deadline})
}
