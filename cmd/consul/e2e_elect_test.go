package main

import (
	"testing"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// TestTwoServersElect shows the lines of the page about an election, where two
// servers hold one: both say who leads, and the one that does says so.
func TestTwoServersElect(t *testing.T) {
	t.Parallel()
	one := agenttest.Start(t, agenttest.Options{Name: "one", Args: []string{"-server", "-bootstrap-expect=2"}})
	two := agenttest.Start(t, agenttest.Options{Name: "two", Args: []string{"-server", "-bootstrap-expect=2", "-retry-join", one.LANAddr}})
	leader := one
	if addr := one.AwaitLeader(); addr == two.ServerAddr {
		leader = two
	} else if addr != one.ServerAddr {
		t.Fatalf("the leader is at %s", addr)
	}
	for _, a := range []*agenttest.Agent{one, two} {
		a.AwaitOutput(`\[INFO\] consul: adding server for datacenter: dc1, addr: ` + one.ServerAddr + `$`)
		a.AwaitOutput(`\[INFO\] consul: adding server for datacenter: dc1, addr: ` + two.ServerAddr + `$`)
		a.AwaitOutput(`\[INFO\] consul: New leader elected: ` + leader.Name + `$`)
		leader.AwaitOutput(`\[INFO\] consul: member '` + a.Name + `' joined, marking health alive$`)
	}
	leader.AwaitOutput(`\[INFO\] raft: Election won\. Tally: 2$`)
	leader.AwaitOutput(`\[INFO\] raft: Node at ` + leader.ServerAddr + ` \[Leader\] entering Leader state$`)
	leader.AwaitOutput(`\[INFO\] consul: cluster leadership acquired$`)
}
