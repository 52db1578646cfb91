package supervisor

import (
	"context"
	"errors"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/answers"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/autopilot"
	"github.com/actor-consul/consul/actors/catalog"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/certs"
	"github.com/actor-consul/consul/actors/coordinate"
	"github.com/actor-consul/consul/actors/dns"
	"github.com/actor-consul/consul/actors/event"
	"github.com/actor-consul/consul/actors/health"
	"github.com/actor-consul/consul/actors/http"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/leader"
	"github.com/actor-consul/consul/actors/leave"
	"github.com/actor-consul/consul/actors/local"
	"github.com/actor-consul/consul/actors/logs"
	"github.com/actor-consul/consul/actors/raft"
	"github.com/actor-consul/consul/actors/replica"
	"github.com/actor-consul/consul/actors/router"
	"github.com/actor-consul/consul/actors/rpc"
	"github.com/actor-consul/consul/actors/serverrpc"
	"github.com/actor-consul/consul/actors/serverrpc/client"
	"github.com/actor-consul/consul/actors/session"
	"github.com/actor-consul/consul/actors/watch"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// The names of the actors that stand in the tree more than once as a package.
const (
	lanName = "gossip-lan"
	wanName = "gossip-wan"
)

// Start runs an agent: it spawns the tree, each actor when the one before it is
// ready. When one cannot start, those that did are stopped again and the error
// says why, in words for who started the agent. The end of ctx stops the start.
func Start(ctx context.Context, cfg Config) (*Agent, error) {
	p := plant(cfg, NewSystem(logs.Slog(cfg.Logger.Named("actor"))))
	return p.grow(ctx, p.tree())
}

// plot is the ground that a tree grows on: what its actors share.
type plot struct {
	cfg     Config
	sys     *actor.ActorSystem
	invoker *invoke.Invoker
	pool    *client.Pool // connections to other servers
	fsm     *catalog.FSM // on clients, a replica
	copied  contact      // of the replica with the servers
	keys    *certs.Keychain
	dialer  *client.Dialer
	answers *answers.Table

	lan, wan messages.Published[messages.PoolView]
	routes   messages.Published[messages.Routes]
	raft     messages.Published[messages.RaftStatus]
	local    messages.Published[messages.LocalView]
	events   messages.Published[messages.EventView]

	autopilot messages.Published[wire.AutopilotState]
}

func plant(cfg Config, sys *actor.ActorSystem) *plot {
	p := &plot{cfg: cfg, sys: sys, fsm: catalog.NewFSM(), keys: certs.NewKeychain(cfg.Node.Datacenter, cfg.DNS.Domain)}
	p.dialer = &client.Dialer{TLS: p.outgoingTLS}
	p.pool = client.NewPool(client.Config{Logger: cfg.Logger, Dir: cfg.DataDir, Dial: p.dialer.Dial, Lost: p.lost})
	p.answers = answers.New(answers.Config{View: p.fsm.View, Follow: p.follow})
	p.invoker = invoke.New(invoke.Config{
		Answers:          p.answers,
		Datacenter:       cfg.Node.Datacenter,
		View:             p.fsm.View,
		Status:           &p.raft,
		Raft:             p.at(raft.Name),
		Autopilot:        &p.autopilot,
		GossipLAN:        p.at(lanName),
		GossipWAN:        p.at(wanName),
		Sessions:         p.at(session.Name),
		Coordinates:      p.at(coordinate.Name),
		Routes:           &p.routes,
		WAN:              p.wanView(),
		Call:             p.pool.Call,
		Snapshot:         p.pool.Snapshot,
		Failed:           p.at(router.Name),
		Client:           !cfg.Server,
		DefaultQueryTime: cfg.Queries.DefaultTime,
		MaxQueryTime:     cfg.Queries.MaxTime,
		Hold:             cfg.Queries.Hold,
		SessionTTLMin:    cfg.Queries.SessionTTLMin,
	})
	return p
}

// lost tells the pools that a connection to a server has ended.
func (p *plot) lost(address string) {
	for _, pool := range []string{lanName, wanName} {
		p.at(pool).Tell(&messages.ConnectionLost{Address: address})
	}
}

// clear gives back what is not an actor's, when the last of them has ended.
func (p *plot) clear() {
	p.pool.Close()
	p.sys.Shutdown()
}

// grow starts the tree.
func (p *plot) grow(ctx context.Context, tree []child) (*Agent, error) {
	return begin(ctx, p.sys, tree, options{
		log:    p.cfg.Logger.Named("agent"),
		reload: p.reload(),
		trace:  p.cfg.Trace,
		ended:  p.clear,
	})
}

// at returns the address of an actor, started or not; nobody for one that this
// tree does not have.
func (p *plot) at(name string) ask.Address {
	if !p.has(name) {
		return ask.Address{}
	}
	return ask.At(p.sys, p.sys.NewLocalPID(path(name)))
}

// has says whether the tree of this agent has the actor.
func (p *plot) has(name string) bool {
	switch name {
	case catalog.Name, watch.Name, serverrpc.Name, raft.Name, leader.Name, session.Name, autopilot.Name:
		return p.cfg.Server
	case replica.Name:
		return !p.cfg.Server
	case wanName:
		return p.cfg.Server && p.cfg.WAN.Bind.IsValid()
	default:
		return true
	}
}

// tree is the agent, in start order; a stop goes the other way. An actor learns of
// another here and nowhere else. Two actors may each hold the other's address, but
// while it starts an actor speaks only to those above it: news for those below,
// such as who is in the pool, is lost, and they look for themselves when they start.
func (p *plot) tree() []child {
	all := []child{
		{name: logs.Name, policy: alone, produce: p.logs(), reconfigure: true},
		{name: catalog.Name, policy: never, produce: p.catalog()},
		{name: certs.Name, policy: alone, produce: p.certs()},
		{name: watch.Name, policy: alone, produce: p.watch()},
		{name: serverrpc.Name, policy: alone, produce: p.serverRPC()},
		{name: router.Name, policy: alone, produce: p.router()},
		{name: wanName, policy: alone, produce: p.gossip(messages.WAN)},
		{name: lanName, policy: alone, produce: p.gossip(messages.LAN)},
		{name: event.Name, policy: alone, produce: p.event()},
		{name: raft.Name, policy: never, produce: p.raftNode(), budget: raftStopBudget},
		{name: leader.Name, policy: alone, produce: p.leader()},
		{name: session.Name, policy: alone, produce: p.sessions()},
		{name: autopilot.Name, policy: alone, produce: p.autopilotActor()},
		{name: local.Name, policy: alone, produce: p.localState(), reconfigure: true},
		{name: health.Name, policy: alone, produce: p.health()},
		{name: coordinate.Name, policy: alone, produce: p.coordinates()},
		{name: replica.Name, policy: alone, produce: p.replica()},
		{name: dns.Name, policy: alone, produce: p.dns(), reconfigure: true},
		{name: http.Name, policy: alone, produce: p.http(), reconfigure: true},
		{name: rpc.Name, policy: alone, produce: p.rpc()},
		{name: leave.Name, policy: alone, produce: p.leave()},
	}
	var mine []child
	for _, c := range all {
		if p.has(c.name) {
			mine = append(mine, c)
		}
	}
	return mine
}

func (p *plot) logs() actor.Producer {
	return logs.New(logs.Config{Logger: p.cfg.Logger, Control: p.cfg.LogControl})
}

func (p *plot) catalog() actor.Producer {
	return catalog.New(catalog.Config{Logger: p.cfg.Logger, FSM: p.fsm})
}

func (p *plot) watch() actor.Producer {
	return watch.New(watch.Config{Logger: p.cfg.Logger, Waited: func() []messages.Followed {
		var waited []messages.Followed
		for _, q := range p.answers.Waited() {
			waited = append(waited, q)
		}
		return waited
	}})
}

// follow has a query evaluated for those who wait for it.
func (p *plot) follow(q *answers.Query) { p.at(watch.Name).Tell(&messages.FollowQuery{Query: q}) }

func (p *plot) router() actor.Producer {
	return router.New(router.Config{
		Logger:     p.cfg.Logger,
		Datacenter: p.cfg.Node.Datacenter,
		LAN:        &p.lan,
		WAN:        p.wanView(),
		Routes:     &p.routes,
		WANPool:    p.at(wanName),
		LANPool:    p.at(lanName),
	})
}

func (p *plot) leader() actor.Producer {
	return leader.New(leader.Config{
		Logger:     p.cfg.Logger,
		NodeName:   p.cfg.Node.Name,
		Datacenter: p.cfg.Node.Datacenter,
		Raft:       p.at(raft.Name),
		Status:     &p.raft,
		LAN:        &p.lan,
		WAN:        p.wanView(),
		Catalog:    func() leader.Catalog { return membership{p.fsm.View()} },
		Register:   p.register,
		Deregister: p.deregister,
		Initialize: p.initialize,
		Report:     p.report,

		ReconnectTimeout: p.cfg.LAN.ReconnectTimeout,
	})
}

func (p *plot) sessions() actor.Producer {
	return session.New(session.Config{
		Logger:     p.cfg.Logger,
		Datacenter: p.cfg.Node.Datacenter,
		Raft:       p.at(raft.Name),
		Status:     &p.raft,
		View:       p.fsm.View,
	})
}

// register, deregister, initialize and readNode are how actors reach the catalog.
func (p *plot) register(ctx context.Context, r *wire.RegisterRequest) error {
	return invoke.Write(ctx, p.invoker, endpoint.Register, r, new(struct{}))
}

func (p *plot) deregister(ctx context.Context, r *wire.DeregisterRequest) error {
	return invoke.Write(ctx, p.invoker, endpoint.Deregister, r, new(struct{}))
}

// initialize writes what a new datacenter begins with.
func (p *plot) initialize(ctx context.Context) error {
	return errors.Join(p.initializeAutopilot(ctx), p.initializeCA(ctx))
}

func (p *plot) initializeAutopilot(ctx context.Context) error {
	if _, there := p.fsm.View().AutopilotConfig(nil); there != nil {
		return nil
	}
	args := &wire.AutopilotSetConfigRequest{Datacenter: p.cfg.Node.Datacenter, Config: p.cfg.Autopilot}
	return invoke.Write(ctx, p.invoker, endpoint.AutopilotSetConfiguration, args, new(bool))
}

func (p *plot) readNode(ctx context.Context) (*wire.NodeServices, wire.HealthChecks, error) {
	args := &wire.NodeSpecificRequest{Datacenter: p.cfg.Node.Datacenter, Node: p.cfg.Node.Name}
	var services wire.IndexedNodeServices
	if err := invoke.Read(ctx, p.invoker, endpoint.NodeServices, args, &services); err != nil {
		return nil, nil, fmt.Errorf("read own services: %w", err)
	}
	var checks wire.IndexedHealthChecks
	if err := invoke.Read(ctx, p.invoker, endpoint.NodeChecks, args, &checks); err != nil {
		return nil, nil, fmt.Errorf("read own checks: %w", err)
	}
	return services.NodeServices, checks.HealthChecks, nil
}

func (p *plot) leave() actor.Producer {
	cfg := leave.Config{Logger: p.cfg.Logger, Owners: map[string]ask.Address{}, Objection: p.objection}
	for _, s := range leavePlan {
		if p.has(s.Owner) {
			cfg.Plan = append(cfg.Plan, s)
			cfg.Owners[s.Owner] = p.at(s.Owner)
		}
	}
	return leave.New(cfg)
}

// objection returns why this server had better not leave, or nil. It may wait.
func (p *plot) objection(ctx context.Context) error {
	s := p.raft.Load()
	if s == nil || s.Peers == nil {
		return nil
	}
	return raft.Departure{
		Self:   p.cfg.Node.ID,
		Peers:  s.Peers(),
		Leader: s.LeaderAddr,
		Pool:   p.lan.Load(),
		Ping:   p.pool.Ping,
	}.Objection(ctx)
}
