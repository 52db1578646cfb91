package endpoint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/serf/coordinate"

	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages/wire"
)

// withQueries is filled, with a query that has a token, one without a name, and a
// template.
func withQueries(t *testing.T) *state.Store {
	s := filled(t)
	for _, q := range []*wire.PreparedQuery{
		{ID: "q1", Name: "named", Token: "secret", Service: wire.ServiceQuery{Service: "web"}},
		{ID: "q2", Session: idSess, Token: "secret", Service: wire.ServiceQuery{Service: "web"}},
		{ID: "q3", Name: "geo-", Template: wire.QueryTemplateOptions{Type: wire.QueryTemplateNamePrefixMatch}, Service: wire.ServiceQuery{Service: "${name.suffix}"}},
	} {
		write(t, s, func(tx *state.Tx) error { return tx.PreparedQuerySet(q) })
	}
	return s
}

func TestPreparedQueryApply(t *testing.T) {
	good := func(mend func(*wire.PreparedQuery)) *wire.PreparedQuery {
		q := &wire.PreparedQuery{Name: "new", Service: wire.ServiceQuery{Service: "web"}}
		if mend != nil {
			mend(q)
		}
		return q
	}
	bad := func(what string) string { return "Invalid prepared query: " + what }
	const create, update, del = wire.PreparedQueryCreate, wire.PreparedQueryUpdate, wire.PreparedQueryDelete
	tests := []struct {
		name  string
		op    wire.PreparedQueryOp
		q     *wire.PreparedQuery
		authz Authorizer
		id    string
		err   string
	}{
		{name: "create", op: create, q: good(nil), id: "made"},
		{name: "create_allowed", op: create, q: good(nil), authz: only{"new": true}, id: "made"},
		{name: "create_forbidden", op: create, q: good(nil), authz: only{}, err: "Permission denied"},
		{name: "create_for_a_session", op: create, q: good(func(q *wire.PreparedQuery) { q.Name, q.Session = "", idSess }), authz: only{}, id: "made"},
		{name: "create_with_an_id", op: create, q: good(func(q *wire.PreparedQuery) { q.ID = "x" }), err: "ID must be empty when creating a new prepared query"},
		{name: "create_nothing", op: create, err: "Must provide a query"},
		{name: "update", op: update, q: good(func(q *wire.PreparedQuery) { q.ID = "q1" }), id: "q1"},
		{name: "update_of_another_s", op: update, q: good(func(q *wire.PreparedQuery) { q.ID = "q1" }), authz: only{"new": true}, err: "Permission denied"},
		{name: "update_missing", op: update, q: good(func(q *wire.PreparedQuery) { q.ID = "x" }), err: "Cannot modify non-existent prepared query: 'x'"},
		{name: "delete", op: del, q: &wire.PreparedQuery{ID: "q1"}, id: "q1"},
		{name: "delete_forbidden", op: del, q: &wire.PreparedQuery{ID: "q1"}, authz: only{}, err: "Permission denied"},
		{name: "delete_missing", op: del, q: &wire.PreparedQuery{ID: "x"}, err: "Cannot modify non-existent prepared query: 'x'"},
		{name: "odd_operation", op: "odd", q: &wire.PreparedQuery{ID: "q1"}, err: "Unknown prepared query operation: odd"},
		{name: "neither_name_nor_session", op: create, q: good(func(q *wire.PreparedQuery) { q.Name = "" }), err: bad("Must be bound to a session")},
		{name: "hidden_token", op: create, q: good(func(q *wire.PreparedQuery) { q.Token = "<hidden>" }),
			err: bad("Bad Token '<hidden>', it looks like a query definition with a redacted token was submitted")},
		{name: "no_service", op: create, q: good(func(q *wire.PreparedQuery) { q.Service.Service = "" }), err: bad("Must provide a Service name to query")},
		{name: "negative_nearest", op: create, q: good(func(q *wire.PreparedQuery) { q.Service.Failover.NearestN = -1 }), err: bad("Bad NearestN '-1', must be >= 0")},
		{name: "targets_and_datacenters", op: create, q: good(func(q *wire.PreparedQuery) {
			q.Service.Failover = wire.QueryFailoverOptions{Datacenters: []string{"dc2"}, Targets: []wire.QueryFailoverTarget{{Datacenter: "dc3"}}}
		}), err: bad("Targets cannot be populated with NearestN or Datacenters")},
		{name: "bad_metadata", op: create, q: good(func(q *wire.PreparedQuery) { q.Service.NodeMeta = map[string]string{"": "x"} }),
			err: bad("Couldn't load metadata pair ('', 'x'): Key cannot be blank")},
		{name: "sameness_group", op: create, q: good(func(q *wire.PreparedQuery) { q.Service.SamenessGroup = "g" }), err: bad("sameness-groups are an enterprise-only feature")},
		{name: "bad_ttl", op: create, q: good(func(q *wire.PreparedQuery) { q.DNS.TTL = "soon" }), err: bad(`Bad DNS TTL 'soon': time: invalid duration "soon"`)},
		{name: "negative_ttl", op: create, q: good(func(q *wire.PreparedQuery) { q.DNS.TTL = "-1s" }), err: bad("DNS TTL '-1000000000', must be >=0")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ids := []string{"q1", "made"} // the first is taken
			env := &Env{View: withQueries(t).View(), Authz: tt.authz, NewID: func() (id string, err error) {
				id, ids = ids[0], ids[1:]
				return id, nil
			}}
			var reply string
			propose, err := PreparedQueryApply.Prepare(env, &wire.PreparedQueryRequest{Op: tt.op, Query: tt.q}, &reply)
			errorIs(t, err, tt.err)
			equal(t, "to be written", propose, tt.err == "")
			if tt.err == "" {
				equal(t, "ID", reply, tt.id)
				equal(t, "ID in the entry", tt.q.ID, tt.id)
			}
		})
	}
	errorIs(t, PreparedQueryApply.Result(state.ErrMissingQueryID, new(string)), "raft apply failed: Missing Query ID")
	errorIs(t, PreparedQueryApply.Result(nil, new(string)), "")
}

// TestPreparedQueriesShown has who sees which query, and its token.
func TestPreparedQueriesShown(t *testing.T) {
	v := withQueries(t).View()
	brief := func(queries ...*wire.PreparedQuery) string {
		var all []string
		for _, q := range queries {
			all = append(all, strings.TrimSpace(q.ID+" "+q.Token))
		}
		return strings.Join(all, ", ")
	}
	tests := []struct {
		name               string
		authz              Authorizer
		list, one, session string
		oneErr, sessionErr string
		explained          string
	}{
		{name: "without_rights", list: "q1 secret, q2 secret, q3", one: "q1 secret", session: "q2 secret", explained: "q1 secret"},
		{name: "operator", authz: only{"acl": true}, list: "q1 secret, q2 secret, q3", one: "q1 secret", session: "q2 secret", explained: "q1 secret"},
		{name: "reader", authz: only{"named": true}, list: "q1 <hidden>", one: "q1 <hidden>", session: "q2 <hidden>", explained: "q1 <hidden>"},
		{name: "nobody", authz: only{}, oneErr: "Permission denied", session: "q2 <hidden>", explained: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := &Env{View: v, Authz: tt.authz}
			var list, one, session wire.IndexedPreparedQueries
			errorIs(t, PreparedQueryList.Eval(env, &wire.DCSpecificRequest{}, &list), "")
			equal(t, "list", brief(list.Queries...), tt.list)
			equal(t, "ResultsFilteredByACLs", list.ResultsFilteredByACLs, len(list.Queries) < 3)
			errorIs(t, PreparedQueryGet.Eval(env, &wire.PreparedQuerySpecificRequest{QueryID: "q1"}, &one), tt.oneErr)
			equal(t, "one", brief(one.Queries...), tt.one)
			errorIs(t, PreparedQueryGet.Eval(env, &wire.PreparedQuerySpecificRequest{QueryID: "q2"}, &session), "")
			equal(t, "one without a name", brief(session.Queries...), tt.session)
			var explained wire.PreparedQueryExplainResponse
			errorIs(t, PreparedQueryExplain.Eval(env, &wire.PreparedQueryExecuteRequest{QueryIDOrName: "named"}, &explained), tt.oneErr)
			equal(t, "explained", brief(&explained.Query), tt.explained)
		})
	}
	env := &Env{View: v}
	errorIs(t, PreparedQueryGet.Eval(env, &wire.PreparedQuerySpecificRequest{QueryID: "x"}, new(wire.IndexedPreparedQueries)), "Query not found")
	errorIs(t, PreparedQueryExplain.Eval(env, &wire.PreparedQueryExecuteRequest{QueryIDOrName: "x"}, new(wire.PreparedQueryExplainResponse)), "Query not found")
	errorIs(t, PreparedQueryExplain.Eval(env, &wire.PreparedQueryExecuteRequest{QueryIDOrName: "q3"}, new(wire.PreparedQueryExplainResponse)), state.ErrTemplateByID.Error())
	var explained wire.PreparedQueryExplainResponse
	errorIs(t, PreparedQueryExplain.Eval(env, &wire.PreparedQueryExecuteRequest{QueryIDOrName: "geo-db"}, &explained), "")
	equal(t, "a template, filled in", explained.Query.Service.Service, "db")
}

// farm is five nodes, n1 nearest to n0, each with an instance.
func farm(t *testing.T) *state.Store {
	s := state.NewStore()
	for i, status := range []string{"passing", "passing", "warning", "critical", "passing"} {
		node := fmt.Sprintf("n%d", i)
		write(t, s, func(tx *state.Tx) error {
			return tx.EnsureRegistration(&wire.RegisterRequest{
				Node: node, Address: fmt.Sprintf("10.0.0.%d", i), NodeMeta: map[string]string{"even": fmt.Sprint(i%2 == 0)},
				Service: &wire.NodeService{ID: "w", Service: "web", Tags: []string{"All", fmt.Sprintf("t%d", i)}, Meta: map[string]string{"low": fmt.Sprint(i < 2)}},
				Check:   &wire.HealthCheck{Node: node, CheckID: "c", ServiceID: "w", Status: status},
			})
		})
		coord := coordinate.NewCoordinate(coordinate.DefaultConfig())
		coord.Vec[0] = 0.01 * float64(i)
		write(t, s, func(tx *state.Tx) error {
			tx.UpdateCoordinates(wire.Coordinates{{Node: node, Coord: coord}})
			return nil
		})
	}
	write(t, s, func(tx *state.Tx) error {
		return tx.EnsureService("n4", &wire.NodeService{ID: "p", Service: "web-proxy", Kind: wire.ServiceKindConnectProxy,
			Proxy: wire.ConnectProxyConfig{DestinationServiceName: "web"}})
	})
	return s
}

// backwards is the order of chance of these tests.
func backwards(n int, swap func(i, j int)) {
	for i := range n / 2 {
		swap(i, n-1-i)
	}
}

func TestPreparedQueryExecute(t *testing.T) {
	type query = wire.ServiceQuery
	type request = wire.PreparedQueryExecuteRequest
	agent := wire.QuerySource{Datacenter: "dc1", Node: "n1"}
	tests := []struct {
		name  string
		q     query
		args  request
		authz Authorizer
		want  string
	}{
		{name: "well", want: "n4 n2 n1 n0"},
		{name: "only_passing", q: query{OnlyPassing: true}, want: "n4 n1 n0"},
		{name: "ignored_check", q: query{OnlyPassing: true, IgnoreCheckIDs: []string{"c"}}, want: "n4 n3 n2 n1 n0"},
		{name: "tags", q: query{Tags: []string{"all", "!T1", "!t4"}}, want: "n2 n0"},
		{name: "a_missing_tag", q: query{Tags: []string{"t0", "t1"}}},
		{name: "node_metadata", q: query{NodeMeta: map[string]string{"even": "true"}}, want: "n4 n2 n0"},
		{name: "service_metadata", q: query{ServiceMeta: map[string]string{"low": "true"}}, want: "n1 n0"},
		{name: "limit", args: request{Limit: 2}, want: "n4 n2"},
		{name: "connect", q: query{Connect: true}, want: "n4"},
		{name: "connect_when_asked_for", args: request{Connect: true}, want: "n4"},
		{name: "near_a_node", q: query{Near: "n2"}, want: "n2 n1 n4 n0"},
		{name: "near_the_agent", q: query{Near: "_agent"}, args: request{Agent: agent}, want: "n1 n2 n0 n4"},
		{name: "near_what_the_asker_says", q: query{Near: "n4"}, args: request{Source: wire.QuerySource{Node: "n0"}}, want: "n0 n1 n2 n4"},
		{name: "near_the_asker", q: query{Near: "_ip"}, args: request{Source: wire.QuerySource{Ip: "10.0.0.4"}}, want: "n4 n2 n1 n0"},
		{name: "near_an_unknown_asker", q: query{Near: "_ip"}, args: request{Source: wire.QuerySource{Ip: "10.9.9.9"}}, want: "n4 n2 n1 n0"},
		{name: "near_an_asker_without_an_address", q: query{Near: "_ip"}, want: "n4 n2 n1 n0"},
		{name: "near_is_elsewhere", q: query{Near: "n0"}, args: request{Source: wire.QuerySource{Datacenter: "dc2"}}, want: "n4 n2 n1 n0"},
		{name: "nearest_first_and_then_cut", q: query{Near: "n0"}, args: request{Limit: 1}, want: "n0"},
		{name: "of_a_peer", q: query{Peer: "p"}},
		{name: "allowed", authz: only{"web": true, "n1": true}, want: "n1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := farm(t)
			tt.q.Service = "web"
			write(t, s, func(tx *state.Tx) error {
				return tx.PreparedQuerySet(&wire.PreparedQuery{ID: "q", Name: "q", Service: tt.q, DNS: wire.QueryDNSOptions{TTL: "7s"}})
			})
			env := &Env{View: s.View(), Authz: tt.authz, Datacenter: "dc1", Shuffle: backwards}
			if tt.args.Agent.Datacenter == "" {
				tt.args.Agent.Datacenter = "dc1"
			}
			tt.args.QueryIDOrName = "q"
			var reply Execution
			errorIs(t, PreparedQueryExecute.Eval(env, &tt.args, &reply), "")
			equal(t, "instances", nodesOf(reply.Nodes), tt.want)
			equal(t, "TTL", reply.DNS.TTL, "7s")
			equal(t, "service", reply.Service, "web")
			equal(t, "the query", reply.Query.ID, "q")
			equal(t, "where", reply.Datacenter+reply.PeerName, map[bool]string{true: "p", false: "dc1"}[tt.q.Peer != ""])

			var there wire.PreparedQueryExecuteResponse
			remote := &wire.PreparedQueryExecuteRemoteRequest{Query: *reply.Query, Limit: tt.args.Limit, Connect: tt.args.Connect}
			errorIs(t, PreparedQueryExecuteRemote.Eval(env, remote, &there), "")
			equal(t, "instances from afar", len(there.Nodes), len(reply.Nodes))
			if _, all := s.View().CheckServiceNodes(nil, "web"); nodesOf(all) != "n0 n1 n2 n3 n4" {
				t.Error("the state was changed")
			}
		})
	}
	errorIs(t, PreparedQueryExecute.Eval(&Env{View: farm(t).View()}, &request{QueryIDOrName: "x"}, new(Execution)), "Query not found")
	errorIs(t, PreparedQueryExecute.Eval(&Env{View: farm(t).View()}, &request{}, new(Execution)), "Missing Query ID")
}

func nodesOf(nodes wire.CheckServiceNodes) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Node.Node)
	}
	return strings.Join(all, " ")
}
