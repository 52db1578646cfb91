package main

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
	"github.com/actor-consul/consul/cmd/consul/agenttest/clock"
	"github.com/actor-consul/consul/cmd/consul/agenttest/network"
)

// fault is something that happens to a cluster. do begins it, and what it returns
// ends it.
type fault struct {
	name    string
	do      func(*chaos) (mend func())
	lasts   time.Duration // one second, and up to so much more
	rest    time.Duration // up to so much until the next one
	network bool          // it needs one
}

// longPart is long enough for gossip to regard the other side as failed, for the
// leader to take it out of the peer set where enough servers remain, and for TCP to
// try again hardly ever.
const longPart = 30 * time.Second

// longPause is what a process sees as a jump of all its clocks.
const longPause = 30 * time.Second

func onNetwork(name string, do func(*chaos)) fault {
	return fault{name: name, lasts: 5 * time.Second, rest: 2 * time.Second, network: true, do: func(c *chaos) func() {
		do(c)
		return c.network.Heal
	}}
}

func onProcess(name string, lasts time.Duration, do func(*chaos) (mend func())) fault {
	return fault{name: name, lasts: lasts, rest: time.Second, do: do}
}

var (
	partition = onNetwork("partition", func(c *chaos) {
		order := c.shuffled()
		most := len(c.servers)/2 + 1
		sides := [][]int{order[:most], order[most:]}
		i := c.chance.IntN(2) // where the client agent is
		sides[i] = append(sides[i], len(c.servers))
		c.network.Part(sides...)
	})
	leaderAlone = onNetwork("leader-alone", func(c *chaos) {
		leader := c.leader()
		c.network.Part([]int{leader}, c.others(leader))
	})
	partLong = fault{name: "part-long", network: true, do: func(c *chaos) func() {
		leader, order := c.leader(), c.shuffled()
		most := len(c.servers)/2 + 1
		if c.chance.IntN(2) == 0 { // so that it is in the minority
			i := slices.Index(order, leader)
			order[i], order[most] = order[most], leader
		}
		c.network.Part(order[:most], append(order[most:], len(c.servers)))
		<-time.After(longPart)
		return c.network.Heal
	}}
	oneWay = onNetwork("one-way", func(c *chaos) {
		order := c.shuffled()
		c.network.Cut(order[0], order[1])
	})
	leaderDeaf = onNetwork("leader-deaf", func(c *chaos) {
		leader := c.leader()
		for _, i := range c.others(leader) {
			c.network.Cut(i, leader)
		}
	})
	leaderMute = onNetwork("leader-mute", func(c *chaos) {
		leader := c.leader()
		for _, i := range c.others(leader) {
			c.network.Cut(leader, i)
		}
	})
	bridge = onNetwork("bridge", func(c *chaos) {
		order := c.shuffled() // the first sees everybody
		half := 1 + len(order)/2
		c.network.Part(order[1:half], order[half:])
	})

	pauseOne    = onProcess("pause", 2*time.Second, func(c *chaos) func() { return c.pause(c.chance.IntN(len(c.servers))) })
	pauseLeader = onProcess("pause-leader", 2*time.Second, func(c *chaos) func() { return c.pause(c.leader()) })
	pauseMost   = onProcess("pause-most", 2*time.Second, func(c *chaos) func() {
		return c.pause(c.shuffled()[:len(c.servers)/2+1]...)
	})
	pauseLong = onProcess("pause-long", 0, func(c *chaos) func() {
		mend := c.pause(c.leader())
		<-time.After(longPause)
		return mend
	})

	killOne    = onProcess("kill", 3*time.Second, func(c *chaos) func() { return c.kill(c.chance.IntN(len(c.servers))) })
	killLeader = onProcess("kill-leader", 3*time.Second, func(c *chaos) func() { return c.kill(c.leader()) })
	killAll    = onProcess("kill-all", 0, func(c *chaos) func() { return c.kill(c.shuffled()...) })

	slowOne    = onNetwork("slow", func(c *chaos) { c.slow(c.chance.IntN(len(c.servers))) })
	slowLeader = onNetwork("slow-leader", func(c *chaos) { c.slow(c.leader()) })
	slowAll    = onNetwork("slow-all", func(c *chaos) { c.slow(c.shuffled()...) })

	clockOne    = onProcess("clock", 3*time.Second, func(c *chaos) func() { return c.set(c.chance.IntN(len(c.servers))) })
	clockLeader = onProcess("clock-leader", 3*time.Second, func(c *chaos) func() { return c.set(c.leader()) })
	clockAll    = onProcess("clock-all", 3*time.Second, func(c *chaos) func() { return c.set(c.shuffled()...) })

	handOver = onProcess("hand-over", 0, func(c *chaos) func() {
		_, _ = c.apis[c.leader()].Raw().Write("/v1/operator/raft/transfer-leader", nil, nil, nil) // it may have been too late for that
		return func() {}
	})

	mixture = []fault{
		partition, leaderAlone, oneWay, leaderDeaf, leaderMute, bridge, pauseOne, pauseLeader, pauseMost, killOne, killLeader,
		slowOne, slowLeader, slowAll, clockOne, clockLeader, clockAll, handOver, both(partition, pauseOne), both(leaderAlone, killOne),
		both(slowAll, pauseLeader), both(oneWay, clockAll), both(bridge, handOver), both(slowAll, killLeader),
	}
)

// both does two things at once.
func both(a, b fault) fault {
	return fault{name: a.name + "+" + b.name, lasts: max(a.lasts, b.lasts), rest: max(a.rest, b.rest), network: a.network || b.network,
		do: func(c *chaos) func() {
			mendB := b.do(c) // it may have to find the leader
			mendA := a.do(c)
			return func() { mendA(); mendB() }
		}}
}

// shuffled returns the indexes of the servers in any order.
func (c *chaos) shuffled() []int { return c.chance.Perm(len(c.servers)) }

// others returns the indexes of all agents but one.
func (c *chaos) others(but int) (others []int) {
	for i := range c.agents {
		if i != but {
			others = append(others, i)
		}
	}
	return others
}

// each does something to some servers, and returns what does something else to them.
func (c *chaos) each(servers []int, do, undo func(*agenttest.Agent)) (mend func()) {
	for _, i := range servers {
		do(c.servers[i])
	}
	return func() {
		for _, i := range servers {
			undo(c.servers[i])
		}
	}
}

// pause has servers stand still.
func (c *chaos) pause(servers ...int) (mend func()) {
	return c.each(servers,
		func(a *agenttest.Agent) { a.Signal(syscall.SIGSTOP) },
		func(a *agenttest.Agent) { a.Signal(syscall.SIGCONT) })
}

// kill ends servers as a crash would, and starts them again.
func (c *chaos) kill(servers ...int) (mend func()) {
	return c.each(servers, (*agenttest.Agent).Kill, (*agenttest.Agent).Restart)
}

// slow makes all wires to and from some servers bad, each in its own way.
func (c *chaos) slow(servers ...int) {
	quality := func() network.Quality {
		q := network.Quality{Delay: c.upTo(100 * time.Millisecond), Jitter: c.upTo(50 * time.Millisecond)}
		if c.chance.IntN(2) == 0 {
			q.Loss = 0.1 * c.chance.Float64()
		}
		if c.chance.IntN(2) == 0 {
			q.Rate = 20_000 + c.chance.IntN(200_000)
		}
		return q
	}
	for _, i := range servers {
		for _, other := range c.others(i) {
			c.network.Slow(i, other, quality())
			c.network.Slow(other, i, quality())
		}
	}
}

func (c *chaos) upTo(d time.Duration) time.Duration { return time.Duration(c.chance.Int64N(int64(d))) }

// set has the wall clocks of servers jump by up to a day, back or forth, and later
// be right again.
func (c *chaos) set(servers ...int) (mend func()) {
	jump := func(a *agenttest.Agent, by time.Duration) {
		switch err := clock.Set(a.Pid(), by); {
		case errors.Is(err, clock.ErrUnsupported), errors.Is(err, os.ErrPermission):
			c.t.Logf("%v; nothing is done to the clock of %s", err, a.Name)
		case err != nil:
			c.t.Fatal(err)
		}
	}
	return c.each(servers,
		func(a *agenttest.Agent) { jump(a, c.upTo(48*time.Hour)-24*time.Hour) },
		func(a *agenttest.Agent) { jump(a, 0) })
}
