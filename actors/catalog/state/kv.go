package state

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// lockDelay is a row of the lock_delays table: until when the key may not be
// locked, by this server's clock.
type lockDelay struct {
	Key   string
	Until time.Time
}

// KVSSet sets a key. Its lock stays whose it is.
func (tx *Tx) KVSSet(e *wire.DirEntry) { tx.kvSet(e, false) }

// kvSet writes a key, with its session if withSession is set. To write what is there
// already changes nothing.
func (tx *Tx) kvSet(e *wire.DirEntry, withSession bool) {
	existing := first[wire.DirEntry](tx.tx, tableKVs, byID, e.Key)
	entry := *e
	if existing == nil {
		entry.CreateIndex = tx.idx
		if !withSession {
			entry.Session = ""
		}
	} else {
		entry.CreateIndex = existing.CreateIndex
		if !withSession {
			entry.Session, entry.LockIndex = existing.Session, existing.LockIndex
		}
		if sameEntry(existing, &entry) {
			return
		}
	}
	entry.ModifyIndex = tx.idx
	insert(tx.tx, tableKVs, &entry)
	tx.touch(tableKVs)
}

func sameEntry(a, b *wire.DirEntry) bool {
	return a.LockIndex == b.LockIndex && a.Flags == b.Flags && a.Session == b.Session && bytes.Equal(a.Value, b.Value)
}

// KVSCAS sets a key if its ModifyIndex is that of e, or, when that is 0, if there
// is no such key. It says whether it did.
func (tx *Tx) KVSCAS(e *wire.DirEntry) bool {
	var have uint64 // no record has index 0
	if existing := first[wire.DirEntry](tx.tx, tableKVs, byID, e.Key); existing != nil {
		have = existing.ModifyIndex
	}
	if have != e.ModifyIndex {
		return false
	}
	tx.kvSet(e, false)
	return true
}

// KVSDelete deletes a key.
func (tx *Tx) KVSDelete(key string) {
	e := first[wire.DirEntry](tx.tx, tableKVs, byID, key)
	if e == nil {
		return
	}
	remove(tx.tx, tableKVs, e)
	tx.bury(key)
}

// bury remembers that a key, or all keys with a prefix, went.
func (tx *Tx) bury(key string) {
	insert(tx.tx, tableTombstones, &Tombstone{Key: key, Index: tx.idx})
	tx.touch(tableKVs, tableTombstones)
}

// KVSDeleteCAS deletes a key if its ModifyIndex is index. It says whether the key
// is now gone.
func (tx *Tx) KVSDeleteCAS(key string, index uint64) bool {
	e := first[wire.DirEntry](tx.tx, tableKVs, byID, key)
	if e == nil {
		return true
	}
	if e.ModifyIndex != index {
		return false
	}
	tx.KVSDelete(key)
	return true
}

// KVSDeleteTree deletes all keys with a prefix.
func (tx *Tx) KVSDeleteTree(prefix string) {
	deleted, err := tx.tx.DeletePrefix(tableKVs, byID+prefixOf, prefix)
	must(err)
	switch {
	case !deleted:
	case prefix == "":
		tx.touch(tableKVs) // every list falls back to the index of the table
	default:
		tx.bury(prefix)
	}
}

// KVSLock sets a key and gives its lock to the session of e. It says whether the
// session has the lock now; another's lock leaves the key as it is. The lock delay
// is not looked at: only the leader can, before the write.
func (tx *Tx) KVSLock(e *wire.DirEntry) (bool, error) {
	if e.Session == "" {
		return false, fmt.Errorf("missing session")
	}
	sess := first[wire.Session](tx.tx, tableSessions, byID, e.Session)
	if sess == nil {
		return false, fmt.Errorf("invalid session %#v", e.Session)
	}
	entry := *e
	entry.LockIndex = 1
	if existing := first[wire.DirEntry](tx.tx, tableKVs, byID, e.Key); existing != nil {
		entry.LockIndex = existing.LockIndex
		switch existing.Session {
		case e.Session: // the holder writes
		case "":
			entry.LockIndex++
		default:
			return false, nil
		}
	}
	tx.kvSet(&entry, true)
	return true, nil
}

// KVSUnlock sets a key and takes its lock from the session of e. It says whether
// the session had the lock; if not, the key stays as it is.
func (tx *Tx) KVSUnlock(e *wire.DirEntry) (bool, error) {
	if e.Session == "" {
		return false, fmt.Errorf("missing session")
	}
	existing := first[wire.DirEntry](tx.tx, tableKVs, byID, e.Key)
	if existing == nil || existing.Session != e.Session {
		return false, nil
	}
	entry := *e
	entry.Session, entry.LockIndex = "", existing.LockIndex
	tx.kvSet(&entry, true)
	return true, nil
}

// ReapTombstones forgets the deletions up to an index. The index of a prefix may
// then go back.
func (tx *Tx) ReapTombstones(upTo uint64) {
	for _, stone := range collect[Tombstone](tx.tx, tableTombstones, byID+prefixOf) {
		if stone.Index <= upTo {
			remove(tx.tx, tableTombstones, stone)
		}
	}
}

// Tombstones returns how many deletions are remembered, and the index of the
// newest.
func (q *Queries) Tombstones() (count int, newest uint64) {
	for stone := range rows[Tombstone](q.tx, tableTombstones, byID+prefixOf) {
		count++
		newest = max(newest, stone.Index)
	}
	return count, newest
}

// delayLocks keeps keys from being locked for some time.
func (tx *Tx) delayLocks(keys []string, delay time.Duration) {
	if len(keys) == 0 || delay <= 0 {
		return
	}
	for _, d := range collect[lockDelay](tx.tx, tableLockDelays, byID+prefixOf) {
		if !d.Until.After(tx.now) {
			remove(tx.tx, tableLockDelays, d)
		}
	}
	for _, key := range keys {
		insert(tx.tx, tableLockDelays, &lockDelay{Key: key, Until: tx.now.Add(delay)})
	}
}

// LockDelay returns until when a key may not be locked, by this server's clock;
// the zero time if nothing is known against it.
func (q *Queries) LockDelay(key string) time.Time {
	if d := first[lockDelay](q.tx, tableLockDelays, byID, key); d != nil {
		return d.Until
	}
	return time.Time{}
}

// KVSGet returns a key, or nil. The index is that of the key, or, if there is none,
// that of the last change to any.
func (q *Queries) KVSGet(ws memdb.WatchSet, key string) (uint64, *wire.DirEntry) {
	ch, e := firstWatch[wire.DirEntry](q.tx, tableKVs, byID, key)
	ws.Add(ch)
	if e == nil {
		return q.indexOf(tableKVs, tableTombstones), nil
	}
	return e.ModifyIndex, e
}

// KVSList returns all keys with a prefix, in order. The index is that of the last
// change to any of them, deletions included.
func (q *Queries) KVSList(ws memdb.WatchSet, prefix string) (uint64, wire.DirEntries) {
	ch, all := rowsWatch[wire.DirEntry](q.tx, tableKVs, byID+prefixOf, prefix)
	ws.Add(ch)
	entries := slices.Collect(all)
	var idx uint64
	if prefix != "" {
		for _, e := range entries {
			idx = max(idx, e.ModifyIndex)
		}
		for stone := range rows[Tombstone](q.tx, tableTombstones, byID+prefixOf, prefix) {
			idx = max(idx, stone.Index)
		}
	}
	if idx == 0 {
		idx = q.indexOf(tableKVs, tableTombstones)
	}
	return idx, entries
}

// KVSListKeys returns the keys with a prefix, in order. With a separator, what
// follows the first one after the prefix is cut off, and what is then the same is
// returned once.
func (q *Queries) KVSListKeys(ws memdb.WatchSet, prefix, separator string) (uint64, []string) {
	idx, entries := q.KVSList(ws, prefix)
	var keys []string
	for _, e := range entries {
		key := e.Key
		if separator != "" {
			if i := strings.Index(key[len(prefix):], separator); i >= 0 {
				key = key[:len(prefix)+i+len(separator)]
			}
		}
		if len(keys) == 0 || keys[len(keys)-1] != key {
			keys = append(keys, key)
		}
	}
	return idx, keys
}
