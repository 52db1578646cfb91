package main

import (
	"slices"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// TestRememberedQuery takes the servers away from a client agent, and wants it to go on
// answering a prepared query, and to see what is new when they are back.
func TestRememberedQuery(t *testing.T) {
	t.Parallel()
	server := agenttest.Start(t, agenttest.Options{Name: "server", Addr: loopback(95), Args: agenttest.Bootstrap()})
	client := agenttest.Start(t, agenttest.Options{Name: "client", Addr: loopback(96), Args: retryJoin([]string{server.LANAddr})})
	for _, a := range []*agenttest.Agent{server, client} {
		a.AwaitLeader()
	}
	register := func(address string) {
		t.Helper()
		reg := &api.CatalogRegistration{Node: "elsewhere", Address: address, Service: &api.AgentService{Service: "web", Port: 80}}
		if _, err := server.Client().Catalog().Register(reg, nil); err != nil {
			t.Fatal(err)
		}
	}
	register("10.0.0.1")
	if _, _, err := server.Client().PreparedQuery().Create(&api.PreparedQueryDefinition{Name: "qw", Service: api.ServiceQuery{Service: "web"}}, nil); err != nil {
		t.Fatal(err)
	}
	says := func(want string) func() bool {
		return func() bool {
			addrs, err := resolve(client, "qw.query.consul.")
			return err == nil && slices.Equal(addrs, []string{want})
		}
	}
	client.Await("answer the query", says("10.0.0.1"))
	server.Kill()
	for range 20 {
		if !says("10.0.0.1")() {
			t.Fatal("without servers the query is not answered any more")
		}
	}
	server.Restart()
	server.AwaitLeader()
	register("10.0.0.2")
	client.Await("answer with what is new", says("10.0.0.2"))
}

// TestMaxStale takes the servers away from a client agent whose answers may be a second
// old, and wants none after that, until they are back.
func TestMaxStale(t *testing.T) {
	t.Parallel()
	server := agenttest.Start(t, agenttest.Options{Name: "server", Addr: loopback(97), Args: agenttest.Bootstrap()})
	client := agenttest.Start(t, agenttest.Options{
		Name: "client", Addr: loopback(98), Args: append(retryJoin([]string{server.LANAddr}), "-hcl", `dns_config { max_stale = "1s" }`),
	})
	for _, a := range []*agenttest.Agent{server, client} {
		a.AwaitLeader()
	}
	says := func(want string) func() bool {
		return func() bool { got, _ := code(t, client, "server.node.consul."); return got == want }
	}
	client.Await("know the server", says("NOERROR"))
	server.Kill()
	client.Await("answer no more", says("SERVFAIL"))
	client.AwaitOutput(`agent "server" .* does not run any more, suspecting it`) // since its connection to it has ended
	server.Restart()
	server.AwaitLeader()
	client.Await("answer again", says("NOERROR"))
}
