package state

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// Which services stand behind a gateway is worked out from the config entries when
// it is asked for: there are few of them, and few ask.

// GatewayServices returns the services that a gateway leads to, by name and port. A
// wildcard stands for the services that are there and that the entry does not name.
func (q *Queries) GatewayServices(ws memdb.WatchSet, gateway string) (uint64, []*wire.GatewayService) {
	idx := q.indexOf(tableConfigEntries)
	var found []*wire.GatewayService
	for _, kind := range []wire.ServiceKind{wire.ServiceKindIngressGateway, wire.ServiceKindTerminatingGateway} {
		_, entry := q.ConfigEntry(ws, string(kind), gateway)
		services, i := q.behind(ws, entry)
		found, idx = append(found, services...), max(idx, i)
	}
	slices.SortFunc(found, func(a, b *wire.GatewayService) int {
		return cmp.Or(cmp.Compare(a.Service.Name, b.Service.Name), cmp.Compare(a.Port, b.Port))
	})
	return idx, found
}

// CheckIngressServiceNodes returns the instances of the ingress gateways that lead to
// a service, with health.
func (q *Queries) CheckIngressServiceNodes(ws memdb.WatchSet, name string) (uint64, wire.CheckServiceNodes) {
	idx, entries := q.ConfigEntries(ws, string(wire.ServiceKindIngressGateway))
	var nodes wire.CheckServiceNodes
	for _, entry := range entries {
		services, i := q.behind(ws, entry)
		idx = max(idx, i)
		if !slices.ContainsFunc(services, func(s *wire.GatewayService) bool { return strings.EqualFold(s.Service.Name, name) }) {
			continue
		}
		i, instances := q.CheckServiceNodes(ws, entry.GetName())
		idx = max(idx, i)
		for _, n := range instances {
			if n.Service.Kind == wire.ServiceKindIngressGateway {
				nodes = append(nodes, n)
			}
		}
	}
	return idx, nodes
}

// behind returns the services that the entry of a gateway leads to, and the index of
// what of the catalog has a part in that.
func (q *Queries) behind(ws memdb.WatchSet, entry wire.ConfigEntry) ([]*wire.GatewayService, uint64) {
	named := wire.GatewayServices(entry)
	isWildcard := func(s *wire.GatewayService) bool { return s.Service.Name == wire.WildcardName }
	wildcards := slices.DeleteFunc(slices.Clone(named), func(s *wire.GatewayService) bool { return !isWildcard(s) })
	if len(wildcards) == 0 {
		return named, 0
	}
	named = slices.DeleteFunc(named, isWildcard)
	all, idx := q.typicalServices(ws)
	found := slices.Clone(named)
	for _, wildcard := range wildcards {
		for _, name := range all {
			if slices.ContainsFunc(named, func(s *wire.GatewayService) bool {
				return s.Port == wildcard.Port && strings.EqualFold(s.Service.Name, name)
			}) {
				continue
			}
			one := *wildcard
			one.Service.Name, one.FromWildcard = name, true
			found = append(found, &one)
		}
	}
	return found, idx
}

// typicalServices names the services that are no part of the mesh themselves, but for
// Consul.
func (q *Queries) typicalServices(ws memdb.WatchSet) ([]string, uint64) {
	idx := q.indexWatch(ws, tableServices)
	var names []string
	for row := range rows[nodeService](q.tx, tableServices, byKind, string(wire.ServiceKindTypical)) {
		if row.Service.Service != wire.ConsulServiceName {
			names = append(names, row.Service.Service)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), idx
}
