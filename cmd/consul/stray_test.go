package main

import (
	"syscall"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// TestRestartKeepsWhoDoesNotAnswer starts the only server anew while a client agent
// stands still. Gossip does not know the client then; its node and service stay in the
// catalog, critical, and are well again with it.
func TestRestartKeepsWhoDoesNotAnswer(t *testing.T) {
	t.Parallel()
	server := agenttest.Start(t, agenttest.Options{Name: "server", Args: agenttest.Bootstrap()})
	server.AwaitLeader()
	client := agenttest.Start(t, agenttest.Options{Name: "client", Args: retryJoin([]string{server.LANAddr})})
	if err := client.Client().Agent().ServiceRegister(&api.AgentServiceRegistration{Name: "web", Port: 80}); err != nil {
		t.Fatal(err)
	}
	health := func() string {
		all, _, err := server.Client().Health().Service("web", "", false, nil)
		if err != nil || len(all) != 1 {
			return "unknown"
		}
		return all[0].Checks.AggregatedStatus()
	}
	server.Await("know a healthy service", func() bool { return health() == api.HealthPassing })

	client.Signal(syscall.SIGSTOP)
	server.Restart()
	server.AwaitOutput(`\[INFO\] consul: member 'client' is not in the pool, marking health critical$`)
	server.Await("keep the service, critical", func() bool { return health() == api.HealthCritical })
	client.Signal(syscall.SIGCONT)
	server.Await("know a healthy service again", func() bool { return health() == api.HealthPassing })
}
