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
	for inst := range rows[instance](q.tx, tableServices, byID+prefixOf) {
		if isAt(inst.Service.Address, addr) {
			return inst.Service
		}
	}
	return nil
}

// isAt says whether text is addr, or addr as an IPv4 address mapped to IPv6.
func isAt(text string, addr netip.Addr) bool {
	if text == "" {
		return false
	}
	a, err := netip.ParseAddr(text)
	return err == nil && a.Unmap() == addr.Unmap()
}
