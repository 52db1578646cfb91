package state

import (
	"slices"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// The instances table has what queries about health ask for, joined when it is
// written, once, and not every time it is read: an instance of a service with its
// node and the checks of both. A write notes which joins it makes stale; they are
// renewed when it is committed.

// staleJoin is an instance to join anew; all on the node if service is empty.
type staleJoin struct{ node, service string }

// rejoin notes that an instance has changed, or all on a node.
func (tx *Tx) rejoin(node, service string) {
	if tx.stale == nil {
		tx.stale = map[staleJoin]bool{}
	}
	tx.stale[staleJoin{folded(node), folded(service)}] = true
}

// unjoin takes an instance out of the table.
func (tx *Tx) unjoin(row *nodeService) {
	if joined := first[wire.CheckServiceNode](tx.tx, tableInstances, byID, row.Service.Service, row.Node, row.Service.ID); joined != nil {
		remove(tx.tx, tableInstances, joined)
	}
}

// join renews what is stale.
func (tx *Tx) join() {
	for stale := range tx.stale {
		switch {
		case stale.service == "":
			for row := range rows[nodeService](tx.tx, tableServices, byNode, stale.node) {
				tx.joinOne(row)
			}
		case tx.stale[staleJoin{stale.node, ""}]: // comes with its node
		default:
			if row := first[nodeService](tx.tx, tableServices, byID, stale.node, stale.service); row != nil {
				tx.joinOne(row)
			}
		}
	}
}

func (tx *Tx) joinOne(row *nodeService) {
	joined := &wire.CheckServiceNode{Node: tx.node(row.Node), Service: row.Service}
	for _, service := range []string{"", row.Service.ID} { // first those of the node
		joined.Checks = slices.AppendSeq(joined.Checks, rows[wire.HealthCheck](tx.tx, tableChecks, byNodeService, row.Node, service))
	}
	insert(tx.tx, tableInstances, joined)
}

// CheckServiceNodes returns the instances of a service, by node and ID, each with
// its node and the checks of both, whatever their state.
func (q *Queries) CheckServiceNodes(ws memdb.WatchSet, name string) (uint64, wire.CheckServiceNodes) {
	return q.CheckServiceTagNodes(ws, name, nil)
}

// CheckServiceTagNodes returns those of CheckServiceNodes that have all of the
// tags. It watches one channel.
func (q *Queries) CheckServiceTagNodes(ws memdb.WatchSet, name string, tags []string) (uint64, wire.CheckServiceNodes) {
	all, found := rowsWatch[wire.CheckServiceNode](q.tx, tableInstances, byID+prefixOf, name, "")
	exists := false
	var nodes wire.CheckServiceNodes
	for n := range found {
		exists = true
		if hasTags(n.Service.Tags, tags) {
			nodes = append(nodes, *n)
		}
	}
	idx, ch := q.serviceIndex(name, exists)
	if ch == nil {
		ch = all
	}
	ws.Add(ch) // the row of the service moves with all that is in the answer
	return idx, nodes
}

// CheckConnectServiceNodes returns the instances through which a service is
// reached in the mesh, with health.
func (q *Queries) CheckConnectServiceNodes(ws memdb.WatchSet, name string) (uint64, wire.CheckServiceNodes) {
	ch, all := rowsWatch[nodeService](q.tx, tableServices, byConnect, name)
	ws.Add(ch)
	instances, _ := rowsWatch[wire.CheckServiceNode](q.tx, tableInstances, byID+prefixOf)
	var idx uint64
	var nodes wire.CheckServiceNodes
	for row := range all {
		i, ch := q.serviceIndex(row.Service.Service, true)
		idx = max(idx, i)
		if ch != nil {
			ws.AddWithLimit(watchLimit, ch, instances)
		}
		nodes = append(nodes, *q.instance(row))
	}
	if len(nodes) == 0 {
		idx, _ = q.serviceIndex(name, false)
	}
	return idx, nodes
}

// instance returns the join of a service that is there.
func (q *Queries) instance(row *nodeService) *wire.CheckServiceNode {
	return first[wire.CheckServiceNode](q.tx, tableInstances, byID, row.Service.Service, row.Node, row.Service.ID)
}

// ServiceDump returns every instance of every service with health, by node and ID;
// of one kind only, unless kind is nil.
func (q *Queries) ServiceDump(ws memdb.WatchSet, kind *wire.ServiceKind) (uint64, wire.CheckServiceNodes) {
	idx := q.indexWatch(ws, tableChecks, tableServices, tableNodes)
	index, args := byID+prefixOf, []any(nil)
	if kind != nil {
		index, args = byKind, []any{string(*kind)}
	}
	var nodes wire.CheckServiceNodes
	for row := range rows[nodeService](q.tx, tableServices, index, args...) {
		nodes = append(nodes, *q.instance(row))
	}
	return idx, nodes
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
	allServices, _ := rowsWatch[nodeService](q.tx, tableServices, byID+prefixOf)
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
		servicesCh, services := rowsWatch[nodeService](q.tx, tableServices, byNode, n.Node)
		ws.AddWithLimit(watchLimit, servicesCh, allServices)
		for row := range services {
			info.Services = append(info.Services, row.Service)
		}
		checksCh, checks := rowsWatch[wire.HealthCheck](q.tx, tableChecks, byNode, n.Node)
		ws.AddWithLimit(watchLimit, checksCh, allChecks)
		info.Checks = slices.Collect(checks)
		dump = append(dump, info)
	}
	return dump
}
