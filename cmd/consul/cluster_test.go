package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// TestCluster takes three servers and a client through what happens to a cluster:
// it forms, its leader leaves, its leader dies, and one more would be too many.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 31)
	c.forms()
	c.leaderLeaves()
	c.leavingAtOnceIsRefused()
	dead := c.leaderDies()
	c.leavingIsRefused(dead)
}

// forms shows that everybody sees everybody, and that a client agent answers for
// the servers.
func (c *cluster) forms() {
	t := c.t
	for _, a := range append(slices.Clone(c.servers), c.client) {
		for _, b := range append(slices.Clone(c.servers), c.client) {
			c.awaitMember(b.Name, serfAlive, a)
		}
	}
	c.awaitVoters(c.servers...)
	if _, err := c.api(c.client).KV().Put(&api.KVPair{Key: "through", Value: []byte("the client")}, nil); err != nil {
		t.Fatal(err)
	}
	for _, s := range c.servers {
		if pair, _, err := c.api(s).KV().Get("through", nil); err != nil || pair == nil || string(pair.Value) != "the client" {
			t.Errorf("%s has %v, %v", s.Name, pair, err)
		}
	}
	if err := c.api(c.servers[1]).Agent().ServiceRegister(&api.AgentServiceRegistration{Name: "web", Port: 80}); err != nil {
		t.Fatal(err)
	}
	c.client.Await("resolve a service of a server", func() bool {
		addrs, err := resolve(c.client, "web.service.consul.")
		return err == nil && slices.Equal(addrs, []string{c.servers[1].Addr})
	})
}

// leaderLeaves shows that nobody who writes feels it, and that the server that has
// left can come back.
func (c *cluster) leaderLeaves() {
	t := c.t
	leader := c.awaitLeader(c.servers...)
	remain := c.others(leader)
	end := c.write(remain[0])
	c.writeSome(remain[1]) // all are at it
	began := time.Now()
	leader.Interrupt()
	c.awaitMember(leader.Name, serfLeft, remain...)
	if status := leader.Wait(); status != 0 {
		t.Errorf("exit status after Ctrl-C = %d", status)
	}
	t.Logf("%s is gone, after %v", leader.Name, rounded(time.Since(began)))
	c.awaitLeader(remain...)
	c.awaitVoters(remain...)
	c.writeSome(remain[1])
	c.tell("writes while the leader leaves", end(), true)
	c.verify(remain...)

	leader.Restart()
	c.awaitLeader(c.servers...)
	c.awaitVoters(c.servers...)
	c.verify(leader)
}

// leaderDies shows that nothing that was acknowledged goes with it, and that reads
// which do not need a leader go on. It returns the dead one.
func (c *cluster) leaderDies() (dead *agenttest.Agent) {
	dead = c.awaitLeader(c.servers...)
	remain := c.others(dead)
	writes := c.write(remain[0])
	stale := [...]func() *strain{c.readStale(remain[0]), c.readStale(remain[1])}
	lookups := c.lookUp("consul.service.consul.", c.client)
	c.writeSome(remain[1]) // all are at it
	dead.Kill()
	c.awaitLeader(remain...)
	c.awaitMember(dead.Name, serfFailed, append(remain, c.client)...)
	c.writeSome(c.client)
	for i, end := range stale {
		c.tell("stale reads on "+remain[i].Name, end(), true)
	}
	c.tell("DNS queries on the client", lookups(), true)
	c.tell("writes while the leader is dead", writes(), false)
	c.verify(remain...)
	return dead
}

// leavingAtOnceIsRefused shows that nobody leaves either when one has just died, whom
// nobody has missed yet.
func (c *cluster) leavingAtOnceIsRefused() {
	t := c.t
	followers := c.others(c.awaitLeader(c.servers...))
	dead, leaver := followers[0], followers[1]
	dead.Kill()
	if _, stderr, status := leaver.Consul("leave"); status != 1 || !strings.Contains(stderr, "quorum") || !strings.Contains(stderr, dead.ServerAddr) {
		t.Errorf("consul leave: status %d, %q, want 1 and that %s is gone", status, stderr, dead.ServerAddr)
	}
	c.writeSome(leaver)
	dead.Restart()
	c.awaitVoters(c.servers...)
	c.verify(c.servers...)
}

// leavingIsRefused shows that nobody leaves, while one of three is dead, who is not
// forced to; and that all is well when both are back.
func (c *cluster) leavingIsRefused(dead *agenttest.Agent) {
	t := c.t
	remain := c.others(dead)
	leaver, last := remain[0], remain[1]
	const reason = "leaving would cost the datacenter its quorum"
	if _, stderr, status := leaver.Consul("leave"); status != 1 || !strings.Contains(stderr, reason) || !strings.Contains(stderr, dead.ServerAddr) {
		t.Errorf("consul leave: status %d, %q, want 1 and the reason: %s: %s", status, stderr, reason, dead.ServerAddr)
	}
	c.writeSome(leaver)
	if _, stderr, status := leaver.Consul("leave", "-force"); status != 0 {
		t.Errorf("consul leave -force: status %d, %s", status, stderr)
	}
	if status := leaver.Wait(); status != 0 {
		t.Errorf("exit status after consul leave -force = %d", status)
	}
	c.awaitMember(leaver.Name, serfLeft, last)

	dead.Restart()
	c.awaitLeader(dead, last)
	c.verify(dead, last)
	leaver.Restart()
	c.awaitVoters(c.servers...)
	c.writeSome(leaver)
	c.verify(c.servers...)
}

// TestClusterRestart ends all servers of a cluster and starts them again, in each
// way in which that is done. The way of every update is always tried.
func TestClusterRestart(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 41)
	ways := []struct {
		name   string
		always bool
		all    func()
	}{
		{"killed_at_once", false, func() {
			for _, s := range c.servers {
				s.Kill()
			}
			for _, s := range c.servers {
				s.Restart()
			}
		}},
		{"left_one_after_the_other", false, func() {
			for _, s := range c.servers {
				s.Interrupt()
				if status := s.Wait(); status != 0 {
					t.Errorf("%s: exit status after Ctrl-C = %d", s.Name, status)
				}
			}
			for _, s := range c.servers {
				s.Restart()
			}
		}},
		{"killed_one_after_the_other", true, func() { // hashicorp/consul#8118
			for _, s := range c.servers {
				s.Restart()
				c.awaitLeader(c.servers...)
				c.awaitVoters(c.servers...)
			}
		}},
	}
	for _, way := range ways {
		if !way.always && !*clusters {
			continue
		}
		t.Log(way.name)
		c.awaitVoters(c.servers...)
		c.writeSome(c.client)
		end := c.write(c.client)
		way.all()
		c.awaitLeader(c.servers...)
		c.awaitVoters(c.servers...)
		c.client.Await("take writes again", func() bool {
			_, err := c.api(c.client).KV().Put(&api.KVPair{Key: "again"}, nil)
			return err == nil
		})
		c.writeSome(c.client)
		c.tell("writes through the client", end(), false)
		c.verify(c.servers...)
	}
}

// TestClusterMoves starts all servers of a cluster again, each with what it had on
// disk and at another address (hashicorp/consul#1580).
func TestClusterMoves(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 51)
	c.awaitVoters(c.servers...)
	end := c.write(c.client)
	c.writeSome(c.client)
	c.client.Kill()
	c.tell("writes through the client", end(), false)
	c.move(61)
	c.awaitLeader(c.servers...)
	c.verify(c.servers...)
	c.awaitVoters(c.servers...) // at their new addresses
	c.writeSome(c.servers[0])
	c.knowsAddresses(c.servers[0])
}

// TestClusterMovesUnderAClient does so while a client agent goes on running, which was
// told of the old addresses only, and tells the servers the old addresses of each other.
// Memberlist alone has no member at another address before it has missed it and half a
// minute has passed, so all would find each other after a minute. Then the client moves,
// and its service stays in the catalog all the while.
func TestClusterMovesUnderAClient(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 111)
	c.awaitVoters(c.servers...)
	end := c.write(c.client)
	c.writeSome(c.client)
	c.awaitNoted(c.client)
	c.move(121)
	began := time.Now()
	if !c.followed(agenttest.Patience / 2) {
		t.Fatal("somebody has not followed")
	}
	t.Logf("all have followed, after %v", rounded(time.Since(began)))
	c.awaitLeader(c.servers...)
	c.awaitVoters(c.servers...)
	c.client.Await("take writes again", func() bool {
		_, err := c.api(c.client).KV().Put(&api.KVPair{Key: "again"}, nil)
		return err == nil
	})
	c.tell("writes through the client", end(), false)
	c.writeSome(c.client)
	c.verify(c.servers...)
	c.knowsAddresses(c.client)
	c.clientMoves(141)
}

// clientMoves kills the client agent, which has a service, and starts it at 127.0.0.last
// with what it had on disk. Whoever looks for the service always finds it, and before
// long at the new address.
func (c *cluster) clientMoves(last int) {
	t := c.t
	if err := c.api(c.client).Agent().ServiceRegister(&api.AgentServiceRegistration{Name: "web", Port: 80}); err != nil {
		t.Fatal(err)
	}
	const node = "client.node.consul."
	at := func(want string) func() bool {
		return func() bool {
			found, _, err := c.api(c.servers[0]).Catalog().Service("web", "", nil)
			addrs, unresolved := resolve(c.servers[0], node)
			return err == nil && len(found) == 1 && found[0].Address == want && unresolved == nil && slices.Equal(addrs, []string{want})
		}
	}
	c.servers[0].Await("have the service of the client", at(c.client.Addr))
	catalog := c.api(c.servers[0]).Catalog()
	end := c.begin(func(ctx context.Context, _ int) error {
		found, _, err := catalog.Service("web", "", (&api.QueryOptions{}).WithContext(ctx))
		if err == nil && len(found) != 1 {
			err = fmt.Errorf("there are %d", len(found))
		}
		return err
	})
	c.client.Kill()
	c.client = agenttest.Launch(t, agenttest.Options{Name: "client", Addr: loopback(last), DataDir: c.client.DataDir, Args: retryJoin(c.addresses())})
	if !c.followed(agenttest.Patience / 2) {
		t.Error("the client has not followed")
	}
	c.servers[0].Await("have the service where the client is now", at(c.client.Addr))
	c.awaitMember(c.client.Name, serfAlive, append(c.servers, c.client)...)
	c.tell("reads of the service", end(), true)
}

// followed reports whether everybody sees all agents alive where they are now, within a
// time.
func (c *cluster) followed(within time.Duration) bool {
	all := append(slices.Clone(c.servers), c.client)
	for deadline := time.After(within); ; {
		if !slices.ContainsFunc(all, func(a *agenttest.Agent) bool { return !c.sees(a, all) }) {
			return true
		}
		select {
		case <-deadline:
			return false
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// sees reports whether an agent has these others, and itself, alive where they are.
func (c *cluster) sees(a *agenttest.Agent, agents []*agenttest.Agent) bool {
	members, _ := c.api(a).Agent().Members(false)
	return !slices.ContainsFunc(agents, func(s *agenttest.Agent) bool {
		i := slices.IndexFunc(members, func(m *api.AgentMember) bool { return m.Name == s.Name })
		return i < 0 || members[i].Status != serfAlive || members[i].Addr != s.Addr
	})
}

// move kills the servers, and starts them on addresses from 127.0.0.first on.
func (c *cluster) move(first int) {
	var dirs []string
	for _, s := range c.servers {
		s.Kill()
		dirs = append(dirs, s.DataDir)
	}
	c.launch(first, dirs)
}

// knowsAddresses waits until an agent resolves all servers where they are now.
func (c *cluster) knowsAddresses(a *agenttest.Agent) {
	for _, s := range c.servers {
		a.Await("resolve "+s.Name+" where it is now", func() bool {
			addrs, err := resolve(a, s.Name+".node.consul.")
			return err == nil && slices.Equal(addrs, []string{s.Addr})
		})
	}
}

// awaitNoted waits until each server has on disk where an agent is. Serf writes what it
// has heard when it hears something more, so there is an event.
func (c *cluster) awaitNoted(a *agenttest.Agent) {
	for _, s := range c.servers {
		s.Await("have noted on disk where "+a.Name+" is", func() bool {
			_, _, fired := c.api(s).Event().Fire(&api.UserEvent{Name: "noted"}, nil)
			noted, err := os.ReadFile(filepath.Join(s.DataDir, "serf", "local.snapshot"))
			return fired == nil && err == nil && bytes.Contains(noted, []byte("alive: "+a.Name+" "))
		})
	}
}

// TestClusterWAN joins two datacenters, and asks a client agent of one for what is
// in the other.
func TestClusterWAN(t *testing.T) {
	if !*clusters {
		return
	}
	t.Parallel()
	c := &cluster{t: t, apis: map[*agenttest.Agent]*api.Client{}}
	near := agenttest.Start(t, agenttest.Options{Name: "near", Addr: loopback(71), Args: agenttest.Bootstrap()})
	far := agenttest.Start(t, agenttest.Options{Name: "far", Addr: loopback(72), Args: agenttest.Bootstrap("-datacenter", "dc2")})
	c.client = agenttest.Start(t, agenttest.Options{Name: "client", Addr: loopback(73), Args: retryJoin([]string{near.LANAddr})})
	near.AwaitLeader()
	far.AwaitLeader()
	c.client.AwaitOutput(`Synced node info$`)
	if stdout, stderr, status := near.Consul("join", "-wan", far.WANAddr); status != 0 || !strings.HasPrefix(stdout, "Successfully joined cluster by contacting 1 nodes.") {
		t.Fatalf("consul join -wan: status %d, %q, %q", status, stdout, stderr)
	}
	near.Await("know both datacenters", func() bool {
		all, err := c.api(near).Catalog().Datacenters()
		return err == nil && slices.Equal(all, []string{"dc1", "dc2"})
	})
	for _, a := range []*agenttest.Agent{near, far} {
		a.Await("show both servers in members -wan", func() bool {
			stdout, _, status := a.Consul("members", "-wan", "-status=alive")
			return status == 0 && strings.Contains(stdout, "near.dc1 ") && strings.Contains(stdout, "far.dc2 ")
		})
	}

	kv := c.api(c.client).KV()
	if _, err := kv.Put(&api.KVPair{Key: "k", Value: []byte("from afar")}, &api.WriteOptions{Datacenter: "dc2"}); err != nil {
		t.Fatal(err)
	}
	if pair, _, err := kv.Get("k", &api.QueryOptions{Datacenter: "dc2"}); err != nil || pair == nil || string(pair.Value) != "from afar" {
		t.Errorf("?dc=dc2 through the client: %v, %v", pair, err)
	}
	if pair, _, err := kv.Get("k", nil); err != nil || pair != nil {
		t.Errorf("it is in dc1 too: %v, %v", pair, err)
	}
	if pair, _, err := c.api(far).KV().Get("k", nil); err != nil || pair == nil {
		t.Errorf("in dc2: %v, %v", pair, err)
	}
	for _, a := range []*agenttest.Agent{near, c.client} {
		_, _, err := c.api(a).KV().Get("k", &api.QueryOptions{Datacenter: "nowhere"})
		var refusal api.StatusError
		if !errors.As(err, &refusal) || refusal.Code != http.StatusInternalServerError || !strings.HasPrefix(refusal.Body, "No path to datacenter") {
			t.Errorf("%s, of an unknown datacenter: %v", a.Name, err)
		}
	}
	c.servers = []*agenttest.Agent{near}
	c.serversFollow(far)
	c.datacenterFails(far)
}

// serversFollow shows that a server that joins the LAN is in the WAN pool too, and tells
// the other datacenter when it goes.
func (c *cluster) serversFollow(far *agenttest.Agent) {
	near := c.servers[0]
	second := agenttest.Start(c.t, agenttest.Options{Name: "second", Addr: loopback(74), Args: append([]string{"-server"}, retryJoin([]string{near.LANAddr})...)})
	status := func(want string) func() bool {
		return func() bool {
			stdout, _, _ := far.Consul("members", "-wan", "-status="+want)
			return strings.Contains(stdout, "second.dc1 ")
		}
	}
	began := time.Now()
	far.Await("have the second server in the WAN pool", status("alive"))
	c.t.Logf("a new server is in the WAN pool, after %v", rounded(time.Since(began)))
	second.Interrupt()
	if status := second.Wait(); status != 0 {
		c.t.Errorf("exit status after Ctrl-C = %d", status)
	}
	far.Await("see the second server leave the WAN pool", status("left"))
}

// datacenterFails shows that a datacenter whose servers have all failed is known, and
// is found again.
func (c *cluster) datacenterFails(far *agenttest.Agent) {
	near := c.servers[0]
	far.Kill()
	began := time.Now()
	near.Await("regard the other datacenter as failed", func() bool {
		stdout, _, _ := near.Consul("members", "-wan", "-status=failed")
		return strings.Contains(stdout, "far.dc2 ")
	})
	c.t.Logf("the other datacenter has failed, after %v", rounded(time.Since(began)))
	for _, a := range []*agenttest.Agent{near, c.client} {
		_, _, err := c.api(a).KV().Get("k", &api.QueryOptions{Datacenter: "dc2"})
		const want = "Remote DC has no server currently reachable: far ("
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "the WAN pool regards it as failed") {
			c.t.Errorf("%s: %v, want %s...", a.Name, err, want)
		}
		if got, _ := code(c.t, a, "far.node.dc2.consul."); got != "SERVFAIL" {
			c.t.Errorf("%s: DNS says %s, want SERVFAIL", a.Name, got)
		}
	}
	if all, err := c.api(near).Catalog().Datacenters(); err != nil || !slices.Equal(all, []string{"dc1", "dc2"}) {
		c.t.Errorf("datacenters: %v, %v", all, err)
	}
	far.Restart()
	began = time.Now()
	c.client.Await("find the other datacenter again", func() bool {
		addrs, err := resolve(c.client, "far.node.dc2.consul.")
		return err == nil && slices.Equal(addrs, []string{far.Addr})
	})
	c.t.Logf("the other datacenter is back, after %v", rounded(time.Since(began)))
}
