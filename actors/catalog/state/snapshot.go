package state

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// Records yields all of the state that is replicated, as the records of a Consul
// snapshot: the type of each and what is encoded under it. What others refer to
// comes first.
func (v *View) Records() iter.Seq2[wire.MessageType, any] {
	return func(yield func(wire.MessageType, any) bool) {
		_ = v.nodeRecords(yield) &&
			each(v, tableCoordinates, func(c *wire.Coordinate) bool {
				return yield(wire.CoordinateBatchUpdateType, wire.Coordinates{c})
			}) &&
			each(v, tableSessions, func(s *wire.Session) bool { return yield(wire.SessionRequestType, s) }) &&
			each(v, tableKVs, func(e *wire.DirEntry) bool { return yield(wire.KVSRequestType, e) }) &&
			each(v, tableTombstones, func(t *Tombstone) bool {
				return yield(wire.TombstoneRequestType, &wire.DirEntry{Key: t.Key, RaftIndex: wire.RaftIndex{ModifyIndex: t.Index}})
			}) &&
			each(v, tablePreparedQueries, func(q *preparedQuery) bool { return yield(wire.PreparedQueryRequestType, q.PreparedQuery) }) &&
			each(v, tableAutopilotConfig, func(c *wire.AutopilotConfig) bool { return yield(wire.AutopilotRequestType, c) }) &&
			each(v, tableConnectCARoots, func(r *wire.CARoot) bool { return yield(wire.ConnectCARequestType, r) }) &&
			each(v, tableConnectCABuiltin, func(s *wire.CAConsulProviderState) bool {
				return yield(wire.ConnectCAProviderStateType, s)
			}) &&
			each(v, tableConnectCAConfig, func(c *wire.CAConfiguration) bool { return yield(wire.ConnectCAConfigType, c) }) &&
			each(v, tableConfigEntries, func(e *configEntry) bool {
				return yield(wire.ConfigEntryRequestType, &wire.ConfigEntryRequest{Op: wire.ConfigEntryUpsert, Entry: e.ConfigEntry})
			}) &&
			each(v, tableIndex, func(r *indexRow) bool { return yield(wire.IndexRequestType, r) }) &&
			each(v, tableLockDelays, func(d *lockDelay) bool { return yield(wire.IndexRequestType, d.record()) })
	}
}

// each calls fn with the rows of a table until it returns false, and says whether
// it never did.
func each[R any](v *View, table string, fn func(*R) bool) bool {
	for row := range rows[R](v.tx, table, byID+prefixOf) {
		if !fn(row) {
			return false
		}
	}
	return true
}

// nodeRecords yields a registration of each node, and one of each service and each
// check on it.
func (v *View) nodeRecords(yield func(wire.MessageType, any) bool) bool {
	return each(v, tableNodes, func(n *wire.Node) bool {
		with := func(s *wire.NodeService, c *wire.HealthCheck) bool {
			return yield(wire.RegisterRequestType, &wire.RegisterRequest{
				Datacenter:      n.Datacenter,
				ID:              n.ID,
				Node:            n.Node,
				Address:         n.Address,
				TaggedAddresses: n.TaggedAddresses,
				NodeMeta:        n.Meta,
				Locality:        n.Locality,
				PeerName:        n.PeerName,
				RaftIndex:       n.RaftIndex,
				Service:         s,
				Check:           c,
			})
		}
		if !with(nil, nil) {
			return false
		}
		for row := range rows[nodeService](v.tx, tableServices, byNode, n.Node) {
			if !with(row.Service, nil) {
				return false
			}
		}
		for check := range rows[wire.HealthCheck](v.tx, tableChecks, byNode, n.Node) {
			if !with(nil, check) {
				return false
			}
		}
		return true
	})
}

// Restorer fills a new store from the records of a snapshot. It ends with Commit
// or Abort.
type Restorer struct {
	store *Store
	tx    *Tx
}

// NewRestorer begins a store whose state is that after the log entry lastIndex.
func NewRestorer(lastIndex uint64) *Restorer {
	s := NewStore()
	return &Restorer{store: s, tx: &Tx{
		Queries:   Queries{tx: s.db.Txn(true)},
		idx:       lastIndex,
		now:       time.Time{},
		restoring: true,
	}}
}

// At says when the snapshot is read, by this server's clock. Without it, lock delays
// end when the snapshot says, by the clock of the server that it is from.
func (r *Restorer) At(now time.Time) { r.tx.now = now }

// ErrSkipped is returned for a record that was read and is not added, since it is of
// a kind that we do not know.
var ErrSkipped = errors.New("the record is of an unknown kind")

// Record adds one record. It returns false, having done nothing, if the type is
// none that Records yields; decode is what reads the value of the record.
func (r *Restorer) Record(t wire.MessageType, decode func(any) error) (known bool, err error) {
	switch t {
	case wire.RegisterRequestType:
		return true, decoded(decode, r.tx.restoreRegistration)
	case wire.CoordinateBatchUpdateType:
		return true, decoded(decode, func(c *wire.Coordinates) error { r.tx.putCoordinates(*c); return nil })
	case wire.SessionRequestType:
		return true, decoded(decode, func(s *wire.Session) error { r.tx.putSession(s); return nil })
	case wire.KVSRequestType:
		return true, decoded(decode, r.tx.restoreKV)
	case wire.TombstoneRequestType:
		return true, decoded(decode, r.tx.restoreTombstone)
	case wire.PreparedQueryRequestType:
		return true, decoded(decode, r.tx.restorePreparedQuery)
	case wire.AutopilotRequestType:
		return true, decoded(decode, func(c *wire.AutopilotConfig) error { insert(r.tx.tx, tableAutopilotConfig, c); return nil })
	case wire.ConnectCARequestType:
		return true, decoded(decode, r.tx.restoreCARoot)
	case wire.ConnectCAProviderStateType:
		return true, decoded(decode, r.tx.restoreCAProviderState)
	case wire.ConnectCAConfigType:
		return true, decoded(decode, func(c *wire.CAConfiguration) error { insert(r.tx.tx, tableConnectCAConfig, c); return nil })
	case wire.ConfigEntryRequestType:
		return true, decoded(decode, r.tx.restoreConfigEntry)
	case wire.IndexRequestType:
		return true, decoded(decode, r.tx.restoreIndex)
	default:
		return false, nil
	}
}

func decoded[T any](decode func(any) error, do func(*T) error) error {
	v := new(T)
	if err := decode(v); err != nil {
		return err
	}
	return do(v)
}

// restoreRegistration leaves out what was imported from peers: its names are not
// ours.
func (tx *Tx) restoreRegistration(req *wire.RegisterRequest) error {
	if req.PeerName != "" {
		return nil
	}
	return tx.EnsureRegistration(req)
}

func (tx *Tx) restoreKV(e *wire.DirEntry) error {
	insert(tx.tx, tableKVs, e)
	tx.touchAt(e.ModifyIndex, tableKVs)
	return nil
}

func (tx *Tx) restoreTombstone(e *wire.DirEntry) error {
	insert(tx.tx, tableTombstones, &Tombstone{Key: e.Key, Index: e.ModifyIndex})
	tx.touchAt(e.ModifyIndex, tableTombstones)
	return nil
}

// localPeer is what Consul puts before the index rows of what is not from a peer.
// It keeps rows without it too, for all together.
const localPeer = "peer.~:"

// lockDelayRecord begins the keys under which the lock delays are among the index
// rows, with the time of their end in milliseconds since 1970. So a server that starts
// from a snapshot does not forget them, and Consul, which has no records of them, takes
// them for the rows of a table that it never asks for.
const lockDelayRecord = "lock_delay:"

func (d *lockDelay) record() *indexRow {
	return &indexRow{Key: lockDelayRecord + d.Key, Value: uint64(max(d.Until.UnixMilli(), 0))}
}

func (tx *Tx) restoreIndex(row *indexRow) error {
	if row.Key == "" {
		return fmt.Errorf("an index has no key")
	}
	if key, ok := strings.CutPrefix(row.Key, lockDelayRecord); ok {
		until := time.UnixMilli(int64(min(row.Value, math.MaxInt64)))
		if !tx.now.IsZero() { // no clock that was wrong makes it longer than any delay
			until = tx.now.Add(min(until.Sub(tx.now), wire.MaxLockDelay))
		}
		insert(tx.tx, tableLockDelays, &lockDelay{Key: key, Until: until})
		return nil
	}
	tx.touchAt(row.Value, strings.TrimPrefix(row.Key, localPeer))
	return nil
}

// Commit returns the store with what was added.
func (r *Restorer) Commit() *Store {
	if first[wire.Coordinate](r.tx.tx, tableCoordinates, byID+prefixOf) != nil && r.tx.indexOf(tableCoordinates) == 0 {
		r.tx.touch(tableCoordinates) // a coordinate has no index of its own
	}
	r.tx.commit()
	r.store.publishChanges(r.tx.idx, newChanges(r.tx.idx))
	return r.store
}

// Abort gives the store up. After Commit it does nothing.
func (r *Restorer) Abort() { r.tx.tx.Abort() }
