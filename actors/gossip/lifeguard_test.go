package gossip

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/memberlist"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

var lifeguard = flag.Bool("lifeguard", false, "let TestLifeguard make all its experiments")

// TestLifeguard stops some members of a pool for a while, again and again, and wants
// the others never to take a healthy member for a failed one. Then members die, and
// it measures how soon the others know. It is the experiment of the paper Lifeguard:
// Local Health Awareness for More Accurate Failure Detection (Dadgar, Phillips,
// Currey 2017), with the timings of a LAN pool of Consul's. The network is in memory,
// slow, and loses packets, and time is virtual, so that what else the machine does is
// no part of it.
func TestLifeguard(t *testing.T) {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "members\tretransmit_mult\tpaused\tpause\tevery\tcycles\tfalse, at healthy\tfalse, at paused\tpaused seen failed\tdetection p50\tp99\tbound\t")
	all := []experiment{
		{members: 10, paused: 2, pause: 8 * time.Second, run: time.Second, cycles: 1, deaths: 1, retransmit: retransmitSafe},
		{members: 32, paused: 4, pause: 2 * time.Second, run: time.Second, cycles: 50, deaths: 5},
		{members: 32, paused: 8, pause: 8 * time.Second, run: 2 * time.Second, cycles: 20, deaths: 5},
		{members: 32, paused: 8, pause: 8 * time.Second, run: 2 * time.Second, cycles: 20, deaths: 5, retransmit: retransmitSafe},
		{members: 64, paused: 8, pause: 4 * time.Second, run: time.Second, cycles: 10, deaths: 3},
		{members: 64, paused: 8, pause: 4 * time.Second, run: time.Second, cycles: 10, deaths: 3, retransmit: retransmitSafe},
	}
	if !*lifeguard {
		all = all[:1]
	}
	for _, e := range all {
		t.Run(fmt.Sprintf("%d_of_%d_for_%s_retransmit_%d", e.paused, e.members, e.pause, e.mult()), func(t *testing.T) {
			var o outcomes
			synctest.Test(t, func(t *testing.T) { o = e.perform(t) })
			least, most := suspicion(e.members)
			t.Logf("%d false at healthy members, %d at paused ones; detection p50 %s, p99 %s", o.falseAtHealthy, o.falseAtPaused, o.p50, o.p99)
			fmt.Fprintf(w, "%d\t%d\t%d\t%s\t%s\t%d\t%d\t%d\t%d\t%.1f s\t%.1f s\t%.1f to %.1f s\t\n", e.members, e.mult(), e.paused, e.pause, e.pause+e.run, e.cycles,
				o.falseAtHealthy, o.falseAtPaused, o.pausedFailed, o.p50.Seconds(), o.p99.Seconds(), least.Seconds(), most.Seconds())
			if o.falseAtHealthy > 0 && e.retransmit == retransmitSafe {
				t.Errorf("healthy members took %d times a healthy one for failed; what was said of the first:\n%s", o.falseAtHealthy, o.first)
			}
			if o.p99 > most {
				t.Errorf("a death was known after %s, want it within %s", o.p99, most)
			}
		})
	}
	w.Flush()
	fmt.Printf("\n%s\nThe bound is the suspicion timeout of a LAN pool, with all confirmations and with none,\nand one round of probes before it and one of gossip after it.\n", out.String())
}

// suspicion returns how soon, and how late at most, a death may be known in a LAN
// pool of n, by memberlist's formula.
func suspicion(n int) (least, most time.Duration) {
	c := memberlist.DefaultLANConfig()
	base := time.Duration(float64(c.SuspicionMult) * max(1, math.Log10(float64(n))) * float64(c.ProbeInterval))
	until := 2*c.ProbeInterval + time.Duration(c.RetransmitMult)*c.GossipInterval
	return base, time.Duration(c.SuspicionMaxTimeoutMult)*base + until
}

// retransmitSafe is a retransmit_mult with which no member misses that another has
// refuted a suspicion. Whoever is told of a suspicion and misses the refutation, by
// chance, takes the member for failed when its timeout is over. With memberlist's
// 4, and Consul's, that is one of some hundred members, while many are stopped.
const retransmitSafe = 8

// experiment is one run of it.
type experiment struct {
	members, paused int
	pause, run      time.Duration // of those who are paused, in turns
	cycles, deaths  int
	retransmit      int // retransmit_mult; 0 is the default
}

func (e experiment) mult() int {
	return cmp.Or(e.retransmit, memberlist.DefaultLANConfig().RetransmitMult)
}

// outcomes are what has come of one.
type outcomes struct {
	falseAtHealthy, falseAtPaused, pausedFailed int
	p50, p99                                    time.Duration
	first                                       string
}

func (e experiment) perform(t *testing.T) (o outcomes) {
	t.Cleanup(func() { time.Sleep(time.Minute) }) // until the last probe has given up
	p := e.pool(t)
	paused, healthy := p.all[:e.paused], p.all[e.paused:]
	for range e.cycles {
		p.cycle(paused, e.pause, e.run)
	}
	p.journal.mu.Lock()
	for _, n := range p.journal.entries {
		switch {
		case n.change != messages.Failed:
		case p.isOneOf(paused, n.about):
			o.pausedFailed++
		case p.isOneOf(healthy, n.at):
			o.falseAtHealthy++
			o.first = cmp.Or(o.first, p.story(n.about))
		default:
			o.falseAtPaused++
		}
	}
	p.journal.mu.Unlock()

	var took []time.Duration
	for range e.deaths {
		dead := healthy[len(healthy)-1]
		healthy = healthy[:len(healthy)-1]
		died := time.Now()
		dead.sluice.shut()
		for end := time.After(2 * time.Minute); ; {
			p.cycle(paused, e.pause, e.run)
			knew := p.knew(dead.name, healthy, died)
			if len(knew) == len(healthy) {
				took = append(took, knew...)
				break
			}
			select {
			case <-end:
				t.Fatalf("%d of %d know of a death after two minutes", len(knew), len(healthy))
			default:
			}
		}
	}
	slices.Sort(took)
	o.p50, o.p99 = took[len(took)/2], took[len(took)*99/100]
	return o
}

// pool is members that can be stopped, and what they have been told.
type pool struct {
	all     []*patient
	journal journal
	began   time.Time
}

type patient struct {
	name   string
	agent  *agent
	sluice *sluice
}

// journal is what members were told of members.
type journal struct {
	mu      sync.Mutex
	entries []entry
	said    []string // by memberlist about suspicions
}

type entry struct {
	when      time.Time
	at, about string
	change    messages.MembershipChange
}

// pool starts the members, and waits until all know all.
func (e experiment) pool(t *testing.T) *pool {
	p := &pool{began: time.Now()}
	n := &air{radios: map[string]*radio{}, slow: 5 * time.Millisecond, loss: 0.01}
	for i := range e.members {
		cfg := config(fmt.Sprintf("m%02d", i))
		cfg.Profile, cfg.Gossip = ProfileLAN, messages.GossipConfig{RetransmitMult: e.retransmit}
		one := &patient{name: cfg.NodeName}
		cfg.network = func(*memberlist.NetTransportConfig) (network, error) {
			one.sluice = newSluice(n.radio(cfg.NodeName))
			return one.sluice, nil
		}
		one.agent = p.spawn(t, cfg)
		if i > 0 {
			one.agent.join(t, p.all[0].agent)
		}
		p.all = append(p.all, one)
	}
	for deadline := time.Now().Add(10 * time.Minute); !p.complete(); <-time.After(time.Second) {
		if !time.Now().Before(deadline) {
			t.Fatal("not all know all")
		}
	}
	return p
}

func (p *pool) spawn(t *testing.T, cfg Config) *agent {
	sys := actortest.System(t)
	a := &agent{sys: sys, view: &messages.Published[messages.PoolView]{}, log: &lines{}}
	news := actortest.NewProbeFunc(t, sys, "news", func(ctx actor.Context) bool {
		if msg, ok := ctx.Message().(*messages.MembersChanged); ok {
			p.journal.mu.Lock()
			defer p.journal.mu.Unlock()
			for _, m := range msg.Members {
				p.journal.entries = append(p.journal.entries, entry{time.Now(), cfg.NodeName, m.Name, msg.Change})
			}
		}
		return true
	})
	cfg.LogOutput = witness{p, cfg.NodeName}
	cfg.View, cfg.Subscribers = a.view, []ask.Address{news.Address(sys)}
	a.addr, a.parent = actortest.Parent(t, sys, New(cfg), "gossip")
	actortest.AwaitReady(t, a.parent)
	return a
}

// witness keeps what memberlist says of suspicions at one member.
type witness struct {
	pool *pool
	at   string
}

func (w witness) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("uspect")) || bytes.Contains(line, []byte("Refuting")) {
		j := &w.pool.journal
		j.mu.Lock()
		defer j.mu.Unlock()
		j.said = append(j.said, fmt.Sprintf("%6.2f %s: %s", time.Since(w.pool.began).Seconds(), w.at, line))
	}
	return len(line), nil
}

// story returns what was said about a member and by it. The journal is locked.
func (p *pool) story(name string) string {
	var all strings.Builder
	for _, line := range p.journal.said {
		if strings.Contains(line, name) {
			all.WriteString(line)
		}
	}
	return all.String()
}

func (p *pool) complete() bool {
	return !slices.ContainsFunc(p.all, func(one *patient) bool { return len(one.agent.view.Load().Members) < len(p.all) })
}

func (p *pool) isOneOf(some []*patient, name string) bool {
	return slices.ContainsFunc(some, func(one *patient) bool { return one.name == name })
}

// cycle stops some members for a while and lets them go on for a while.
func (p *pool) cycle(some []*patient, pause, run time.Duration) {
	for _, one := range some {
		one.sluice.shut()
	}
	<-time.After(pause)
	for _, one := range some {
		one.sluice.open()
	}
	<-time.After(run)
}

// knew returns how soon each of the members was told that one has failed.
func (p *pool) knew(dead string, by []*patient, died time.Time) []time.Duration {
	p.journal.mu.Lock()
	defer p.journal.mu.Unlock()
	told := map[string]time.Duration{}
	for _, n := range p.journal.entries {
		if _, twice := told[n.at]; !twice && n.about == dead && n.change == messages.Failed && p.isOneOf(by, n.at) {
			told[n.at] = n.when.Sub(died)
		}
	}
	return slices.Collect(maps.Values(told))
}

// sluice is a network that can be shut: what is sent waits, and what comes waits
// where it would wait for a process that is stopped.
type sluice struct {
	network
	packets chan *memberlist.Packet
	streams chan net.Conn
	done    chan struct{}
	gone    chan struct{} // nothing comes any more

	mu   sync.Mutex
	flow chan struct{} // closed while it is open
}

var errDrained = errors.New("shut down")

func newSluice(n network) *sluice {
	s := &sluice{
		network: n,
		packets: make(chan *memberlist.Packet),
		streams: make(chan net.Conn),
		done:    make(chan struct{}),
		gone:    make(chan struct{}),
		flow:    make(chan struct{}),
	}
	close(s.flow)
	go conduct(s, n.PacketCh(), s.packets)
	go conduct(s, n.StreamCh(), s.streams)
	return s
}

// conduct passes on what comes, while the sluice is open, and drops it at the end.
func conduct[T any](s *sluice, from <-chan T, to chan<- T) {
	for {
		select {
		case x := <-from:
			if s.pass() == nil {
				select {
				case to <- x:
				case <-s.done:
				}
			}
		case <-s.gone:
			return
		}
	}
}

func (s *sluice) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flow = make(chan struct{})
}

func (s *sluice) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.flow)
}

func (s *sluice) pass() error {
	s.mu.Lock()
	flow := s.flow
	s.mu.Unlock()
	select {
	case <-flow:
		return nil
	case <-s.done:
		return errDrained
	}
}

func (s *sluice) PacketCh() <-chan *memberlist.Packet { return s.packets }
func (s *sluice) StreamCh() <-chan net.Conn           { return s.streams }

func (s *sluice) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if err := s.pass(); err != nil {
		return time.Time{}, err
	}
	return s.network.WriteToAddress(b, a)
}

func (s *sluice) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if err := s.pass(); err != nil {
		return nil, err
	}
	return s.network.DialAddressTimeout(a, timeout)
}

func (s *sluice) Shutdown() error {
	close(s.done)
	defer close(s.gone)
	return s.network.Shutdown()
}
