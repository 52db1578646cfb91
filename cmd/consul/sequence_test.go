package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/actors/actortest/sequence"
	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

var (
	sequences    = flag.Int("sequences", 0, "how many sequences of stops and starts TestSequences plays with processes, and hold them to 10 s for a leader; 0: two")
	sequenceSeed = flag.Int64("sequence-seed", -1, "play this sequence alone; -1: all")
)

const (
	sequenceSteps = 8
	// sequenceHaste divides the pauses of a sequence, which are made for virtual time.
	sequenceHaste = 8
)

// TestSequences does to processes what TestSequences of supervisor does to actors:
// three servers are killed, stopped, told to leave and started in any order, while
// they are written to. Whenever a majority of the peer set runs, somebody leads
// before long; at the end all have everything that was acknowledged, everybody sees
// everybody, and all vote.
func TestSequences(t *testing.T) {
	t.Parallel()
	first, last := uint64(0), uint64(2)
	switch {
	case *sequenceSeed >= 0:
		first, last = uint64(*sequenceSeed), uint64(*sequenceSeed)+1
	case *sequences > 0:
		last = uint64(*sequences)
	}
	c := &cluster{t: t, apis: map[*agenttest.Agent]*api.Client{}}
	c.launch(81, []string{"", "", ""})
	c.awaitLeader(c.servers...)
	c.awaitVoters(c.servers...)
	for seed := first; seed < last; seed++ {
		s := &drama{cluster: c, seed: seed, model: sequence.NewModel(len(c.servers))}
		s.play()
		if t.Failed() {
			t.Fatalf("to repeat it: -args -sequence-seed %d", seed)
		}
	}
}

// drama is one sequence, played by a cluster.
type drama struct {
	*cluster
	seed    uint64
	model   *sequence.Model
	due     int           // how often a leader had to be there
	longest time.Duration // that it took
}

func (d *drama) play() {
	end := d.writeAnywhere()
	for i, s := range sequence.New(d.seed, len(d.servers), sequenceSteps) {
		d.t.Logf("seed %d, step %d: %s", d.seed, i, s)
		a := d.servers[s.Server]
		switch s.Act {
		case sequence.Kill:
			a.Kill()
		case sequence.Stop:
			a.Terminate()
			a.Wait()
		case sequence.Leave:
			a.Interrupt()
			a.Wait()
		case sequence.Start:
			a.Restart()
		}
		d.model.Do(s)
		if s.Settle && d.model.MustLead() {
			d.mustLead()
			d.observe()
		}
		<-time.After(s.Pause / sequenceHaste)
	}
	for i, a := range d.servers {
		if !d.model.Up().Has(i) {
			a.Restart()
			d.model.Do(sequence.Step{Server: i, Act: sequence.Start})
		}
	}
	d.mustLead()
	d.awaitVoters(d.servers...)
	for _, a := range d.servers {
		d.awaitMember(a.Name, serfAlive, d.servers...)
	}
	d.tell(fmt.Sprintf("seed %d: writes", d.seed), end(), false)
	d.verify(d.servers...)
	d.t.Logf("seed %d: a leader was due %d times, and there after %v at most; %d acknowledged writes, none lost", d.seed, d.due, rounded(d.longest), len(d.acked))
}

// running returns who runs.
func (d *drama) running() (all []*agenttest.Agent) {
	for _, i := range d.model.Up().Servers() {
		all = append(all, d.servers[i])
	}
	return all
}

// mustLead waits until a write through those who run is taken.
func (d *drama) mustLead() {
	d.t.Helper()
	budget := agenttest.Patience
	if *sequences > 0 {
		budget = 10 * time.Second
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(d.t.Context(), budget)
	defer cancel()
	up := d.running()
	for n := 0; ; n++ {
		a := up[n%len(up)]
		key := fmt.Sprintf("cluster/led/%d/%d", d.seed, n)
		if _, err := d.api(a).KV().Put(&api.KVPair{Key: key, Value: []byte(key)}, (&api.WriteOptions{}).WithContext(ctx)); err == nil {
			break
		} else if ctx.Err() != nil {
			d.t.Fatalf("seed %d: nobody leads after %v: %s; the last to be asked said: %v", d.seed, budget, d.model, err)
		}
		<-time.After(10 * time.Millisecond)
	}
	d.due, d.longest = d.due+1, max(d.longest, time.Since(began))
}

// observe tells the model of the peer set, if that stays the same while something is
// written.
func (d *drama) observe() {
	up := d.running()[0]
	before, err := d.voters(up)
	if err != nil {
		return
	}
	if _, err := d.api(up).KV().Put(&api.KVPair{Key: "observed"}, nil); err != nil {
		return
	}
	if after, err := d.voters(up); err == nil && after == before {
		d.model.Observed(before)
	}
}

func (d *drama) voters(a *agenttest.Agent) (all sequence.Set, err error) {
	conf, err := d.api(a).Operator().RaftGetConfiguration(nil)
	if err != nil {
		return 0, err
	}
	for _, s := range conf.Servers {
		i := slices.IndexFunc(d.servers, func(a *agenttest.Agent) bool { return a.ServerAddr == s.Address })
		if s.Voter && i >= 0 {
			all |= sequence.Of(i)
		}
	}
	return all, nil
}

// writeAnywhere writes new keys through one server after the other, whether they run
// or not.
func (c *cluster) writeAnywhere() (end func() *strain) {
	c.loads++
	var kvs []*api.KV
	for _, s := range c.servers {
		kvs = append(kvs, c.api(s).KV())
	}
	load := c.loads
	var acked []string
	stop := c.begin(func(ctx context.Context, n int) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		key := fmt.Sprintf("cluster/%d/%d", load, n)
		_, err := kvs[n%len(kvs)].Put(&api.KVPair{Key: key, Value: []byte(key)}, (&api.WriteOptions{}).WithContext(ctx))
		if err == nil {
			acked = append(acked, key)
			<-time.After(5 * time.Millisecond) // there will be many
		}
		return err
	})
	return func() *strain {
		s := stop()
		c.acked = append(c.acked, acked...)
		return s
	}
}
