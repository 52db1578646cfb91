package state

import (
	"fmt"

	"github.com/actor-consul/consul/messages/wire"
)

// Txn does the operations of a transaction in order. If there are errors the
// write must be given up: it goes on after the first to find them all.
func (tx *Tx) Txn(ops wire.TxnOps) (wire.TxnResults, wire.TxnErrors) {
	return dispatch(ops, tx.txnOp)
}

// TxnRead does a transaction that only reads.
func (q *Queries) TxnRead(ops wire.TxnOps) (wire.TxnResults, wire.TxnErrors) {
	return dispatch(ops, func(op *wire.TxnOp) (wire.TxnResults, error) {
		if results, known, err := q.txnReadOp(op); known {
			return results, err
		}
		return nil, fmt.Errorf("the transaction is for reading only")
	})
}

func dispatch(ops wire.TxnOps, do func(*wire.TxnOp) (wire.TxnResults, error)) (wire.TxnResults, wire.TxnErrors) {
	results := make(wire.TxnResults, 0, len(ops))
	var errs wire.TxnErrors
	for i, op := range ops {
		if op == nil {
			op = &wire.TxnOp{}
		}
		r, err := do(op)
		if err != nil {
			errs = append(errs, &wire.TxnError{OpIndex: i, What: err.Error()})
		}
		results = append(results, r...)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return results, nil
}

// txnReadOp does an operation that changes nothing, and says whether op is one.
func (q *Queries) txnReadOp(op *wire.TxnOp) (results wire.TxnResults, known bool, err error) {
	switch {
	case op.KV != nil:
		return q.txnKVRead(op.KV)
	case op.Node != nil && op.Node.Verb == wire.CatalogGet:
		n := q.txnNode(&op.Node.Node)
		if n == nil {
			return nil, true, fmt.Errorf("node %q doesn't exist", op.Node.Node.Node)
		}
		return wire.TxnResults{{Node: n}}, true, nil
	case op.Service != nil && op.Service.Verb == wire.CatalogGet:
		_, s := q.NodeService(nil, op.Service.Node, op.Service.Service.ID)
		if s == nil {
			return nil, true, fmt.Errorf("service %q on node %q doesn't exist", op.Service.Service.ID, op.Service.Node)
		}
		return wire.TxnResults{{Service: s}}, true, nil
	case op.Check != nil && op.Check.Verb == wire.CatalogGet:
		_, c := q.NodeCheck(nil, op.Check.Check.Node, op.Check.Check.CheckID)
		if c == nil {
			return nil, true, fmt.Errorf("check %q on node %q doesn't exist", op.Check.Check.CheckID, op.Check.Check.Node)
		}
		return wire.TxnResults{{Check: c}}, true, nil
	}
	return nil, false, nil
}

// txnNode finds the node of an operation by its ID if it has one.
func (q *Queries) txnNode(n *wire.Node) *wire.Node {
	if n.ID != "" {
		_, found := q.NodeByID(nil, n.ID)
		return found
	}
	return q.node(n.Node)
}

func (q *Queries) txnKVRead(op *wire.TxnKVOp) (results wire.TxnResults, known bool, err error) {
	want := &op.DirEnt
	_, e := q.KVSGet(nil, want.Key)
	switch op.Verb {
	case wire.KVGet:
		if e == nil {
			return nil, true, fmt.Errorf("key %q doesn't exist", want.Key)
		}
		return wire.TxnResults{{KV: e}}, true, nil
	case wire.KVGetOrEmpty:
		if e == nil {
			e = &wire.DirEntry{Key: want.Key}
		}
		return wire.TxnResults{{KV: e}}, true, nil
	case wire.KVGetTree:
		_, entries := q.KVSList(nil, want.Key)
		results := make(wire.TxnResults, len(entries))
		for i, e := range entries {
			results[i] = &wire.TxnResult{KV: e}
		}
		return results, true, nil
	case wire.KVCheckSession:
		if e == nil {
			return nil, true, fmt.Errorf("failed to check session, key %q doesn't exist", want.Key)
		}
		if e.Session != want.Session {
			return nil, true, fmt.Errorf("failed session check for key %q, current session %q != %q", want.Key, e.Session, want.Session)
		}
		return keyResult(e), true, nil
	case wire.KVCheckIndex:
		if e == nil {
			return nil, true, fmt.Errorf("failed to check index, key %q doesn't exist", want.Key)
		}
		if e.ModifyIndex != want.ModifyIndex {
			return nil, true, fmt.Errorf("failed index check for key %q, current modify index %d != %d", want.Key, e.ModifyIndex, want.ModifyIndex)
		}
		return keyResult(e), true, nil
	case wire.KVCheckNotExists:
		if e != nil {
			return nil, true, fmt.Errorf("key %q exists", want.Key)
		}
		return nil, true, nil
	default:
		return nil, false, nil
	}
}

// keyResult is the result of an operation on a key that does not ask for its value.
func keyResult(e *wire.DirEntry) wire.TxnResults {
	if e == nil {
		return nil
	}
	entry := *e
	entry.Value = nil
	return wire.TxnResults{{KV: &entry}}
}

func (tx *Tx) txnOp(op *wire.TxnOp) (wire.TxnResults, error) {
	if results, known, err := tx.txnReadOp(op); known {
		return results, err
	}
	switch {
	case op.KV != nil:
		return tx.txnKV(op.KV)
	case op.Node != nil:
		return tx.txnNodeWrite(op.Node)
	case op.Service != nil:
		return tx.txnService(op.Service)
	case op.Check != nil:
		return tx.txnCheck(op.Check)
	case op.Session != nil:
		if op.Session.Verb != wire.CatalogDelete {
			return nil, fmt.Errorf("failed to delete session: unknown Session verb %q", op.Session.Verb)
		}
		tx.SessionDestroy(op.Session.Session.ID)
		return nil, nil
	default:
		return nil, fmt.Errorf("no operation specified")
	}
}

func (tx *Tx) txnKV(op *wire.TxnKVOp) (wire.TxnResults, error) {
	e := &op.DirEnt
	done, fault := true, ""
	var err error
	switch op.Verb {
	case wire.KVSet:
		tx.KVSSet(e)
	case wire.KVDelete:
		tx.KVSDelete(e.Key)
		return nil, nil
	case wire.KVDeleteTree:
		tx.KVSDeleteTree(e.Key)
		return nil, nil
	case wire.KVDeleteCAS:
		if !tx.KVSDeleteCAS(e.Key, e.ModifyIndex) {
			return nil, fmt.Errorf("failed to delete key %q, index is stale", e.Key)
		}
		return nil, nil
	case wire.KVCAS:
		done, fault = tx.KVSCAS(e), "failed to set key %q, index is stale"
	case wire.KVLock:
		done, err = tx.KVSLock(e)
		fault = "failed to lock key %q, lock is already held"
	case wire.KVUnlock:
		done, err = tx.KVSUnlock(e)
		fault = "failed to unlock key %q, lock isn't held, or is held by another session"
	default:
		return nil, fmt.Errorf("unknown KV verb %q", op.Verb)
	}
	if err != nil {
		return nil, err
	}
	if !done {
		return nil, fmt.Errorf(fault, e.Key)
	}
	_, now := tx.KVSGet(nil, e.Key)
	return keyResult(now), nil
}

func (tx *Tx) txnNodeWrite(op *wire.TxnNodeOp) (wire.TxnResults, error) {
	n := &op.Node
	existing := tx.node(n.Node)
	var have uint64
	if existing != nil {
		have = existing.ModifyIndex
	}
	switch op.Verb {
	case wire.CatalogCAS:
		if have != n.ModifyIndex {
			return nil, fmt.Errorf("failed to set node %q, index is stale", n.Node)
		}
	case wire.CatalogDeleteCAS:
		if existing == nil || have != n.ModifyIndex {
			return nil, fmt.Errorf("failed to delete node %q, index is stale", n.Node)
		}
		tx.DeleteNode(n.Node)
		return nil, nil
	case wire.CatalogDelete:
		tx.DeleteNode(n.Node)
		return nil, nil
	case wire.CatalogSet:
	default:
		return nil, fmt.Errorf("unknown Node verb %q", op.Verb)
	}
	if err := tx.EnsureNode(n); err != nil {
		return nil, err
	}
	return wire.TxnResults{{Node: tx.txnNode(n)}}, nil
}

func (tx *Tx) txnService(op *wire.TxnServiceOp) (wire.TxnResults, error) {
	s := &op.Service
	_, existing := tx.NodeService(nil, op.Node, s.ID)
	var have uint64
	if existing != nil {
		have = existing.ModifyIndex
	}
	switch op.Verb {
	case wire.CatalogCAS:
		if have != s.ModifyIndex {
			return nil, fmt.Errorf("failed to set service %q on node %q, index is stale", s.ID, op.Node)
		}
	case wire.CatalogDeleteCAS:
		if existing == nil || have != s.ModifyIndex {
			return nil, fmt.Errorf("failed to delete service %q on node %q, index is stale", s.ID, op.Node)
		}
		tx.DeleteService(op.Node, s.ID)
		return nil, nil
	case wire.CatalogDelete:
		tx.DeleteService(op.Node, s.ID)
		return nil, nil
	case wire.CatalogSet:
	default:
		return nil, fmt.Errorf("unknown Service verb %q", op.Verb)
	}
	if err := tx.EnsureService(op.Node, s); err != nil {
		return nil, err
	}
	_, now := tx.NodeService(nil, op.Node, s.ID)
	return wire.TxnResults{{Service: now}}, nil
}

func (tx *Tx) txnCheck(op *wire.TxnCheckOp) (wire.TxnResults, error) {
	c := &op.Check
	_, existing := tx.NodeCheck(nil, c.Node, c.CheckID)
	var have uint64
	if existing != nil {
		have = existing.ModifyIndex
	}
	switch op.Verb {
	case wire.CatalogCAS:
		if have != c.ModifyIndex {
			return nil, fmt.Errorf("failed to set check %q on node %q, index is stale", c.CheckID, c.Node)
		}
	case wire.CatalogDeleteCAS:
		if existing == nil || have != c.ModifyIndex {
			return nil, fmt.Errorf("failed to delete check %q on node %q, index is stale", c.CheckID, c.Node)
		}
		tx.DeleteCheck(c.Node, c.CheckID)
		return nil, nil
	case wire.CatalogDelete:
		tx.DeleteCheck(c.Node, c.CheckID)
		return nil, nil
	case wire.CatalogSet:
	default:
		return nil, fmt.Errorf("unknown Check verb %q", op.Verb)
	}
	if err := tx.EnsureCheck(c); err != nil {
		return nil, err
	}
	_, now := tx.NodeCheck(nil, c.Node, c.CheckID)
	return wire.TxnResults{{Check: now}}, nil
}
