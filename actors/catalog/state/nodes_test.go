package state

import (
	"testing"

	"github.com/actor-consul/consul/messages/wire"
)

const (
	idA = "aaaaaaaa-0000-0000-0000-000000000000"
	idB = "bbbbbbbb-0000-0000-0000-000000000000"
)

// TestNodeIdentity has the rules about who may have which name.
func TestNodeIdentity(t *testing.T) {
	tests := []struct {
		name  string
		given func(*fixture)
		node  wire.Node
		err   string
		want  string // the nodes afterwards
	}{
		{
			name: "new",
			node: wire.Node{Node: "n1", ID: idA}, want: "n1",
		},
		{
			name:  "same_name_in_another_case_is_the_same_node",
			given: func(f *fixture) { f.node("n1", idA, "passing") },
			node:  wire.Node{Node: "N1", ID: idA}, want: "N1",
		},
		{
			name:  "same_id_other_name_is_a_rename",
			given: func(f *fixture) { f.node("n1", idA, "passing").service("n1", "w", "web") },
			node:  wire.Node{Node: "n2", ID: idA}, want: "n2",
		},
		{
			name:  "rename_to_a_healthy_nodes_name_is_refused",
			given: func(f *fixture) { f.node("n1", idA, "passing").node("n2", idB, "passing") },
			node:  wire.Node{Node: "n2", ID: idA, Address: "x"},
			err:   `Error while renaming Node ID: "` + idA + `" (x): Node name n2 is reserved by node ` + idB + ` with name n2 (10.0.0.2)`,
			want:  "n1 n2",
		},
		{
			name:  "rename_to_a_failed_nodes_name",
			given: func(f *fixture) { f.node("n1", idA, "passing").node("n2", idB, "critical") },
			node:  wire.Node{Node: "n2", ID: idA}, want: "n2",
		},
		{
			name:  "rename_to_the_name_of_a_node_nobody_vouches_for",
			given: func(f *fixture) { f.node("n1", idA, "passing").node("n2", idB, "") },
			node:  wire.Node{Node: "n2", ID: idA}, want: "n2",
		},
		{
			name:  "other_id_for_a_healthy_name_is_refused",
			given: func(f *fixture) { f.node("n1", idA, "passing") },
			node:  wire.Node{Node: "N1", ID: idB},
			err:   `Error while renaming Node ID: "` + idB + `": Node name N1 is reserved by node ` + idA + ` with name n1 (10.0.0.2)`,
			want:  "n1",
		},
		{
			name:  "other_id_for_a_failed_name_takes_it_over",
			given: func(f *fixture) { f.node("n1", idA, "critical") },
			node:  wire.Node{Node: "n1", ID: idB}, want: "n1",
		},
		{
			name:  "a_healthy_node_without_an_id_is_given_one",
			given: func(f *fixture) { f.node("n1", "", "passing") },
			node:  wire.Node{Node: "n1", ID: idA}, want: "n1",
		},
		{
			name:  "no_id_is_the_node_of_that_name",
			given: func(f *fixture) { f.node("n1", idA, "passing") },
			node:  wire.Node{Node: "n1", Address: "new"}, want: "n1",
		},
		{
			name:  "what_only_unicode_takes_for_the_same_name",
			given: func(f *fixture) { f.node("s1", idA, "passing") },
			node:  wire.Node{Node: "\u017f1", ID: idA}, want: "\u017f1", // a rename
		},
		{
			name: "nul_in_the_name",
			node: wire.Node{Node: "a\x00b"},
			err:  `node name "a\x00b" must not contain a NUL byte`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			if tt.given != nil {
				tt.given(f)
			}
			err := f.try(func(tx *Tx) error { return tx.EnsureNode(&tt.node) })
			errorIs(t, err, tt.err)
			_, nodes := f.View().Nodes(nil, nil)
			equal(t, "nodes", nodeNames(nodes), tt.want)
			if err == nil {
				_, got := f.View().Node(nil, tt.node.Node)
				equal(t, "ID", got.ID, tt.node.ID)
				equal(t, "ModifyIndex", got.ModifyIndex, f.idx)
			}
		})
	}
}

func TestRenameTakesAllAlong(t *testing.T) {
	f := newFixture(t).node("n1", idA, "passing").service("n1", "w", "web").session("s", "n1", nil)
	f.must(func(tx *Tx) error { return tx.EnsureNode(&wire.Node{Node: "n2", ID: idA}) })
	v := f.View()
	_, byID := v.NodeByID(nil, idA)
	equal(t, "name", byID.Node, "n2")
	equal(t, "CreateIndex", byID.CreateIndex, 1)
	_, old := v.Node(nil, "n1")
	equal(t, "old node", old, nil)
	_, web := v.CheckServiceNodes(nil, "web")
	equal(t, "web", instances(web), "")
	_, sess := v.SessionGet(nil, "s")
	equal(t, "session", sess, nil)
}

func TestRegistration(t *testing.T) {
	full := func() *wire.RegisterRequest {
		return &wire.RegisterRequest{
			Node: "n1", Address: "10.0.0.1", NodeMeta: map[string]string{"rack": "r1"},
			Service: &wire.NodeService{ID: "w", Service: "web", Tags: []string{"a"}, Port: 80},
			Check:   &wire.HealthCheck{Node: "n1", CheckID: "node-check", Status: "passing"},
			Checks:  wire.HealthChecks{{Node: "N1", CheckID: "web-check", ServiceID: "w"}},
		}
	}
	register := func(req *wire.RegisterRequest) func(*Tx) error {
		return func(tx *Tx) error { return tx.EnsureRegistration(req) }
	}

	t.Run("all_at_once", func(t *testing.T) {
		f := newFixture(t).must(register(full()))
		idx, nodes := f.View().CheckServiceNodes(nil, "web")
		equal(t, "index", idx, 1)
		equal(t, "instances", instances(nodes), "n1/w")
		equal(t, "checks", checkIDs(nodes[0].Checks), "n1/node-check N1/web-check")
		web := nodes[0].Checks[1]
		equal(t, "status when none is given", web.Status, "critical")
		equal(t, "ServiceName", web.ServiceName, "web")
		equalSlices(t, "ServiceTags", web.ServiceTags, []string{"a"})
		equal(t, "weights when none are given", *nodes[0].Service.Weights, wire.Weights{Passing: 1, Warning: 1})
	})

	t.Run("the_same_again_moves_nothing", func(t *testing.T) {
		f := newFixture(t).must(register(full()))
		before := f.View()
		f.must(register(full()))
		v := f.View()
		equal(t, "LastIndex", v.LastIndex(), 2)
		equal(t, "index of all tables", v.indexOf(tableNodes, tableServices, tableChecks), 1)
		_, was := before.CheckServiceNodes(nil, "web")
		_, is := v.CheckServiceNodes(nil, "web")
		if was[0].Node != is[0].Node || was[0].Service != is[0].Service || was[0].Checks[0] != is[0].Checks[0] {
			t.Error("rows were written anew")
		}
	})

	t.Run("all_or_nothing", func(t *testing.T) {
		req := full()
		req.Checks[0].ServiceID = "nope"
		f := newFixture(t)
		errorIs(t, f.try(register(req)), `failed inserting check on node "N1": Missing service registration`)
		_, nodes := f.View().Nodes(nil, nil)
		equal(t, "nodes", nodeNames(nodes), "")
		equal(t, "LastIndex", f.View().LastIndex(), 1)
	})

	t.Run("skip_node_update", func(t *testing.T) {
		f := newFixture(t).must(register(full()))
		req := full()
		req.SkipNodeUpdate, req.Address, req.NodeMeta = true, "", nil
		f.must(register(req))
		_, n := f.View().Node(nil, "n1")
		equal(t, "Address", n.Address, "10.0.0.1")
		equal(t, "ModifyIndex", n.ModifyIndex, 1)
	})

	t.Run("skip_node_update_of_an_unknown_node", func(t *testing.T) {
		f := newFixture(t).must(register(&wire.RegisterRequest{Node: "new", SkipNodeUpdate: true}))
		_, n := f.View().Node(nil, "new")
		equal(t, "CreateIndex", n.CreateIndex, 1)
	})

	t.Run("check_of_another_node", func(t *testing.T) {
		req := full()
		req.Check.Node = "n2"
		errorIs(t, newFixture(t).try(register(req)), `check node "n2" does not match node "n1"`)
	})

	t.Run("does_not_keep_the_request", func(t *testing.T) {
		req := full()
		newFixture(t).must(register(req))
		equal(t, "CreateIndex of the check that was given", req.Check.CreateIndex, 0)
		equal(t, "CreateIndex of the service that was given", req.Service.CreateIndex, 0)
	})
}

func TestDeleteNode(t *testing.T) {
	f := newFixture(t).node("n1", idA, "passing").service("n1", "w", "web").check("n1", "c", "w", "passing").session("s", "n1", nil)
	f.node("n2", idB, "passing").service("n2", "w", "web")
	f.do(func(tx *Tx) { tx.DeleteNode("N1") })
	v := f.View()
	idx, nodes := v.Nodes(nil, nil)
	equal(t, "nodes", nodeNames(nodes), "n2")
	equal(t, "index of nodes", idx, f.idx)
	idx, web := v.CheckServiceNodes(nil, "web")
	equal(t, "web", instances(web), "n2/w")
	equal(t, "index of web", idx, f.idx)
	_, checks := v.NodeChecks(nil, "n1")
	equal(t, "checks", checkIDs(checks), "")
	_, sessions := v.Sessions(nil)
	equal(t, "sessions", len(sessions), 0)

	before := f.View().indexOf(tableNodes, tableServices)
	f.do(func(tx *Tx) { tx.DeleteNode("nobody") })
	equal(t, "index after deleting nobody", f.View().indexOf(tableNodes, tableServices), before)
}

func TestNodeQueries(t *testing.T) {
	f := newFixture(t)
	for _, n := range []wire.Node{
		{Node: "b", ID: idB, Address: "10.0.0.2", TaggedAddresses: map[string]string{"wan": "1.2.3.4"}},
		{Node: "A", ID: idA, Address: "10.0.0.1", Meta: map[string]string{"rack": "r1", "os": "linux"}},
		{Node: "c", Address: "10.0.0.1", Meta: map[string]string{"rack": "r1"}},
	} {
		f.must(func(tx *Tx) error { return tx.EnsureNode(&n) })
	}
	v := f.View()
	find := func(filters map[string]string) string {
		_, nodes := v.Nodes(nil, filters)
		return nodeNames(nodes)
	}
	equal(t, "all, by name without case", find(nil), "A b c")
	equal(t, "by one filter", find(map[string]string{"rack": "r1"}), "A c")
	equal(t, "by two filters", find(map[string]string{"rack": "r1", "os": "linux"}), "A")
	equal(t, "by another value", find(map[string]string{"rack": "R1"}), "")
	_, byName := v.Node(nil, "a")
	equal(t, "by name", byName.ID, idA)
}
