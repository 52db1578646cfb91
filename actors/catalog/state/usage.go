package state

import (
	"strings"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// ServiceUsage counts what is in the catalog.
func (q *Queries) ServiceUsage(ws memdb.WatchSet) (uint64, wire.ServiceUsage) {
	usage := wire.ServiceUsage{ConnectServiceInstances: map[string]int{
		"connect-native":                           0,
		string(wire.ServiceKindConnectProxy):       0,
		string(wire.ServiceKindMeshGateway):        0,
		string(wire.ServiceKindTerminatingGateway): 0,
		string(wire.ServiceKindIngressGateway):     0,
		string(wire.ServiceKindAPIGateway):         0,
	}}
	names := map[string]bool{}
	idx := q.EachService(ws, nil, func(_ string, s *wire.NodeService) {
		names[strings.ToLower(s.Service)] = true
		usage.ServiceInstances++
		if s.Connect.Native {
			usage.ConnectServiceInstances["connect-native"]++
		}
		if s.Kind != wire.ServiceKindTypical {
			usage.ConnectServiceInstances[string(s.Kind)]++
		} else if s.Service != wire.ConsulServiceName {
			usage.BillableServiceInstances++
		}
	})
	usage.Services = len(names)
	nodesIdx, nodes := q.Nodes(ws, nil)
	usage.Nodes = len(nodes)
	return max(idx, nodesIdx), usage
}

// KVCount returns the number of keys.
func (q *Queries) KVCount() int {
	n := 0
	for range rows[wire.DirEntry](q.tx, tableKVs, byID+prefixOf) {
		n++
	}
	return n
}
