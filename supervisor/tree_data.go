package supervisor

import (
	"context"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/autopilot"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/actors/event"
	"github.com/actor-consul/consul/actors/gossip"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/leader"
	"github.com/actor-consul/consul/actors/local"
	"github.com/actor-consul/consul/actors/logs"
	"github.com/actor-consul/consul/actors/raft"
	"github.com/actor-consul/consul/actors/replica"
	"github.com/actor-consul/consul/actors/router"
	"github.com/actor-consul/consul/actors/serverrpc"
	"github.com/actor-consul/consul/actors/session"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// raftStopBudget lets raft finish what it writes and close its log.
const raftStopBudget = 10 * time.Second

// membership is the catalog as the leader looks at it.
type membership struct{ view *state.View }

func (m membership) NodeEntry(name string) (*wire.Node, *wire.HealthCheck, *wire.NodeService) {
	_, node := m.view.Node(nil, name)
	if node == nil {
		return nil, nil, nil
	}
	_, serf := m.view.NodeCheck(nil, name, wire.SerfCheckID)
	_, consul := m.view.NodeService(nil, name, wire.ConsulServiceID)
	return node, serf, consul
}

func (m membership) MonitoredNodes() []string {
	_, checks := m.view.ChecksInState(nil, wire.HealthAny, nil)
	var names []string
	for _, c := range checks {
		if c.CheckID == wire.SerfCheckID {
			names = append(names, c.Node)
		}
	}
	return names
}

func (m membership) NewestTombstone() uint64 {
	_, newest := m.view.Tombstones()
	return newest
}

func (p *plot) raftNode() actor.Producer {
	cfg := p.cfg
	return raft.New(raft.Config{
		Logger:            cfg.Logger,
		Library:           logs.Hclog(cfg.Logger.Named("raft")),
		FSM:               p.fsm,
		NodeID:            cfg.Node.ID,
		Advertise:         cfg.ServerRPC.Advertise,
		DataDir:           cfg.DataDir,
		Bootstrap:         cfg.Raft.Bootstrap,
		BootstrapExpect:   cfg.Raft.BootstrapExpect,
		Datacenter:        cfg.Node.Datacenter,
		RaftMultiplier:    cfg.Raft.Multiplier,
		SnapshotThreshold: cfg.Raft.SnapshotThreshold,
		SnapshotInterval:  cfg.Raft.SnapshotInterval,
		TrailingLogs:      cfg.Raft.TrailingLogs,
		SegmentSize:       cfg.Raft.SegmentSize,
		Status:            &p.raft,
		Pool:              &p.lan,
		Leader:            p.at(leader.Name),
		Local:             p.at(local.Name),
		Watchers:          []ask.Address{p.at(session.Name), p.at(autopilot.Name)},
		Dial:              p.dialer.Raft,
		AskPeers:          p.pool.AskPeers,
		AskLog:            p.askLog,
		Ping:              p.pool.Ping,
		RemoveSelf:        p.removeSelf,
	})
}

// askLog asks the server at an address where its log ends.
func (p *plot) askLog(ctx context.Context, address string) (lastTerm, lastIndex uint64, err error) {
	stats, err := p.pool.RaftStats(ctx, address)
	if err != nil {
		return 0, 0, err
	}
	return stats.LastTerm, stats.LastIndex, nil
}

// removeSelf asks the leader to take this server out of the peer set.
func (p *plot) removeSelf(ctx context.Context) error {
	s := p.raft.Load()
	if s == nil || s.LeaderAddr == "" {
		return messages.ErrNoLeader
	}
	return p.pool.RemovePeer(ctx, s.LeaderAddr, p.cfg.Node.ID)
}

func (p *plot) autopilotActor() actor.Producer {
	return autopilot.New(autopilot.Config{
		Logger:     p.cfg.Logger,
		NodeID:     p.cfg.Node.ID,
		Datacenter: p.cfg.Node.Datacenter,
		Raft:       p.at(raft.Name),
		Status:     &p.raft,
		LAN:        &p.lan,
		Expect:     p.cfg.Raft.BootstrapExpect,
		Settings: func() *wire.AutopilotConfig {
			_, config := p.fsm.View().AutopilotConfig(nil)
			return config
		},
		Stats:    p.raftStats,
		PeersOf:  p.peersOf,
		NodeMeta: p.nodeMeta,
		State:    &p.autopilot,
	})
}

// peersOf asks another server for the peer set that it has itself.
func (p *plot) peersOf(ctx context.Context, s messages.Server) ([]messages.RaftServer, error) {
	set, err := p.pool.RaftConfiguration(ctx, s.Addr.String(), p.cfg.Node.Datacenter)
	if err != nil {
		return nil, err
	}
	var peers []messages.RaftServer
	for _, r := range set.Servers {
		peers = append(peers, messages.RaftServer{ID: r.ID, Address: r.Address, Voter: r.Voter})
	}
	return peers, nil
}

// raftStats asks another server how far it is.
func (p *plot) raftStats(ctx context.Context, s messages.Server) (lastTerm, lastIndex uint64, lastContact time.Duration, err error) {
	stats, err := p.pool.RaftStats(ctx, s.Addr.String())
	if err != nil {
		return 0, 0, 0, err
	}
	contact := time.Duration(-1) // never
	if d, err := time.ParseDuration(stats.LastContact); err == nil {
		contact = d
	}
	return stats.LastTerm, stats.LastIndex, contact, nil
}

func (p *plot) nodeMeta(id string) map[string]string {
	if _, node := p.fsm.View().NodeByID(nil, id); node != nil {
		return node.Meta
	}
	return nil
}

func (p *plot) serverRPC() actor.Producer {
	return serverrpc.New(serverrpc.Config{
		Logger:            p.cfg.Logger,
		Addr:              p.cfg.ServerRPC.Bind,
		Raft:              p.at(raft.Name),
		Status:            &p.raft,
		Invoker:           p.invoker,
		Answers:           p.answers,
		Datacenter:        p.cfg.Node.Datacenter,
		Security:          p.keys,
		MaxConnsPerClient: p.cfg.ServerRPC.MaxConnsPerClient,
		HandshakeTimeout:  p.cfg.ServerRPC.HandshakeTimeout,
	})
}

func (p *plot) replica() actor.Producer {
	return replica.New(replica.Config{
		Logger: p.cfg.Logger,
		Snapshot: func(ctx context.Context, args *wire.ReplicaSnapshotRequest) (*wire.ReplicaSnapshot, error) {
			page := new(wire.ReplicaSnapshot)
			err := invoke.Read(ctx, p.invoker, endpoint.ReplicaSnapshot, args, page)
			p.copied.note(err, p.cfg.Queries.Hold)
			return page, err
		},
		Changes: func(ctx context.Context, args *wire.ReplicaChangesRequest) (*wire.ReplicaChanges, error) {
			changes := new(wire.ReplicaChanges)
			err := invoke.Read(ctx, p.invoker, endpoint.ReplicaChanges, args, changes)
			p.copied.note(err, p.cfg.Queries.Hold)
			return changes, err
		},
		Load:  p.fsm.LoadReplica,
		Apply: p.fsm.ApplyReplica,
	})
}

func (p *plot) gossip(pool messages.Pool) actor.Producer {
	cfg := p.cfg
	settings, name, view, events, forget := cfg.LAN, cfg.Node.Name, &p.lan, p.at(event.Name), p.forget
	if pool == messages.WAN {
		settings, name, view, events, forget = cfg.WAN, cfg.Node.Name+"."+cfg.Node.Datacenter, &p.wan, ask.Address{}, nil
	}
	return gossip.New(gossip.Config{
		Logger:                cfg.Logger,
		LogOutput:             logs.StdWriter(cfg.Logger),
		Pool:                  pool,
		NodeName:              name,
		NodeID:                cfg.Node.ID,
		Datacenter:            cfg.Node.Datacenter,
		Tags:                  p.tags(),
		Bind:                  settings.Bind,
		Advertise:             settings.Advertise,
		DataDir:               cfg.DataDir,
		DisableKeyringFile:    cfg.Encrypt.DisableKeyringFile,
		EncryptKey:            cfg.Encrypt.Key,
		EncryptVerifyIncoming: cfg.Encrypt.VerifyIncoming,
		EncryptVerifyOutgoing: cfg.Encrypt.VerifyOutgoing,
		RejoinAfterLeave:      cfg.RejoinAfterLeave,
		ReconnectTimeout:      settings.ReconnectTimeout,
		Gossip:                settings.Gossip,
		AllowedCIDRs:          settings.AllowedCIDRs,
		Join:                  settings.Join,
		RetryJoin:             settings.RetryJoin,
		RetryInterval:         settings.RetryInterval,
		RetryMax:              settings.RetryMax,
		Subscribers:           p.subscribers(),
		Events:                events,
		View:                  view,
		Forget:                forget,
	})
}

// forget takes a node from the catalog that the pool has forgotten, and which is critical
// for that (actors/leader/state_strays.go).
func (p *plot) forget(ctx context.Context, node string) (found bool, err error) {
	args := &wire.NodeSpecificRequest{Datacenter: p.cfg.Node.Datacenter, Node: node}
	var checks wire.IndexedHealthChecks
	if err := invoke.Read(ctx, p.invoker, endpoint.NodeChecks, args, &checks); err != nil {
		return false, err
	}
	if !slices.ContainsFunc(checks.HealthChecks, func(c *wire.HealthCheck) bool {
		return c.CheckID == wire.SerfCheckID && c.Status == wire.HealthCritical
	}) {
		return false, nil
	}
	return true, p.deregister(ctx, &wire.DeregisterRequest{Datacenter: p.cfg.Node.Datacenter, Node: node})
}

func (p *plot) subscribers() []ask.Address {
	all := []ask.Address{p.at(router.Name)}
	if p.cfg.Server {
		all = append(all, p.at(raft.Name), p.at(leader.Name), p.at(autopilot.Name))
	}
	return all
}

func (p *plot) tags() map[string]string {
	id := gossip.Identity{
		Datacenter: p.cfg.Node.Datacenter,
		NodeID:     p.cfg.Node.ID,
		Build:      p.cfg.Version.Compat + ":" + p.cfg.Version.Revision,
	}
	if !p.cfg.Server {
		id.ReconnectTimeout = p.cfg.LAN.AdvertiseReconnectTimeout
		return gossip.ClientTags(id)
	}
	id.RPCPort = p.cfg.ServerRPC.port()
	id.Bootstrap = p.cfg.Raft.Bootstrap
	id.Expect = p.cfg.Raft.BootstrapExpect
	id.UseTLS = p.cfg.TLS.RPC.CAFile != "" || p.cfg.TLS.RPC.CAPath != "" // as in Consul
	if p.cfg.WAN.Bind.IsValid() {
		id.WANPort = p.cfg.WAN.Advertise.Port()
	}
	return gossip.ServerTags(id)
}
