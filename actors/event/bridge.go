package event

import (
	"context"
	"sync"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// bridge has the goroutines that wait for the gossip pool. It lives from one start
// of the actor to its end.
type bridge struct {
	lan     ask.Address
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func newBridge(lan ask.Address) *bridge {
	ctx, cancel := context.WithCancel(context.Background())
	return &bridge{lan: lan, ctx: ctx, cancel: cancel}
}

// fire gives the event to the pool and answers who asked for it.
func (b *bridge) fire(msg *messages.FireEvent, e messages.UserEvent, payload []byte) {
	b.running.Go(func() {
		_, err := ask.Do(b.ctx, b.lan, &messages.FireUserEvent{Name: messages.EventPrefix + e.Name, Payload: payload})
		msg.Settle(e, err)
	})
}

// close ends the goroutines; none of them does anything but wait, so this is short.
func (b *bridge) close() {
	b.cancel()
	b.running.Wait()
}
