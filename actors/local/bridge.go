package local

import (
	"context"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages/wire"
)

// fetch returns what the catalog has of this node. It runs on a goroutine.
func fetch(ctx context.Context, read func(context.Context) (*wire.NodeServices, wire.HealthChecks, error)) (remote, error) {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	node, checks, err := read(ctx)
	if err != nil {
		return remote{}, err
	}
	has := remote{checks: checks}
	if node != nil {
		has.node, has.services = node.Node, node.Services
	}
	return has, nil
}

// writer writes to the catalog, on a goroutine.
type writer struct {
	log        *zap.Logger
	register   func(context.Context, *wire.RegisterRequest) error
	deregister func(context.Context, *wire.DeregisterRequest) error
}

// write makes all the writes, whatever becomes of each. It returns whether all
// went well.
func (w writer) write(ctx context.Context, writes []write) bool {
	well := true
	for _, one := range writes {
		if err := w.one(ctx, one); err != nil {
			w.log.Error("failed to sync "+one.what, zap.Error(err))
			well = false
		} else if one.register != nil {
			w.log.Info("Synced " + one.what)
		} else {
			w.log.Info("Deregistered " + one.what)
		}
		if ctx.Err() != nil {
			return false
		}
	}
	return well
}

func (w writer) one(ctx context.Context, one write) error {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	if one.register != nil {
		return w.register(ctx, one.register)
	}
	return w.deregister(ctx, one.deregister)
}
