package catalog

import (
	"errors"
	"fmt"
	"time"

	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages/wire"
)

// entry is a log entry that is being applied.
type entry struct {
	store *state.Store
	index uint64
	now   time.Time
	body  []byte
}

// An applier applies the entries of one type. It returns what the proposer is
// told, or, having written nothing, why the body cannot be read.
type applier func(*entry) (result any, err error)

// appliers has the known types and what Apply returns for them. Each may return an
// error instead.
var appliers = map[wire.MessageType]applier{
	wire.RegisterRequestType:       applying((*entry).register),    // nil
	wire.DeregisterRequestType:     applying((*entry).deregister),  // nil
	wire.KVSRequestType:            applying((*entry).kvs),         // bool: was it done
	wire.SessionRequestType:        applying((*entry).session),     // string: the ID, of a new one
	wire.TombstoneRequestType:      applying((*entry).tombstone),   // nil
	wire.CoordinateBatchUpdateType: applying((*entry).coordinates), // nil
	wire.PreparedQueryRequestType:  applying((*entry).query),       // nil
	wire.TxnRequestType:            applying((*entry).txn),         // wire.TxnResponse
	wire.AutopilotRequestType:      applying((*entry).autopilot),   // bool: was it done
	wire.ConnectCARequestType:      applying((*entry).connectCA),   // bool: was it done; uint64: a serial number
	wire.ConfigEntryRequestType:    applying((*entry).configEntry), // bool: was it done
}

// figures has under which name the time is measured that an entry takes, as in
// Consul.
var figures = map[wire.MessageType][]string{
	wire.RegisterRequestType:       {"fsm", "register"},
	wire.DeregisterRequestType:     {"fsm", "deregister"},
	wire.KVSRequestType:            {"fsm", "kvs"},
	wire.SessionRequestType:        {"fsm", "session"},
	wire.TombstoneRequestType:      {"fsm", "tombstone"},
	wire.CoordinateBatchUpdateType: {"fsm", "coordinate", "batch-update"},
	wire.PreparedQueryRequestType:  {"fsm", "prepared-query"},
	wire.TxnRequestType:            {"fsm", "txn"},
	wire.AutopilotRequestType:      {"fsm", "autopilot"},
	wire.ConnectCARequestType:      {"fsm", "ca"},
	wire.ConfigEntryRequestType:    {"fsm", "config_entry"},
}

// applying returns the applier that decodes the body and calls do, whose value or
// error is the result.
func applying[T any](do func(*entry, *T) (any, error)) applier {
	return func(e *entry) (any, error) {
		req := new(T)
		if err := wire.Decode(e.body, MaxEntry, req); err != nil {
			return nil, err
		}
		result, err := do(e, req)
		if err != nil {
			return err, nil
		}
		return result, nil
	}
}

func (e *entry) update(fn func(*state.Tx) error) error { return e.store.Update(e.index, e.now, fn) }

func (e *entry) register(req *wire.RegisterRequest) (any, error) {
	return nil, e.update(func(tx *state.Tx) error { return tx.EnsureRegistration(req) })
}

func (e *entry) deregister(req *wire.DeregisterRequest) (any, error) {
	return nil, e.update(func(tx *state.Tx) error {
		switch {
		case req.ServiceID != "":
			tx.DeleteService(req.Node, req.ServiceID)
		case req.CheckID != "":
			tx.DeleteCheck(req.Node, req.CheckID)
		default:
			tx.DeleteNode(req.Node)
		}
		return nil
	})
}

func (e *entry) kvs(req *wire.KVSRequest) (any, error) {
	done := true
	err := e.update(func(tx *state.Tx) (err error) {
		ent := &req.DirEnt
		switch req.Op {
		case wire.KVSet:
			tx.KVSSet(ent)
		case wire.KVDelete:
			tx.KVSDelete(ent.Key)
		case wire.KVDeleteCAS:
			done = tx.KVSDeleteCAS(ent.Key, ent.ModifyIndex)
		case wire.KVDeleteTree:
			tx.KVSDeleteTree(ent.Key)
		case wire.KVCAS:
			done = tx.KVSCAS(ent)
		case wire.KVLock:
			done, err = tx.KVSLock(ent)
		case wire.KVUnlock:
			done, err = tx.KVSUnlock(ent)
		default:
			err = fmt.Errorf("Invalid KVS operation '%s'", req.Op)
		}
		return err
	})
	return done, err
}

func (e *entry) session(req *wire.SessionRequest) (any, error) {
	sess := &req.Session
	err := e.update(func(tx *state.Tx) error {
		switch req.Op {
		case wire.SessionCreate:
			return tx.SessionCreate(sess)
		case wire.SessionDestroy:
			tx.SessionDestroy(sess.ID)
			return nil
		default:
			return fmt.Errorf("Invalid session operation '%s'", req.Op)
		}
	})
	if req.Op == wire.SessionDestroy {
		return nil, err
	}
	return sess.ID, err
}

func (e *entry) tombstone(req *wire.TombstoneRequest) (any, error) {
	return nil, e.update(func(tx *state.Tx) error {
		if req.Op != wire.TombstoneReap {
			return fmt.Errorf("Invalid Tombstone operation '%s'", req.Op)
		}
		tx.ReapTombstones(req.ReapIndex)
		return nil
	})
}

func (e *entry) coordinates(updates *wire.Coordinates) (any, error) {
	return nil, e.update(func(tx *state.Tx) error { tx.UpdateCoordinates(*updates); return nil })
}

func (e *entry) query(req *wire.PreparedQueryRequest) (any, error) {
	return nil, e.update(func(tx *state.Tx) error {
		switch req.Op {
		case wire.PreparedQueryCreate, wire.PreparedQueryUpdate:
			return tx.PreparedQuerySet(req.Query)
		case wire.PreparedQueryDelete:
			if req.Query != nil {
				tx.PreparedQueryDelete(req.Query.ID)
			}
			return nil
		default:
			return fmt.Errorf("Invalid PreparedQuery operation '%s'", req.Op)
		}
	})
}

// errTxnRefused makes the write of a transaction with errors leave nothing behind.
var errTxnRefused = errors.New("the transaction has errors")

func (e *entry) txn(req *wire.TxnRequest) (any, error) {
	var reply wire.TxnResponse
	err := e.update(func(tx *state.Tx) error {
		if reply.Results, reply.Errors = tx.Txn(req.Ops); len(reply.Errors) > 0 {
			return errTxnRefused
		}
		return nil
	})
	if errors.Is(err, errTxnRefused) {
		err = nil // the reply has the reasons
	}
	return reply, err
}

func (e *entry) autopilot(req *wire.AutopilotSetConfigRequest) (any, error) {
	done := true
	err := e.update(func(tx *state.Tx) error {
		if req.CAS {
			done = tx.AutopilotCASConfig(&req.Config)
		} else {
			tx.AutopilotSetConfig(&req.Config)
		}
		return nil
	})
	return done, err
}

func (e *entry) connectCA(req *wire.CARequest) (result any, err error) {
	err = e.update(func(tx *state.Tx) error {
		result, err = tx.CAApply(req)
		return err
	})
	return result, err
}

func (e *entry) configEntry(req *wire.ConfigEntryRequest) (any, error) {
	done := false
	err := e.update(func(tx *state.Tx) (err error) {
		done, err = tx.ConfigEntryApply(req)
		return err
	})
	return done, err
}
