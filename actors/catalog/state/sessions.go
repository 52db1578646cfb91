package state

import (
	"fmt"
	"slices"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// SessionCreate makes a session. Its node must be in the catalog, and its checks
// must be there and not critical.
func (tx *Tx) SessionCreate(s *wire.Session) error {
	if s.ID == "" {
		return ErrMissingSessionID
	}
	sess := *s
	switch sess.Behavior {
	case "":
		sess.Behavior = wire.SessionKeysRelease
	case wire.SessionKeysRelease, wire.SessionKeysDelete:
	default:
		return fmt.Errorf("Invalid session behavior: %s", sess.Behavior)
	}
	if tx.node(sess.Node) == nil {
		return ErrMissingNode
	}
	for _, id := range sess.CheckIDs() {
		check := first[wire.HealthCheck](tx.tx, tableChecks, byID, sess.Node, id)
		if check == nil {
			return fmt.Errorf("Missing check '%s' registration", id)
		}
		if check.Status == wire.HealthCritical {
			return fmt.Errorf("Check '%s' is in %s state", id, check.Status)
		}
	}
	sess.CreateIndex, sess.ModifyIndex = tx.idx, tx.idx
	tx.putSession(&sess)
	return nil
}

// putSession writes a session, in the place of one of the same ID if there is any.
func (tx *Tx) putSession(sess *wire.Session) {
	tx.forgetChecks(sess.ID)
	insert(tx.tx, tableSessions, sess)
	for _, id := range sess.CheckIDs() {
		insert(tx.tx, tableSessionChecks, &sessionCheck{Node: sess.Node, CheckID: id, Session: sess.ID})
	}
	tx.touchAt(sess.ModifyIndex, tableSessions)
}

// SessionDestroy ends a session: its locks are released or their keys deleted, as
// it was made to, and may not be taken again for its lock delay; the prepared queries
// that are bound to it go. It does nothing if there is no such session.
func (tx *Tx) SessionDestroy(id string) {
	sess := first[wire.Session](tx.tx, tableSessions, byID, id)
	if sess == nil {
		return
	}
	remove(tx.tx, tableSessions, sess)
	tx.forgetChecks(id)
	tx.touch(tableSessions)
	var keys []string
	for _, e := range collect[wire.DirEntry](tx.tx, tableKVs, bySession, id) {
		if sess.Behavior == wire.SessionKeysDelete {
			tx.KVSDelete(e.Key)
		} else {
			released := *e
			released.Session = ""
			tx.kvSet(&released, true)
		}
		keys = append(keys, e.Key)
	}
	tx.deleteQueriesOf(id)
	tx.delayLocks(keys, min(sess.LockDelay, wire.MaxLockDelay))
}

// forgetChecks takes a session off the checks that it depends on.
func (tx *Tx) forgetChecks(session string) {
	for _, c := range collect[sessionCheck](tx.tx, tableSessionChecks, bySession, session) {
		remove(tx.tx, tableSessionChecks, c)
	}
}

// endSessionsOf ends the sessions that depend on a check.
func (tx *Tx) endSessionsOf(node, checkID string) {
	for _, c := range collect[sessionCheck](tx.tx, tableSessionChecks, byNodeCheck, node, checkID) {
		tx.SessionDestroy(c.Session)
	}
}

// SessionGet returns a session, or nil. A session never changes, so its index is
// its own while it lives.
func (q *Queries) SessionGet(ws memdb.WatchSet, id string) (uint64, *wire.Session) {
	ch, sess := firstWatch[wire.Session](q.tx, tableSessions, byID, id)
	ws.Add(ch)
	if sess == nil {
		return q.indexOf(tableSessions), nil
	}
	return sess.ModifyIndex, sess
}

// Sessions returns all sessions, by ID.
func (q *Queries) Sessions(ws memdb.WatchSet) (uint64, wire.Sessions) {
	ch, all := rowsWatch[wire.Session](q.tx, tableSessions, byID+prefixOf)
	ws.Add(ch)
	return q.indexOf(tableSessions), slices.Collect(all)
}

// NodeSessions returns the sessions of a node, by ID.
func (q *Queries) NodeSessions(ws memdb.WatchSet, node string) (uint64, wire.Sessions) {
	ch, all := rowsWatch[wire.Session](q.tx, tableSessions, byNode, node)
	ws.Add(ch)
	return q.indexOf(tableSessions), slices.Collect(all)
}
