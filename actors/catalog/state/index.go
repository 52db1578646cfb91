package state

import (
	"github.com/hashicorp/go-memdb"
)

// indexRow says which write last changed what its key names. It is also what a
// snapshot has of the index table.
type indexRow struct {
	Key   string
	Value uint64
}

// The rows of the index table. A table has a row of its own name.
const (
	// A service's row moves with its instances, their checks, the checks of their
	// nodes, and the nodes. It goes when the last instance does.
	servicePrefix = "service."
	// A node's row moves with the node and the services on it, and goes with it.
	nodePrefix = "node."
	// A node's checks have a row, which goes with the node.
	nodeChecksPrefix = "node_checks."
	// When the last service or node went whose row has gone with it.
	serviceExtinction = "service_last_extinction"
	nodeExtinction    = "node_last_extinction"
)

// touch moves the rows of keys to the index of the write, never back.
func (tx *Tx) touch(keys ...string) { tx.touchAt(tx.idx, keys...) }

func (tx *Tx) touchAt(idx uint64, keys ...string) {
	for _, key := range keys {
		if row := first[indexRow](tx.tx, tableIndex, byID, key); row == nil || row.Value < idx {
			insert(tx.tx, tableIndex, &indexRow{Key: key, Value: idx})
		}
	}
}

// forget removes the row of key.
func (tx *Tx) forget(key string) {
	if row := first[indexRow](tx.tx, tableIndex, byID, key); row != nil {
		remove(tx.tx, tableIndex, row)
	}
}

// indexOf returns the greatest of the rows of keys, 0 if there is none.
func (q *Queries) indexOf(keys ...string) uint64 {
	var idx uint64
	for _, key := range keys {
		if row := first[indexRow](q.tx, tableIndex, byID, key); row != nil {
			idx = max(idx, row.Value)
		}
	}
	return idx
}

// indexWatch is indexOf, watching the rows.
func (q *Queries) indexWatch(ws memdb.WatchSet, keys ...string) uint64 {
	var idx uint64
	for _, key := range keys {
		ch, row := firstWatch[indexRow](q.tx, tableIndex, byID, key)
		ws.Add(ch)
		if row != nil {
			idx = max(idx, row.Value)
		}
	}
	return idx
}

// serviceIndex returns the index of a service, with what closes when it moves, or
// nil if only the tables can tell. A service that is not there has the index of
// the last one that went.
func (q *Queries) serviceIndex(name string, exists bool) (uint64, <-chan struct{}) {
	if !exists {
		return q.indexOf(serviceExtinction), nil
	}
	ch, row := firstWatch[indexRow](q.tx, tableIndex, byID, servicePrefix+name)
	if row == nil { // a snapshot without index rows
		return q.indexOf(tableServices, tableNodes, tableChecks), nil
	}
	return row.Value, ch
}
