package watch

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// bridge has the goroutines that wait for changes of the state, from one start of
// the actor to its end.
type bridge struct {
	self  ask.Address
	life  context.Context
	close context.CancelFunc
}

func newBridge(ctx actor.Context) *bridge {
	b := &bridge{self: ask.At(ctx.ActorSystem(), ctx.Self())}
	b.life, b.close = context.WithCancel(context.Background())
	return b
}

// follow has a query followed and tells the actor when that has ended.
func (b *bridge) follow(q messages.Followed) context.CancelFunc {
	ctx, cancel := context.WithCancel(b.life)
	go func() {
		q.Follow(ctx)
		if b.life.Err() == nil {
			b.self.Tell(&ended{q})
		}
	}()
	return cancel
}

// after tells the actor something later.
func (b *bridge) after(d time.Duration, msg any) *time.Timer {
	return time.AfterFunc(d, func() { b.self.Tell(msg) })
}
