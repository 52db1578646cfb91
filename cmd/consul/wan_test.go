package main

import (
	"bytes"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/miekg/dns"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// pair is two datacenters of a server each, and a client agent in the first.
type pair struct {
	t                 *testing.T
	near, far, client *agenttest.Agent
}

// TestWAN joins two datacenters, asks one for what is in the other, and takes the other
// away and back.
func TestWAN(t *testing.T) {
	t.Parallel()
	often := []string{"-hcl", `sync_coordinate_interval_min = "100ms"`, "-hcl", `gossip_wan { probe_interval = "500ms" }`}
	p := &pair{t: t}
	p.near = agenttest.Start(t, agenttest.Options{Name: "near", Addr: loopback(91), Args: agenttest.Bootstrap(often...)})
	p.far = agenttest.Start(t, agenttest.Options{Name: "far", Addr: loopback(92), Args: agenttest.Bootstrap("-datacenter", "dc2", "-retry-join-wan", p.near.WANAddr)})
	p.client = agenttest.Start(t, agenttest.Options{Name: "client", Addr: loopback(93), Args: append(retryJoin([]string{p.near.LANAddr}), often...)})
	for _, a := range []*agenttest.Agent{p.near, p.far, p.client} {
		a.AwaitLeader()
	}
	if out := p.client.Output(); strings.Contains(out, "[ERR] agent") { // it tells of those who ask too early, as we do
		t.Errorf("a client that has just started complains:\n%s", out)
	}
	if err := p.far.Client().Agent().ServiceRegister(&api.AgentServiceRegistration{Name: "web", Port: 80}); err != nil {
		t.Fatal(err)
	}
	p.knowEachOther()
	p.fire()
	p.resolve()
	p.roundTrips()
	p.snapshots()
	p.goAwayAndComeBack()
}

// knowEachOther: retry_join_wan has joined them, and a client agent sees as much as its
// servers.
func (p *pair) knowEachOther() {
	t := p.t
	for _, a := range []*agenttest.Agent{p.near, p.client} {
		a.Await("know both datacenters", func() bool {
			all, err := a.Client().Catalog().Datacenters()
			return err == nil && slices.Equal(all, []string{"dc1", "dc2"})
		})
		leader, err := a.Client().Status().LeaderWithQueryOptions(&api.QueryOptions{Datacenter: "dc2"})
		if err != nil || leader != p.far.ServerAddr {
			t.Errorf("%s: the leader of dc2 is %q, %v", a.Name, leader, err)
		}
		peers, err := a.Client().Status().Peers()
		if err != nil || !slices.Equal(peers, []string{p.near.ServerAddr}) {
			t.Errorf("%s: the peers are %q, %v", a.Name, peers, err)
		}
	}
	if stdout, _, _ := p.far.Consul("members", "-wan", "-status=alive"); !strings.Contains(stdout, "near.dc1 ") || !strings.Contains(stdout, "far.dc2 ") {
		t.Errorf("members -wan: %s", stdout)
	}
}

// fire has an event of one datacenter reach the agents of the other.
func (p *pair) fire() {
	for _, a := range []*agenttest.Agent{p.near, p.client} {
		if _, _, err := a.Client().Event().Fire(&api.UserEvent{Name: "from-" + a.Name}, &api.WriteOptions{Datacenter: "dc2"}); err != nil {
			p.t.Errorf("fire an event in dc2 through %s: %v", a.Name, err)
		}
		p.far.Await("hear of the event", func() bool {
			events, _, err := p.far.Client().Event().List("from-"+a.Name, nil)
			return err == nil && len(events) == 1
		})
	}
	if events, _, err := p.near.Client().Event().List("", nil); err != nil || len(events) != 0 {
		p.t.Errorf("dc1 has the events %v, %v", events, err)
	}
	_, _, err := p.near.Client().Event().Fire(&api.UserEvent{Name: "x"}, &api.WriteOptions{Datacenter: "nope"})
	if err == nil || !strings.Contains(err.Error(), "No path to datacenter") {
		p.t.Errorf("in a datacenter that is not there: %v", err)
	}
}

// code returns the DNS code of a name, and how many addresses it has.
func code(t *testing.T, at *agenttest.Agent, name string) (string, int) {
	t.Helper()
	reply, _, err := (&dns.Client{Timeout: agenttest.Patience}).Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), at.DNSAddr)
	if err != nil {
		t.Fatal(err)
	}
	return dns.RcodeToString[reply.Rcode], len(reply.Answer)
}

// resolve: DNS answers for the other datacenter, and only for one that there is.
func (p *pair) resolve() {
	t := p.t
	for _, a := range []*agenttest.Agent{p.near, p.client} {
		for _, name := range []string{"far.node.dc2.consul.", "far.node.dc2.dc.consul.", "web.service.dc2.consul."} {
			a.Await("resolve "+name, func() bool {
				addrs, err := resolve(a, name)
				return err == nil && slices.Equal(addrs, []string{p.far.Addr})
			})
		}
		for name, want := range map[string]string{
			"web.service.dc1.consul.": "NXDOMAIN", "web.service.dc3.consul.": "NXDOMAIN", "nope.node.dc2.consul.": "NXDOMAIN",
			"dc2.consul.": "NOERROR", "dc3.consul.": "NXDOMAIN",
		} {
			if got, n := code(t, a, name); got != want || n > 0 {
				t.Errorf("%s: %s is %s with %d records, want %s", a.Name, name, got, n, want)
			}
		}
	}
}

// roundTrips: every agent tells where it is, and all can be asked for it.
func (p *pair) roundTrips() {
	t := p.t
	for _, a := range []*agenttest.Agent{p.near, p.client} {
		a.Await("know where all nodes are", func() bool {
			nodes, _, err := a.Client().Coordinate().Nodes(nil)
			return err == nil && len(nodes) == 2
		})
		for _, args := range [][]string{{"rtt", "near", "client"}, {"rtt", "near"}, {"rtt", "-wan", "near.dc1", "far.dc2"}} {
			a.Await("answer consul "+strings.Join(args, " "), func() bool { // servers have to probe each other first
				stdout, _, status := a.Consul(args...)
				return status == 0 && strings.HasPrefix(stdout, "Estimated near") && strings.Contains(stdout, " ms (using ")
			})
		}
		nodes, _, err := a.Client().Catalog().Nodes(&api.QueryOptions{Near: "_agent"})
		if err != nil || len(nodes) != 2 || nodes[0].Node != a.Name {
			t.Errorf("%s is not the nearest to itself: %v, %v", a.Name, nodes, err)
		}
	}
}

// snapshots: a client agent saves and restores, here and there.
func (p *pair) snapshots() {
	t := p.t
	kv := p.client.Client().KV()
	for _, dc := range []string{"dc1", "dc2"} {
		at := &api.WriteOptions{Datacenter: dc}
		file := filepath.Join(t.TempDir(), dc)
		if _, err := kv.Put(&api.KVPair{Key: "k", Value: []byte("saved")}, at); err != nil {
			t.Fatal(err)
		}
		if stdout, stderr, status := p.client.Consul("snapshot", "save", "-datacenter", dc, file); status != 0 {
			t.Fatalf("save in %s: %d, %q, %q", dc, status, stdout, stderr)
		}
		if _, err := kv.Put(&api.KVPair{Key: "k", Value: []byte("later")}, at); err != nil {
			t.Fatal(err)
		}
		if stdout, stderr, status := p.client.Consul("snapshot", "restore", "-datacenter", dc, file); status != 0 {
			t.Fatalf("restore in %s: %d, %q, %q", dc, status, stdout, stderr)
		}
		if pair, _, err := kv.Get("k", &api.QueryOptions{Datacenter: dc}); err != nil || pair == nil || string(pair.Value) != "saved" {
			t.Errorf("in %s after the restore: %v, %v", dc, pair, err)
		}
	}
	req, err := http.NewRequest(http.MethodPut, "http://"+p.client.HTTPAddr+"/v1/snapshot", bytes.NewReader(make([]byte, 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusInternalServerError || !bytes.Contains(text, []byte("snapshot")) {
		t.Errorf("what is no archive: %d %s", resp.StatusCode, text)
	}
}

// goAwayAndComeBack: while the other datacenter is gone that is told with the reason,
// and not that it does not exist.
func (p *pair) goAwayAndComeBack() {
	t := p.t
	p.far.Kill()
	for _, a := range []*agenttest.Agent{p.near, p.client} {
		_, _, err := a.Client().KV().Get("k", &api.QueryOptions{Datacenter: "dc2"})
		if err == nil || !strings.Contains(err.Error(), "Remote DC has no server currently reachable: far ("+p.far.ServerAddr+"): ") {
			t.Errorf("%s: %v", a.Name, err)
		}
		if got, _ := code(t, a, "unheard.service.dc2.consul."); got != "SERVFAIL" {
			t.Errorf("%s: DNS says %s of what it has never heard, want SERVFAIL", a.Name, got)
		}
		if got, n := code(t, a, "web.service.dc2.consul."); got != "NOERROR" || n != 1 {
			t.Errorf("%s: DNS says %s with %d records, want what the other datacenter has said", a.Name, got, n)
		}
	}
	p.near.AwaitOutput(`another datacenter does not answer; .*` + p.far.ServerAddr)
	p.far.Restart()
	for _, a := range []*agenttest.Agent{p.near, p.client} {
		a.Await("find the other datacenter again", func() bool {
			addrs, err := resolve(a, "web.service.dc2.consul.")
			return err == nil && slices.Equal(addrs, []string{p.far.Addr})
		})
	}
}
