package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/miekg/dns"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

var clusters = flag.Bool("cluster", false, "also run the tests of clusters that take long")

// Serf's numbers for the status of a member, as the HTTP API has them.
const (
	serfAlive  = 1
	serfLeft   = 3
	serfFailed = 4
)

// cluster is servers that are one datacenter, and a client agent of it.
type cluster struct {
	t       *testing.T
	servers []*agenttest.Agent
	client  *agenttest.Agent
	args    []string // of all agents

	loads int      // that have begun
	acked []string // keys whose write was acknowledged; each is its own value
	apis  map[*agenttest.Agent]*api.Client
}

// newCluster starts three servers and a client agent on loopback addresses from
// 127.0.0.first on, and waits until they have a leader.
func newCluster(t *testing.T, first int, args ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, args: args, apis: map[*agenttest.Agent]*api.Client{}}
	c.launch(first, []string{"", "", ""})
	servers := c.addresses()
	c.client = agenttest.Start(t, agenttest.Options{Name: "client", Addr: loopback(first + len(c.servers)), Args: append(retryJoin(servers), args...)})
	c.awaitLeader(c.servers...)
	return c
}

func loopback(last int) string { return fmt.Sprintf("127.0.0.%d", last) }

// launch starts the servers on addresses from 127.0.0.first on, all at once, with
// the given data directories; an empty one is a new one.
func (c *cluster) launch(first int, dataDirs []string) {
	c.t.Helper()
	all := make([]agenttest.Options, len(dataDirs))
	var lan []string
	for i, dir := range dataDirs {
		addr := loopback(first + i)
		ports := agenttest.Reserve(c.t, addr)
		all[i] = agenttest.Options{Name: fmt.Sprintf("s%d", i+1), Addr: addr, Ports: ports, DataDir: dir}
		lan = append(lan, net.JoinHostPort(addr, fmt.Sprint(ports.SerfLAN)))
	}
	c.servers = nil
	for _, o := range all {
		o.Args = append([]string{"-server", "-bootstrap-expect", fmt.Sprint(len(all))}, append(retryJoin(lan), c.args...)...)
		c.servers = append(c.servers, agenttest.Launch(c.t, o))
	}
	for _, s := range c.servers {
		s.AwaitOutput(`^==> Consul agent running!$`)
	}
}

func retryJoin(addresses []string) []string {
	args := []string{"-retry-interval", "1s"}
	for _, a := range addresses {
		args = append(args, "-retry-join", a)
	}
	return args
}

// addresses returns where the servers listen for the LAN pool.
func (c *cluster) addresses() (all []string) {
	for _, s := range c.servers {
		all = append(all, s.LANAddr)
	}
	return all
}

// api returns a client of the agent's HTTP API, the same one each time.
func (c *cluster) api(a *agenttest.Agent) *api.Client {
	if c.apis[a] == nil {
		c.apis[a] = a.Client()
	}
	return c.apis[a]
}

// others returns the servers but for some.
func (c *cluster) others(but ...*agenttest.Agent) []*agenttest.Agent {
	return slices.DeleteFunc(slices.Clone(c.servers), func(s *agenttest.Agent) bool { return slices.Contains(but, s) })
}

// awaitLeader waits until the servers agree that one of them leads, and returns it.
func (c *cluster) awaitLeader(servers ...*agenttest.Agent) (leader *agenttest.Agent) {
	c.t.Helper()
	began := time.Now()
	servers[0].Await("agree on a leader with the others", func() bool {
		leader = nil
		for _, s := range servers {
			addr, err := c.api(s).Status().Leader()
			i := slices.IndexFunc(servers, func(s *agenttest.Agent) bool { return s.ServerAddr == addr })
			if err != nil || i < 0 || leader != nil && leader != servers[i] {
				return false
			}
			leader = servers[i]
		}
		return true
	})
	c.t.Logf("%s leads, after %v", leader.Name, rounded(time.Since(began)))
	return leader
}

// awaitMember waits until each of the agents sees the member so.
func (c *cluster) awaitMember(name string, status int, agents ...*agenttest.Agent) {
	c.t.Helper()
	began := time.Now()
	for _, a := range agents {
		a.Await(fmt.Sprintf("see %s with status %d", name, status), func() bool {
			members, _ := c.api(a).Agent().Members(false)
			i := slices.IndexFunc(members, func(m *api.AgentMember) bool { return m.Name == name })
			return i >= 0 && members[i].Status == status
		})
	}
	c.t.Logf("all see %s with status %d, after %v", name, status, rounded(time.Since(began)))
}

// awaitVoters waits until these servers, and no others, are the voters of the peer
// set.
func (c *cluster) awaitVoters(servers ...*agenttest.Agent) {
	c.t.Helper()
	began := time.Now()
	var want []string
	for _, s := range servers {
		want = append(want, s.Name+" "+s.ServerAddr)
	}
	slices.Sort(want)
	servers[0].Await("have the voters "+strings.Join(want, ", "), func() bool {
		conf, err := c.api(servers[0]).Operator().RaftGetConfiguration(nil)
		if err != nil {
			return false
		}
		var have []string
		for _, s := range conf.Servers {
			if s.Voter {
				have = append(have, s.Node+" "+s.Address)
			}
		}
		slices.Sort(have)
		return slices.Equal(have, want)
	})
	c.t.Logf("%d voters, after %v", len(want), rounded(time.Since(began)))
}

// strain is work that is done over and over while something happens.
type strain struct {
	done   int
	failed []error
	gap    time.Duration // the longest between two that were done
}

// begin does work over and over until the returned function is called. A failure
// that comes of that does not count.
func (c *cluster) begin(work func(ctx context.Context, n int) error) (end func() *strain) {
	ctx, cancel := context.WithCancel(c.t.Context())
	s := &strain{}
	var running sync.WaitGroup
	running.Go(func() {
		last := time.Now()
		for n := 0; ctx.Err() == nil; n++ {
			err := work(ctx, n)
			switch now := time.Now(); {
			case err == nil:
				s.done++
				s.gap = max(s.gap, now.Sub(last))
				last = now
			case !errors.Is(err, context.Canceled):
				s.failed = append(s.failed, err)
				select { // not as fast as it can
				case <-time.After(10 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		}
	})
	return func() *strain {
		cancel()
		running.Wait()
		return s
	}
}

// tell logs what has come of a strain, and insists that all went well if that is
// wanted.
func (c *cluster) tell(what string, s *strain, flawless bool) {
	c.t.Helper()
	c.t.Logf("%s: %d done, %d failed, longest gap %v", what, s.done, len(s.failed), rounded(s.gap))
	if len(s.failed) > 0 {
		c.t.Logf("the first and the last failure: %v; %v", s.failed[0], s.failed[len(s.failed)-1])
	}
	switch {
	case s.done == 0:
		c.t.Errorf("%s: none was done, so this shows nothing; %v", what, errors.Join(s.failed...))
	case flawless && len(s.failed) > 0:
		c.t.Errorf("%s: %d failed, want 0: %v", what, len(s.failed), errors.Join(s.failed[:min(5, len(s.failed))]...))
	}
}

// write writes new keys through an agent, one after the other.
func (c *cluster) write(through *agenttest.Agent) (end func() *strain) {
	c.loads++
	kv, load := c.api(through).KV(), c.loads
	var acked []string
	stop := c.begin(func(ctx context.Context, n int) error {
		key := fmt.Sprintf("cluster/%d/%d", load, n)
		_, err := kv.Put(&api.KVPair{Key: key, Value: []byte(key)}, (&api.WriteOptions{}).WithContext(ctx))
		if err == nil {
			acked = append(acked, key)
		}
		return err
	})
	return func() *strain {
		s := stop()
		c.acked = append(c.acked, acked...)
		return s
	}
}

// writeSome writes a few keys through an agent, all of which have to be taken.
func (c *cluster) writeSome(through *agenttest.Agent) {
	c.t.Helper()
	for i := range 10 {
		key := fmt.Sprintf("cluster/some/%d/%d", len(c.acked), i)
		if _, err := c.api(through).KV().Put(&api.KVPair{Key: key, Value: []byte(key)}, nil); err != nil {
			c.t.Fatalf("a write through %s: %v", through.Name, err)
		}
		c.acked = append(c.acked, key)
	}
}

// verify shows that whatever was acknowledged is there, for whoever asks a server,
// and before long in its own copy.
func (c *cluster) verify(servers ...*agenttest.Agent) {
	c.t.Helper()
	for _, s := range servers {
		pairs, _, err := c.api(s).KV().List("cluster/", nil)
		if lost := c.lost(pairs); err != nil || len(lost) > 0 {
			c.t.Errorf("%s: %v, lost %d of %d acknowledged writes: %q", s.Name, err, len(lost), len(c.acked), lost[:min(5, len(lost))])
		}
		s.Await("have every acknowledged write in its own copy", func() bool {
			pairs, _, err := c.api(s).KV().List("cluster/", &api.QueryOptions{AllowStale: true})
			return err == nil && len(c.lost(pairs)) == 0
		})
	}
}

// lost returns the keys that were acknowledged and are not there.
func (c *cluster) lost(pairs api.KVPairs) (lost []string) {
	there := make(map[string]bool, len(pairs))
	for _, p := range pairs {
		there[p.Key] = string(p.Value) == p.Key
	}
	for _, key := range c.acked {
		if !there[key] {
			lost = append(lost, key)
		}
	}
	return lost
}

// readStale reads from a server's own copy, over and over.
func (c *cluster) readStale(from *agenttest.Agent) (end func() *strain) {
	catalog := c.api(from).Catalog()
	return c.begin(func(ctx context.Context, _ int) error {
		nodes, _, err := catalog.Nodes((&api.QueryOptions{AllowStale: true}).WithContext(ctx))
		if err == nil && len(nodes) == 0 {
			err = errors.New("no nodes at all")
		}
		return err
	})
}

// lookUp asks an agent for the addresses of a name, over and over.
func (c *cluster) lookUp(name string, at *agenttest.Agent) (end func() *strain) {
	return c.begin(func(context.Context, int) error {
		addrs, err := resolve(at, name)
		if err == nil && len(addrs) == 0 {
			err = errors.New("no addresses")
		}
		return err
	})
}

// resolve returns the addresses that an agent's DNS has for a name.
func resolve(at *agenttest.Agent, name string) (addrs []string, err error) {
	q := new(dns.Msg)
	q.SetQuestion(name, dns.TypeA)
	reply, _, err := (&dns.Client{Timeout: agenttest.Patience}).Exchange(q, at.DNSAddr)
	if err != nil {
		return nil, err
	}
	if reply.Rcode != dns.RcodeSuccess {
		return nil, errors.New(dns.RcodeToString[reply.Rcode])
	}
	for _, rr := range reply.Answer {
		if a, ok := rr.(*dns.A); ok {
			addrs = append(addrs, a.A.String())
		}
	}
	return addrs, nil
}

func rounded(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
