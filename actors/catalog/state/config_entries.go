package state

import (
	"cmp"
	"fmt"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// configEntry is a row of the config-entries table.
type configEntry struct {
	wire.ConfigEntry
}

// ConfigEntryApply carries out a request about a config entry. It says whether that
// was done: where a CAS did not fit, it was not.
func (tx *Tx) ConfigEntryApply(r *wire.ConfigEntryRequest) (bool, error) {
	if r.Entry == nil {
		return false, wire.ErrNoConfigEntry
	}
	kind, name := r.Entry.GetKind(), r.Entry.GetName()
	if err := checkName("config entry name", name); err != nil {
		return false, err
	}
	was := first[configEntry](tx.tx, tableConfigEntries, byID, kind, name)
	switch r.Op {
	case wire.ConfigEntryUpsertCAS, wire.ConfigEntryDeleteCAS:
		if indexNow(was) != r.Entry.GetModifyIndex() {
			return false, nil
		}
	case wire.ConfigEntryUpsert, wire.ConfigEntryDelete:
	default:
		return false, fmt.Errorf("invalid config entry operation type: %v", r.Op)
	}
	switch r.Op {
	case wire.ConfigEntryUpsert, wire.ConfigEntryUpsertCAS:
		tx.putConfigEntry(r.Entry, was)
	default:
		if was == nil {
			return true, nil
		}
		remove(tx.tx, tableConfigEntries, was)
	}
	tx.touch(tableConfigEntries)
	return true, nil
}

// indexNow returns the index that a CAS must name.
func indexNow(row *configEntry) uint64 {
	if row == nil {
		return 0
	}
	return row.GetModifyIndex()
}

func (tx *Tx) putConfigEntry(e wire.ConfigEntry, was *configEntry) {
	index := wire.RaftIndex{CreateIndex: tx.idx, ModifyIndex: tx.idx}
	if was != nil {
		index.CreateIndex = was.GetCreateIndex()
	}
	wire.SetConfigEntryIndex(e, index)
	insert(tx.tx, tableConfigEntries, &configEntry{e})
}

// recordedEntry is an entry as a snapshot has it.
type recordedEntry struct {
	wire.ConfigEntryRequest
	err error // why it cannot be read
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler. Kinds and fields come and go
// with versions of Consul; so an entry that cannot be read is no damage.
func (r *recordedEntry) UnmarshalBinary(data []byte) error {
	r.err = r.ConfigEntryRequest.UnmarshalBinary(data)
	return nil
}

func (tx *Tx) restoreConfigEntry(r *recordedEntry) error {
	if r.err != nil || r.Entry == nil {
		return fmt.Errorf("%w: %w", ErrSkipped, cmp.Or(r.err, wire.ErrNoConfigEntry))
	}
	if err := checkName("config entry name", r.Entry.GetName()); err != nil {
		return err
	}
	insert(tx.tx, tableConfigEntries, &configEntry{r.Entry})
	tx.touchAt(r.Entry.GetModifyIndex(), tableConfigEntries)
	return nil
}

// ConfigEntry returns the entry of a kind and name, nil if there is none. Without
// one the index is that of the last change to any.
func (q *Queries) ConfigEntry(ws memdb.WatchSet, kind, name string) (uint64, wire.ConfigEntry) {
	ch, row := firstWatch[configEntry](q.tx, tableConfigEntries, byID, kind, name)
	ws.Add(ch)
	if row == nil {
		return q.indexOf(tableConfigEntries), nil
	}
	return row.GetModifyIndex(), row.ConfigEntry
}

// ConfigEntries returns the entries of a kind, by name.
func (q *Queries) ConfigEntries(ws memdb.WatchSet, kind string) (uint64, []wire.ConfigEntry) {
	ch, all := rowsWatch[configEntry](q.tx, tableConfigEntries, byKind, kind)
	ws.Add(ch)
	var entries []wire.ConfigEntry
	for row := range all {
		entries = append(entries, row.ConfigEntry)
	}
	return q.indexOf(tableConfigEntries), entries
}
