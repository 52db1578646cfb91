package state

import (
	"fmt"
	"maps"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// EnsureRegistration puts a node and what req has of services and checks on it
// into the catalog. What is there already and the same is left alone, indexes and
// watches included.
func (tx *Tx) EnsureRegistration(req *wire.RegisterRequest) error {
	node := &wire.Node{
		ID:              req.ID,
		Node:            req.Node,
		Address:         req.Address,
		Datacenter:      req.Datacenter,
		TaggedAddresses: req.TaggedAddresses,
		Meta:            req.NodeMeta,
		PeerName:        req.PeerName,
		Locality:        req.Locality,
	}
	if tx.restoring {
		node.RaftIndex = req.RaftIndex
	}
	existing := tx.node(req.Node)
	if existing == nil || !req.SkipNodeUpdate && !sameNode(existing, node) {
		if err := tx.EnsureNode(node); err != nil {
			return fmt.Errorf("failed inserting node: %w", err)
		}
	}
	if req.Service != nil {
		if err := tx.EnsureService(req.Node, req.Service); err != nil {
			return fmt.Errorf("failed inserting service: %w", err)
		}
	}
	if req.Check != nil {
		if err := tx.ensureCheckOn(req.Node, req.Check); err != nil {
			return err
		}
	}
	for _, check := range req.Checks {
		if err := tx.ensureCheckOn(req.Node, check); err != nil {
			return err
		}
	}
	return nil
}

// EnsureNode puts a node into the catalog. A node is known by its ID, if it has
// one: the same ID under another name is a rename, which takes what was on the old
// name with it into oblivion. A name belongs to its node as long as that is
// healthy.
func (tx *Tx) EnsureNode(n *wire.Node) error {
	if err := checkName("node name", n.Node); err != nil {
		return err
	}
	node := *n
	existing, err := tx.claimName(&node)
	if err != nil {
		return err
	}
	switch {
	case existing != nil:
		if node.Node == existing.Node && sameNode(&node, existing) {
			return nil
		}
		node.CreateIndex, node.ModifyIndex = existing.CreateIndex, tx.idx
	case !tx.restoring || node.CreateIndex == 0:
		node.CreateIndex, node.ModifyIndex = tx.idx, tx.idx
	}
	insert(tx.tx, tableNodes, &node)
	tx.touchAt(node.ModifyIndex, tableNodes, nodePrefix+node.Node)
	tx.touchServicesOf(node.ModifyIndex, node.Node)
	tx.rejoin(node.Node, "")
	return nil
}

// claimName makes sure that node may have its name, and returns the node that it
// changes, which is gone from the tables if that had another name.
func (tx *Tx) claimName(node *wire.Node) (*wire.Node, error) {
	holder := tx.node(node.Node)
	if node.ID == "" {
		return holder, nil
	}
	known := first[wire.Node](tx.tx, tableNodes, byUUID, node.ID)
	if known == nil {
		// A holder without an ID is given one.
		if holder != nil && holder.ID != "" && tx.reserves(holder, node) {
			return nil, fmt.Errorf("Error while renaming Node ID: %q: %w", node.ID, reserved(node, holder))
		}
		return holder, nil
	}
	if sameName(known.Node, node.Node) {
		return known, nil
	}
	if holder != nil && tx.reserves(holder, node) {
		return nil, fmt.Errorf("Error while renaming Node ID: %q (%s): %w", node.ID, node.Address, reserved(node, holder))
	}
	tx.DeleteNode(known.Node)
	return known, nil
}

// reserves says whether holder keeps its name from node. It does not when its
// serfHealth check is critical, nor when it has none, since then it was
// registered from outside and nobody vouches for it.
func (tx *Tx) reserves(holder, node *wire.Node) bool {
	if sameName(holder.ID, node.ID) {
		return false
	}
	serf := first[wire.HealthCheck](tx.tx, tableChecks, byID, holder.Node, wire.SerfCheckID)
	return serf != nil && serf.Status != wire.HealthCritical
}

func reserved(node, holder *wire.Node) error {
	return fmt.Errorf("Node name %s is reserved by node %s with name %s (%s)",
		node.Node, holder.ID, holder.Node, holder.Address)
}

// DeleteNode takes a node and all that is on it out of the catalog, and ends its
// sessions. It does nothing if there is no such node.
func (tx *Tx) DeleteNode(name string) {
	node := tx.node(name)
	if node == nil {
		return
	}
	for _, row := range collect[nodeService](tx.tx, tableServices, byNode, name) {
		tx.DeleteService(name, row.Service.ID)
	}
	for _, check := range collect[wire.HealthCheck](tx.tx, tableChecks, byNode, name) {
		tx.DeleteCheck(name, check.CheckID)
	}
	for _, coord := range collect[wire.Coordinate](tx.tx, tableCoordinates, byNode, name) {
		remove(tx.tx, tableCoordinates, coord)
		tx.touch(tableCoordinates)
	}
	remove(tx.tx, tableNodes, node)
	tx.forget(nodePrefix + name)
	tx.forget(nodeChecksPrefix + name)
	tx.touch(tableNodes, nodeExtinction)
	for _, sess := range collect[wire.Session](tx.tx, tableSessions, byNode, name) {
		tx.SessionDestroy(sess.ID)
	}
}

// sameNode says whether two nodes differ in nothing but their indexes and the case
// of their names.
func sameNode(a, b *wire.Node) bool {
	return a.ID == b.ID &&
		sameName(a.Node, b.Node) &&
		a.Address == b.Address &&
		a.Datacenter == b.Datacenter &&
		a.PeerName == b.PeerName &&
		maps.Equal(a.TaggedAddresses, b.TaggedAddresses) &&
		maps.Equal(a.Meta, b.Meta) &&
		sameLocality(a.Locality, b.Locality)
}

func sameLocality(a, b *wire.Locality) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// Nodes returns the nodes whose metadata has all of the filters, by name.
func (q *Queries) Nodes(ws memdb.WatchSet, filters map[string]string) (uint64, wire.Nodes) {
	ch, all := rowsWatch[wire.Node](q.tx, tableNodes, byID+prefixOf)
	ws.Add(ch)
	var nodes wire.Nodes
	for n := range all {
		if wire.SatisfiesMeta(n.Meta, filters) {
			nodes = append(nodes, n)
		}
	}
	return q.indexOf(tableNodes), nodes
}

// Node returns the node of that name, or nil.
func (q *Queries) Node(ws memdb.WatchSet, name string) (uint64, *wire.Node) {
	ch, node := firstWatch[wire.Node](q.tx, tableNodes, byID, name)
	ws.Add(ch)
	return q.nodeIndex(node), node
}

// NodeByID returns the node of that ID, or nil. The ID is whole.
func (q *Queries) NodeByID(ws memdb.WatchSet, id string) (uint64, *wire.Node) {
	ch, node := firstWatch[wire.Node](q.tx, tableNodes, byUUID, id)
	ws.Add(ch)
	return q.nodeIndex(node), node
}

func (q *Queries) node(name string) *wire.Node {
	return first[wire.Node](q.tx, tableNodes, byID, name)
}

// nodeIndex is the index of a node and the services on it.
func (q *Queries) nodeIndex(n *wire.Node) uint64 {
	if n == nil {
		return q.indexOf(nodeExtinction)
	}
	if idx := q.indexOf(nodePrefix + n.Node); idx > 0 {
		return idx
	}
	return q.indexOf(tableNodes, tableServices) // a snapshot without index rows
}
