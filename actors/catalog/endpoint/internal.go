package endpoint

import (
	"github.com/actor-consul/consul/messages/wire"
)

// NodeInfo returns a node with all that is on it.
var NodeInfo = Read[wire.NodeSpecificRequest, wire.IndexedNodeDump]{"Internal.NodeInfo", ours(nodeInfo)}

func nodeInfo(env *Env, args *wire.NodeSpecificRequest, reply *wire.IndexedNodeDump) error {
	idx, dump := env.View.NodeInfo(env.Watch, args.Node)
	reply.Index, reply.Dump = idx, visibleDump(env, &reply.QueryMeta, dump)
	return nil
}

// NodeDump returns all nodes with all that is on them.
var NodeDump = Read[wire.DCSpecificRequest, wire.IndexedNodeDump]{"Internal.NodeDump", ours(nodeDump)}

func nodeDump(env *Env, args *wire.DCSpecificRequest, reply *wire.IndexedNodeDump) error {
	filter, err := compile[*wire.NodeInfo](args.Filter)
	if err != nil {
		return err
	}
	idx, dump := env.View.NodeDump(env.Watch)
	reply.Index, reply.Dump = idx, visibleDump(env, &reply.QueryMeta, filter.slice(dump))
	return nil
}

// visibleDump leaves out of a dump, which nobody else has, what the asker may not
// see.
func visibleDump(env *Env, meta *wire.QueryMeta, dump wire.NodeDump) wire.NodeDump {
	seen := visible(env, meta, dump, func(a Authorizer, n *wire.NodeInfo) bool { return a.NodeRead(n.Node) })
	hidden := meta.ResultsFilteredByACLs
	for _, n := range seen {
		n.Services = visible(env, meta, n.Services, func(a Authorizer, s *wire.NodeService) bool { return a.ServiceRead(s.Service) })
		hidden = hidden || meta.ResultsFilteredByACLs
		n.Checks = visible(env, meta, n.Checks, canReadCheck)
		hidden = hidden || meta.ResultsFilteredByACLs
	}
	meta.ResultsFilteredByACLs = hidden
	return seen
}

// ServiceDump returns every instance of every service with health.
var ServiceDump = Read[wire.ServiceDumpRequest, wire.IndexedNodesWithGateways]{"Internal.ServiceDump", ours(serviceDump)}

func serviceDump(env *Env, args *wire.ServiceDumpRequest, reply *wire.IndexedNodesWithGateways) error {
	filter, err := compile[wire.CheckServiceNode](args.Filter)
	if err != nil {
		return err
	}
	var kind *wire.ServiceKind
	if args.UseServiceKind {
		kind = &args.ServiceKind
	}
	reply.Index, reply.Nodes = env.View.ServiceDump(env.Watch, kind)
	reply.Nodes = visible(env, &reply.QueryMeta, filter.slice(reply.Nodes), canReadInstance)
	return nil
}
