package state

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/actor-consul/consul/messages/wire"
)

// TestTxn plays transactions against a state with the keys a/1 and b/1, nodes,
// services and checks.
func TestTxn(t *testing.T) {
	kv := func(verb wire.KVOp, e wire.DirEntry) *wire.TxnOp {
		return &wire.TxnOp{KV: &wire.TxnKVOp{Verb: verb, DirEnt: e}}
	}
	node := func(verb wire.CatalogOp, n wire.Node) *wire.TxnOp {
		return &wire.TxnOp{Node: &wire.TxnNodeOp{Verb: verb, Node: n}}
	}
	service := func(verb wire.CatalogOp, node string, s wire.NodeService) *wire.TxnOp {
		return &wire.TxnOp{Service: &wire.TxnServiceOp{Verb: verb, Node: node, Service: s}}
	}
	check := func(verb wire.CatalogOp, c wire.HealthCheck) *wire.TxnOp {
		return &wire.TxnOp{Check: &wire.TxnCheckOp{Verb: verb, Check: c}}
	}
	at := func(i uint64) wire.RaftIndex { return wire.RaftIndex{ModifyIndex: i} }
	key := func(k string) wire.DirEntry { return wire.DirEntry{Key: k, Value: []byte("v")} }

	tests := []struct {
		name string
		ops  wire.TxnOps
		want string // the results, or the errors
	}{
		{"nothing", nil, ""},
		{"set_and_get", wire.TxnOps{kv(wire.KVSet, key("t")), kv(wire.KVGet, key("t"))}, "kv t , kv t v"},
		{"delete", wire.TxnOps{kv(wire.KVDelete, key("a/1")), kv(wire.KVCheckNotExists, key("a/1"))}, ""},
		{"delete_tree", wire.TxnOps{kv(wire.KVDeleteTree, key("a")), kv(wire.KVCheckNotExists, key("a/1"))}, ""},
		{"get_tree", wire.TxnOps{kv(wire.KVGetTree, key(""))}, "kv a/1 , kv b/1 "},
		{"get_or_empty", wire.TxnOps{kv(wire.KVGetOrEmpty, key("t")), kv(wire.KVGetOrEmpty, key("a/1"))}, "kv t , kv a/1 "},
		{"get_nothing", wire.TxnOps{kv(wire.KVGet, key("none"))}, `0: key "none" doesn't exist`},
		{"cas", wire.TxnOps{kv(wire.KVCAS, wire.DirEntry{Key: "a/1", RaftIndex: at(7)})}, "kv a/1 "},
		{"stale_cas", wire.TxnOps{kv(wire.KVCAS, wire.DirEntry{Key: "t", RaftIndex: at(1)})}, `0: failed to set key "t", index is stale`},
		{"delete_cas", wire.TxnOps{kv(wire.KVDeleteCAS, wire.DirEntry{Key: "a/1", RaftIndex: at(7)})}, ""},
		{"stale_delete_cas", wire.TxnOps{kv(wire.KVDeleteCAS, wire.DirEntry{Key: "a/1", RaftIndex: at(1)})}, `0: failed to delete key "a/1", index is stale`},
		{"lock", wire.TxnOps{
			kv(wire.KVLock, wire.DirEntry{Key: "l", Session: "s1"}), kv(wire.KVCheckSession, wire.DirEntry{Key: "l", Session: "s1"}),
			kv(wire.KVUnlock, wire.DirEntry{Key: "l", Session: "s1"}),
		}, "kv l , kv l , kv l "},
		{"lock_held", wire.TxnOps{kv(wire.KVLock, wire.DirEntry{Key: "l", Session: "s1"}), kv(wire.KVLock, wire.DirEntry{Key: "l", Session: "s2"})},
			`1: failed to lock key "l", lock is already held`},
		{"lock_without_session", wire.TxnOps{kv(wire.KVLock, wire.DirEntry{Key: "l"})}, "0: missing session"},
		{"unlock_held_by_none", wire.TxnOps{kv(wire.KVUnlock, wire.DirEntry{Key: "a/1", Session: "s1"})},
			`0: failed to unlock key "a/1", lock isn't held, or is held by another session`},
		{"check_session_of_nothing", wire.TxnOps{kv(wire.KVCheckSession, key("none"))}, `0: failed to check session, key "none" doesn't exist`},
		{"check_wrong_session", wire.TxnOps{kv(wire.KVCheckSession, wire.DirEntry{Key: "a/1", Session: "s1"})},
			`0: failed session check for key "a/1", current session "" != "s1"`},
		{"check_index", wire.TxnOps{kv(wire.KVCheckIndex, wire.DirEntry{Key: "a/1", RaftIndex: at(7)})}, "kv a/1 "},
		{"check_index_of_nothing", wire.TxnOps{kv(wire.KVCheckIndex, key("none"))}, `0: failed to check index, key "none" doesn't exist`},
		{"check_wrong_index", wire.TxnOps{kv(wire.KVCheckIndex, key("a/1"))}, `0: failed index check for key "a/1", current modify index 7 != 0`},
		{"check_not_exists", wire.TxnOps{kv(wire.KVCheckNotExists, key("a/1"))}, `0: key "a/1" exists`},
		{"unknown_key_verb", wire.TxnOps{kv("odd", key("t"))}, `0: unknown KV verb "odd"`},
		{"node", wire.TxnOps{node(wire.CatalogSet, wire.Node{Node: "t", ID: "cc"}), node(wire.CatalogGet, wire.Node{ID: "CC"})}, "node t, node t"},
		{"node_cas", wire.TxnOps{node(wire.CatalogCAS, wire.Node{Node: "t"})}, "node t"},
		{"node_stale_cas", wire.TxnOps{node(wire.CatalogCAS, wire.Node{Node: "n1"})}, `0: failed to set node "n1", index is stale`},
		{"node_delete", wire.TxnOps{node(wire.CatalogDelete, wire.Node{Node: "n1"}), node(wire.CatalogDeleteCAS, wire.Node{Node: "n2", RaftIndex: at(2)})}, ""},
		{"node_stale_delete", wire.TxnOps{node(wire.CatalogDeleteCAS, wire.Node{Node: "n1"}), node(wire.CatalogDeleteCAS, wire.Node{Node: "x"})},
			`0: failed to delete node "n1", index is stale; 1: failed to delete node "x", index is stale`},
		{"node_missing", wire.TxnOps{node(wire.CatalogGet, wire.Node{Node: "x"})}, `0: node "x" doesn't exist`},
		{"node_verb", wire.TxnOps{node("odd", wire.Node{Node: "x"})}, `0: unknown Node verb "odd"`},
		{"service", wire.TxnOps{
			service(wire.CatalogSet, "n1", wire.NodeService{ID: "t", Service: "t"}), service(wire.CatalogGet, "n1", wire.NodeService{ID: "t"}),
			service(wire.CatalogDelete, "n1", wire.NodeService{ID: "t"}),
		}, "service t, service t"},
		{"service_cas", wire.TxnOps{service(wire.CatalogCAS, "n1", wire.NodeService{ID: "w", Service: "web", RaftIndex: at(3)})}, "service w"},
		{"service_stale", wire.TxnOps{
			service(wire.CatalogCAS, "n1", wire.NodeService{ID: "w", Service: "web"}), service(wire.CatalogDeleteCAS, "n1", wire.NodeService{ID: "w"}),
		}, `0: failed to set service "w" on node "n1", index is stale; 1: failed to delete service "w" on node "n1", index is stale`},
		{"service_delete_cas", wire.TxnOps{service(wire.CatalogDeleteCAS, "n1", wire.NodeService{ID: "w", RaftIndex: at(3)})}, ""},
		{"service_missing", wire.TxnOps{service(wire.CatalogGet, "n1", wire.NodeService{ID: "x"})}, `0: service "x" on node "n1" doesn't exist`},
		{"service_on_no_node", wire.TxnOps{service(wire.CatalogSet, "x", wire.NodeService{ID: "w", Service: "w"})}, "0: Missing node registration"},
		{"service_verb", wire.TxnOps{service("odd", "n1", wire.NodeService{})}, `0: unknown Service verb "odd"`},
		{"check", wire.TxnOps{
			check(wire.CatalogSet, wire.HealthCheck{Node: "n1", CheckID: "t"}), check(wire.CatalogGet, wire.HealthCheck{Node: "n1", CheckID: "t"}),
			check(wire.CatalogDelete, wire.HealthCheck{Node: "n1", CheckID: "t"}),
		}, "check t, check t"},
		{"check_cas", wire.TxnOps{check(wire.CatalogCAS, wire.HealthCheck{Node: "n1", CheckID: "c", RaftIndex: at(5)})}, "check c"},
		{"check_stale", wire.TxnOps{
			check(wire.CatalogCAS, wire.HealthCheck{Node: "n1", CheckID: "c"}), check(wire.CatalogDeleteCAS, wire.HealthCheck{Node: "n1", CheckID: "c"}),
		}, `0: failed to set check "c" on node "n1", index is stale; 1: failed to delete check "c" on node "n1", index is stale`},
		{"check_delete_cas", wire.TxnOps{check(wire.CatalogDeleteCAS, wire.HealthCheck{Node: "n1", CheckID: "c", RaftIndex: at(5)})}, ""},
		{"check_missing", wire.TxnOps{check(wire.CatalogGet, wire.HealthCheck{Node: "n1", CheckID: "x"})}, `0: check "x" on node "n1" doesn't exist`},
		{"check_verb", wire.TxnOps{check("odd", wire.HealthCheck{})}, `0: unknown Check verb "odd"`},
		{"session", wire.TxnOps{{Session: &wire.TxnSessionOp{Verb: wire.CatalogDelete, Session: wire.Session{ID: "s1"}}}}, ""},
		{"session_verb", wire.TxnOps{{Session: &wire.TxnSessionOp{Verb: "odd"}}}, `0: failed to delete session: unknown Session verb "odd"`},
		{"no_operation", wire.TxnOps{{}, nil}, "0: no operation specified; 1: no operation specified"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := watched(t)
			before := f.View()
			var results wire.TxnResults
			var faults wire.TxnErrors
			err := f.try(func(tx *Tx) error {
				if results, faults = tx.Txn(tt.ops); len(faults) > 0 {
					return faults[0]
				}
				return nil
			})
			equal(t, "outcome", outcome(results, faults), tt.want)
			if err != nil {
				equal(t, "state after errors", dump(t, f.View()), dump(t, before))
			}
		})
	}
}

func TestTxnRead(t *testing.T) {
	f := watched(t)
	results, faults := f.View().TxnRead(wire.TxnOps{
		{KV: &wire.TxnKVOp{Verb: wire.KVGet, DirEnt: wire.DirEntry{Key: "a/1"}}},
		{Node: &wire.TxnNodeOp{Verb: wire.CatalogGet, Node: wire.Node{Node: "n1"}}},
	})
	equal(t, "outcome", outcome(results, faults), "kv a/1 , node n1")
	results, faults = f.View().TxnRead(wire.TxnOps{{KV: &wire.TxnKVOp{Verb: wire.KVSet, DirEnt: wire.DirEntry{Key: "a"}}}})
	equal(t, "outcome of a write", outcome(results, faults), "0: the transaction is for reading only")
}

func outcome(results wire.TxnResults, faults wire.TxnErrors) string {
	var all []string
	for _, e := range faults {
		all = append(all, fmt.Sprintf("%d: %s", e.OpIndex, e.What))
	}
	if len(all) > 0 {
		return strings.Join(all, "; ")
	}
	for _, r := range results {
		switch {
		case r.KV != nil:
			all = append(all, fmt.Sprintf("kv %s %s", r.KV.Key, r.KV.Value))
		case r.Node != nil:
			all = append(all, "node "+r.Node.Node)
		case r.Service != nil:
			all = append(all, "service "+r.Service.ID)
		case r.Check != nil:
			all = append(all, "check "+r.Check.CheckID)
		}
	}
	return strings.Join(all, ", ")
}

// dump writes all that is replicated as text.
func dump(t *testing.T, v *View) string {
	t.Helper()
	var all strings.Builder
	for typ, record := range v.Records() {
		text, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %s\n", typ, text)
	}
	return all.String()
}
