package invoke

import (
	"context"
	"errors"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// ConnectCAConfigurationSet changes how certificates are made and, with another root
// or key in the configuration, who makes them.
var ConnectCAConfigurationSet = &Duty[wire.CARequest, struct{}]{method: "ConnectCA.ConfigurationSet", run: caConfigurationSet}

// errCAChanged is returned when two change the authority at once.
var errCAChanged = errors.New("the certificate authority was changed meanwhile: look at its configuration and try again")

func caConfigurationSet(ctx context.Context, inv *Invoker, args *wire.CARequest, _ *struct{}) error {
	if s := inv.cfg.Status.Load(); !s.Leads() || !s.Ready {
		return messages.ErrNotLeader
	}
	steps, err := endpoint.ConnectCASteps(inv.env(), args.Config)
	if err != nil {
		return err
	}
	for _, r := range steps {
		r.Datacenter = inv.cfg.Datacenter
		var done bool
		if err := Write(ctx, inv, endpoint.ConnectCAApply, r, &done); err != nil {
			return err
		}
		if !done {
			return errCAChanged
		}
	}
	return nil
}
