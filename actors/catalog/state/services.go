package state

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// minUUIDLookupLen is how much of a node's ID must be given to find it by that.
const minUUIDLookupLen = 2

// EnsureService puts a service on a node. A service is known by its ID.
func (tx *Tx) EnsureService(node string, svc *wire.NodeService) error {
	if err := checkName("service ID", svc.ID); err != nil {
		return err
	}
	if err := checkName("service name", svc.Service); err != nil {
		return err
	}
	if err := wire.ValidateServiceMeta(svc.Kind, svc.Meta); err != nil {
		return fmt.Errorf("Invalid Service Meta for node %s and serviceID %s: %w", node, svc.ID, err)
	}
	owner := tx.node(node)
	if owner == nil {
		return ErrMissingNode
	}
	row := &nodeService{Node: owner.Node, Service: storedService(svc)}
	existing := first[nodeService](tx.tx, tableServices, byID, node, svc.ID)
	if existing != nil {
		if sameService(existing.Service, row.Service) {
			return nil
		}
		row.Service.CreateIndex, row.Service.ModifyIndex = existing.Service.CreateIndex, tx.idx
	} else if !tx.restoring || row.Service.CreateIndex == 0 {
		row.Service.CreateIndex, row.Service.ModifyIndex = tx.idx, tx.idx
	}
	insert(tx.tx, tableServices, row)
	if existing != nil && !sameName(existing.Service.Service, svc.Service) {
		tx.instanceGone(existing)
	}
	tx.rejoin(node, svc.ID)
	tx.touchAt(row.Service.ModifyIndex, tableServices, nodePrefix+node, servicePrefix+svc.Service)
	return nil
}

// storedService returns a copy of svc as the catalog keeps it.
func storedService(svc *wire.NodeService) *wire.NodeService {
	stored := *svc
	stored.LocallyRegisteredAsSidecar = false
	if stored.Weights == nil || wire.ValidateWeights(stored.Weights) != nil {
		stored.Weights = &wire.Weights{Passing: 1, Warning: 1}
	}
	return &stored
}

// DeleteService takes a service and its checks off a node. It does nothing if
// there is no such service.
func (tx *Tx) DeleteService(node, id string) {
	row := first[nodeService](tx.tx, tableServices, byID, node, id)
	if row == nil {
		return
	}
	for _, check := range collect[wire.HealthCheck](tx.tx, tableChecks, byNodeService, node, id) {
		tx.DeleteCheck(node, check.CheckID)
	}
	remove(tx.tx, tableServices, row)
	tx.touch(tableServices, nodePrefix+node)
	tx.instanceGone(row)
}

// instanceGone moves the indexes after an instance of a service was taken away.
func (tx *Tx) instanceGone(row *nodeService) {
	service := row.Service.Service
	tx.unjoin(row)
	if first[nodeService](tx.tx, tableServices, byService, service) != nil {
		tx.touch(servicePrefix + service)
		return
	}
	tx.forget(servicePrefix + service)
	tx.touch(serviceExtinction)
}

// touchServicesOf moves the index of every service on a node.
func (tx *Tx) touchServicesOf(idx uint64, node string) {
	for row := range rows[nodeService](tx.tx, tableServices, byNode, node) {
		tx.touchAt(idx, servicePrefix+row.Service.Service)
	}
}

// sameService says whether two services differ in nothing but their indexes.
func sameService(a, b *wire.NodeService) bool {
	return a.ID == b.ID &&
		a.Kind == b.Kind &&
		a.Service == b.Service &&
		a.Address == b.Address &&
		a.Port == b.Port &&
		a.SocketPath == b.SocketPath &&
		a.EnableTagOverride == b.EnableTagOverride &&
		a.PeerName == b.PeerName &&
		*a.Weights == *b.Weights &&
		slices.Equal(a.Tags, b.Tags) &&
		maps.Equal(a.TaggedAddresses, b.TaggedAddresses) &&
		maps.Equal(a.Meta, b.Meta) &&
		sameLocality(a.Locality, b.Locality) &&
		reflect.DeepEqual(a.Proxy, b.Proxy) &&
		reflect.DeepEqual(a.Connect, b.Connect)
}

// Services returns the names of the services that are on nodes whose metadata has
// all of the filters, each with the tags of its instances there, in order.
func (q *Queries) Services(ws memdb.WatchSet, filters map[string]string) (uint64, wire.Services) {
	tags := tagSets{}
	idx := q.EachService(ws, filters, func(_ string, s *wire.NodeService) { tags.add(s) })
	return idx, tags.services()
}

// ServicesWhere is Services for the instances that match, each joined with its node.
// Since a match may depend on the node, changes of nodes move the index too.
func (q *Queries) ServicesWhere(ws memdb.WatchSet, filters map[string]string, match func(*wire.ServiceNode) bool) (uint64, wire.Services) {
	ch, _ := rowsWatch[wire.Node](q.tx, tableNodes, byID+prefixOf)
	ws.Add(ch)
	tags, node := tagSets{}, &wire.Node{}
	idx := q.EachService(ws, filters, func(name string, s *wire.NodeService) {
		if node.Node != name { // the services of a node come together
			node = q.node(name)
		}
		if match(serviceNode(node, s)) {
			tags.add(s)
		}
	})
	return max(idx, q.indexOf(tableNodes)), tags.services()
}

// tagSets gathers the tags of services by name.
type tagSets map[string]map[string]struct{}

func (t tagSets) add(s *wire.NodeService) {
	set := t[s.Service]
	if set == nil {
		set = map[string]struct{}{}
		t[s.Service] = set
	}
	for _, tag := range s.Tags {
		set[tag] = struct{}{}
	}
}

func (t tagSets) services() wire.Services {
	services := make(wire.Services, len(t))
	for name, set := range t {
		services[name] = slices.AppendSeq(make([]string, 0, len(set)), maps.Keys(set))
		slices.Sort(services[name])
	}
	return services
}

// EachService calls visit for every service on every node whose metadata has all
// of the filters, by node and ID.
func (q *Queries) EachService(ws memdb.WatchSet, filters map[string]string, visit func(node string, s *wire.NodeService)) uint64 {
	ch, all := rowsWatch[nodeService](q.tx, tableServices, byID+prefixOf)
	ws.Add(ch)
	if len(filters) == 0 {
		for row := range all {
			visit(row.Node, row.Service)
		}
		return q.indexOf(tableServices)
	}
	idx, nodes := q.Nodes(ws, filters)
	for _, n := range nodes {
		for row := range rows[nodeService](q.tx, tableServices, byNode, n.Node) {
			visit(row.Node, row.Service)
		}
	}
	return max(idx, q.indexOf(tableServices))
}

// ServiceNodes returns the instances of a service that have all of the tags.
func (q *Queries) ServiceNodes(ws memdb.WatchSet, name string, tags []string) (uint64, wire.ServiceNodes) {
	idx, found := q.CheckServiceTagNodes(ws, name, tags)
	return idx, withoutChecks(found)
}

// ConnectServiceNodes returns the instances through which a service is reached in
// the mesh: its proxies, and itself where it needs none.
func (q *Queries) ConnectServiceNodes(ws memdb.WatchSet, name string) (uint64, wire.ServiceNodes) {
	idx, found := q.CheckConnectServiceNodes(ws, name)
	return idx, withoutChecks(found)
}

func withoutChecks(found wire.CheckServiceNodes) wire.ServiceNodes {
	var nodes wire.ServiceNodes
	for _, n := range found {
		nodes = append(nodes, serviceNode(n.Node, n.Service))
	}
	return nodes
}

// ServiceAddressNodes returns the instances that have addr as their own address or
// as one of their tagged addresses.
func (q *Queries) ServiceAddressNodes(ws memdb.WatchSet, addr string) (uint64, wire.ServiceNodes) {
	ch, all := rowsWatch[nodeService](q.tx, tableServices, byID+prefixOf)
	ws.Add(ch)
	var nodes wire.ServiceNodes
	for row := range all {
		if row.Service.Address == addr || hasAddress(row.Service.TaggedAddresses, addr) {
			nodes = append(nodes, serviceNode(q.node(row.Node), row.Service))
		}
	}
	return q.indexOf(tableServices), nodes
}

func hasAddress(tagged map[string]wire.ServiceAddress, addr string) bool {
	for _, a := range tagged {
		if a.Address == addr {
			return true
		}
	}
	return false
}

// hasTags says whether have contains every tag of want, without regard to case.
func hasTags(have, want []string) bool {
	for _, tag := range want {
		if !slices.ContainsFunc(have, func(t string) bool { return strings.EqualFold(t, tag) }) {
			return false
		}
	}
	return true
}

// serviceNode joins a service and its node. Tags and metadata are never nil.
func serviceNode(n *wire.Node, s *wire.NodeService) *wire.ServiceNode {
	sn := &wire.ServiceNode{
		ID:                       n.ID,
		Node:                     n.Node,
		Address:                  n.Address,
		Datacenter:               n.Datacenter,
		TaggedAddresses:          n.TaggedAddresses,
		NodeMeta:                 n.Meta,
		ServiceKind:              s.Kind,
		ServiceID:                s.ID,
		ServiceName:              s.Service,
		ServiceTags:              s.Tags,
		ServiceAddress:           s.Address,
		ServiceTaggedAddresses:   s.TaggedAddresses,
		ServiceWeights:           *s.Weights,
		ServiceMeta:              s.Meta,
		ServicePort:              s.Port,
		ServiceSocketPath:        s.SocketPath,
		ServiceEnableTagOverride: s.EnableTagOverride,
		ServiceProxy:             s.Proxy,
		ServiceConnect:           s.Connect,
		ServiceLocality:          s.Locality,
		PeerName:                 s.PeerName,
		RaftIndex:                s.RaftIndex,
	}
	if sn.ServiceTags == nil {
		sn.ServiceTags = []string{}
	}
	if sn.ServiceMeta == nil {
		sn.ServiceMeta = map[string]string{}
	}
	return sn
}

// NodeService returns the service of that ID on a node, or nil.
func (q *Queries) NodeService(ws memdb.WatchSet, node, id string) (uint64, *wire.NodeService) {
	ch, row := firstWatch[nodeService](q.tx, tableServices, byID, node, id)
	ws.Add(ch)
	idx := q.nodeIndex(q.node(node))
	if row == nil {
		return idx, nil
	}
	return idx, row.Service
}

// NodeServices returns a node, found by name or by the start of its ID, with its
// services by ID. It returns nil if there is no such node, or if several have
// such an ID.
func (q *Queries) NodeServices(ws memdb.WatchSet, nameOrID string) (uint64, *wire.NodeServices) {
	idx, node, services := q.nodeServices(ws, nameOrID)
	if node == nil {
		return idx, nil
	}
	ns := &wire.NodeServices{Node: node, Services: make(map[string]*wire.NodeService, len(services))}
	for _, s := range services {
		ns.Services[s.ID] = s
	}
	return idx, ns
}

// NodeServiceList is NodeServices with the services in a list, by ID.
func (q *Queries) NodeServiceList(ws memdb.WatchSet, nameOrID string) (uint64, *wire.NodeServiceList) {
	idx, node, services := q.nodeServices(ws, nameOrID)
	if node == nil {
		return idx, nil
	}
	return idx, &wire.NodeServiceList{Node: node, Services: services}
}

func (q *Queries) nodeServices(ws memdb.WatchSet, nameOrID string) (uint64, *wire.Node, []*wire.NodeService) {
	ch, node := firstWatch[wire.Node](q.tx, tableNodes, byID, nameOrID)
	if node == nil && len(nameOrID) >= minUUIDLookupLen {
		byIDCh, matches := rowsWatch[wire.Node](q.tx, tableNodes, byUUID+prefixOf, nameOrID)
		ws.Add(byIDCh)
		n := 0
		for m := range matches {
			if node, n = m, n+1; n > 1 {
				node = nil
				break
			}
		}
	}
	ws.Add(ch)
	if node == nil {
		return q.indexOf(nodeExtinction), nil, nil
	}
	servicesCh, all := rowsWatch[nodeService](q.tx, tableServices, byNode, node.Node)
	ws.Add(servicesCh)
	var services []*wire.NodeService
	for row := range all {
		services = append(services, row.Service)
	}
	return q.nodeIndex(node), node, services
}
