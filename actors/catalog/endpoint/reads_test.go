package endpoint

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/serf/coordinate"

	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages/wire"
)

// brief writes what a reply has as text.
func brief(reply any) string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	switch r := reply.(type) {
	case *wire.IndexedNodes:
		for _, n := range r.Nodes {
			add("%s", n.Node)
		}
	case *wire.IndexedServices:
		for _, name := range slices.Sorted(maps.Keys(r.Services)) {
			add("%s=%s", name, strings.Join(r.Services[name], ","))
		}
	case *wire.IndexedServiceList:
		for _, s := range r.Services {
			add("%s", s.Name)
		}
	case *wire.IndexedServiceNodes:
		for _, s := range r.ServiceNodes {
			add("%s/%s", s.Node, s.ServiceID)
		}
	case *wire.IndexedNodeServices:
		if r.NodeServices != nil {
			add("%s:", r.NodeServices.Node.Node)
			all = append(all, slices.Sorted(maps.Keys(r.NodeServices.Services))...)
		}
	case *wire.IndexedNodeServiceList:
		if r.NodeServices.Node != nil {
			add("%s:", r.NodeServices.Node.Node)
		}
		for _, s := range r.NodeServices.Services {
			add("%s", s.ID)
		}
	case *wire.IndexedHealthChecks:
		for _, c := range r.HealthChecks {
			add("%s/%s", c.Node, c.CheckID)
		}
	case *wire.IndexedCheckServiceNodes:
		for _, n := range r.Nodes {
			add("%s/%s", n.Node.Node, n.Service.ID)
		}
	case *wire.IndexedNodesWithGateways:
		for _, n := range r.Nodes {
			add("%s/%s", n.Node.Node, n.Service.ID)
		}
	case *wire.IndexedDirEntries:
		for _, e := range r.Entries {
			add("%s", e.Key)
		}
	case *wire.IndexedKeyList:
		all = r.Keys
	case *wire.IndexedSessions:
		for _, s := range r.Sessions {
			add("%s", s.ID)
		}
	case *wire.IndexedNodeDump:
		for _, n := range r.Dump {
			add("%s(%d,%d)", n.Node, len(n.Services), len(n.Checks))
		}
	case *wire.IndexedCoordinates:
		add("%d", len(r.Coordinates))
	case *wire.AutopilotConfig:
		add("%d", r.MaxTrailingLogs)
	case *wire.Usage:
		add("%d nodes", r.Usage["dc1"].Nodes)
	case *wire.TxnReadResponse:
		for _, e := range r.Errors {
			add("%s", e.Error())
		}
		for _, res := range r.Results {
			add("%s", res.KV.Key)
		}
	}
	return strings.Join(all, " ")
}

// TestReads asks every read by its name.
func TestReads(t *testing.T) {
	dc := wire.DCSpecificRequest{Datacenter: "dc1"}
	filter := func(expr string) wire.QueryOptions { return wire.QueryOptions{Filter: expr} }
	get := func(key string) wire.TxnOps {
		return wire.TxnOps{{KV: &wire.TxnKVOp{Verb: wire.KVGet, DirEnt: wire.DirEntry{Key: key}}}}
	}
	tests := []struct {
		name, method string
		args         wire.Request
		want         string
		err          string
		authz        Authorizer
		filtered     bool
	}{
		{name: "nodes", method: "Catalog.ListNodes", args: &dc, want: "n1 n2"},
		{name: "nodes_by_meta", method: "Catalog.ListNodes", args: &wire.DCSpecificRequest{NodeMetaFilters: map[string]string{"rack": "r1"}}, want: "n1"},
		{name: "nodes_by_filter", method: "Catalog.ListNodes", args: &wire.DCSpecificRequest{QueryOptions: filter("Meta.rack==r1")}, want: "n1"},
		{name: "nodes_allowed", method: "Catalog.ListNodes", args: &dc, authz: only{"n2": true}, want: "n2", filtered: true},
		{name: "nodes_of_a_peer", method: "Catalog.ListNodes", args: &wire.DCSpecificRequest{PeerName: "p"}, want: ""},
		{name: "services", method: "Catalog.ListServices", args: &dc, want: "db= web=blue,v1,v2"},
		{name: "services_by_meta", method: "Catalog.ListServices", args: &wire.DCSpecificRequest{NodeMetaFilters: map[string]string{"rack": "r1"}}, want: "web=blue,v1"},
		{name: "services_by_filter", method: "Catalog.ListServices", args: &wire.DCSpecificRequest{QueryOptions: filter("v2 in ServiceTags")}, want: "web=v2"},
		{name: "services_by_filter_on_the_node", method: "Catalog.ListServices", args: &wire.DCSpecificRequest{QueryOptions: filter("NodeMeta.rack == r1")}, want: "web=blue,v1"},
		{name: "services_allowed", method: "Catalog.ListServices", args: &dc, authz: only{"db": true}, want: "db=", filtered: true},
		{name: "service_names", method: "Catalog.ServiceList", args: &dc, want: "db web"},
		{name: "service_names_allowed", method: "Catalog.ServiceList", args: &dc, authz: only{"db": true}, want: "db", filtered: true},
		{name: "instances", method: "Catalog.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web"}, want: "n1/w1 n2/w2"},
		{name: "instances_by_tag", method: "Catalog.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web", TagFilter: true, ServiceTags: []string{"V2"}}, want: "n2/w2"},
		{name: "instances_by_old_tag", method: "Catalog.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web", TagFilter: true, ServiceTag: "v1"}, want: "n1/w1"},
		{name: "instances_by_meta", method: "Catalog.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web", NodeMetaFilters: map[string]string{"rack": "r1"}}, want: "n1/w1"},
		{name: "instances_by_filter", method: "Catalog.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web", QueryOptions: filter("ServicePort == 81")}, want: "n2/w2"},
		{name: "instances_of_nothing", method: "Catalog.ServiceNodes", args: &wire.ServiceSpecificRequest{}, err: "Must provide service name"},
		{name: "instances_at_an_address", method: "Catalog.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceAddress: "9.9.9.9"}, want: ""},
		{name: "instances_allowed", method: "Catalog.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web"}, authz: only{"n2": true, "web": true}, want: "n2/w2", filtered: true},
		{name: "proxies", method: "Catalog.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web", Connect: true}, want: ""},
		{name: "node_services", method: "Catalog.NodeServices", args: &wire.NodeSpecificRequest{Node: "n2"}, want: "n2: d w2"},
		{name: "node_services_by_filter", method: "Catalog.NodeServices", args: &wire.NodeSpecificRequest{Node: "n2", QueryOptions: filter("Service == web")}, want: "n2: w2"},
		{name: "node_services_of_nothing", method: "Catalog.NodeServices", args: &wire.NodeSpecificRequest{}, err: "Must provide node"},
		{name: "node_services_unknown", method: "Catalog.NodeServices", args: &wire.NodeSpecificRequest{Node: "nope"}, want: ""},
		{name: "node_services_forbidden", method: "Catalog.NodeServices", args: &wire.NodeSpecificRequest{Node: "n2"}, authz: only{}, want: "", filtered: true},
		{name: "node_services_allowed", method: "Catalog.NodeServices", args: &wire.NodeSpecificRequest{Node: "n2"}, authz: only{"n2": true, "db": true}, want: "n2: d", filtered: true},
		{name: "node_service_list", method: "Catalog.NodeServiceList", args: &wire.NodeSpecificRequest{Node: idA}, want: "n1: w1"},
		{name: "node_service_list_of_nothing", method: "Catalog.NodeServiceList", args: &wire.NodeSpecificRequest{}, err: "Must provide node"},
		{name: "node_service_list_unknown", method: "Catalog.NodeServiceList", args: &wire.NodeSpecificRequest{Node: "nope"}, want: ""},
		{name: "node_service_list_forbidden", method: "Catalog.NodeServiceList", args: &wire.NodeSpecificRequest{Node: "n1"}, authz: only{}, want: "", filtered: true},
		{name: "node_service_list_allowed", method: "Catalog.NodeServiceList", args: &wire.NodeSpecificRequest{Node: "n2"}, authz: only{"n2": true, "db": true}, want: "n2: d", filtered: true},
		{name: "checks_in_state", method: "Health.ChecksInState", args: &wire.ChecksInStateRequest{State: "critical"}, want: "n2/c2"},
		{name: "checks_in_any_state", method: "Health.ChecksInState", args: &wire.ChecksInStateRequest{State: "any"}, want: "n1/c1 n1/serfHealth n2/c2"},
		{name: "checks_in_state_by_meta", method: "Health.ChecksInState", args: &wire.ChecksInStateRequest{State: "any", NodeMetaFilters: map[string]string{"os": "linux"}}, want: "n1/c1 n1/serfHealth"},
		{name: "checks_in_state_allowed", method: "Health.ChecksInState", args: &wire.ChecksInStateRequest{State: "any"}, authz: only{"n1": true}, want: "n1/serfHealth", filtered: true},
		{name: "node_checks", method: "Health.NodeChecks", args: &wire.NodeSpecificRequest{Node: "n1"}, want: "n1/c1 n1/serfHealth"},
		{name: "node_checks_by_filter", method: "Health.NodeChecks", args: &wire.NodeSpecificRequest{Node: "n1", QueryOptions: filter("ServiceName is empty")}, want: "n1/serfHealth"},
		{name: "service_checks", method: "Health.ServiceChecks", args: &wire.ServiceSpecificRequest{ServiceName: "web"}, want: "n1/c1 n2/c2"},
		{name: "service_checks_by_tag", method: "Health.ServiceChecks", args: &wire.ServiceSpecificRequest{ServiceName: "web", TagFilter: true}, err: "Tag filtering is not supported"},
		{name: "health", method: "Health.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web"}, want: "n1/w1 n2/w2"},
		{name: "health_by_tag", method: "Health.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web", TagFilter: true, ServiceTags: []string{"v2"}}, want: "n2/w2"},
		{name: "health_by_check", method: "Health.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web", QueryOptions: filter("Checks.Status==warning")}, want: "n1/w1"},
		{name: "health_by_service_meta", method: "Health.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web", QueryOptions: filter("Service.Meta.os==linux")}, want: "n1/w1"},
		{name: "health_by_node_meta", method: "Health.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web", NodeMetaFilters: map[string]string{"rack": "r1"}}, want: "n1/w1"},
		{name: "health_of_nothing", method: "Health.ServiceNodes", args: &wire.ServiceSpecificRequest{}, err: "Must provide service name"},
		{name: "health_allowed", method: "Health.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web"}, authz: only{"n1": true, "web": true}, want: "n1/w1", filtered: true},
		{name: "health_through_the_mesh", method: "Health.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web", Connect: true}, want: ""},
		{name: "health_of_gateways", method: "Health.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web", Ingress: true}, want: ""},
		{name: "behind_no_gateway", method: "Catalog.GatewayServices", args: &wire.ServiceSpecificRequest{ServiceName: "in"}, want: ""},
		{name: "behind_a_gateway_without_a_name", method: "Catalog.GatewayServices", args: &wire.ServiceSpecificRequest{}, err: "Must provide service name"},
		{name: "health_by_bad_filter", method: "Health.ServiceNodes", args: &wire.ServiceSpecificRequest{ServiceName: "web", QueryOptions: filter("bad(")},
			err: `Failed to create boolean expression evaluator: 1:4 (3): no match found, expected: "!=", ".", "==", "[", [ \t\r\n] or [a-zA-Z0-9_/]`},
		{name: "key", method: "KVS.Get", args: &wire.KeyRequest{Key: "a/1"}, want: "a/1"},
		{name: "key_missing", method: "KVS.Get", args: &wire.KeyRequest{Key: "nope"}, err: "not found"},
		{name: "key_forbidden", method: "KVS.Get", args: &wire.KeyRequest{Key: "a/1"}, authz: only{}, err: "Permission denied"},
		{name: "key_list", method: "KVS.List", args: &wire.KeyRequest{Key: "a/"}, want: "a/1 a/b/2"},
		{name: "key_list_allowed", method: "KVS.List", args: &wire.KeyRequest{}, authz: only{"": true, "a/1": true}, want: "a/1", filtered: true},
		{name: "key_list_forbidden", method: "KVS.List", args: &wire.KeyRequest{}, authz: only{}, err: "Permission denied"},
		{name: "key_names", method: "KVS.ListKeys", args: &wire.KeyListRequest{Prefix: "a/", Seperator: "/"}, want: "a/1 a/b/"},
		{name: "key_names_forbidden", method: "KVS.ListKeys", args: &wire.KeyListRequest{}, authz: only{}, err: "Permission denied"},
		{name: "session", method: "Session.Get", args: &wire.SessionSpecificRequest{SessionID: idSess}, want: idSess},
		{name: "session_by_old_name", method: "Session.Get", args: &wire.SessionSpecificRequest{Session: idSess}, want: idSess},
		{name: "session_missing", method: "Session.Get", args: &wire.SessionSpecificRequest{SessionID: "nope"}, err: "not found"},
		{name: "session_forbidden", method: "Session.Get", args: &wire.SessionSpecificRequest{SessionID: idSess}, authz: only{}, want: "", filtered: true},
		{name: "sessions", method: "Session.List", args: &wire.SessionSpecificRequest{}, want: idSess},
		{name: "sessions_of_a_node", method: "Session.NodeSessions", args: &wire.NodeSpecificRequest{Node: "n2"}, want: ""},
		{name: "coordinates", method: "Coordinate.ListNodes", args: &dc, want: "0"},
		{name: "coordinates_of_a_node", method: "Coordinate.Node", args: &wire.NodeSpecificRequest{Node: "n1"}, want: "0"},
		{name: "coordinates_forbidden", method: "Coordinate.Node", args: &wire.NodeSpecificRequest{Node: "n1"}, authz: only{}, err: "Permission denied"},
		{name: "autopilot_not_yet", method: "Operator.AutopilotGetConfiguration", args: &dc, err: "autopilot config not initialized yet"},
		{name: "autopilot_forbidden", method: "Operator.AutopilotGetConfiguration", args: &dc, authz: only{}, err: "Permission denied"},
		{name: "usage", method: "Operator.Usage", args: &wire.OperatorUsageRequest{DCSpecificRequest: dc}, want: "2 nodes"},
		{name: "usage_forbidden", method: "Operator.Usage", args: &wire.OperatorUsageRequest{}, authz: only{}, err: "Permission denied"},
		{name: "node_info", method: "Internal.NodeInfo", args: &wire.NodeSpecificRequest{Node: "n2"}, want: "n2(2,1)"},
		{name: "node_dump", method: "Internal.NodeDump", args: &dc, want: "n1(1,2) n2(2,1)"},
		{name: "node_dump_allowed", method: "Internal.NodeDump", args: &dc, authz: only{"n2": true, "db": true}, want: "n2(1,0)", filtered: true},
		{name: "node_dump_by_filter", method: "Internal.NodeDump", args: &wire.DCSpecificRequest{QueryOptions: filter("Node == n2")}, want: "n2(2,1)"},
		{name: "service_dump", method: "Internal.ServiceDump", args: &wire.ServiceDumpRequest{}, want: "n1/w1 n2/d n2/w2"},
		{name: "service_dump_of_proxies", method: "Internal.ServiceDump", args: &wire.ServiceDumpRequest{UseServiceKind: true, ServiceKind: wire.ServiceKindConnectProxy}, want: ""},
		{name: "txn", method: "Txn.Read", args: &wire.TxnReadRequest{Ops: get("a/1")}, want: "a/1"},
		{name: "txn_with_errors", method: "Txn.Read", args: &wire.TxnReadRequest{Ops: get("none")}, want: `op 0: key "none" doesn't exist`},
		{name: "txn_forbidden", method: "Txn.Read", args: &wire.TxnReadRequest{Ops: get("a/1")}, authz: only{}, want: "op 0: Permission denied"},
		{name: "txn_with_an_odd_verb", method: "Txn.Read", args: &wire.TxnReadRequest{Ops: wire.TxnOps{{KV: &wire.TxnKVOp{Verb: "odd", DirEnt: wire.DirEntry{Key: "t"}}}}}, want: "op 0: unknown KV operation: odd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, ok := Lookup(tt.method)
			if !ok {
				t.Fatalf("no method %s", tt.method)
			}
			reply := m.NewReply()
			err := m.(ReadMethod).EvalAny(&Env{View: filled(t).View(), Authz: tt.authz}, tt.args, reply)
			errorIs(t, err, tt.err)
			if err == nil {
				equal(t, "reply", brief(reply), tt.want)
			}
			if meta, ok := reply.(wire.Reply); ok {
				equal(t, "ResultsFilteredByACLs", meta.Meta().ResultsFilteredByACLs, tt.filtered)
				if err == nil && !strings.HasPrefix(tt.method, "Txn") && !strings.HasPrefix(tt.method, "Coordinate") &&
					tt.want != "" && meta.Meta().Index == 0 {
					t.Error("the reply has no index")
				}
			}
		})
	}
}

// TestDutiesLookAtRights: what is no read and no write of the state looks at the rights
// of the asker, too.
func TestDutiesLookAtRights(t *testing.T) {
	env := func(a Authorizer) *Env { return &Env{View: filled(t).View(), Authz: a} }
	for _, tt := range []struct {
		name, node string
		authz      Authorizer
		known      bool
		err        string
	}{
		{name: "known", node: "n1", known: true},
		{name: "unknown", node: "n9"},
		{name: "allowed", node: "n1", authz: only{"n1": true}, known: true},
		{name: "forbidden", node: "n1", authz: only{"n2": true}, err: "Permission denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			known, err := CoordinateMayTell(env(tt.authz), tt.node)
			errorIs(t, err, tt.err)
			equal(t, "known", known, tt.known)
		})
	}
	_, err := ConnectCASteps(env(only{}), &wire.CAConfiguration{})
	errorIs(t, err, "Permission denied")
}

func TestSessionRenew(t *testing.T) {
	tests := []struct {
		name, id string
		authz    Authorizer
		want     int // sessions
		err      string
	}{
		{name: "there", id: idSess, want: 1},
		{name: "missing", id: "nope"},
		{name: "allowed", id: idSess, authz: only{"n1": true}, want: 1},
		{name: "forbidden", id: idSess, authz: only{}, err: "Permission denied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var reply wire.IndexedSessions
			err := SessionRenew.Eval(&Env{View: filled(t).View(), Authz: tt.authz}, &wire.SessionSpecificRequest{Session: tt.id}, &reply)
			errorIs(t, err, tt.err)
			equal(t, "sessions", len(reply.Sessions), tt.want)
		})
	}
}

// TestReadsLeaveTheStateAlone asks everything twice, with a filter and with rights
// that hide things in between: the answer must stay the same.
func TestReadsLeaveTheStateAlone(t *testing.T) {
	v := filled(t).View()
	ask := func(env *Env) string {
		env.View = v
		var all []string
		for _, m := range Methods {
			read, ok := m.(ReadMethod)
			if !ok {
				continue
			}
			args, reply := m.NewArgs(), m.NewReply()
			switch a := args.(type) {
			case *wire.NodeSpecificRequest:
				a.Node = "n2"
			case *wire.ServiceSpecificRequest:
				a.ServiceName = "web"
			case *wire.ChecksInStateRequest:
				a.State = wire.HealthAny
			}
			_ = read.EvalAny(env, args, reply)
			all = append(all, m.Name()+": "+brief(reply))
		}
		return strings.Join(all, "\n")
	}
	before := ask(&Env{})
	ask(&Env{Authz: only{"n2": true, "db": true, "": true, "a/1": true}})
	equal(t, "answers", ask(&Env{}), before)
}

func TestNotModified(t *testing.T) {
	v := filled(t).View()
	var first wire.IndexedNodes
	if err := ListNodes.Eval(&Env{View: v}, &wire.DCSpecificRequest{}, &first); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		opts wire.QueryOptions
		want bool
	}{
		{"seen", wire.QueryOptions{AllowNotModifiedResponse: true, MinQueryIndex: first.Index}, true},
		{"not_asked_for", wire.QueryOptions{MinQueryIndex: first.Index}, false},
		{"seen_something_else", wire.QueryOptions{AllowNotModifiedResponse: true, MinQueryIndex: first.Index - 1}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var again wire.IndexedNodes
			if err := ListNodes.Eval(&Env{View: v}, &wire.DCSpecificRequest{QueryOptions: tt.opts}, &again); err != nil {
				t.Fatal(err)
			}
			equal(t, "NotModified", again.NotModified, tt.want)
			equal(t, "left out", again.Nodes == nil, tt.want)
		})
	}
}

func TestNear(t *testing.T) {
	s := filled(t)
	at := func(x float64) *coordinate.Coordinate {
		c := coordinate.NewCoordinate(coordinate.DefaultConfig())
		c.Vec[0] = x
		return c
	}
	write(t, s, func(tx *state.Tx) error {
		if err := tx.EnsureNode(&wire.Node{Node: "nowhere"}); err != nil {
			return err
		}
		if err := tx.EnsureNode(&wire.Node{Node: "zz"}); err != nil {
			return err
		}
		tx.UpdateCoordinates(wire.Coordinates{
			{Node: "n1", Coord: at(1)}, {Node: "n2", Coord: at(0.1)}, {Node: "zz", Coord: at(0)}, {Node: "zz", Segment: "other", Coord: at(9)},
		})
		return nil
	})
	for _, tt := range []struct {
		name   string
		source wire.QuerySource
		want   string
	}{
		{"nobody", wire.QuerySource{}, "n1 n2 nowhere zz"},
		{"a_node", wire.QuerySource{Node: "zz", Datacenter: "dc1"}, "zz n2 n1 nowhere"},
		{"a_node_without_a_coordinate", wire.QuerySource{Node: "nowhere"}, "n1 n2 nowhere zz"},
		{"a_node_elsewhere", wire.QuerySource{Node: "zz", Datacenter: "dc2"}, "n1 n2 nowhere zz"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var reply wire.IndexedNodes
			if err := ListNodes.Eval(&Env{View: s.View()}, &wire.DCSpecificRequest{Datacenter: "dc1", Source: tt.source}, &reply); err != nil {
				t.Fatal(err)
			}
			equal(t, "nodes", brief(&reply), tt.want)
		})
	}
}

// TestBlocking plays evaluations, as "index" or "index!" when nothing was found,
// until the query is answered.
func TestBlocking(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name  string
		min   uint64
		evals []string
		want  int // which evaluation answers, 0 for none
	}{
		{"does_not_wait", 0, []string{"5"}, 1},
		{"has_changed_already", 4, []string{"5"}, 1},
		{"changes_later", 5, []string{"5", "5", "6"}, 3},
		{"never_changes", 5, []string{"5", "5"}, 0},
		{"nothing_was_ever_written", 1, []string{"0"}, 0},
		{"does_not_wait_for_what_is_missing", 0, []string{"5!"}, 1},
		{"missing_since_an_older_index", 4, []string{"5!"}, 1},
		{"missing_is_not_told_twice", 5, []string{"5!", "6!", "7!"}, 0},
		{"missing_and_then_there", 5, []string{"5!", "6!", "7"}, 3},
		{"there_and_then_missing", 5, []string{"5", "6!"}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := Blocking{Min: tt.min}
			for i, eval := range tt.evals {
				var index uint64
				fmt.Sscan(strings.TrimSuffix(eval, "!"), &index)
				var err error
				if strings.HasSuffix(eval, "!") {
					err = ErrNotFound
				}
				done, err := b.Done(index, err)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, fmt.Sprintf("answered by evaluation %d", i+1), done, tt.want == i+1)
			}
		})
	}
	b := Blocking{Min: 9}
	if done, err := b.Done(1, boom); !done || !errors.Is(err, boom) {
		t.Errorf("an error: %v, %v", done, err)
	}
}

func TestReadsWatch(t *testing.T) {
	s := filled(t)
	ws := memdb.NewWatchSet()
	if err := KVGet.Eval(&Env{View: s.View(), Watch: ws}, &wire.KeyRequest{Key: "new"}, new(wire.IndexedDirEntries)); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	write(t, s, func(tx *state.Tx) error { tx.KVSSet(&wire.DirEntry{Key: "new"}); return nil })
	ws.Watch(nil) // hangs if nobody is woken
}

func TestRegistry(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Methods {
		if seen[m.Name()] {
			t.Errorf("%s is there twice", m.Name())
		}
		seen[m.Name()] = true
		found, ok := Lookup(m.Name())
		if !ok || found != m {
			t.Errorf("Lookup(%s) = %v, %v", m.Name(), found, ok)
		}
		read, isRead := m.(ReadMethod)
		w, isWrite := m.(WriteMethod)
		if isRead == isWrite {
			t.Errorf("%s: read %v, write %v", m.Name(), isRead, isWrite)
		}
		if m.NewArgs().IsRead() != isRead {
			t.Errorf("%s: the arguments do not say whether it is a read", m.Name())
		}
		wrong := struct{ wire.Request }{}
		switch {
		case isRead:
			if read.EvalAny(&Env{}, wrong, m.NewReply()) == nil || read.EvalAny(&Env{}, m.NewArgs(), 1) == nil {
				t.Errorf("%s takes any type", m.Name())
			}
		default:
			_, a := w.PrepareAny(&Env{}, wrong, m.NewReply())
			_, b := w.PrepareAny(&Env{}, m.NewArgs(), 1)
			if a == nil || b == nil || w.ResultAny(nil, 1) == nil {
				t.Errorf("%s takes any type", m.Name())
			}
		}
	}
	if _, ok := Lookup("Nope.Nope"); ok {
		t.Error("Nope.Nope is a method")
	}
}
