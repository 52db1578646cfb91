package state

import (
	"testing"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

func request(t *testing.T, op wire.ConfigEntryOp, kind, name string, index uint64) *wire.ConfigEntryRequest {
	t.Helper()
	e, err := wire.NewConfigEntry(kind, name)
	if err != nil {
		t.Fatal(err)
	}
	wire.SetConfigEntryIndex(e, wire.RaftIndex{ModifyIndex: index})
	return &wire.ConfigEntryRequest{Op: op, Entry: e}
}

// TestConfigEntryApply has the steps in the life of an entry, each with the index of
// its number.
func TestConfigEntryApply(t *testing.T) {
	f := newFixture(t)
	for _, step := range []struct {
		name  string
		op    wire.ConfigEntryOp
		index uint64
		done  bool
		want  uint64 // ModifyIndex afterwards; 0: there is none
	}{
		{name: "cas_of_what_is_not_there", op: wire.ConfigEntryUpsertCAS, index: 9},
		{name: "created_by_cas", op: wire.ConfigEntryUpsertCAS, done: true, want: 2},
		{name: "created_twice", op: wire.ConfigEntryUpsertCAS, want: 2},
		{name: "replaced", op: wire.ConfigEntryUpsert, done: true, want: 4},
		{name: "cas", op: wire.ConfigEntryUpsertCAS, index: 4, done: true, want: 5},
		{name: "old_delete_cas", op: wire.ConfigEntryDeleteCAS, index: 4, want: 5},
		{name: "delete_cas", op: wire.ConfigEntryDeleteCAS, index: 5, done: true},
		{name: "deleted_twice", op: wire.ConfigEntryDelete, done: true},
	} {
		t.Run(step.name, func(t *testing.T) {
			var done bool
			f.must(func(tx *Tx) (err error) {
				done, err = tx.ConfigEntryApply(request(t, step.op, "service-defaults", "web", step.index))
				return err
			})
			equal(t, "done", done, step.done)
			_, e := f.View().ConfigEntry(nil, "service-defaults", "WEB")
			equal(t, "is there", e != nil, step.want > 0)
			if e != nil {
				equal(t, "CreateIndex", e.GetCreateIndex(), 2)
				equal(t, "ModifyIndex", e.GetModifyIndex(), step.want)
			}
		})
	}
	if err := f.try(func(tx *Tx) error {
		_, err := tx.ConfigEntryApply(request(t, "odd", "service-defaults", "web", 0))
		return err
	}); err == nil {
		t.Error("an odd operation was carried out")
	}
}

func TestConfigEntryWatches(t *testing.T) {
	f := newFixture(t)
	put := func(kind, name string) {
		f.must(func(tx *Tx) error {
			_, err := tx.ConfigEntryApply(request(t, wire.ConfigEntryUpsert, kind, name, 0))
			return err
		})
	}
	put("service-defaults", "web")
	put("service-defaults", "db")
	put("proxy-defaults", "global")
	one, kind := memdb.NewWatchSet(), memdb.NewWatchSet()
	idx, _ := f.View().ConfigEntry(one, "service-defaults", "web")
	equal(t, "index of web", idx, 1)
	idx, list := f.View().ConfigEntries(kind, "service-defaults")
	equal(t, "index of the kind", idx, 3)
	equal(t, "entries", len(list), 2)
	equal(t, "first", list[0].GetName(), "db")
	put("proxy-defaults", "global")
	equal(t, "told of another kind", closed(one) || closed(kind), false)
	put("service-defaults", "db")
	equal(t, "told of another name", closed(one), false)
	equal(t, "the kind is told", closed(kind), true)
	idx, e := f.View().ConfigEntry(nil, "service-defaults", "none")
	equal(t, "nothing", e == nil, true)
	equal(t, "its index", idx, 5)
}

func closed(ws memdb.WatchSet) bool {
	for ch := range ws {
		select {
		case <-ch:
			return true
		default:
		}
	}
	return false
}
