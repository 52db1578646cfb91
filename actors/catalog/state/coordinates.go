package state

import (
	"slices"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// UpdateCoordinates sets the coordinates of nodes. Those that make no sense, and
// those of nodes that have gone in the meantime, are left out.
func (tx *Tx) UpdateCoordinates(updates wire.Coordinates) {
	if tx.putCoordinates(updates) {
		tx.touch(tableCoordinates)
	}
}

// putCoordinates says whether there were any that make sense.
func (tx *Tx) putCoordinates(updates wire.Coordinates) (some bool) {
	for _, u := range updates {
		if u == nil || u.Coord == nil || !u.Coord.IsValid() || tx.node(u.Node) == nil {
			continue
		}
		coord := *u
		coord.Partition = ""
		insert(tx.tx, tableCoordinates, &coord)
		some = true
	}
	return some
}

// Coordinates returns all coordinates, by node and segment.
func (q *Queries) Coordinates(ws memdb.WatchSet) (uint64, wire.Coordinates) {
	ch, all := rowsWatch[wire.Coordinate](q.tx, tableCoordinates, byID+prefixOf)
	ws.Add(ch)
	return q.indexOf(tableCoordinates), slices.Collect(all)
}

// NodeCoordinates returns the coordinates of a node, one for each segment.
func (q *Queries) NodeCoordinates(ws memdb.WatchSet, node string) (uint64, wire.Coordinates) {
	ch, all := rowsWatch[wire.Coordinate](q.tx, tableCoordinates, byNode, node)
	ws.Add(ch)
	return q.indexOf(tableCoordinates), slices.Collect(all)
}
