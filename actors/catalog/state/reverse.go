package state

import (
	"net/netip"

	"github.com/actor-consul/consul/messages/wire"
)

// NodeAt returns the first node by name whose address is addr, however that is
// written, or nil. Tagged addresses do not count.
func (q *Queries) NodeAt(addr netip.Addr) *wire.Node {
	for n := range rows[wire.Node](q.tx, tableNodes, byID+prefixOf) {
		if isAt(n.Address, addr) {
			return n
		}
	}
	return nil
}

// ServiceAt returns the first service by node and ID whose own address is addr,
// however that is written, or nil. Tagged addresses do not count.
func (q *Queries) ServiceAt(addr netip.Addr) *wire.NodeService {
	var found *wire.NodeService
	q.EachService(nil, nil, func(_ string, s *wire.NodeService) {
		if found == nil && isAt(s.Address, addr) {
			found = s
		}
	})
	return found
}

// isAt says whether text is addr, or addr as an IPv4 address mapped to IPv6.
func isAt(text string, addr netip.Addr) bool {
	if text == "" {
		return false
	}
	a, err := netip.ParseAddr(text)
	return err == nil && a.Unmap() == addr.Unmap()
}
