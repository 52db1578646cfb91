package state

import (
	"net/netip"
	"strings"

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

// NodeEndsIn says whether the name of a node has labels, as DNS calls them, and ends in
// those of another name, with more before them.
func (q *Queries) NodeEndsIn(ws memdb.WatchSet, name string) bool {
	ch, node := firstWatch[wire.Node](q.tx, tableNodes, byEnding, name)
	ws.Add(ch)
	return node != nil
}

// maxName is how long a name is that DNS can ask for.
const maxName = 255

// endings returns what is behind each dot of a name.
func endings(name string) (all []string) {
	for len(name) <= maxName {
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			return all
		}
		if name = rest; name != "" {
			all = append(all, name)
		}
	}
	return nil
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
