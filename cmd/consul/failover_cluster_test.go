package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// failoverRounds is how often TestClusterFailover does each.
const failoverRounds = 3

// TestClusterFailover measures what clients feel when the leader leaves and when it
// is killed: three servers with default settings, and clients at a follower. What
// must not fail does not; how long it takes is printed beside what is aimed at, and
// no machine is blamed for being slow.
func TestClusterFailover(t *testing.T) {
	if !*clusters {
		return
	}
	c := &cluster{t: t, apis: map[*agenttest.Agent]*api.Client{}}
	c.launch(111, []string{"", "", ""})
	for round := range failoverRounds {
		c.measure(fmt.Sprintf("round %d, the leader leaves", round), serfLeft, 300*time.Millisecond, time.Second, (*agenttest.Agent).Interrupt)
		c.measure(fmt.Sprintf("round %d, the leader is killed", round), serfFailed, 2*time.Second, 6*time.Second, (*agenttest.Agent).Kill)
	}
}

// measure ends the leader, and starts it again afterwards. The aims are the longest
// gap between two writes, and how soon the others see the leader so.
func (c *cluster) measure(what string, status int, gap, seen time.Duration, end func(*agenttest.Agent)) {
	t := c.t
	t.Log(what)
	leader := c.awaitLeader(c.servers...)
	c.awaitVoters(c.servers...)
	remain := c.others(leader)
	for _, s := range remain {
		s.Await("resolve all servers", func() bool {
			addrs, err := resolve(s, "consul.service.consul.")
			return err == nil && len(addrs) == len(c.servers)
		})
	}
	writes := c.write(remain[0])
	stale, lookups := c.readStale(remain[0]), c.lookUp("consul.service.consul.", remain[1])
	c.writeSome(remain[1]) // all are at it
	began := time.Now()
	end(leader)
	c.awaitMember(leader.Name, status, remain...)
	t.Logf("all see it after %v (aim %v)", rounded(time.Since(began)), seen)
	if status == serfLeft {
		leader.Wait()
		t.Logf("its process is gone after %v (aim %v)", rounded(time.Since(began)), 5*time.Second)
	}
	c.awaitLeader(remain...)
	c.writeSome(remain[1])
	s := writes()
	c.tell("writes", s, status == serfLeft)
	t.Logf("the longest gap between two writes is %v (aim %v)", rounded(s.gap), gap)
	c.tell("stale reads", stale(), true)
	c.tell("DNS queries", lookups(), true)
	c.verify(remain...)
	leader.Restart()
	c.verify(leader)
}
