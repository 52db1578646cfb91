package main

import (
	"flag"
	"testing"
	"time"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

var (
	crashes   = flag.Int("crashes", 8, "how often TestCrash kills the agent")
	crashSeed = flag.Uint64("crash-seed", 0, "of the moments at which it does; 0: any")
)

// TestCrash kills an agent at random moments, mostly under load, and shows after
// each time that it comes back with everything that it had acknowledged: values,
// deletions, registrations; that none of it changed since; and that no index goes
// backwards. The log is cut and snapshots are made all the time.
//
// A killed process leaves to the kernel what it had written, so this shows nothing
// of a loss of power; see actors/raft for that.
func TestCrash(t *testing.T) {
	t.Parallel()
	c := newCrash(t)
	opts := agenttest.Options{Name: "crash", Args: agenttest.Bootstrap(oftenSnapshots...)}
	a := agenttest.Start(t, opts)
	opts.DataDir, opts.Ports = a.DataDir, a.Ports
	c.servers = []*agenttest.Agent{a}
	for c.round = range *crashes {
		switch c.chance.IntN(5) {
		case 0:
			a.Kill()
			c.killWhileStarting(opts)
		case 1:
			c.killUnderLoad(40 * time.Millisecond)
			a.Restart() // and again at once
			c.killUnderLoad(10 * time.Millisecond)
		default:
			c.killUnderLoad(300 * time.Millisecond)
		}
		a.Restart()
		c.verify(a)
		if t.Failed() {
			t.Fatalf("in round %d", c.round)
		}
	}
	if n := c.refused.Load(); n > 0 {
		t.Errorf("%d requests were refused", n)
	}
	t.Logf("%d writes were acknowledged, none is lost", c.ledger.writes())
	if c.ledger.writes() < *crashes {
		t.Error("hardly anything was written, so this shows nothing")
	}
}

// oftenSnapshots has a server cut its log and make snapshots all the time.
var oftenSnapshots = []string{"-log-level", "warn",
	"-hcl", `raft_snapshot_threshold = 100 raft_snapshot_interval = "20ms" raft_trailing_logs = 20`}

// killWhileStarting starts an agent and kills it some time after, before it runs
// or soon after, and that a few times.
func (c *crash) killWhileStarting(opts agenttest.Options) {
	for range 1 + c.chance.IntN(3) {
		a := agenttest.Launch(c.t, opts)
		<-time.After(c.any(150 * time.Millisecond))
		a.Kill()
	}
}

// killUnderLoad kills the agent after a time below most, while it is written to.
func (c *crash) killUnderLoad(most time.Duration) {
	end := c.load()
	<-time.After(c.any(most))
	c.servers[0].Kill()
	end()
}
