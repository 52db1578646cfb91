package main

import (
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// TestRenamed has a client agent come back under another name. When the pool misses the
// old one, its node stays, with its services and sessions.
func TestRenamed(t *testing.T) {
	t.Parallel()
	server := agenttest.Start(t, agenttest.Options{Name: "server", Addr: loopback(99), Args: agenttest.Bootstrap()})
	join := retryJoin([]string{server.LANAddr})
	before := agenttest.Start(t, agenttest.Options{Name: "before", Addr: loopback(100), Args: join})
	before.AwaitLeader()
	if err := before.Client().Agent().ServiceRegister(&api.AgentServiceRegistration{Name: "web"}); err != nil {
		t.Fatal(err)
	}
	before.Kill()
	after := agenttest.Start(t, agenttest.Options{Name: "after", Addr: loopback(101), Args: join, DataDir: before.DataDir})
	client := server.Client()
	instances := func() int {
		all, _, err := client.Catalog().Service("web", "", nil)
		if err != nil || len(all) != 1 || all[0].Node != "after" {
			return 0
		}
		return len(all)
	}
	after.Await("be in the catalog with its service", func() bool { return instances() == 1 })
	session, _, err := client.Session().Create(&api.SessionEntry{Node: "after"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	server.Await("miss the old name", func() bool { return statusOf(t, server, "before") == serfFailed })

	// Who joins now is looked at after the one who was missed.
	agenttest.Start(t, agenttest.Options{Name: "next", Addr: loopback(102), Args: join})
	server.Await("see another agent", func() bool {
		node, _, err := client.Catalog().Node("next", nil)
		return err == nil && node != nil
	})
	if instances() != 1 {
		t.Error("its service is gone")
	}
	if s, _, err := client.Session().Info(session, nil); err != nil || s == nil {
		t.Errorf("its session is gone: %v", err)
	}
	if old, _, err := client.Catalog().Node("before", nil); err != nil || old != nil {
		t.Errorf("the old name is %+v in the catalog, %v", old, err)
	}
}

// statusOf is what an agent thinks of a member, in Serf's number.
func statusOf(t *testing.T, a *agenttest.Agent, name string) int {
	t.Helper()
	members, err := a.Client().Agent().Members(false)
	if err != nil {
		return 0
	}
	for _, m := range members {
		if m.Name == name {
			return m.Status
		}
	}
	return 0
}
