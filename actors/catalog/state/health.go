package state

import (
	"slices"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// CheckServiceNodes returns the instances of a service, by node and ID, each with
// its node and the checks of both, whatever their state. It watches one channel.
func (q *Queries) CheckServiceNodes(ws memdb.WatchSet, name string) (uint64, wire.CheckServiceNodes) {
	return q.checkServiceNodes(ws, name, nil)
}

// CheckServiceTagNodes returns those of CheckServiceNodes that have all of the tags.
func (q *Queries) CheckServiceTagNodes(ws memdb.WatchSet, name string, tags []string) (uint64, wire.CheckServiceNodes) {
	return q.checkServiceNodes(ws, name, tags)
}

func (q *Queries) checkServiceNodes(ws memdb.WatchSet, name string, tags []string) (uint64, wire.CheckServiceNodes) {
	all, found := rowsWatch[instance](q.tx, tableServices, byService, name)
	instances := slices.Collect(found)
	idx, ch := q.serviceIndex(name, len(instances) > 0)
	tables := ws
	if ch != nil {
		// The row of the service moves with all that is in the answer.
		ws.Add(ch)
		tables = nil
	} else {
		ws.Add(all)
	}
	if len(tags) > 0 {
		instances = slices.DeleteFunc(instances, func(inst *instance) bool { return !hasTags(inst.Service.Tags, tags) })
	}
	return idx, q.withHealth(tables, instances)
}

// CheckConnectServiceNodes returns the instances through which a service is
// reached in the mesh, with health.
func (q *Queries) CheckConnectServiceNodes(ws memdb.WatchSet, name string) (uint64, wire.CheckServiceNodes) {
	ch, all := rowsWatch[instance](q.tx, tableServices, byConnect, name)
	ws.Add(ch)
	found := slices.Collect(all)
	return q.namesIndex(ws, found), q.withHealth(ws, found)
}

// withHealth returns the instances with their nodes and checks.
func (q *Queries) withHealth(ws memdb.WatchSet, instances []*instance) wire.CheckServiceNodes {
	if len(instances) == 0 {
		return nil
	}
	allNodes, _ := rowsWatch[wire.Node](q.tx, tableNodes, byID+prefixOf)
	allChecks, _ := rowsWatch[wire.HealthCheck](q.tx, tableChecks, byID+prefixOf)
	nodes := make(wire.CheckServiceNodes, 0, len(instances))
	for _, inst := range instances {
		nodeCh, node := firstWatch[wire.Node](q.tx, tableNodes, byID, inst.Node)
		ws.AddWithLimit(watchLimit, nodeCh, allNodes)
		var checks wire.HealthChecks
		for _, service := range []string{"", inst.Service.ID} { // first those of the node
			ch, of := rowsWatch[wire.HealthCheck](q.tx, tableChecks, byNodeService, inst.Node, service)
			ws.AddWithLimit(watchLimit, ch, allChecks)
			checks = slices.AppendSeq(checks, of)
		}
		nodes = append(nodes, wire.CheckServiceNode{Node: node, Service: inst.Service, Checks: checks})
	}
	return nodes
}

// ServiceDump returns every instance of every service with health; of one kind
// only, unless kind is nil.
func (q *Queries) ServiceDump(ws memdb.WatchSet, kind *wire.ServiceKind) (uint64, wire.CheckServiceNodes) {
	idx := q.indexWatch(ws, tableChecks, tableServices, tableNodes)
	index, args := byID+prefixOf, []any(nil)
	if kind != nil {
		index, args = byKind, []any{string(*kind)}
	}
	return idx, q.withHealth(nil, collect[instance](q.tx, tableServices, index, args...))
}

// NodeInfo returns a node with all that is on it: one element, or none.
func (q *Queries) NodeInfo(ws memdb.WatchSet, name string) (uint64, wire.NodeDump) {
	ch, node := firstWatch[wire.Node](q.tx, tableNodes, byID, name)
	ws.Add(ch)
	idx := max(q.nodeIndex(node), q.nodeChecksIndex(name))
	if node == nil {
		return idx, nil
	}
	return idx, q.nodeInfos(ws, []*wire.Node{node})
}

// NodeDump returns all nodes with all that is on them.
func (q *Queries) NodeDump(ws memdb.WatchSet) (uint64, wire.NodeDump) {
	ch, all := rowsWatch[wire.Node](q.tx, tableNodes, byID+prefixOf)
	ws.Add(ch)
	return q.indexOf(tableChecks, tableServices, tableNodes), q.nodeInfos(ws, slices.Collect(all))
}

func (q *Queries) nodeInfos(ws memdb.WatchSet, nodes []*wire.Node) wire.NodeDump {
	allServices, _ := rowsWatch[instance](q.tx, tableServices, byID+prefixOf)
	allChecks, _ := rowsWatch[wire.HealthCheck](q.tx, tableChecks, byID+prefixOf)
	var dump wire.NodeDump
	for _, n := range nodes {
		info := &wire.NodeInfo{
			ID:              n.ID,
			Node:            n.Node,
			PeerName:        n.PeerName,
			Address:         n.Address,
			TaggedAddresses: n.TaggedAddresses,
			Meta:            n.Meta,
		}
		servicesCh, services := rowsWatch[instance](q.tx, tableServices, byNode, n.Node)
		ws.AddWithLimit(watchLimit, servicesCh, allServices)
		for inst := range services {
			info.Services = append(info.Services, inst.Service)
		}
		checksCh, checks := rowsWatch[wire.HealthCheck](q.tx, tableChecks, byNode, n.Node)
		ws.AddWithLimit(watchLimit, checksCh, allChecks)
		info.Checks = slices.Collect(checks)
		dump = append(dump, info)
	}
	return dump
}
