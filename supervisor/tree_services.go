package supervisor

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/coordinate"
	"github.com/actor-consul/consul/actors/event"
	"github.com/actor-consul/consul/actors/health"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/local"
	"github.com/actor-consul/consul/actors/raft"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

func (p *plot) localState() actor.Producer {
	n, s := p.cfg.Node, p.cfg.Services
	return local.New(local.Config{
		Logger: p.cfg.Logger,
		Node: &wire.Node{
			ID: n.ID, Node: n.Name, Address: n.Address, Datacenter: n.Datacenter,
			TaggedAddresses: n.TaggedAddresses, Meta: n.Meta,
		},
		Server:                  p.cfg.Server,
		Services:                s.Definitions,
		Checks:                  s.Checks,
		EnableScriptChecks:      s.ScriptChecks,
		EnableLocalScriptChecks: s.LocalScriptChecks,
		SidecarMinPort:          s.SidecarMinPort,
		SidecarMaxPort:          s.SidecarMaxPort,
		DataDir:                 p.cfg.DataDir,
		CheckUpdateInterval:     s.CheckUpdateInterval,
		DiscardCheckOutput:      s.DiscardCheckOutput,
		View:                    &p.local,
		Health:                  p.at(health.Name),
		Read:                    p.readNode,
		Register:                p.register,
		Deregister:              p.deregister,
	})
}

func (p *plot) event() actor.Producer {
	return event.New(event.Config{
		Logger:   p.cfg.Logger,
		NodeName: p.cfg.Node.Name,
		LAN:      p.at(lanName),
		Local:    &p.local,
		Events:   &p.events,

		Datacenter: p.cfg.Node.Datacenter,
		Elsewhere: func(ctx context.Context, args *wire.EventFireRequest) error {
			return invoke.Do(ctx, p.invoker, invoke.EventFire, args, new(wire.EventFireResponse))
		},
	})
}

func (p *plot) coordinates() actor.Producer {
	c := p.cfg.Coordinates
	cfg := coordinate.Config{
		Logger:      p.cfg.Logger,
		NodeName:    p.cfg.Node.Name,
		Datacenter:  p.cfg.Node.Datacenter,
		LAN:         &p.lan,
		RateTarget:  c.RateTarget,
		IntervalMin: c.IntervalMin,
	}
	if !c.Disabled {
		cfg.Send = func(ctx context.Context, args *wire.CoordinateUpdateRequest) error {
			return invoke.Do(ctx, p.invoker, invoke.CoordinateUpdate, args, &struct{}{})
		}
	}
	if p.cfg.Server {
		cfg.Propose = p.proposeCoordinates
	}
	return coordinate.New(cfg)
}

// proposeCoordinates writes down where agents are, if this server leads.
func (p *plot) proposeCoordinates(ctx context.Context, all wire.Coordinates) error {
	entry, err := wire.Encode(wire.CoordinateBatchUpdateType, all)
	if err != nil {
		return err
	}
	_, err = ask.Do(ctx, p.at(raft.Name), &messages.ApplyEntry{Entry: entry})
	return err
}

func (p *plot) health() actor.Producer {
	s, log := p.cfg.Services, p.cfg.Logger.Named("agent").Named(health.Name)
	cfg := health.Config{
		Logger:        p.cfg.Logger,
		View:          &p.local,
		Local:         p.at(local.Name),
		NodeName:      p.cfg.Node.Name,
		NodeChecks:    p.nodeChecks,
		OutputMaxSize: s.OutputMaxSize,
		DockerHost:    s.DockerHost,
		Guard:         func(produce actor.Producer) actor.Producer { return guarded(produce, log) },
	}
	if s.AgentTLS {
		cfg.TLS = p.keys.Checks
	}
	return health.New(cfg)
}

// The bounds on what a check that is an alias sees of another node: it may be a
// little old, and news is waited for.
const (
	aliasMaxStale = 15 * time.Second
	aliasMaxWait  = time.Minute
)

// nodeChecks returns what the catalog has of a node, once it has changed since
// index.
func (p *plot) nodeChecks(ctx context.Context, node string, index uint64) (health.NodeChecks, error) {
	ask := func(min uint64) *wire.NodeSpecificRequest {
		return &wire.NodeSpecificRequest{Datacenter: p.cfg.Node.Datacenter, Node: node, QueryOptions: wire.QueryOptions{
			AllowStale: true, MaxStaleDuration: aliasMaxStale, MinQueryIndex: min, MaxQueryTime: aliasMaxWait,
		}}
	}
	var checks wire.IndexedHealthChecks
	if err := invoke.Read(ctx, p.invoker, endpoint.NodeChecks, ask(index), &checks); err != nil {
		return health.NodeChecks{}, fmt.Errorf("read the checks of node %q: %w", node, err)
	}
	var services wire.IndexedNodeServices
	if err := invoke.Read(ctx, p.invoker, endpoint.NodeServices, ask(0), &services); err != nil {
		return health.NodeChecks{}, fmt.Errorf("read the services of node %q: %w", node, err)
	}
	seen := health.NodeChecks{Index: checks.Index, Checks: checks.HealthChecks}
	if n := services.NodeServices; n != nil {
		seen.Known, seen.Services = true, n.Services
	}
	return seen, nil
}

// definitionsBudget is how long new definitions may take to reach the disk.
const definitionsBudget = 30 * time.Second

// reload returns what reads the configuration again and has its definitions taken
// over. When they cannot be, nothing of it is; nil when there is nothing to read.
func (p *plot) reload() func() (*messages.Reconfigure, messages.ReloadReport, error) {
	if p.cfg.Reload == nil {
		return nil
	}
	return func() (*messages.Reconfigure, messages.ReloadReport, error) {
		news, report, err := p.cfg.Reload()
		if err != nil {
			return nil, messages.ReloadReport{}, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), definitionsBudget)
		defer cancel()
		if report.Certificates, err = p.reloadCertificates(ctx, news.TLS); err != nil {
			return nil, messages.ReloadReport{}, err
		}
		defined := &messages.ReplaceDefinitions{Services: news.Services, Checks: news.Checks}
		if _, err := ask.Do(ctx, p.at(local.Name), defined); err != nil {
			return nil, messages.ReloadReport{}, err
		}
		return news, report, nil
	}
}
