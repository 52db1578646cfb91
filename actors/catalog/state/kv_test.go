package state

import (
	"fmt"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

func TestKVSet(t *testing.T) {
	f := newFixture(t).set("a", "1").set("b", "2").set("a", "3")
	idx, e := f.View().KVSGet(nil, "a")
	equal(t, "index", idx, 3)
	equal(t, "CreateIndex", e.CreateIndex, 1)
	equal(t, "value", string(e.Value), "3")

	f.set("a", "3")
	idx, _ = f.View().KVSGet(nil, "a")
	equal(t, "index after the same again", idx, 3)
	idx, _ = f.View().KVSList(nil, "")
	equal(t, "index of all", idx, 3)

	idx, none := f.View().KVSGet(nil, "A")
	equal(t, "another case", none, nil)
	equal(t, "index of what is not there", idx, 3)
}

func TestKVCAS(t *testing.T) {
	tests := []struct {
		name string
		key  string
		idx  uint64
		set  bool
		del  bool // what KVSDeleteCAS says
	}{
		{name: "as_seen", key: "a", idx: 1, set: true, del: true},
		{name: "changed_since", key: "a", idx: 9},
		{name: "there_although_it_should_not_be", key: "a"},
		{name: "not_there_as_it_should", key: "new", set: true, del: true},
		{name: "gone_since", key: "new", idx: 1, del: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t).set("a", "1")
			f.do(func(tx *Tx) {
				equal(t, "set", tx.KVSCAS(&wire.DirEntry{Key: tt.key, Value: []byte("2"), RaftIndex: wire.RaftIndex{ModifyIndex: tt.idx}}), tt.set)
			})
			_, e := f.View().KVSGet(nil, tt.key)
			equal(t, "written", e != nil && string(e.Value) == "2", tt.set)

			f = newFixture(t).set("a", "1")
			f.do(func(tx *Tx) { equal(t, "deleted", tx.KVSDeleteCAS(tt.key, tt.idx), tt.del) })
			_, e = f.View().KVSGet(nil, tt.key)
			equal(t, "gone", e == nil, tt.del)
		})
	}
}

func TestKVListIndex(t *testing.T) {
	f := newFixture(t).set("a/1", "").set("a/2", "").set("b/1", "").set("ab", "")
	list := func(prefix string) string {
		idx, entries := f.View().KVSList(nil, prefix)
		return fmt.Sprint(idx, " ", keys(entries))
	}
	equal(t, "a prefix", list("a/"), "2 a/1 a/2")
	equal(t, "all", list(""), "4 a/1 a/2 ab b/1")
	equal(t, "nothing there", list("z"), "4 ")
	f.do(func(tx *Tx) { tx.KVSDelete("a/2") })
	equal(t, "after a deletion", list("a/"), "5 a/1")
	equal(t, "elsewhere after a deletion", list("b/"), "3 b/1")
	f.do(func(tx *Tx) { tx.KVSDelete("a/nope") })
	equal(t, "after deleting nothing", list("a/"), "5 a/1")
	f.do(func(tx *Tx) { tx.KVSDeleteTree("a/") })
	equal(t, "after deleting the tree", list("a/"), "7 ")
	equal(t, "all after deleting the tree", list(""), "7 ab b/1")
	count, newest := f.View().Tombstones()
	equal(t, "tombstones", count, 2)
	equal(t, "index of the newest tombstone", newest, 7)
	f.do(func(tx *Tx) { tx.ReapTombstones(5) })
	count, _ = f.View().Tombstones()
	equal(t, "tombstones after reaping", count, 1)
	equal(t, "reaping keeps the younger", list("a/"), "7 ")
	f.do(func(tx *Tx) { tx.KVSDeleteTree("") })
	equal(t, "after deleting all", list(""), "9 ")
	equal(t, "a prefix after deleting all", list("b/"), "9 ")
	f.do(func(tx *Tx) { tx.KVSDeleteTree("") })
	equal(t, "after deleting all of nothing", list(""), "9 ")
}

func TestKVListKeys(t *testing.T) {
	f := newFixture(t)
	for _, k := range []string{"a", "a/1", "a/b/c", "a/b/d", "a/e", "b/x"} {
		f.set(k, "")
	}
	tests := []struct {
		name, prefix, sep string
		want              []string
	}{
		{"all", "", "", []string{"a", "a/1", "a/b/c", "a/b/d", "a/e", "b/x"}},
		{"top_level", "", "/", []string{"a", "a/", "b/"}},
		{"below", "a/", "/", []string{"a/1", "a/b/", "a/e"}},
		{"long_separator", "a/", "b/", []string{"a/1", "a/b/", "a/e"}},
		{"separator_in_the_prefix_only", "a/b/", "/", []string{"a/b/c", "a/b/d"}},
		{"nothing", "z", "/", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, got := f.View().KVSListKeys(nil, tt.prefix, tt.sep)
			equalSlices(t, "keys", got, tt.want)
		})
	}
}

func TestLock(t *testing.T) {
	f := newFixture(t).node("n1", "", "").session("s1", "n1", nil).session("s2", "n1", nil)
	get := func() string {
		_, e := f.View().KVSGet(nil, "k")
		if e == nil {
			return "none"
		}
		return fmt.Sprintf("%s lock=%d at=%d", e.Session, e.LockIndex, e.ModifyIndex)
	}
	unlock := func(session string) (ok bool) {
		f.must(func(tx *Tx) (err error) {
			ok, err = tx.KVSUnlock(&wire.DirEntry{Key: "k", Session: session})
			return err
		})
		return ok
	}
	equal(t, "unlocks what is not there", unlock("s1"), false)
	equal(t, "locks", f.lock("k", "s1"), true)
	equal(t, "locked", get(), "s1 lock=1 at=5")
	equal(t, "another locks", f.lock("k", "s2"), false)
	equal(t, "still locked", get(), "s1 lock=1 at=5")
	equal(t, "the holder locks again", f.lock("k", "s1"), true)
	equal(t, "the same again changes nothing", get(), "s1 lock=1 at=5")
	f.set("k", "v")
	equal(t, "a write leaves the lock", get(), "s1 lock=1 at=8")
	equal(t, "another unlocks", unlock("s2"), false)
	equal(t, "the holder unlocks", unlock("s1"), true)
	equal(t, "unlocked", get(), " lock=1 at=10")
	equal(t, "another locks what is free", f.lock("k", "s2"), true)
	equal(t, "locked by another", get(), "s2 lock=2 at=11")

	for _, tt := range []struct{ name, session, err string }{
		{"no_session", "", "missing session"},
		{"unknown_session", "nope", `invalid session "nope"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			errorIs(t, f.try(func(tx *Tx) error {
				_, err := tx.KVSLock(&wire.DirEntry{Key: "k", Session: tt.session})
				return err
			}), tt.err)
		})
	}
	errorIs(t, f.try(func(tx *Tx) error {
		_, err := tx.KVSUnlock(&wire.DirEntry{Key: "k"})
		return err
	}), "missing session")
}

func TestLockDelay(t *testing.T) {
	tests := []struct {
		name  string
		delay time.Duration
		want  time.Time
	}{
		{"none", 0, time.Time{}},
		{"some", 15 * time.Second, noon.Add(15 * time.Second)},
		{"too_much", time.Hour, noon.Add(wire.MaxLockDelay)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t).node("n1", "", "").session("s", "n1", func(s *wire.Session) { s.LockDelay = tt.delay })
			f.lock("k", "s")
			f.do(func(tx *Tx) { tx.SessionDestroy("s") })
			if got := f.View().LockDelay("k"); !got.Equal(tt.want) {
				t.Errorf("until %v, want %v", got, tt.want)
			}
			equal(t, "of another key", f.View().LockDelay("x").IsZero(), true)
		})
	}
	t.Run("is_forgotten_when_it_is_over", func(t *testing.T) {
		f := newFixture(t).node("n1", "", "")
		for _, id := range []string{"s1", "s2"} {
			f.session(id, "n1", func(s *wire.Session) { s.LockDelay = time.Second })
			f.lock(id, id)
			f.do(func(tx *Tx) { tx.SessionDestroy(id) })
			f.now = f.now.Add(time.Second)
		}
		equal(t, "the first", f.View().LockDelay("s1").IsZero(), true)
		equal(t, "the second", f.View().LockDelay("s2").IsZero(), false)
	})
}

// TestLockDelayOutlivesASnapshot: a server that starts from one keeps to the delays
// that were running.
func TestLockDelayOutlivesASnapshot(t *testing.T) {
	f := newFixture(t).node("n1", "", "").session("s", "n1", func(s *wire.Session) { s.LockDelay = 15 * time.Second })
	f.lock("Key", "s")
	f.lock("", "s")
	f.do(func(tx *Tx) { tx.SessionDestroy("s") })
	restored := restoreIndexes(t, f, noon)
	for _, key := range []string{"Key", ""} {
		if got := restored.LockDelay(key); !got.Equal(noon.Add(15 * time.Second)) {
			t.Errorf("%q: until %v", key, got)
		}
	}
	equal(t, "of another key", restored.LockDelay("key").IsZero(), true)
	equal(t, "an index like any other", restored.indexOf(lockDelayRecord+"Key"), 0)

	behind := noon.Add(-24 * time.Hour) // or the one who made the snapshot was ahead
	if got := restoreIndexes(t, f, behind).LockDelay("Key"); !got.Equal(behind.Add(wire.MaxLockDelay)) {
		t.Errorf("by a clock that is behind: until %v, want no longer than any delay", got)
	}
}

// restoreIndexes returns what a server has that starts from a snapshot of the index
// rows at some time.
func restoreIndexes(t *testing.T, f *fixture, at time.Time) *View {
	t.Helper()
	r := NewRestorer(f.idx)
	r.At(at)
	for kind, record := range f.View().Records() {
		row, ok := record.(*indexRow)
		if !ok {
			continue
		}
		if _, err := r.Record(kind, func(into any) error { *into.(*indexRow) = *row; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return r.Commit().View()
}
