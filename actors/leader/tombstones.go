package leader

import (
	"context"
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// What the actor tells itself of the tombstones of the KV store.
type (
	sweep  struct{ reign *reign }
	reaped struct {
		reign *reign
		upTo  uint64
		err   error
	}
)

// sweep looks at the tombstones, and has those go whose time is over.
func (a *leaderActor) sweep(ctx actor.Context, r *reign) {
	if r != a.reign {
		return
	}
	now := time.Now()
	r.graves.note(a.cfg.Catalog().NewestTombstone(), now)
	upTo := r.graves.ripe(now)
	if upTo == 0 {
		a.sweepLater(ctx)
		return
	}
	root, self, cfg := ctx.ActorSystem().Root, ctx.Self(), a.cfg
	go func() { root.Send(self, &reaped{r, upTo, reap(r.ctx, cfg, upTo)}) }()
}

func (a *leaderActor) reaped(ctx actor.Context, msg *reaped) {
	switch {
	case msg.reign != a.reign:
		return
	case msg.err == nil:
		a.reign.graves.reaped(msg.upTo)
	case !errors.Is(msg.err, context.Canceled):
		a.log.Error("could not forget old deletions of keys; trying again", zap.Uint64("up_to", msg.upTo), zap.Error(msg.err))
	}
	a.sweepLater(ctx)
}

func (a *leaderActor) sweepLater(ctx actor.Context) {
	root, self, r := ctx.ActorSystem().Root, ctx.Self(), a.reign
	r.sweeper = time.AfterFunc(tombstoneGranularity, func() { root.Send(self, &sweep{r}) })
}

// reap writes that the tombstones up to an index go. It runs on a goroutine.
func reap(ctx context.Context, cfg Config, upTo uint64) error {
	defer metrics.MeasureSince([]string{"leader", "reapTombstones"}, time.Now())
	entry, err := wire.Encode(wire.TombstoneRequestType, &wire.TombstoneRequest{
		Datacenter: cfg.Datacenter, Op: wire.TombstoneReap, ReapIndex: upTo,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	applied, err := ask.Do(ctx, cfg.Raft, &messages.ApplyEntry{Entry: entry})
	if err != nil {
		return err
	}
	err, _ = applied.Result.(error)
	return err
}
