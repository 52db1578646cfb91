package endpoint

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages/wire"
)

// TestPrepare has what may enter the log, and what is filled in.
func TestPrepare(t *testing.T) {
	const reg, dereg, kv, sess, auto, txn = "Catalog.Register", "Catalog.Deregister", "KVS.Apply", "Session.Apply", "Operator.AutopilotSetConfiguration", "Txn.Apply"
	service := func(s wire.NodeService) *wire.RegisterRequest {
		return &wire.RegisterRequest{Node: "n1", Address: "a", Service: &s}
	}
	check := func(c wire.HealthCheck) *wire.RegisterRequest {
		return &wire.RegisterRequest{Node: "n1", Address: "a", Check: &c}
	}
	key := func(op wire.KVOp, e wire.DirEntry) *wire.KVSRequest { return &wire.KVSRequest{Op: op, DirEnt: e} }
	session := func(s wire.Session) *wire.SessionRequest {
		return &wire.SessionRequest{Op: wire.SessionCreate, Session: s}
	}
	proxy := wire.NodeService{Kind: wire.ServiceKindConnectProxy, Service: "p", Port: 1, Proxy: wire.ConnectProxyConfig{DestinationServiceName: "web"}}
	with := func(s wire.NodeService, mend func(*wire.NodeService)) *wire.RegisterRequest {
		mend(&s)
		return service(s)
	}
	many := make(wire.TxnOps, MaxTxnOps+1)
	entry := func(kind, name string) *wire.ConfigEntryRequest {
		e, err := wire.NewConfigEntry(kind, name)
		if err != nil {
			t.Fatal(err)
		}
		return &wire.ConfigEntryRequest{Entry: e}
	}

	tests := []struct {
		name, method string
		args         wire.Request
		err          string
		nothing      bool // there is nothing to write
		authz        Authorizer
		want         func(t *testing.T, args any)
	}{
		{name: "node", method: reg, args: &wire.RegisterRequest{Node: "n", Address: "a", ID: idA}},
		{name: "no_node", method: reg, args: &wire.RegisterRequest{Address: "a"}, err: "Must provide node"},
		{name: "node_of_a_peer", method: reg, args: &wire.RegisterRequest{Node: "n", Address: "a", PeerName: "p"}, err: "services of peers are not supported"},
		{name: "bad_node_id", method: reg, args: &wire.RegisterRequest{Node: "n", Address: "a", ID: "x"}, err: "Bad node ID: uuid string is wrong length"},
		{name: "no_address", method: reg, args: &wire.RegisterRequest{Node: "n"}, err: "Must provide address if SkipNodeUpdate is not set"},
		{name: "no_address_needed", method: reg, args: &wire.RegisterRequest{Node: "n", SkipNodeUpdate: true}},
		{name: "node_forbidden", method: reg, args: &wire.RegisterRequest{Node: "n", Address: "a"}, authz: only{}, err: "Permission denied"},
		{name: "known_node_needs_no_right", method: reg, authz: only{"db": true}, args: &wire.RegisterRequest{Node: "n2", SkipNodeUpdate: true, Service: &wire.NodeService{ID: "d", Service: "db"}}},
		{name: "unchanged_node_needs_no_right", method: reg, authz: only{"db": true}, args: &wire.RegisterRequest{Datacenter: "dc1", Node: "n2", Address: "10.0.0.2", Service: &wire.NodeService{ID: "d", Service: "db"}}},
		{name: "service_id_from_its_name", method: reg, args: service(wire.NodeService{Service: "web"}), want: func(t *testing.T, args any) {
			equal(t, "ID", args.(*wire.RegisterRequest).Service.ID, "web")
		}},
		{name: "service_without_a_name", method: reg, args: service(wire.NodeService{ID: "web"}), err: "Must provide service name (Service.Service) when service ID is provided"},
		{name: "service_everywhere", method: reg, args: service(wire.NodeService{Service: "web", Address: "0.0.0.0"}), err: "Invalid service address"},
		{name: "service_everywhere_6", method: reg, args: service(wire.NodeService{Service: "web", Address: "::"}), err: "Invalid service address"},
		{name: "service_forbidden", method: reg, args: service(wire.NodeService{Service: "web"}), authz: only{"n1": true}, err: "Permission denied"},
		{name: "service_that_is_anothers", method: reg, args: service(wire.NodeService{ID: "w1", Service: "mine"}), authz: only{"n1": true, "mine": true}, err: "Permission denied"},
		{name: "proxy", method: reg, args: service(proxy)},
		{name: "proxy_of_what_is_forbidden", method: reg, args: service(proxy), authz: only{"n1": true, "p": true}, err: "Permission denied"},
		{name: "proxy_of_nothing", method: reg, args: with(proxy, func(s *wire.NodeService) { s.Proxy.DestinationServiceName = " " }),
			err: "1 error occurred:\n\t* Proxy.DestinationServiceName must be non-empty for Connect proxy services\n\n"},
		{name: "proxy_of_everything_without_a_port", method: reg, args: with(proxy, func(s *wire.NodeService) { s.Proxy.DestinationServiceName, s.Port = "*", 0 }),
			err: "2 errors occurred:\n\t* Port or SocketPath must be set for a connect-proxy\n\t* Proxy.DestinationServiceName must not be a wildcard for Connect proxy services\n\n"},
		{name: "native_proxy", method: reg, args: with(proxy, func(s *wire.NodeService) { s.Connect.Native = true }),
			err: "1 error occurred:\n\t* A Proxy cannot also be Connect Native, only typical services\n\n"},
		{name: "proxy_with_a_bad_upstream", method: reg, args: with(proxy, func(s *wire.NodeService) { s.Proxy.Upstreams = []wire.Upstream{{}} }),
			err: "1 error occurred:\n\t* upstream destination name cannot be empty\n\n"},
		{name: "gateway", method: reg, args: service(wire.NodeService{Kind: wire.ServiceKindIngressGateway, Service: "g"})},
		{name: "gateway_without_a_port", method: reg, args: service(wire.NodeService{Kind: wire.ServiceKindMeshGateway, Service: "g"}),
			err: "1 error occurred:\n\t* Port must be non-zero for a mesh-gateway\n\n"},
		{name: "gateway_with_a_destination", method: reg, args: service(wire.NodeService{Kind: wire.ServiceKindIngressGateway, Service: "g", Proxy: wire.ConnectProxyConfig{DestinationServiceID: "x"}}),
			err: "1 error occurred:\n\t* The Proxy.DestinationServiceID configuration is invalid for a ingress-gateway\n\n"},
		{name: "native_without_a_port", method: reg, args: service(wire.NodeService{Service: "w", Connect: wire.ServiceConnect{Native: true}}),
			err: "1 error occurred:\n\t* Port or SocketPath must be set for a Connect native service.\n\n"},
		{name: "sidecar_with_an_id", method: reg, args: service(wire.NodeService{Service: "w", Connect: wire.ServiceConnect{SidecarService: &wire.ServiceDefinition{ID: "x"}}}),
			err: "1 error occurred:\n\t* A SidecarService cannot specify an ID as this is managed by the agent\n\n"},
		{name: "nested_sidecar", method: reg, args: service(wire.NodeService{Service: "w", Connect: wire.ServiceConnect{SidecarService: &wire.ServiceDefinition{Connect: &wire.ServiceConnect{SidecarService: &wire.ServiceDefinition{}}}}}),
			err: "1 error occurred:\n\t* A SidecarService cannot have a nested SidecarService\n\n"},
		{name: "check", method: reg, args: check(wire.HealthCheck{Name: "c", Status: "odd", Definition: wire.HealthCheckDefinition{TTL: 1}}), want: func(t *testing.T, args any) {
			r := args.(*wire.RegisterRequest)
			if r.Check != nil || len(r.Checks) != 1 {
				t.Fatalf("check %v, checks %v", r.Check, r.Checks)
			}
			want := wire.HealthCheck{Node: "n1", CheckID: "c", Name: "c", Status: "odd", Type: "ttl", Definition: wire.HealthCheckDefinition{TTL: 1}}
			if !reflect.DeepEqual(*r.Checks[0], want) {
				t.Errorf("check = %+v, want %+v", *r.Checks[0], want)
			}
		}},
		{name: "check_of_another_node", method: reg, args: check(wire.HealthCheck{Node: "n2", CheckID: "c"}), err: "Node 'n2' for check 'c' doesn't match register request node 'n1'"},
		{name: "check_of_a_known_service", method: reg, args: check(wire.HealthCheck{CheckID: "c", ServiceID: "w1"})},
		{name: "check_of_an_unknown_service", method: reg, args: check(wire.HealthCheck{CheckID: "c", ServiceID: "x"}), err: "Unknown service ID 'x' for check ID 'c'"},
		{name: "check_of_a_service_that_comes_along", method: reg, args: &wire.RegisterRequest{Node: "new", Address: "a", Service: &wire.NodeService{ID: "x", Service: "x"}, Check: &wire.HealthCheck{CheckID: "c", ServiceID: "x"}}},
		{name: "check_of_a_service_of_an_unknown_node", method: reg, args: &wire.RegisterRequest{Node: "aaaaaaaa", Address: "a", Check: &wire.HealthCheck{CheckID: "c", ServiceID: "w1"}}, err: "Unknown service ID 'w1' for check ID 'c'"},
		{name: "null_check", method: reg, args: &wire.RegisterRequest{Node: "n1", Address: "a", Checks: wire.HealthChecks{nil}}, err: "a check is null"},
		{name: "check_forbidden", method: reg, args: &wire.RegisterRequest{Node: "n1", SkipNodeUpdate: true, Check: &wire.HealthCheck{CheckID: "c"}}, authz: only{}, err: "Permission denied"},
		{name: "service_check_forbidden", method: reg, args: &wire.RegisterRequest{Node: "n1", SkipNodeUpdate: true, Check: &wire.HealthCheck{CheckID: "c", ServiceID: "w1"}}, authz: only{}, err: "Permission denied"},

		{name: "deregister", method: dereg, args: &wire.DeregisterRequest{Node: "n1"}},
		{name: "deregister_nothing", method: dereg, args: &wire.DeregisterRequest{}, err: "Must provide node"},
		{name: "deregister_forbidden", method: dereg, args: &wire.DeregisterRequest{Node: "n1"}, authz: only{}, err: "Permission denied"},
		{name: "deregister_ones_service", method: dereg, args: &wire.DeregisterRequest{Node: "n1", ServiceID: "w1"}, authz: only{"web": true}},
		{name: "deregister_a_check_of_ones_service", method: dereg, args: &wire.DeregisterRequest{Node: "n1", CheckID: "c1"}, authz: only{"web": true}},
		{name: "deregister_a_check_of_the_node", method: dereg, args: &wire.DeregisterRequest{Node: "n1", CheckID: "serfHealth"}, authz: only{"web": true}, err: "Permission denied"},
		{name: "deregister_an_unknown_service", method: dereg, args: &wire.DeregisterRequest{Node: "n1", ServiceID: "x"}, authz: only{}, err: "Unknown service ID 'x'"},
		{name: "deregister_an_unknown_check", method: dereg, args: &wire.DeregisterRequest{Node: "n1", CheckID: "x"}, authz: only{}, err: "Unknown check ID 'x'"},

		{name: "set", method: kv, args: key(wire.KVSet, wire.DirEntry{Key: "k"})},
		{name: "no_key", method: kv, args: key(wire.KVSet, wire.DirEntry{}), err: "Must provide key"},
		{name: "delete_everything", method: kv, args: key(wire.KVDeleteTree, wire.DirEntry{})},
		{name: "odd_operation", method: kv, args: key("odd", wire.DirEntry{Key: "k"}), err: "unknown KV operation: odd"},
		{name: "set_forbidden", method: kv, args: key(wire.KVSet, wire.DirEntry{Key: "k"}), authz: only{}, err: "Permission denied"},
		{name: "delete_tree_forbidden", method: kv, args: key(wire.KVDeleteTree, wire.DirEntry{Key: "k"}), authz: only{}, err: "Permission denied"},
		{name: "lock", method: kv, args: key(wire.KVLock, wire.DirEntry{Key: "k", Session: idSess})},
		{name: "lock_too_soon", method: kv, args: key(wire.KVLock, wire.DirEntry{Key: "delayed", Session: idSess}), nothing: true},

		{name: "session", method: sess, args: session(wire.Session{Node: "n1", TTL: "10s", ID: "given"}), want: func(t *testing.T, args any) {
			s := args.(*wire.SessionRequest).Session
			equal(t, "ID", s.ID, "id-2") // id-1 is taken
			equal(t, "Behavior", s.Behavior, wire.SessionKeysRelease)
		}},
		{name: "session_of_no_node", method: sess, args: session(wire.Session{}), err: "Must provide Node"},
		{name: "session_behaves_oddly", method: sess, args: session(wire.Session{Node: "n1", Behavior: "odd"}), err: "Invalid Behavior setting 'odd'"},
		{name: "session_too_short", method: sess, args: session(wire.Session{Node: "n1", TTL: "1s"}), err: "Invalid Session TTL '1000000000', must be between [10s=24h0m0s]"},
		{name: "session_too_long", method: sess, args: session(wire.Session{Node: "n1", TTL: "25h"}), err: "Invalid Session TTL '90000000000000', must be between [10s=24h0m0s]"},
		{name: "session_without_end", method: sess, args: session(wire.Session{Node: "n1", TTL: "0s"})},
		{name: "session_ttl_that_is_none", method: sess, args: session(wire.Session{Node: "n1", TTL: "x"}), err: `Session TTL 'x' invalid: time: invalid duration "x"`},
		{name: "session_forbidden", method: sess, args: session(wire.Session{Node: "n1"}), authz: only{}, err: "Permission denied"},
		{name: "end_session", method: sess, args: &wire.SessionRequest{Op: wire.SessionDestroy, Session: wire.Session{ID: idSess}}},
		{name: "end_what_has_ended", method: sess, args: &wire.SessionRequest{Op: wire.SessionDestroy, Session: wire.Session{ID: "x"}}, nothing: true},
		{name: "end_nothing", method: sess, args: &wire.SessionRequest{Op: wire.SessionDestroy}, err: "Must provide ID"},
		{name: "end_session_forbidden", method: sess, args: &wire.SessionRequest{Op: wire.SessionDestroy, Session: wire.Session{ID: idSess}}, authz: only{}, err: "Permission denied"},
		{name: "odd_session_operation", method: sess, args: &wire.SessionRequest{Op: "odd"}, err: `Invalid session operation "odd"`},

		{name: "config_entry", method: "ConfigEntry.Apply", args: entry("service-defaults", "web"), want: func(t *testing.T, args any) {
			equal(t, "Op", args.(*wire.ConfigEntryRequest).Op, wire.ConfigEntryUpsert)
		}},
		{name: "config_entry_of_all", method: "ConfigEntry.Apply", args: entry("proxy-defaults", "global")},
		{name: "config_entry_of_all_by_another_name", method: "ConfigEntry.Apply", args: entry("exported-services", "web"), err: `invalid name ("web"), only "default" is supported`},
		{name: "config_entry_without_a_name", method: "ConfigEntry.Apply", args: entry("service-defaults", ""), err: "Name is required"},
		{name: "no_config_entry", method: "ConfigEntry.Apply", args: &wire.ConfigEntryRequest{}, err: "Must provide a config entry"},
		{name: "config_entry_forbidden", method: "ConfigEntry.Apply", args: entry("service-defaults", "web"), authz: only{}, err: "Permission denied"},
		{name: "config_entry_of_all_forbidden", method: "ConfigEntry.Delete", args: entry("mesh", "mesh"), authz: only{"mesh": true}, err: "Permission denied"},
		{name: "config_entry_deleted", method: "ConfigEntry.Delete", args: entry("service-defaults", "web"), want: func(t *testing.T, args any) {
			equal(t, "Op", args.(*wire.ConfigEntryRequest).Op, wire.ConfigEntryDelete)
		}},
		{name: "autopilot", method: auto, args: &wire.AutopilotSetConfigRequest{}},
		{name: "autopilot_forbidden", method: auto, args: &wire.AutopilotSetConfigRequest{}, authz: only{}, err: "Permission denied"},

		{name: "txn", method: txn, args: &wire.TxnRequest{Ops: wire.TxnOps{
			{KV: &wire.TxnKVOp{Verb: wire.KVSet, DirEnt: wire.DirEntry{Key: "k"}}},
			{Node: &wire.TxnNodeOp{Verb: wire.CatalogSet, Node: wire.Node{Node: "n"}}},
			{Service: &wire.TxnServiceOp{Verb: wire.CatalogSet, Node: "n", Service: wire.NodeService{Service: "s"}}},
			{Check: &wire.TxnCheckOp{Verb: wire.CatalogSet, Check: wire.HealthCheck{Node: "n", Name: "c"}}},
			{Session: &wire.TxnSessionOp{Verb: wire.CatalogDelete}}, {}, nil,
		}}, want: func(t *testing.T, args any) {
			ops := args.(*wire.TxnRequest).Ops
			equal(t, "service ID", ops[2].Service.Service.ID, "s")
			equal(t, "check ID", ops[3].Check.Check.CheckID, "c")
		}},
		{name: "txn_with_too_much", method: txn, args: &wire.TxnRequest{Ops: many}, nothing: true},
		{name: "txn_with_faults", method: txn, nothing: true, args: &wire.TxnRequest{Ops: wire.TxnOps{
			{KV: &wire.TxnKVOp{Verb: wire.KVSet}},
			{KV: &wire.TxnKVOp{Verb: wire.KVLock, DirEnt: wire.DirEntry{Key: "delayed"}}},
			{Node: &wire.TxnNodeOp{Verb: wire.CatalogSet}},
			{Node: &wire.TxnNodeOp{Verb: wire.CatalogSet, Node: wire.Node{Node: "n", ID: "x"}}},
			{Service: &wire.TxnServiceOp{Verb: wire.CatalogSet, Service: wire.NodeService{ID: "x"}}},
		}}},
		{name: "txn_forbidden", method: txn, nothing: true, authz: only{}, args: &wire.TxnRequest{Ops: wire.TxnOps{
			{Check: &wire.TxnCheckOp{Verb: wire.CatalogSet}}, {Check: &wire.TxnCheckOp{Verb: wire.CatalogSet, Check: wire.HealthCheck{ServiceID: "x"}}},
		}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, ok := Lookup(tt.method)
			if !ok {
				t.Fatalf("no method %s", tt.method)
			}
			ids := []string{idSess, "id-2"}
			env := &Env{View: withDelay(t).View(), Authz: tt.authz, Now: noon, NewID: func() (string, error) {
				id := ids[0]
				ids = ids[1:]
				return id, nil
			}}
			propose, err := m.(WriteMethod).PrepareAny(env, tt.args, m.NewReply())
			errorIs(t, err, tt.err)
			equal(t, "to be written", propose, err == nil && !tt.nothing)
			if tt.want != nil {
				tt.want(t, tt.args)
			}
		})
	}
}

// withDelay is filled, with a key whose lock was just taken from a session.
func withDelay(t *testing.T) *state.Store {
	s := filled(t)
	write(t, s, func(tx *state.Tx) error {
		return tx.SessionCreate(&wire.Session{ID: "gone", Node: "n1", LockDelay: time.Second})
	})
	write(t, s, func(tx *state.Tx) error {
		_, err := tx.KVSLock(&wire.DirEntry{Key: "delayed", Session: "gone"})
		return err
	})
	write(t, s, func(tx *state.Tx) error { tx.SessionDestroy("gone"); return nil })
	return s
}

func TestLockDelayPasses(t *testing.T) {
	v := withDelay(t).View()
	req := &wire.KVSRequest{Op: wire.KVLock, DirEnt: wire.DirEntry{Key: "delayed", Session: idSess}}
	for after, want := range map[time.Duration]bool{0: false, time.Second - 1: false, time.Second: true} {
		reply := true
		got, err := KVApply.Prepare(&Env{View: v, Now: noon.Add(after)}, req, &reply)
		if err != nil || got != want || reply {
			t.Errorf("after %v: %v, %v, reply %v; want %v", after, got, err, reply, want)
		}
	}
}

// TestHeldLock: who cannot have a lock is told so at once, or the end of its holder
// could come between the look at the lock delay and the entry.
func TestHeldLock(t *testing.T) {
	s := filled(t)
	write(t, s, func(tx *state.Tx) error {
		return tx.SessionCreate(&wire.Session{ID: "holder", Node: "n1", LockDelay: time.Second})
	})
	write(t, s, func(tx *state.Tx) error {
		_, err := tx.KVSLock(&wire.DirEntry{Key: "held", Session: "holder"})
		return err
	})
	for session, want := range map[string]bool{"holder": true, idSess: false} {
		reply := true
		req := &wire.KVSRequest{Op: wire.KVLock, DirEnt: wire.DirEntry{Key: "held", Session: session}}
		if got, err := KVApply.Prepare(&Env{View: s.View(), Now: noon}, req, &reply); err != nil || got != want || reply {
			t.Errorf("%s: %v, %v, reply %v; want %v", session, got, err, reply, want)
		}
	}
}

func TestTxnFaults(t *testing.T) {
	var reply wire.TxnResponse
	_, err := TxnApply.Prepare(&Env{View: withDelay(t).View(), Now: noon}, &wire.TxnRequest{Ops: wire.TxnOps{
		{KV: &wire.TxnKVOp{Verb: wire.KVGet, DirEnt: wire.DirEntry{Key: "k"}}},
		{KV: &wire.TxnKVOp{Verb: wire.KVLock, DirEnt: wire.DirEntry{Key: "delayed"}}},
	}}, &reply)
	if err != nil || len(reply.Errors) != 1 {
		t.Fatalf("errors = %v, %v", reply.Errors, err)
	}
	equal(t, "error", reply.Errors[0].Error(), `op 1: failed to lock key "delayed" due to lock delay`)
}

// TestResult has what becomes of what the state returned.
func TestResult(t *testing.T) {
	boom := errors.New("boom")
	txn := wire.TxnResponse{Results: wire.TxnResults{}}
	tests := []struct {
		name, method string
		result       any
		want         any // what the reply points to
		err          string
	}{
		{"registered", "Catalog.Register", nil, struct{}{}, ""},
		{"not_registered", "Catalog.Register", boom, struct{}{}, "boom"},
		{"not_deregistered", "Catalog.Deregister", boom, struct{}{}, "boom"},
		{"set", "KVS.Apply", true, true, ""},
		{"stale", "KVS.Apply", false, false, ""},
		{"not_set", "KVS.Apply", boom, false, "raft apply failed: boom"},
		{"session", "Session.Apply", "id", "id", ""},
		{"session_ended", "Session.Apply", nil, "", ""},
		{"no_session", "Session.Apply", boom, "", "apply failed: boom"},
		{"config_entry", "ConfigEntry.Apply", true, true, ""},
		{"config_entry_deleted", "ConfigEntry.Delete", true, wire.ConfigEntryDeleteResponse{Deleted: true}, ""},
		{"autopilot", "Operator.AutopilotSetConfiguration", true, true, ""},
		{"txn", "Txn.Apply", txn, txn, ""},
		{"no_txn", "Txn.Apply", boom, wire.TxnResponse{}, "raft apply failed: boom"},
		{"txn_with_an_odd_result", "Txn.Apply", 1, wire.TxnResponse{}, "the state returned a int for a transaction"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := Lookup(tt.method)
			reply := m.NewReply()
			errorIs(t, m.(WriteMethod).ResultAny(tt.result, reply), tt.err)
			if got := reflect.ValueOf(reply).Elem().Interface(); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("reply = %#v, want %#v", got, tt.want)
			}
		})
	}
}

func TestFilterTxn(t *testing.T) {
	reply := wire.TxnResponse{Results: wire.TxnResults{
		{KV: &wire.DirEntry{Key: "k"}}, {KV: &wire.DirEntry{Key: "other"}}, {Node: &wire.Node{Node: "n"}},
		{Service: &wire.NodeService{Service: "s"}}, {Check: &wire.HealthCheck{Node: "k"}}, {},
	}}
	FilterTxn(&Env{Authz: only{"k": true}}, &reply)
	equal(t, "results", len(reply.Results), 3)
}
