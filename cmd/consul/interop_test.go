package main

import (
	"flag"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

var consulBinary = flag.String("consul-binary", "", "a Consul of HashiCorp's, 1.16 or before, for TestInterop")

// TestInterop has client agents of Consul and of this program join servers of the
// other. What holds beyond it stands in DESIGN.md.
func TestInterop(t *testing.T) {
	if *consulBinary == "" {
		return
	}
	tests := []struct {
		name                    string
		theirServer, theirAgent bool
		first                   int
	}{
		{"their_client_at_our_server", false, true, 91},
		{"our_client_at_their_server", true, false, 93},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := interopAgent(t, tt.theirServer, "server", tt.first, agenttest.Bootstrap()...)
			server.AwaitLeader()
			client := interopAgent(t, tt.theirAgent, "client", tt.first+1, retryJoin([]string{server.LANAddr})...)
			if tt.theirAgent {
				interopStreams(t, server, client)
			}
			interop(t, server, client)
		})
	}
}

// interopAgent starts an agent, of theirs or of ours.
func interopAgent(t *testing.T, theirs bool, name string, host int, args ...string) *agenttest.Agent {
	t.Helper()
	o := agenttest.Options{Name: name, Addr: loopback(host), Args: args}
	if !theirs {
		return agenttest.Start(t, o)
	}
	p := agenttest.Reserve(t, o.Addr)
	o.Ports, o.Binary = p, *consulBinary
	o.Ports.RPC = agenttest.Default // Consul has had none since 0.8
	a := agenttest.Launch(t, o)
	a.Await("be reached for gossip", func() bool {
		conn, err := net.Dial("tcp", a.LANAddr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return a
}

// interopStreams has the client agent wait for a service while it changes, while the
// state is replaced, and while the server is away. It asks by gRPC on port 8300, as it
// does unless it is told not to.
func interopStreams(t *testing.T, server, client *agenttest.Agent) {
	through := client.Client()
	register := func(node string) {
		_, err := server.Client().Catalog().Register(&api.CatalogRegistration{
			Node: node, Address: "192.0.2.1", Service: &api.AgentService{Service: "streamed", Port: 80, Meta: map[string]string{"of": node}},
			Check: &api.AgentCheck{Node: node, CheckID: "c", ServiceID: "streamed", Status: api.HealthPassing},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	var index uint64
	streamed := func(opts api.QueryOptions) (nodes []string) {
		found, meta, err := through.Health().Service("streamed", "", true, &opts)
		if err != nil {
			t.Error(err)
			return nil
		}
		if meta.QueryBackend != "streaming" {
			t.Errorf("the answer is of the backend %q", meta.QueryBackend)
		}
		for _, f := range found {
			if f.Service.Meta["of"] != f.Node.Node || len(f.Checks) != 1 || f.Service.Weights.Passing != 1 {
				t.Errorf("found %+v, %+v", f.Node, f.Service)
			}
			nodes = append(nodes, f.Node.Node)
		}
		index = meta.LastIndex
		return nodes
	}
	// after returns what a query has that waits while something is done.
	after := func(do func()) []string {
		got := make(chan []string, 1)
		go func() { got <- streamed(api.QueryOptions{WaitIndex: index, WaitTime: time.Minute}) }()
		do()
		return <-got
	}
	expect := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	server.Await("serve a subscription", func() bool {
		_, meta, err := through.Health().Service("streamed", "", true, &api.QueryOptions{UseCache: true})
		return err == nil && meta.QueryBackend == "streaming"
	})
	register("a")
	server.Await("tell of the first", func() bool { return len(streamed(api.QueryOptions{UseCache: true})) == 1 })
	expect("a blocking query that need not wait", streamed(api.QueryOptions{WaitIndex: 1}), "a")
	archive, _, err := server.Client().Snapshot().Save(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	expect("after a registration", after(func() { register("b") }), "a", "b")
	expect("after a restore", after(func() {
		if err := server.Client().Snapshot().Restore(nil, archive); err != nil {
			t.Error(err)
		}
	}), "a")
	server.Restart()
	server.AwaitLeader()
	expect("from the cache", streamed(api.QueryOptions{UseCache: true}), "a")
	register("c")
	server.Await("tell of what came after its restart", func() bool {
		return slices.Equal(streamed(api.QueryOptions{UseCache: true}), []string{"a", "c"})
	})
	expect("after another registration", after(func() { register("b") }), "a", "b", "c")
}

// interop uses the server through the client agent for what an application does.
func interop(t *testing.T, server, client *agenttest.Agent) {
	at, through := server.Client(), client.Client()
	server.Await("know the client agent's node", func() bool {
		node, _, err := at.Catalog().Node(client.Name, nil)
		return err == nil && node != nil
	})
	err := through.Agent().ServiceRegister(&api.AgentServiceRegistration{
		Name: "web", Port: 80, Tags: []string{"a"}, Check: &api.AgentServiceCheck{TTL: "1h", Status: "critical"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := through.Agent().UpdateTTL("service:web", "all is well", api.HealthPassing); err != nil {
		t.Fatal(err)
	}
	for _, a := range []*api.Client{at, through} {
		server.Await("see the service pass", func() bool {
			found, _, err := a.Health().Service("web", "a", true, nil)
			return err == nil && len(found) == 1 && found[0].Node.Node == client.Name
		})
	}
	if _, meta, err := through.Health().Service("web", "", true, &api.QueryOptions{WaitIndex: 1}); err != nil || meta.LastIndex < 2 {
		t.Errorf("a blocking query: %+v, %v", meta, err)
	}
	if _, err := through.KV().Put(&api.KVPair{Key: "k", Value: []byte("v")}, nil); err != nil {
		t.Error(err)
	}
	if pair, _, err := at.KV().Get("k", nil); err != nil || pair == nil || string(pair.Value) != "v" {
		t.Errorf("k = %v, %v", pair, err)
	}
	if id, _, err := through.Session().Create(nil, nil); err != nil || id == "" {
		t.Errorf("session %q, %v", id, err)
	}
	for from, fire := range map[string]*api.Client{server.Name: at, client.Name: through} {
		if _, _, err := fire.Event().Fire(&api.UserEvent{Name: "from-" + from, Payload: []byte("p")}, nil); err != nil {
			t.Errorf("fire from %s: %v", from, err)
		}
		for _, hear := range []*api.Client{at, through} {
			server.Await("hear the event from "+from, func() bool {
				events, _, err := hear.Event().List("from-"+from, nil)
				return err == nil && len(events) == 1 && string(events[0].Payload) == "p"
			})
		}
	}
	if dcs, err := through.Catalog().Datacenters(); err != nil || !slices.Equal(dcs, []string{"dc1"}) {
		t.Errorf("datacenters %v, %v", dcs, err)
	}
	tags := func(a *api.Client) string {
		members, _ := a.Agent().Members(false)
		slices.SortFunc(members, func(x, y *api.AgentMember) int { return strings.Compare(x.Name, y.Name) })
		var all []string
		for _, m := range members {
			all = append(all, fmt.Sprint(m.Name, m.Status, m.Tags))
		}
		return strings.Join(all, "\n")
	}
	if here, there := tags(through), tags(at); here != there {
		t.Errorf("the client agent sees\n%s\nand the server\n%s", here, there)
	}
	client.Interrupt()
	server.Await("have deregistered the node", func() bool {
		node, _, err := at.Catalog().Node(client.Name, nil)
		return err == nil && node == nil
	})
	server.Await("see that the client agent has left", func() bool {
		return strings.Contains(tags(at), fmt.Sprintf("%s%d map", client.Name, serfLeft))
	})
}
