package event

import (
	"context"
	"sync"
	"time"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// bridge has the goroutines that wait for the gossip pool. It lives from one start
// of the actor to its end.
type bridge struct {
	cfg     Config
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func newBridge(cfg Config) *bridge {
	ctx, cancel := context.WithCancel(context.Background())
	return &bridge{cfg: cfg, ctx: ctx, cancel: cancel}
}

// fire gives the event to the pool, or to a server of the datacenter that it is for, and
// answers who asked for it.
func (b *bridge) fire(msg *messages.FireEvent, e messages.UserEvent, payload []byte) {
	b.running.Go(func() {
		var err error
		if dc := msg.Datacenter; dc == "" || dc == b.cfg.Datacenter {
			_, err = ask.Do(b.ctx, b.cfg.LAN, &messages.FireUserEvent{Name: messages.EventPrefix + e.Name, Payload: payload})
		} else {
			err = b.elsewhere(&wire.EventFireRequest{Datacenter: dc, Name: e.Name, Payload: payload})
		}
		msg.Settle(e, err)
	})
}

// elsewhereTimeout is for how long another datacenter is waited for.
const elsewhereTimeout = 10 * time.Second

func (b *bridge) elsewhere(args *wire.EventFireRequest) error {
	if b.cfg.Elsewhere == nil {
		return wire.ErrNoDCPath
	}
	ctx, cancel := context.WithTimeout(b.ctx, elsewhereTimeout)
	defer cancel()
	return b.cfg.Elsewhere(ctx, args)
}

// close ends the goroutines; none of them does anything but wait, so this is short.
func (b *bridge) close() {
	b.cancel()
	b.running.Wait()
}
