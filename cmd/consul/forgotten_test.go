package main

import (
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// TestForgotten has a node leave that only the catalog remembers, such as one that died
// before all servers were started anew, or of a cluster whose state was restored here.
func TestForgotten(t *testing.T) {
	t.Parallel()
	a := agenttest.Start(t, agenttest.Options{Name: "server", Addr: loopback(103), Args: agenttest.Bootstrap()})
	a.AwaitLeader()
	ghost := &api.CatalogRegistration{Node: "ghost", Address: "10.0.0.1", Check: &api.AgentCheck{
		Node: "ghost", CheckID: "serfHealth", Name: "Serf Health Status", Status: api.HealthCritical,
	}}
	other := &api.CatalogRegistration{Node: "elsewhere", Address: "10.0.0.2"} // nobody's in the pool
	for _, r := range []*api.CatalogRegistration{ghost, other} {
		if _, err := a.Client().Catalog().Register(r, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, stderr, status := a.Consul("force-leave", "ghost"); status != 0 {
		t.Errorf("force-leave: status %d, %s", status, stderr)
	}
	for _, name := range []string{"ghost", "elsewhere"} {
		_, stderr, status := a.Consul("force-leave", name)
		if status == 0 || !strings.Contains(stderr, "No node found with name '"+name+"'") {
			t.Errorf("force-leave %s: status %d, %q", name, status, stderr)
		}
	}
	nodes, _, err := a.Client().Catalog().Nodes(nil)
	if err != nil || len(nodes) != 2 {
		t.Errorf("%d nodes are left, %v; want the server and the one of nobody's", len(nodes), err)
	}
}
