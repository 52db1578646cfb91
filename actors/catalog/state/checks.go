package state

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// ensureCheckOn is EnsureCheck for a check that came along with a node.
func (tx *Tx) ensureCheckOn(node string, check *wire.HealthCheck) error {
	if !sameName(check.Node, node) {
		return fmt.Errorf("check node %q does not match node %q", check.Node, node)
	}
	if err := tx.EnsureCheck(check); err != nil {
		return fmt.Errorf("failed inserting check on node %q: %w", check.Node, err)
	}
	return nil
}

// EnsureCheck puts a check on a node. When it is critical, the sessions that
// depend on it end.
func (tx *Tx) EnsureCheck(hc *wire.HealthCheck) error {
	if err := checkName("check ID", hc.CheckID); err != nil {
		return err
	}
	node := tx.node(hc.Node)
	if node == nil {
		return ErrMissingNode
	}
	check := *hc
	if check.Status == "" {
		check.Status = wire.HealthCritical
	}
	if check.ServiceID != "" {
		row := first[nodeService](tx.tx, tableServices, byID, check.Node, check.ServiceID)
		if row == nil {
			return ErrMissingService
		}
		if !tx.restoring || check.ServiceName == "" { // a snapshot has those of when it was registered
			check.ServiceName, check.ServiceTags = row.Service.Service, row.Service.Tags
		}
	}
	if check.Status == wire.HealthCritical {
		tx.endSessionsOf(check.Node, check.CheckID)
	}
	existing := first[wire.HealthCheck](tx.tx, tableChecks, byID, check.Node, check.CheckID)
	if existing != nil {
		if sameCheck(existing, &check) {
			return nil
		}
		check.CreateIndex, check.ModifyIndex = existing.CreateIndex, tx.idx
	} else if !tx.restoring || check.CreateIndex == 0 {
		check.CreateIndex, check.ModifyIndex = tx.idx, tx.idx
	}
	insert(tx.tx, tableChecks, &check)
	tx.touchCheck(&check)
	if existing != nil && !sameName(existing.ServiceID, check.ServiceID) {
		tx.touchCheck(existing) // the check has left another service
	}
	return nil
}

// touchCheck moves what shows a check: its service, or every service of the node.
func (tx *Tx) touchCheck(check *wire.HealthCheck) {
	idx := tx.idx
	if tx.restoring {
		idx = check.ModifyIndex
	}
	tx.touchAt(idx, tableChecks, nodeChecksPrefix+check.Node)
	tx.rejoin(check.Node, check.ServiceID)
	if check.ServiceID == "" {
		tx.touchServicesOf(idx, check.Node)
		return
	}
	if row := first[nodeService](tx.tx, tableServices, byID, check.Node, check.ServiceID); row != nil {
		tx.touchAt(idx, servicePrefix+row.Service.Service)
	}
}

// DeleteCheck takes a check off a node and ends the sessions that depend on it.
// It does nothing if there is no such check.
func (tx *Tx) DeleteCheck(node, id string) {
	check := first[wire.HealthCheck](tx.tx, tableChecks, byID, node, id)
	if check == nil {
		return
	}
	remove(tx.tx, tableChecks, check)
	tx.touchCheck(&wire.HealthCheck{Node: check.Node, ServiceID: check.ServiceID})
	tx.endSessionsOf(node, id)
}

// sameCheck says whether two checks differ in nothing but their indexes and the
// case of their nodes' names.
func sameCheck(a, b *wire.HealthCheck) bool {
	return sameName(a.Node, b.Node) &&
		a.CheckID == b.CheckID &&
		a.Name == b.Name &&
		a.Status == b.Status &&
		a.Notes == b.Notes &&
		a.Output == b.Output &&
		a.ServiceID == b.ServiceID &&
		a.ServiceName == b.ServiceName &&
		a.Type == b.Type &&
		a.Interval == b.Interval &&
		a.Timeout == b.Timeout &&
		a.ExposedPort == b.ExposedPort &&
		a.PeerName == b.PeerName &&
		slices.Equal(a.ServiceTags, b.ServiceTags) &&
		sameDefinition(&a.Definition, &b.Definition)
}

func sameDefinition(a, b *wire.HealthCheckDefinition) bool {
	x, y := *a, *b
	if !slices.Equal(x.ScriptArgs, y.ScriptArgs) || !maps.EqualFunc(x.Header, y.Header, slices.Equal[[]string]) {
		return false
	}
	x.ScriptArgs, y.ScriptArgs, x.Header, y.Header = nil, nil, nil, nil
	return reflect.DeepEqual(x, y)
}

// NodeCheck returns the check of that ID on a node, or nil.
func (q *Queries) NodeCheck(ws memdb.WatchSet, node, id string) (uint64, *wire.HealthCheck) {
	ch, check := firstWatch[wire.HealthCheck](q.tx, tableChecks, byID, node, id)
	ws.Add(ch)
	return q.nodeChecksIndex(node), check
}

// NodeChecks returns the checks on a node, those of its services included, by ID.
func (q *Queries) NodeChecks(ws memdb.WatchSet, node string) (uint64, wire.HealthChecks) {
	ch, all := rowsWatch[wire.HealthCheck](q.tx, tableChecks, byNode, node)
	ws.Add(ch)
	return q.nodeChecksIndex(node), slices.Collect(all)
}

func (q *Queries) nodeChecksIndex(node string) uint64 {
	if idx := q.indexOf(nodeChecksPrefix + node); idx > 0 {
		return idx
	}
	return q.indexOf(nodeExtinction)
}

// ServiceChecks returns the checks of all instances of a service that are on nodes
// whose metadata has all of the filters.
func (q *Queries) ServiceChecks(ws memdb.WatchSet, service string, filters map[string]string) (uint64, wire.HealthChecks) {
	ch, all := rowsWatch[wire.HealthCheck](q.tx, tableChecks, byService, service)
	ws.Add(ch)
	exists := first[nodeService](q.tx, tableServices, byService, service) != nil
	idx, _ := q.serviceIndex(service, exists)
	return idx, q.checksOnNodes(ws, slices.Collect(all), filters)
}

// ChecksInState returns the checks in a state, or all if it is wire.HealthAny,
// that are on nodes whose metadata has all of the filters.
func (q *Queries) ChecksInState(ws memdb.WatchSet, status string, filters map[string]string) (uint64, wire.HealthChecks) {
	index, args := byStatus, []any{status}
	if status == wire.HealthAny {
		index, args = byID+prefixOf, nil
	}
	ch, all := rowsWatch[wire.HealthCheck](q.tx, tableChecks, index, args...)
	ws.Add(ch)
	return q.indexOf(tableChecks), q.checksOnNodes(ws, slices.Collect(all), filters)
}

// checksOnNodes leaves out the checks of nodes whose metadata has not all of the
// filters, and watches the nodes if that could change.
func (q *Queries) checksOnNodes(ws memdb.WatchSet, checks wire.HealthChecks, filters map[string]string) wire.HealthChecks {
	if len(filters) == 0 {
		return checks
	}
	all, _ := rowsWatch[wire.Node](q.tx, tableNodes, byID+prefixOf)
	return slices.DeleteFunc(checks, func(check *wire.HealthCheck) bool {
		ch, node := firstWatch[wire.Node](q.tx, tableNodes, byID, check.Node)
		ws.AddWithLimit(watchLimit, ch, all)
		return node == nil || !wire.SatisfiesMeta(node.Meta, filters)
	})
}
