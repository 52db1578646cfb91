package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-uuid"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/connectca"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages/wire"
)

// errCAInterrupted is returned when somebody else has made the authority meanwhile.
var errCAInterrupted = errors.New("the certificate authority has been made meanwhile")

// initializeCA makes the certificate authority of a new datacenter: first its secret,
// then the root that others see, so that a root that is seen can sign.
func (p *plot) initializeCA(ctx context.Context) error {
	c := p.cfg.Connect
	if _, _, there := p.fsm.View().CARoots(nil); !c.Enabled || there != nil {
		return nil
	}
	cluster := c.ClusterID
	if cluster == "" {
		id, err := uuid.GenerateUUID()
		if err != nil {
			return fmt.Errorf("name the cluster: %w", err)
		}
		cluster = id
	}
	config := &wire.CAConfiguration{ClusterID: cluster, Provider: connectca.Provider, Config: map[string]any{
		"LeafCertTTL": connectca.LeafTTL.String(), "IntermediateCertTTL": "8760h0m0s", "RootCertTTL": connectca.RootTTL.String(),
	}}
	for key, value := range c.Config {
		config.Config[key] = value
	}
	root, secret, err := connectca.New(cluster, time.Now(), connectca.RootTTLOf(config))
	if err != nil {
		return err
	}
	for _, r := range []*wire.CARequest{
		{Op: wire.CASetProviderState, ProviderState: secret},
		{Op: wire.CASetRootsAndConfig, Roots: []*wire.CARoot{root}, Config: config},
	} {
		r.Datacenter = p.cfg.Node.Datacenter
		var done bool
		if err := invoke.Write(ctx, p.invoker, endpoint.ConnectCAApply, r, &done); err != nil {
			return err
		}
		if !done {
			return errCAInterrupted
		}
	}
	return nil
}
