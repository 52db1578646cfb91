package health

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages/wire"
)

// child is what the actors of all sorts of checks have in common.
type child struct {
	cfg *Config
	log *zap.Logger // names the check
	id  string
	run *wire.CheckType

	alarm *alarm // nil: none is set
}

// An alarm is one setting of a child's timer. What goes off although it was taken
// back is known by it.
type alarm struct{ timer *time.Timer }

// What children are told by their parent, and tell themselves.
type (
	renewed   struct{} // the check was registered again just as it was, or is new
	lookAgain struct{} // some check has another status than before
	remind    struct{} // local may not know the deadline
	due       struct{ alarm *alarm }
)

// arm has the child be told of due after wait.
func (c *child) arm(ctx actor.Context, wait time.Duration) {
	c.disarm()
	root, self, a := ctx.ActorSystem().Root, ctx.Self(), &alarm{}
	c.alarm = a
	a.timer = time.AfterFunc(wait, func() { root.Send(self, &due{a}) })
}

func (c *child) disarm() {
	if c.alarm != nil {
		c.alarm.timer.Stop()
	}
	c.alarm = nil
}

// rang says whether it is the alarm that is set which went off, and takes it back.
func (c *child) rang(msg *due) bool {
	if msg.alarm != c.alarm {
		return false
	}
	c.alarm = nil
	return true
}

// report gives local a result.
func (c *child) report(r result) {
	c.log.Debug("Check status updated", zap.String("status", r.status))
	tell(c.cfg.Local, c.id, r)
}

// was returns the result that is in force.
func (c *child) was() result {
	check := viewOf(c.cfg).Checks[c.id]
	if check == nil {
		return result{}
	}
	return result{check.Status, check.Output}
}

// outputMax returns how many bytes of the output are kept.
func outputMax(cfg *Config, run *wire.CheckType) int {
	if run.OutputMaxSize > 0 {
		return min(run.OutputMaxSize, cfg.OutputMaxSize)
	}
	return cfg.OutputMaxSize
}
