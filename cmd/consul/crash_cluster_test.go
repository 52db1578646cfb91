package main

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// TestCrashCluster does to three servers under load what happens to servers: one is
// killed, or the leader, or all; a quorum is lost for a while; the leader stands
// still and comes back to find another in its place. What any of them has
// acknowledged, all of them have.
func TestCrashCluster(t *testing.T) {
	t.Parallel()
	c := newCrash(t)
	var join []string
	for i := range 3 {
		a := agenttest.Start(t, agenttest.Options{
			Name: fmt.Sprintf("crash-%d", i), Addr: fmt.Sprintf("127.0.0.%d", 71+i),
			Args: append(append([]string{"-server", "-bootstrap-expect", "3"}, oftenSnapshots...), join...),
		})
		c.servers = append(c.servers, a)
		join = append(join, "-retry-join", a.LANAddr)
	}
	for _, a := range c.servers {
		a.AwaitLeader()
	}
	faults := []func(){c.loseOne, c.loseLeader, c.loseAll, c.loseQuorum, c.pauseLeader}
	rounds := max(len(faults), *crashes/8)
	for c.round = range rounds {
		end := c.load()
		<-time.After(c.any(300 * time.Millisecond))
		faults[c.round%len(faults)]()
		c.progress()
		end()
		for _, a := range c.servers {
			a.AwaitLeader()
			c.verify(a)
		}
		if t.Failed() {
			t.Fatalf("in round %d", c.round)
		}
	}
	t.Logf("%d writes were acknowledged in %d rounds, none is lost; %d requests were refused", c.ledger.writes(), rounds, c.refused.Load())
}

// progress waits until some more writes are acknowledged.
func (c *crash) progress() {
	c.t.Helper()
	from := c.ledger.writes()
	c.servers[0].Await("acknowledge writes", func() bool { return c.ledger.writes() > from+20 })
}

// one returns any server.
func (c *crash) one() *agenttest.Agent { return c.servers[c.chance.IntN(len(c.servers))] }

// leader returns the server that leads.
func (c *crash) leader() *agenttest.Agent {
	c.t.Helper()
	addr := c.servers[0].AwaitLeader()
	for _, a := range c.servers {
		if a.ServerAddr == addr {
			return a
		}
	}
	c.t.Fatalf("nobody is the leader %s", addr)
	return nil
}

func (c *crash) loseOne() { c.kill(c.one()) }

func (c *crash) loseLeader() { c.kill(c.leader()) }

func (c *crash) loseQuorum() { c.kill(c.leader(), c.one()) }

func (c *crash) loseAll() { c.kill(c.servers...) }

// kill kills servers and starts them again, after a time in which the others may
// have found a new leader, or not.
func (c *crash) kill(servers ...*agenttest.Agent) {
	c.t.Helper()
	for _, a := range servers {
		a.Kill()
	}
	<-time.After(c.any(3 * time.Second))
	for _, a := range servers {
		a.Restart()
	}
}

// pauseLeader has the leader stand still until it leads no more, and then go on as
// if nothing had happened.
func (c *crash) pauseLeader() {
	c.t.Helper()
	old := c.leader()
	old.Signal(syscall.SIGSTOP)
	defer old.Signal(syscall.SIGCONT)
	for _, a := range c.servers {
		if a != old {
			status := a.Client().Status()
			a.Await("find another leader", func() bool {
				addr, err := status.Leader()
				return err == nil && addr != "" && addr != old.ServerAddr
			})
			return
		}
	}
}
