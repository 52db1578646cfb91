package http

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages/wire"
)

// txnOp is an operation of a transaction as the API has it: exactly one field is
// set.
type txnOp struct {
	KV      *txnKV
	Node    *wire.TxnNodeOp
	Service *wire.TxnServiceOp
	Check   *wire.TxnCheckOp
}

// txnKV is an operation on a key; in JSON the value is base64.
type txnKV struct {
	Verb    wire.KVOp
	Key     string
	Value   []byte
	Flags   uint64
	Index   uint64
	Session string
}

// kvReads are the operations on keys that change nothing, kvWrites the others.
var (
	kvReads = []wire.KVOp{
		wire.KVGet, wire.KVGetOrEmpty, wire.KVGetTree,
		wire.KVCheckSession, wire.KVCheckIndex, wire.KVCheckNotExists,
	}
	kvWrites = []wire.KVOp{
		wire.KVSet, wire.KVDelete, wire.KVDeleteCAS, wire.KVDeleteTree,
		wire.KVCAS, wire.KVLock, wire.KVUnlock,
	}
)

// txn does several operations or none:
// https://developer.hashicorp.com/consul/api-docs/txn. One that only reads needs no
// entry of the log.
func txn(r *request) (*answer, error) {
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	var asked []*txnOp
	if err := r.decodeOr("Failed to parse body", &asked); err != nil {
		return nil, err
	}
	if len(asked) > endpoint.MaxTxnOps {
		return nil, tooMuch("txn_operations",
			fmt.Sprintf("Transaction contains too many operations (%d > %d)", len(asked), endpoint.MaxTxnOps))
	}
	ops := make(wire.TxnOps, len(asked))
	for i, in := range asked {
		op, err := in.wire(r.api.cfg.Limits.KVMaxValueSize, r.api.cfg.Facts.Datacenter)
		if err != nil {
			return nil, err
		}
		if op == nil {
			return nil, refusal(http.StatusBadRequest, fmt.Sprintf("operation %d of the transaction has none of KV, Node, Service and Check", i))
		}
		ops[i] = op
	}
	if slices.ContainsFunc(ops, changes) {
		return txnApply(r, ops)
	}
	return txnRead(r, ops)
}

// wire returns the operation as servers have it, or nil when it is none.
func (op *txnOp) wire(maxValue int64, datacenter string) (*wire.TxnOp, error) {
	switch {
	case op == nil:
		return nil, nil
	case op.KV != nil:
		if size := int64(len(op.KV.Value)); size > maxValue {
			return nil, tooMuch("kv_max_value_size", fmt.Sprintf("Value for key %q is too large (%d > %d bytes)", op.KV.Key, size, maxValue))
		}
		kv := &wire.TxnKVOp{Verb: op.KV.Verb, DirEnt: wire.DirEntry{
			Key: op.KV.Key, Value: op.KV.Value, Flags: op.KV.Flags, Session: op.KV.Session,
		}}
		kv.DirEnt.ModifyIndex = op.KV.Index
		return &wire.TxnOp{KV: kv}, nil
	case op.Node != nil:
		op.Node.Node.Datacenter = cmp.Or(op.Node.Node.Datacenter, datacenter)
		return &wire.TxnOp{Node: op.Node}, nil
	case op.Service != nil:
		return &wire.TxnOp{Service: op.Service}, nil
	case op.Check != nil:
		return &wire.TxnOp{Check: op.Check}, nil
	default:
		return nil, nil
	}
}

// changes reports whether an operation may change something. An operation on a key
// that nobody knows is refused where it is read.
func changes(op *wire.TxnOp) bool {
	switch {
	case op.KV != nil:
		return slices.Contains(kvWrites, op.KV.Verb)
	case op.Node != nil:
		return op.Node.Verb != wire.CatalogGet
	case op.Service != nil:
		return op.Service.Verb != wire.CatalogGet
	default:
		return op.Check.Verb != wire.CatalogGet
	}
}

func txnApply(r *request, ops wire.TxnOps) (*answer, error) {
	args := &wire.TxnRequest{Datacenter: r.datacenter(), Ops: ops}
	args.SetTokenSecret(r.token())
	var reply wire.TxnResponse
	if err := invoke.Write(r.Context(), r.api.cfg.Invoker, endpoint.TxnApply, args, &reply); err != nil {
		return nil, err
	}
	return txnAnswer(reply, reply.Errors), nil
}

func txnRead(r *request, ops wire.TxnOps) (*answer, error) {
	args := &wire.TxnReadRequest{Datacenter: r.datacenter(), Ops: ops}
	if err := r.options(&args.QueryOptions); err != nil {
		return nil, err
	}
	args.MinQueryIndex = 0 // a transaction waits for nothing
	var reply wire.TxnReadResponse
	if err := invoke.Read(r.Context(), r.api.cfg.Invoker, endpoint.TxnRead, args, &reply); err != nil {
		return nil, err
	}
	// Consul's answer has the fields of a read but neither the level nor the index,
	// and knows of no leader when it was refused before anything was read.
	reply.Index, reply.ConsistencyLevel = 0, ""
	if slices.ContainsFunc(ops, odd) {
		reply.KnownLeader = false
	}
	ans := txnAnswer(reply, reply.Errors)
	ans.header = http.Header{
		"X-Consul-Knownleader": {strconv.FormatBool(reply.KnownLeader)},
		"X-Consul-Lastcontact": {strconv.FormatInt(max(reply.LastContact, 0).Milliseconds(), 10)},
	}
	return ans, nil
}

// odd reports whether an operation on a key is none that Consul knows.
func odd(op *wire.TxnOp) bool {
	return op.KV != nil && !slices.Contains(kvReads, op.KV.Verb) && !slices.Contains(kvWrites, op.KV.Verb)
}

// txnAnswer shows what became of a transaction. A 409 has the reasons.
func txnAnswer(reply any, errs wire.TxnErrors) *answer {
	ans := with(reply)
	if len(errs) > 0 {
		ans.status = http.StatusConflict
	}
	return ans
}
