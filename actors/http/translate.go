package http

import (
	"github.com/actor-consul/consul/messages/wire"
)

// translate puts the WAN addresses of nodes and services of another datacenter in the
// place of their own (translate_wan_addrs). The reply has come from there and is
// nobody else's.
func translate(reply any) {
	switch r := reply.(type) {
	case *wire.IndexedNodes:
		for _, n := range r.Nodes {
			n.Address = n.BestAddress(true)
		}
	case *wire.IndexedServiceNodes:
		for _, s := range r.ServiceNodes {
			translateInstance(s)
		}
	case *wire.IndexedCheckServiceNodes:
		translateInstances(r.Nodes)
	case *wire.PreparedQueryExecuteResponse:
		translateInstances(r.Nodes)
	case *wire.IndexedNodeServices:
		if n := r.NodeServices; n != nil {
			n.Node.Address = n.Node.BestAddress(true)
			for _, s := range n.Services {
				s.Address, s.Port = s.BestAddress(true)
			}
		}
	case *wire.IndexedNodeServiceList:
		if n := r.NodeServices; n.Node != nil {
			n.Node.Address = n.Node.BestAddress(true)
			for _, s := range n.Services {
				s.Address, s.Port = s.BestAddress(true)
			}
		}
	}
}

func translateInstances(nodes wire.CheckServiceNodes) {
	for _, n := range nodes {
		n.Node.Address = n.Node.BestAddress(true)
		n.Service.Address, n.Service.Port = n.Service.BestAddress(true)
	}
}

func translateInstance(s *wire.ServiceNode) {
	if addr := s.TaggedAddresses[wire.TaggedAddressWAN]; addr != "" {
		s.Address = addr
	}
	at := s.ServiceTaggedAddresses[wire.TaggedAddressWAN]
	if at.Address != "" {
		s.ServiceAddress = at.Address
	}
	if at.Port != 0 {
		s.ServicePort = at.Port
	}
}
