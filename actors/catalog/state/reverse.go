package state

import (
	"net/netip"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// NodeAt returns the first node by name whose address is addr, however that is
// written, or nil. Tagged addresses do not count.
func (q *Queries) NodeAt(ws memdb.WatchSet, addr netip.Addr) *wire.Node {
	ch, node := firstWatch[wire.Node](q.tx, tableNodes, byAddress, spelled(addr))
	ws.Add(ch)
	return node
}

// ServiceAt returns the first service by node and ID whose own address is addr,
// however that is written, or nil. Tagged addresses do not count.
func (q *Queries) ServiceAt(ws memdb.WatchSet, addr netip.Addr) *wire.NodeService {
	ch, row := firstWatch[nodeService](q.tx, tableServices, byAddress, spelled(addr))
	ws.Add(ch)
	if row == nil {
		return nil
	}
	return row.Service
}

// addressKey is what a row is found under by its address: nothing, if that is a name
// or none of its own.
func addressKey(text string) []string {
	if text == "" {
		return nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return nil
	}
	return []string{spelled(addr)}
}

// spelled is the one way in which the tables write an address.
func spelled(addr netip.Addr) string { return addr.Unmap().String() }
