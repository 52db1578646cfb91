package state

import (
	"testing"

	"github.com/actor-consul/consul/messages/wire"
)

func TestEnsureCheck(t *testing.T) {
	tests := []struct {
		name  string
		check wire.HealthCheck
		err   string
	}{
		{name: "of_the_node", check: wire.HealthCheck{Node: "N1", CheckID: "c"}},
		{name: "of_a_service", check: wire.HealthCheck{Node: "n1", CheckID: "c", ServiceID: "W"}},
		{name: "no_such_node", check: wire.HealthCheck{Node: "n2", CheckID: "c"}, err: "Missing node registration"},
		{name: "no_such_service", check: wire.HealthCheck{Node: "n1", CheckID: "c", ServiceID: "x"}, err: "Missing service registration"},
		{name: "nul_in_the_id", check: wire.HealthCheck{Node: "n1", CheckID: "\x00"}, err: `check ID "\x00" must not contain a NUL byte`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t).node("n1", "", "").service("n1", "w", "web", "tag")
			errorIs(t, f.try(func(tx *Tx) error { return tx.EnsureCheck(&tt.check) }), tt.err)
			_, got := f.View().NodeCheck(nil, "n1", "C")
			equal(t, "there", got != nil, tt.err == "")
			if got != nil {
				equal(t, "status", got.Status, "critical")
				equal(t, "named after the service", got.ServiceName == "web", tt.check.ServiceID != "")
			}
		})
	}
}

func TestSameCheckMovesNothing(t *testing.T) {
	f := newFixture(t).node("n1", "", "").service("n1", "w", "web").check("n1", "c", "w", "passing").check("n1", "c", "w", "passing")
	idx, checks := f.View().ChecksInState(nil, wire.HealthAny, nil)
	equal(t, "index", idx, 3)
	equal(t, "ModifyIndex", checks[0].ModifyIndex, 3)
	f.check("n1", "c", "w", "warning")
	idx, checks = f.View().ChecksInState(nil, wire.HealthAny, nil)
	equal(t, "index after a change", idx, 5)
	equal(t, "CreateIndex after a change", checks[0].CreateIndex, 3)
}

func TestCheckMovesToAnotherService(t *testing.T) {
	f := newFixture(t).node("n1", "", "").service("n1", "w", "web").service("n1", "d", "db").check("n1", "c", "w", "passing").check("n1", "c", "d", "passing")
	for _, name := range []string{"web", "db"} {
		idx, _ := f.View().CheckServiceNodes(nil, name)
		equal(t, "index of "+name, idx, 5)
	}
}

func TestCheckQueries(t *testing.T) {
	f := newFixture(t)
	f.must(func(tx *Tx) error {
		return tx.EnsureNode(&wire.Node{Node: "n1", Meta: map[string]string{"rack": "r1"}})
	})
	f.node("n2", "", "").service("n1", "w", "web").service("n2", "w", "web")
	f.check("n1", "b", "w", "passing").check("n1", "a", "", "critical").check("n2", "c", "w", "critical")
	v := f.View()
	rack := map[string]string{"rack": "r1"}
	in := func(status string, filters map[string]string) string {
		_, checks := v.ChecksInState(nil, status, filters)
		return checkIDs(checks)
	}
	equal(t, "any", in(wire.HealthAny, nil), "n1/a n1/b n2/c")
	equal(t, "critical", in("critical", nil), "n1/a n2/c")
	equal(t, "critical in the rack", in("critical", rack), "n1/a")
	equal(t, "warning", in("warning", nil), "")
	_, checks := v.NodeChecks(nil, "N1")
	equal(t, "of a node", checkIDs(checks), "n1/a n1/b")
	_, checks = v.ServiceChecks(nil, "WEB", nil)
	equal(t, "of a service", checkIDs(checks), "n1/b n2/c")
	_, checks = v.ServiceChecks(nil, "web", rack)
	equal(t, "of a service in the rack", checkIDs(checks), "n1/b")
	_, nodes := v.CheckServiceNodes(nil, "web")
	equal(t, "of the first instance", checkIDs(nodes[0].Checks), "n1/a n1/b")
	_, dump := v.NodeDump(nil)
	equal(t, "nodes in the dump", len(dump), 2)
	equal(t, "checks in the dump", checkIDs(dump[0].Checks), "n1/a n1/b")
	_, info := v.NodeInfo(nil, "n2")
	equal(t, "services of one node", info[0].Services[0].ID, "w")
	_, none := v.NodeInfo(nil, "n3")
	equal(t, "of an unknown node", len(none), 0)
	_, all := v.ServiceDump(nil, nil)
	equal(t, "all instances", instances(all), "n1/w n2/w")
	proxy := wire.ServiceKindConnectProxy
	_, proxies := v.ServiceDump(nil, &proxy)
	equal(t, "all proxies", instances(proxies), "")
}
