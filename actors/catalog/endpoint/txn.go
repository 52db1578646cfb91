package endpoint

import (
	"fmt"

	"github.com/actor-consul/consul/messages/wire"
)

// MaxTxnOps is how many operations a transaction may have.
const MaxTxnOps = 128

// TxnRead does a transaction that only reads.
var TxnRead = Read[wire.TxnReadRequest, wire.TxnReadResponse]{"Txn.Read", txnRead}

func txnRead(env *Env, args *wire.TxnReadRequest, reply *wire.TxnReadResponse) error {
	if reply.Errors = prepareOps(env, args.Ops); len(reply.Errors) > 0 {
		return nil
	}
	reply.Results, reply.Errors = env.View.TxnRead(args.Ops)
	reply.Results = visible(env, &reply.QueryMeta, reply.Results, canReadResult)
	return nil
}

// TxnApply does a transaction, all of it or nothing. What its asker may not read
// is left out of the results by FilterTxn.
var TxnApply = Write[wire.TxnRequest, wire.TxnResponse]{"Txn.Apply", wire.TxnRequestType, prepareTxn, resultTxn}

func prepareTxn(env *Env, args *wire.TxnRequest, reply *wire.TxnResponse) (bool, error) {
	reply.Errors = prepareOps(env, args.Ops)
	return len(reply.Errors) == 0, nil
}

func resultTxn(result any, reply *wire.TxnResponse) error {
	switch r := result.(type) {
	case error:
		return fmt.Errorf("raft apply failed: %w", r)
	case wire.TxnResponse:
		*reply = r
		return nil
	default:
		return fmt.Errorf("the state returned a %T for a transaction", result)
	}
}

// FilterTxn leaves out of the results of a transaction what the asker may not read.
func FilterTxn(env *Env, reply *wire.TxnResponse) {
	reply.Results = visible(env, new(wire.QueryMeta), reply.Results, canReadResult)
}

func canReadResult(a Authorizer, r *wire.TxnResult) bool {
	switch {
	case r.KV != nil:
		return a.KeyRead(r.KV.Key)
	case r.Node != nil:
		return a.NodeRead(r.Node.Node)
	case r.Service != nil:
		return a.ServiceRead(r.Service.Service)
	case r.Check != nil:
		return canReadCheck(a, r.Check)
	default:
		return true
	}
}

// prepareOps checks the operations of a transaction and fills in what is left out.
func prepareOps(env *Env, ops wire.TxnOps) wire.TxnErrors {
	if len(ops) > MaxTxnOps {
		return wire.TxnErrors{{What: fmt.Sprintf("Transaction contains too many operations (%d > %d)", len(ops), MaxTxnOps)}}
	}
	var faults wire.TxnErrors
	for i, op := range ops {
		if err := prepareOp(env, op); err != nil {
			faults = append(faults, &wire.TxnError{OpIndex: i, What: err.Error()})
		}
	}
	return faults
}

func prepareOp(env *Env, op *wire.TxnOp) error {
	switch {
	case op == nil:
		return nil // the state refuses it
	case op.KV != nil:
		return prepareKeyOp(env, op.KV)
	case op.Node != nil && op.Node.Verb != wire.CatalogGet:
		return prepareNodeOp(env, &op.Node.Node)
	case op.Service != nil && op.Service.Verb != wire.CatalogGet:
		if err := prepareService(&op.Service.Service); err != nil {
			return err
		}
		return env.may(func(a Authorizer) bool { return a.ServiceWrite(op.Service.Service.Service) })
	case op.Check != nil && op.Check.Verb != wire.CatalogGet:
		c := &op.Check.Check
		if c.CheckID == "" {
			c.CheckID = c.Name
		}
		return env.may(func(a Authorizer) bool {
			if c.ServiceID == "" {
				return a.NodeWrite(c.Node)
			}
			return a.ServiceWrite(c.ServiceName)
		})
	default:
		return nil
	}
}

// prepareKeyOp leaves it to the state who holds a lock: an operation before may give
// it back.
func prepareKeyOp(env *Env, op *wire.TxnKVOp) error {
	if err := mayKV(env, op.Verb, &op.DirEnt); err != nil {
		return err
	}
	if op.Verb == wire.KVLock && delayed(env, &op.DirEnt) {
		return fmt.Errorf("failed to lock key %q due to lock delay", op.DirEnt.Key)
	}
	return nil
}

func prepareNodeOp(env *Env, n *wire.Node) error {
	if n.Node == "" {
		return errNoNode
	}
	if err := checkNodeID(n.ID); err != nil {
		return err
	}
	return env.may(func(a Authorizer) bool { return a.NodeWrite(n.Node) })
}
