package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
	"github.com/actor-consul/consul/cmd/consul/agenttest/network"
)

var (
	chaosAll     = flag.Bool("chaos", false, "run TestChaos as a whole, instead of one pause")
	chaosSeed    = flag.Uint64("chaos-seed", 0, "of what TestChaos does and when; 0: any")
	chaosTime    = flag.Duration("chaos-time", 15*time.Second, "for how long each scenario of TestChaos breaks things")
	chaosServers = flag.Int("chaos-servers", 0, "only the scenarios of TestChaos with so many servers; 0: all")
	chaosOnly    = flag.String("chaos-only", "", "only the scenarios of TestChaos with this fault; empty: all")
)

// scenarios are what TestChaos does, each with three servers and with five.
var scenarios = []struct {
	name   string
	faults []fault
	least  time.Duration // for which it goes on, whatever the flag says
}{
	{name: "partition", faults: []fault{partition}},
	{name: "long-partition", faults: []fault{partLong}, least: longPart + time.Second},
	{name: "leader-alone", faults: []fault{leaderAlone}},
	{name: "one-way", faults: []fault{oneWay, leaderDeaf, leaderMute}},
	{name: "bridge", faults: []fault{bridge}},
	{name: "pause", faults: []fault{pauseLeader, pauseLeader, pauseOne, pauseMost}},
	{name: "long-pause", faults: []fault{pauseLong}, least: longPause},
	{name: "kill", faults: []fault{killOne, killLeader, killAll}},
	{name: "slow", faults: []fault{slowOne, slowLeader, slowAll}},
	{name: "clock", faults: []fault{clockOne, clockLeader, clockAll}},
	{name: "hand-over", faults: []fault{handOver}},
	{name: "mix", faults: mixture},
}

// TestChaos breaks the network between agents, stops them, kills them and sets
// their clocks, while clients read and write keys through all of them. Everything
// that clients ask and hear is noted, and shown to be linearizable for every key:
// `default` and `consistent` reads have seen every write that was acknowledged
// before they began, nothing that was seen goes away, and no write takes effect
// twice. When all is mended, the agents agree on a leader within ten seconds and
// have the same keys.
//
// The seed repeats what is done and when, not how the processes take it.
func TestChaos(t *testing.T) {
	if !*chaosAll {
		t.Parallel()
		c := newChaos(t, 3, 1)
		c.run([]fault{pauseLeader}, time.Second)
		return
	}
	for _, servers := range []int{3, 5} {
		for _, s := range scenarios {
			if *chaosServers != 0 && *chaosServers != servers || *chaosOnly != "" && *chaosOnly != s.name {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", s.name, servers), func(t *testing.T) {
				c := newChaos(t, servers, 2)
				c.run(s.faults, max(s.least, *chaosTime))
			})
		}
	}
}

// chaos is a cluster that is broken in many ways, the clients that use it
// meanwhile, and what they have seen.
type chaos struct {
	t       *testing.T
	servers []*agenttest.Agent
	agents  []*agenttest.Agent // the servers, and a client agent
	apis    []*api.Client      // of agents
	network *network.Network   // host i is of agents[i]; nil where there can be none
	chance  *rand.Rand         // of the test's goroutine
	history *history
	load    *chaosLoad
}

// recovery is within which agents agree on a leader when nothing is broken any more.
const recovery = 10 * time.Second

// newChaos starts servers and a client agent, each on a machine of its own where
// that is possible, and as many clients at each as are wanted.
func newChaos(t *testing.T, servers, clients int) *chaos {
	t.Helper()
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to repeat it: make chaos ARGS='-chaos-servers %d -chaos-seed %d'", servers, seed)
	c := &chaos{t: t, chance: rand.New(rand.NewPCG(seed, 0)), history: newHistory()}
	var err error
	if c.network, err = network.New(t, servers+1); err != nil {
		t.Logf("%v; nothing is done to the network", err)
	}
	var more []string
	if c.chance.IntN(2) == 0 {
		t.Log("who has missed something is sent a snapshot")
		more = oftenSnapshots
	}
	c.launch(servers, more)
	for _, a := range c.agents {
		c.apis = append(c.apis, a.Client())
	}
	c.awaitLeader()
	c.load = newChaosLoad(c, clients)
	return c
}

// launch starts the agents, all at once, the servers with more arguments.
func (c *chaos) launch(servers int, more []string) {
	c.t.Helper()
	var all []agenttest.Options
	var join []string
	for i := range servers + 1 {
		o := agenttest.Options{Name: fmt.Sprintf("s%d", i+1), Args: append([]string{"-server", "-bootstrap-expect", fmt.Sprint(servers)}, more...)}
		if i == servers {
			o.Name, o.Args = "client", nil
		}
		if c.network != nil {
			o.Addr, o.Client, o.Host = c.network.Hosts[i].IP, "127.0.0.1", c.network.Hosts[i]
			o.Ports = agenttest.Ports{HTTP: 8500, DNS: 8600, RPC: 8400, Server: 8300, SerfLAN: 8301, SerfWAN: 8302}
		} else {
			o.Addr = loopback(121 + i)
			o.Ports = agenttest.Reserve(c.t, o.Addr)
		}
		all = append(all, o)
		join = append(join, net.JoinHostPort(o.Addr, fmt.Sprint(o.Ports.SerfLAN)))
	}
	for _, o := range all {
		o.Args = append(o.Args, retryJoin(join[:servers])...)
		c.agents = append(c.agents, agenttest.Launch(c.t, o))
	}
	c.servers = c.agents[:servers]
	for _, a := range c.agents {
		a.AwaitOutput(`^==> Consul agent running!$`)
	}
}

// run does one fault after the other for a time, mends everything, and looks at
// what has come of it.
func (c *chaos) run(faults []fault, lasting time.Duration) {
	c.t.Helper()
	end := c.load.begin()
	c.load.progress(100)
	done := map[string]int{}
	for began := time.Now(); time.Since(began) < lasting; {
		f := faults[c.chance.IntN(len(faults))]
		if f.network && c.network == nil {
			f = pauseOne
		}
		done[f.name]++
		mend := f.do(c)
		c.wait(time.Second, f.lasts)
		mend()
		c.wait(0, f.rest)
	}
	c.mended()
	end()
	c.settled()
	wrong := c.history.check(c.t.ArtifactDir())
	for _, w := range wrong {
		c.t.Error(w)
	}
	all, unknown := c.history.count()
	c.t.Logf("%v: %d operations on %d keys, %d of them with an unknown outcome, %d refused; longest gap %v, slowest answer of each agent %v",
		done, all, len(c.history.keys), unknown, c.load.refused.Load(), rounded(c.load.gap()), c.load.slow)
}

// wait lets some time pass, at least so much and up to as much again.
func (c *chaos) wait(least, more time.Duration) {
	<-time.After(least + time.Duration(c.chance.Int64N(int64(more)+1)))
}

// mended shows that the cluster is whole soon after nothing is broken any more, and
// serves through every agent.
func (c *chaos) mended() {
	c.t.Helper()
	began := time.Now()
	c.awaitLeader()
	agreed := time.Since(began)
	c.load.everywhere()
	c.t.Logf("when all was mended, the servers agreed on a leader after %v, and all agents served after %v", rounded(agreed), rounded(time.Since(began)))
	if *chaosAll && agreed > recovery {
		c.t.Errorf("the servers agreed on a leader after %v, want it within %v", rounded(agreed), recovery)
	}
}

// awaitLeader waits until all servers agree on a leader.
func (c *chaos) awaitLeader() {
	c.t.Helper()
	c.agents[0].Await("agree on a leader with the others", func() bool {
		first, err := c.apis[0].Status().Leader()
		return err == nil && first != "" && !slices.ContainsFunc(c.apis[1:len(c.servers)], func(a *api.Client) bool {
			addr, err := a.Status().Leader()
			return err != nil || addr != first
		})
	})
}

// leader returns which server leads, as most of them say.
func (c *chaos) leader() int {
	c.t.Helper()
	votes := map[int]int{}
	var leader int
	c.agents[0].Await("have a leader", func() bool {
		clear(votes)
		for _, a := range c.apis[:len(c.servers)] {
			addr, _ := a.Status().Leader()
			i := slices.IndexFunc(c.servers, func(s *agenttest.Agent) bool { return s.ServerAddr == addr })
			if votes[i]++; i >= 0 && votes[i] > len(c.servers)/2 {
				leader = i
				return true
			}
		}
		return false
	})
	return leader
}

// settled shows that all servers come to have the same keys, and adds what everybody
// says of every key to the history. Nobody writes any more.
func (c *chaos) settled() {
	c.t.Helper()
	list := func(i int, q *api.QueryOptions) string {
		pairs, _, err := c.apis[i].KV().List(chaosPrefix, q)
		if err != nil {
			return err.Error()
		}
		var text strings.Builder
		for _, p := range pairs {
			fmt.Fprintln(&text, p.Key, string(p.Value), p.CreateIndex, p.ModifyIndex)
		}
		return text.String()
	}
	for i, a := range c.agents {
		c.alike(a, func() (own, all string) {
			// What a client has given up on may still be on its way, so both are asked anew.
			return list(i, &api.QueryOptions{AllowStale: true}), list(0, &api.QueryOptions{RequireConsistent: true})
		})
	}
	for i, a := range c.agents {
		for _, q := range []*api.QueryOptions{nil, {RequireConsistent: true}} {
			from := c.history.now()
			pairs, _, err := c.apis[i].KV().List(chaosPrefix, q)
			if err != nil {
				c.t.Fatalf("%s: %v", a.Name, err)
			}
			to := c.history.now()
			there := map[string]string{}
			for _, p := range pairs {
				there[p.Key] = string(p.Value)
				c.history.saw(p.Key, string(p.Value), p.ModifyIndex)
			}
			for key := range c.history.keys {
				value, ok := there[key]
				if !ok {
					value = absent
				}
				c.history.add(key, -i, call{verb: getKey, how: "all at the end, " + a.Name}, from, outcome{value: value}, to)
			}
		}
	}
}

// alike waits until an agent has in its own copy what all have. When it does not come
// to that it shows both, and how far the raft of each server is.
func (c *chaos) alike(a *agenttest.Agent, ask func() (own, all string)) {
	c.t.Helper()
	own, all := ask()
	defer func() {
		if own == all {
			return
		}
		c.t.Logf("agent %s has:\n%s\nthe others:\n%s", a.Name, own, all)
		for _, s := range c.servers {
			info, errs, _ := s.Consul("info")
			c.t.Logf("%s:\n%s%s", s.Name, info, errs)
		}
	}()
	a.Await("have in its own copy what the others have", func() bool {
		own, all = ask()
		return own == all
	})
}
