package leader

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// establish waits until all that was committed before is applied here, tells raft
// so, and sees to what a datacenter needs. It runs on a goroutine.
func establish(ctx context.Context, cfg Config, term uint64) error {
	begun := time.Now()
	if _, err := ask.Do(ctx, cfg.Raft, &messages.Barrier{}); err != nil {
		return err
	}
	metrics.MeasureSince([]string{"leader", "barrier"}, begun)
	cfg.Raft.Tell(&messages.LeaderReady{Term: term})
	if cfg.Initialize == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return cfg.Initialize(ctx)
}

// writer writes changes to the catalog, on a goroutine, which may wait.
type writer struct {
	log        *zap.Logger
	register   func(context.Context, *wire.RegisterRequest) error
	deregister func(context.Context, *wire.DeregisterRequest) error
}

// write makes the changes one after the other. One that is refused does not hold
// up the others; the error has them all.
func (w writer) write(ctx context.Context, changes []*change) error {
	var failed error
	for _, c := range changes {
		w.log.Info(c.news)
		if err := w.one(ctx, c); err != nil {
			failed = errors.Join(failed, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return failed
}

func (w writer) one(ctx context.Context, c *change) error {
	defer metrics.MeasureSince([]string{"leader", "reconcileMember"}, time.Now())
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if c.register != nil {
		return w.register(ctx, c.register)
	}
	return w.deregister(ctx, c.deregister)
}
