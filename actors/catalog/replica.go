package catalog

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages/wire"
)

// record keeps an entry that has changed the catalog, for the client agents that
// follow it.
func (f *FSM) record(t wire.MessageType, log *raft.Log, body []byte, result any) {
	if _, refused := result.(error); refused {
		return
	}
	switch t {
	case wire.RegisterRequestType, wire.DeregisterRequestType:
		f.store.Load().Record(log.Index, bytes.Clone(log.Data))
	case wire.TxnRequestType:
		if reply, ok := result.(wire.TxnResponse); !ok || len(reply.Errors) > 0 {
			return
		}
		if entry := catalogPart(body); entry != nil {
			f.store.Load().Record(log.Index, entry)
		}
	}
}

// catalogPart returns a transaction without what it does to keys and sessions,
// which are nobody's business but the servers'; nil when nothing is left.
func catalogPart(body []byte) []byte {
	var req wire.TxnRequest
	if err := wire.Decode(body, MaxEntry, &req); err != nil {
		return nil
	}
	part := wire.TxnRequest{Datacenter: req.Datacenter}
	for _, op := range req.Ops {
		if op.Node != nil || op.Service != nil || op.Check != nil {
			part.Ops = append(part.Ops, &wire.TxnOp{Node: op.Node, Service: op.Service, Check: op.Check})
		}
	}
	if len(part.Ops) == 0 {
		return nil
	}
	entry, err := wire.Encode(wire.TxnRequestType, &part)
	if err != nil {
		return nil
	}
	return entry
}

// LoadReplica replaces the state by a catalog, as it was after the log entry index.
// It is for client agents, which have no raft.
func (f *FSM) LoadReplica(index uint64, records []*wire.RegisterRequest) error {
	restorer := state.NewRestorer(index)
	defer restorer.Abort()
	for _, r := range records {
		_, err := restorer.Record(wire.RegisterRequestType, func(into any) error {
			*into.(*wire.RegisterRequest) = *r
			return nil
		})
		if err != nil {
			return fmt.Errorf("take over node %s: %w", r.Node, err)
		}
	}
	f.store.Swap(restorer.Commit()).Abandon()
	return nil
}

// ApplyReplica takes in a change of the catalog.
func (f *FSM) ApplyReplica(index uint64, entry []byte) error {
	err, _ := f.Apply(&raft.Log{Index: index, Data: entry}).(error)
	return err
}
