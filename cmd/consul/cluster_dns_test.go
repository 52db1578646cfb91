package main

import (
	"fmt"
	"testing"
	"time"
)

// TestClusterDNS asks for a name at two agents without a pause, until there have been
// a hundred thousand queries, while a leader dies and comes back and a follower is
// restarted. Nobody may be left without an answer.
func TestClusterDNS(t *testing.T) {
	if !*clusters {
		return
	}
	const queries = 100_000
	c := newCluster(t, 131)
	c.awaitVoters(c.servers...)
	leader := c.awaitLeader(c.servers...)
	asked := c.others(leader)[0] // it lives through all of it
	other := c.others(leader, asked)[0]
	const name = "consul.service.consul."
	for _, a := range c.servers {
		a.Await("have all servers in DNS", func() bool {
			addrs, err := resolve(a, name)
			return err == nil && len(addrs) == 3
		})
	}
	c.client.Await("have all servers in DNS", func() bool {
		addrs, err := resolve(c.client, name)
		return err == nil && len(addrs) == 3
	})
	done := 0
	for round := 1; done < queries; round++ {
		var ends []func() *strain
		for _, at := range []int{0, 1} {
			ends = append(ends, c.lookUp(name, asked), c.lookUp([]string{name, leader.Name + ".node.consul."}[at], c.client))
		}
		leader.Kill()
		c.awaitLeader(asked, other)
		c.awaitMember(leader.Name, serfFailed, asked, c.client)
		leader.Restart()
		c.awaitVoters(c.servers...)
		other.Kill()
		<-time.After(time.Second) // as a restart takes
		other.Restart()
		c.awaitLeader(c.servers...)
		c.awaitVoters(c.servers...)
		for i, end := range ends {
			s := end()
			done += s.done
			c.tell(fmt.Sprintf("DNS queries %d of round %d", i, round), s, true)
		}
		if t.Failed() {
			return
		}
		leader = c.awaitLeader(c.servers...)
		if leader == asked {
			leader = c.others(asked, other)[0] // whoever: it is killed while it follows, this time
		}
	}
	t.Logf("%d queries, none without an answer", done)
}
