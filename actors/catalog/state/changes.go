package state

import (
	"slices"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// What is kept of the newest changes of the catalog. Who has fallen further behind
// starts over.
const (
	maxChanges     = 8192
	maxChangeBytes = 8 << 20
)

// Change is a log entry that has changed the catalog: nodes, services or checks.
type Change struct {
	Index uint64
	Entry []byte // a type byte and msgpack
}

// changes is the newest changes. It is a value: add returns another, and the two
// may share what both have.
type changes struct {
	since   uint64   // all changes after this index are here
	entries []Change // oldest first
	bytes   int
	more    chan struct{} // closed when there is a newer value
}

func newChanges(since uint64) *changes { return &changes{since: since, more: make(chan struct{})} }

// add returns the changes with one more, and without the oldest when there are too
// many: a quarter of them goes at once, so that copying is rare.
func (c *changes) add(change Change) *changes {
	next := &changes{since: c.since, entries: append(c.entries, change), bytes: c.bytes + len(change.Entry), more: make(chan struct{})}
	if len(next.entries) > maxChanges || next.bytes > maxChangeBytes {
		drop := max(1, len(next.entries)/4)
		next.since = next.entries[drop-1].Index
		for _, old := range next.entries[:drop] {
			next.bytes -= len(old.Entry)
		}
		next.entries = slices.Clone(next.entries[drop:])
	}
	return next
}

// last returns the index of the newest change.
func (c *changes) last() uint64 {
	if n := len(c.entries); n > 0 {
		return c.entries[n-1].Index
	}
	return c.since
}

// Record notes that a log entry, which has been applied, has changed the catalog.
// Only who writes calls it.
func (s *Store) Record(idx uint64, entry []byte) {
	before := s.View().changes
	s.publishChanges(idx, before.add(Change{Index: idx, Entry: entry}))
	close(before.more)
}

// ChangesSince returns the changes of the catalog after an index, oldest first and
// at most limit bytes of them (but one at the least), and the index of the newest
// that it returned, or that there is. It returns false when it does not go back
// that far.
func (v *View) ChangesSince(ws memdb.WatchSet, index uint64, limit int) (uint64, []Change, bool) {
	ws.Add(v.changes.more)
	last := v.changes.last()
	switch {
	case index < v.changes.since:
		return last, nil, false
	case index >= last: // another server was ahead of this one
		return index, nil, true
	}
	all := v.changes.entries
	first, _ := slices.BinarySearchFunc(all, index+1, func(c Change, i uint64) int {
		switch {
		case c.Index < i:
			return -1
		case c.Index > i:
			return 1
		default:
			return 0
		}
	})
	bytes := 0
	for i, c := range all[first:] {
		if bytes += len(c.Entry); bytes > limit && i > 0 {
			return all[first+i-1].Index, all[first : first+i], true
		}
	}
	return last, all[first:], true
}

// Registrations returns the nodes after one of that name, in the order of their
// names, each with its services and checks, until there are limit records or no
// more. next is where to go on, empty at the end. Index is that of the newest
// change in it.
func (v *View) Registrations(after string, limit int) (index uint64, records []*wire.RegisterRequest, next string) {
	node := ""
	v.nodeRecords(func(_ wire.MessageType, record any) bool {
		r := record.(*wire.RegisterRequest)
		if name := folded(r.Node); name <= after && after != "" {
			return true
		} else if name != node {
			if len(records) >= limit {
				next = node
				return false
			}
			node = name
		}
		records = append(records, r)
		return true
	})
	return v.changes.last(), records, next
}
