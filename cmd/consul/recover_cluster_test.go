package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// TestRecover loses two of three servers for good, has the third go on while it
// runs, and replaces the two.
func TestRecover(t *testing.T) {
	t.Parallel()
	c := &cluster{t: t, apis: map[*agenttest.Agent]*api.Client{}}
	c.launch(91, []string{"", "", ""})
	leader := c.awaitLeader(c.servers...)
	c.awaitVoters(c.servers...)
	c.writeSome(leader)
	c.verify(c.servers...)
	if _, stderr, status := c.servers[0].Consul("operator", "raft", "recover", "-confirm"); status != 1 || !strings.Contains(stderr, "leads, so nothing is lost") {
		t.Errorf("while somebody leads: status %d, %q", status, stderr)
	}

	last := c.others(leader)[0]
	lost := c.others(last)
	for _, s := range lost {
		s.Kill()
	}
	for _, s := range lost {
		c.awaitMember(s.Name, serfFailed, last)
	}
	stdout, stderr, status := last.Consul("operator", "raft", "recover")
	if status != 0 || !strings.Contains(stdout, "1 of 3 voters is there, 2 are a quorum.") || !strings.HasSuffix(stdout, "Nothing was done. To do it: consul operator raft recover -confirm\n") {
		t.Fatalf("the plan: status %d, %s%s", status, stdout, stderr)
	}
	t.Logf("the plan is\n%s", stdout)
	if addr, err := c.api(last).Status().Leader(); err != nil || addr != "" {
		t.Errorf("%s leads, though nothing was done; %v", addr, err)
	}
	if stdout, stderr, status := last.Consul("operator", "raft", "recover", "-confirm"); status != 0 || !strings.Contains(stdout, "Recovered the peer set.") {
		t.Fatalf("recovery: status %d, %s%s", status, stdout, stderr)
	}
	c.awaitLeader(last)
	c.awaitVoters(last)
	c.writeSome(last)
	c.verify(last)

	c.servers = []*agenttest.Agent{last}
	for i, name := range []string{"s4", "s5"} {
		args := append([]string{"-server"}, retryJoin([]string{last.LANAddr})...)
		c.servers = append(c.servers, agenttest.Start(t, agenttest.Options{Name: name, Addr: loopback(94 + i), Args: args}))
	}
	c.awaitLeader(c.servers...)
	c.awaitVoters(c.servers...)
	c.writeSome(c.servers[1])
	c.verify(c.servers...)
}

// TestBootstrapBeside starts a server with -bootstrap that joins servers which have
// long begun. Neither side takes the other in, both say so, and nobody's leader or
// data is touched.
func TestBootstrapBeside(t *testing.T) {
	t.Parallel()
	c := &cluster{t: t, apis: map[*agenttest.Agent]*api.Client{}}
	c.launch(101, []string{"", "", ""})
	leader := c.awaitLeader(c.servers...)
	c.awaitVoters(c.servers...)
	c.writeSome(leader)
	stray := agenttest.Start(t, agenttest.Options{Name: "stray", Addr: loopback(104), Args: agenttest.Bootstrap(retryJoin(c.addresses())...)})
	stray.AwaitLeader()
	for _, a := range append(c.others(leader), leader) {
		c.awaitMember("stray", serfAlive, a)
	}
	leader.AwaitOutput(`server "stray" \(ID "[^"]+", 127\.0\.0\.104:\d+\) has a peer set of its own \(127\.0\.0\.104:\d+\) and is not taken into this one \(127\.0\.0\.10.* this one is the larger: stop "stray", move its`)
	stray.AwaitOutput(`server "s1" .* has a peer set of its own \(.*127\.0\.0\.102:.*\) and is not taken into this one \(127\.0\.0\.104:\d+\): .* that one is the larger: stop this server, move its`)
	if addr := stray.AwaitLeader(); addr != stray.ServerAddr {
		t.Errorf("%s leads where stray is alone", addr)
	}
	if still := c.awaitLeader(c.servers...); still != leader {
		t.Errorf("%s leads, it was %s", still.Name, leader.Name)
	}
	c.awaitVoters(c.servers...)
	c.writeSome(leader)
	c.verify(c.servers...)

	// The agents of the pool speak to the larger side, whomever they ask first.
	for i := range 3 {
		client := agenttest.Start(t, agenttest.Options{Name: fmt.Sprintf("c%d", i), Addr: loopback(196 + i), Args: retryJoin([]string{stray.LANAddr})})
		for _, a := range append([]*agenttest.Agent{stray}, c.servers...) {
			c.awaitMember(a.Name, serfAlive, client)
		}
		c.writeSome(client)
	}
	c.verify(c.servers...)
}
