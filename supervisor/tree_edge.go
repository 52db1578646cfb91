package supervisor

import (
	"cmp"
	"context"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/actors/dns"
	"github.com/actor-consul/consul/actors/event"
	"github.com/actor-consul/consul/actors/health"
	"github.com/actor-consul/consul/actors/http"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/leave"
	"github.com/actor-consul/consul/actors/local"
	"github.com/actor-consul/consul/actors/logs"
	"github.com/actor-consul/consul/actors/raft"
	"github.com/actor-consul/consul/actors/rpc"
	"github.com/actor-consul/consul/actors/socket"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// self is where the root is reached.
func (p *plot) self() ask.Address { return ask.At(p.sys, p.sys.NewLocalPID(Name)) }

// raftStatus and wanView are what only servers have; nil on clients.
func (p *plot) raftStatus() *messages.Published[messages.RaftStatus] {
	if !p.cfg.Server {
		return nil
	}
	return &p.raft
}

func (p *plot) wanView() *messages.Published[messages.PoolView] {
	if !p.has(wanName) {
		return nil
	}
	return &p.wan
}

// settledView returns what returns the newest state, or one with nothing in it while a
// server still reads its log after a start: whom it does not know yet, it would deny.
func (p *plot) settledView() func() *state.View {
	nothing := state.NewStore().View()
	return func() *state.View {
		if p.raft.Load().CatchesUp() {
			return nothing
		}
		return p.fsm.View()
	}
}

func (p *plot) dns() actor.Producer {
	return dns.New(dns.Config{
		Logger:     p.cfg.Logger,
		Addrs:      p.cfg.DNS.Addrs,
		Domain:     p.cfg.DNS.Domain,
		AltDomain:  p.cfg.DNS.AltDomain,
		Datacenter: p.cfg.Node.Datacenter,
		NodeName:   p.cfg.Node.Name,
		View:       p.settledView(),
		Age:        p.viewAge(),
		DNS:        p.cfg.DNS.Config,
		LAN:        &p.lan,
		Elsewhere:  p.elsewhere(),

		TranslateWANAddrs: p.cfg.TranslateWANAddrs,
		Execute: func(ctx context.Context, args *wire.PreparedQueryExecuteRequest) (*wire.PreparedQueryExecuteResponse, error) {
			reply := new(wire.PreparedQueryExecuteResponse)
			return reply, invoke.Do(ctx, p.invoker, invoke.PreparedQueryExecute, args, reply)
		},
		QueryNames: func(ctx context.Context, dc string) (names []string, err error) {
			var reply wire.IndexedPreparedQueries
			args := &wire.DCSpecificRequest{Datacenter: dc, QueryOptions: wire.QueryOptions{AllowStale: true}}
			err = invoke.Read(ctx, p.invoker, endpoint.PreparedQueryList, args, &reply)
			for _, q := range reply.Queries {
				names = append(names, q.Name)
			}
			return names, err
		},
	})
}

// elsewhere is how DNS asks other datacenters.
func (p *plot) elsewhere() *dns.Elsewhere {
	return &dns.Elsewhere{
		Node: func(ctx context.Context, args *wire.NodeSpecificRequest) (*wire.Node, error) {
			reply, err := readFresh(ctx, p.invoker, endpoint.NodeServices, args, args.Options())
			if err != nil || reply.NodeServices == nil {
				return nil, err
			}
			return reply.NodeServices.Node, nil
		},
		Datacenters: func(ctx context.Context) (names []string, err error) {
			err = invoke.Do(ctx, p.invoker, invoke.ListDatacenters, &wire.DatacentersRequest{}, &names)
			return names, err
		},
		Instances: func(ctx context.Context, args *wire.ServiceSpecificRequest) (wire.CheckServiceNodes, error) {
			reply, err := readFresh(ctx, p.invoker, endpoint.HealthServiceNodes, args, args.Options())
			if err != nil {
				return nil, err
			}
			return reply.Nodes, nil
		},
	}
}

// readFresh asks again, of the leader, when an answer is staler than the options, which
// are those of args, allow.
func readFresh[A, R any](ctx context.Context, inv *invoke.Invoker, ep endpoint.Read[A, R], args *A, opts *wire.QueryOptions) (*R, error) {
	reply := new(R)
	err := invoke.Read(ctx, inv, ep, args, reply)
	most := opts.MaxStaleDuration
	if err != nil || !opts.AllowStale || most <= 0 || any(reply).(wire.Reply).Meta().LastContact <= most {
		return reply, err
	}
	opts.AllowStale, opts.MaxStaleDuration = false, 0
	reply = new(R)
	return reply, invoke.Read(ctx, inv, ep, args, reply)
}

func (p *plot) http() actor.Producer {
	cfg := p.cfg
	limits := http.DefaultLimits()
	limits.MaxConnsPerClient = cfg.HTTP.MaxConnsPerClient
	limits.MaxHeaderBytes = cmp.Or(cfg.HTTP.MaxHeaderBytes, limits.MaxHeaderBytes)
	limits.ReadHeaderTimeout = cmp.Or(cfg.HTTP.HandshakeTimeout, limits.ReadHeaderTimeout)
	limits.KVMaxValueSize = cmp.Or(cfg.HTTP.KVMaxValueSize, limits.KVMaxValueSize)
	limits.TxnMaxReqLen = cmp.Or(cfg.HTTP.TxnMaxReqLen, limits.TxnMaxReqLen)
	return http.New(http.Config{
		Logger:     cfg.Logger,
		Addrs:      cfg.HTTP.Addrs,
		TLSAddrs:   cfg.HTTP.TLSAddrs,
		TLS:        p.keys.HTTPS(),
		Socket:     socket.Owner(cfg.Sockets),
		Invoker:    p.invoker,
		Event:      p.at(event.Name),
		GossipLAN:  p.at(lanName),
		GossipWAN:  p.at(wanName),
		Health:     p.at(health.Name),
		Leave:      p.at(leave.Name),
		Local:      p.at(local.Name),
		Logs:       p.at(logs.Name),
		Raft:       p.at(raft.Name),
		Supervisor: p.self(),
		LANView:    &p.lan,
		WANView:    p.wanView(),
		RaftStatus: p.raftStatus(),
		LocalView:  &p.local,
		Events:     &p.events,
		Facts: http.Facts{
			NodeName:          cfg.Node.Name,
			NodeID:            cfg.Node.ID,
			Datacenter:        cfg.Node.Datacenter,
			PrimaryDatacenter: cfg.Node.PrimaryDatacenter,
			Server:            cfg.Server,
			Bootstrap:         cfg.Raft.Bootstrap,
			NodeMeta:          cfg.Node.Meta,
			Version:           cfg.Version.Compat,
			OwnVersion:        cfg.Version.Own,
			Revision:          cfg.Version.Revision,
			BuildDate:         cfg.Version.Date,
			DebugConfig:       cfg.HTTP.DebugConfig,
			Connect:           cfg.Connect.Enabled,
		},
		Limits:          limits,
		ResponseHeaders: cfg.HTTP.ResponseHeaders,
		AllowWriteFrom:  cfg.HTTP.AllowWriteFrom,
		BlockEndpoints:  cfg.HTTP.BlockEndpoints,
		EnableDebug:     cfg.HTTP.EnableDebug,

		DiscoveryMaxStale: cfg.HTTP.DiscoveryMaxStale,
		TranslateWANAddrs: cfg.TranslateWANAddrs,

		LogText:    logs.AppendText,
		LogJSON:    logs.AppendJSON,
		ParseLevel: logs.ParseLevel,
		Metrics:    cfg.HTTP.Metrics,
	})
}

func (p *plot) rpc() actor.Producer {
	cfg := p.cfg
	listeners := make([]rpc.Listener, len(cfg.RPC.Listeners))
	for i, l := range cfg.RPC.Listeners {
		listeners[i] = rpc.Listener(l)
	}
	return rpc.New(rpc.Config{
		Logger:     cfg.Logger,
		Listeners:  listeners,
		Socket:     socket.Owner(cfg.Sockets),
		Explicit:   cfg.RPC.Explicit,
		Server:     cfg.Server,
		Datacenter: cfg.Node.Datacenter,
		LAN:        p.at(lanName),
		WAN:        p.at(wanName),
		Leave:      p.at(leave.Name),
		Supervisor: p.self(),
		Logs:       p.at(logs.Name),
		LANView:    &p.lan,
		WANView:    p.wanView(),
		Stats: rpc.NewStats(rpc.StatsConfig{
			Version:   cfg.Version.Compat,
			Revision:  cfg.Version.Revision,
			Server:    cfg.Server,
			Bootstrap: cfg.Raft.Bootstrap,
			LAN:       &p.lan,
			WAN:       p.wanView(),
			Raft:      p.raftStatus(),
			Agent:     func() map[string]string { return p.local.Load().Stats() },
		}),
		Format:     logs.AppendText,
		FormatJSON: logs.AppendJSON,
		ParseLevel: logs.ParseLevel,
	})
}
