package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

const (
	chaosPrefix = "chaos/"
	// chaosKeys are in use at a time. A key is given up for a new one when it has
	// seen so many operations, or so many with an unknown outcome: the work of the
	// checker grows with both, with the second exponentially.
	chaosKeys        = 5
	chaosMostOps     = 1000
	chaosMostUnknown = 5
)

// patience is how long a client waits for an answer, at least and at most, and how
// soon it asks again.
type patience struct {
	least, most time.Duration
	pause       time.Duration // at most, between two questions
}

var (
	patient = patience{800 * time.Millisecond, 9 * time.Second, 8 * time.Millisecond}
	// Who does not give up is as the official client is, unless it is told to.
	steadfast = patience{agenttest.Patience, agenttest.Patience + time.Second, 50 * time.Millisecond}
	// Who reads and gives up soon has asked lately whenever a server wakes up that
	// does not know yet what it has slept through.
	impatient = patience{100 * time.Millisecond, 300 * time.Millisecond, 30 * time.Millisecond}
)

// chaosLoad is clients that read and write keys.
type chaosLoad struct {
	chaos   *chaos
	clients []*chaosClient

	refused atomic.Int64 // operations that were refused, for sure

	mu    sync.Mutex // all clients
	keys  [chaosKeys]int
	last  time.Time // something was answered
	worst time.Duration
	done  []int           // by agent: operations that were answered
	slow  []time.Duration // by agent: the longest that anybody has waited for an answer, whatever it was
}

// newChaosLoad returns a load with so many clients at each agent, three times as many
// that only read, and one that does not give up.
func newChaosLoad(c *chaos, clients int) *chaosLoad {
	l := &chaosLoad{chaos: c, last: time.Now(), done: make([]int, len(c.agents)), slow: make([]time.Duration, len(c.agents))}
	for i, a := range c.agents {
		add := func(p patience) {
			l.clients = append(l.clients, &chaosClient{
				load: l, number: len(l.clients) + 1, at: i, agent: a, http: a.HTTPClient(), patience: p,
				chance: rand.New(rand.NewPCG(c.chance.Uint64(), 0)), seen: map[string]chaosPair{},
			})
		}
		add(steadfast)
		for range clients {
			add(patient)
			for range 3 {
				add(impatient)
			}
		}
	}
	return l
}

// begin has the clients work until the returned function is called, which waits for
// their last answers.
func (l *chaosLoad) begin() (end func()) {
	over := make(chan struct{})
	var running sync.WaitGroup
	for _, c := range l.clients {
		running.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-over:
					c.http.CloseIdleConnections()
					return
				case <-time.After(c.upTo(c.pause)):
					c.step(n)
				}
			}
		})
	}
	return func() {
		close(over)
		running.Wait()
	}
}

// key returns one of the keys that are in use.
func (l *chaosLoad) key(slot int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := func() string { return fmt.Sprintf("%s%d/%d", chaosPrefix, slot, l.keys[slot]) }
	if all, unknown := l.chaos.history.size(name()); all >= chaosMostOps || unknown >= chaosMostUnknown {
		l.keys[slot]++
	}
	return name()
}

// answered notes that an agent has done what it was asked to.
func (l *chaosLoad) answered(at int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.worst = max(l.worst, now.Sub(l.last))
	l.last = now
	l.done[at]++
}

// waited notes for how long somebody has waited for an agent.
func (l *chaosLoad) waited(at int, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slow[at] = max(l.slow[at], rounded(d))
}

// gap returns the longest time in which nobody was answered.
func (l *chaosLoad) gap() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.worst
}

// progress waits until every agent has answered some more.
func (l *chaosLoad) progress(more int) {
	l.chaos.t.Helper()
	for i, a := range l.chaos.agents {
		var from int
		count := func() int { l.mu.Lock(); defer l.mu.Unlock(); return l.done[i] }
		from = count()
		a.Await("answer some more", func() bool { return count() >= from+more })
	}
}

// everywhere waits until every agent has answered questions that were asked from
// now on.
func (l *chaosLoad) everywhere() {
	l.chaos.t.Helper()
	l.progress(2*len(l.clients)/len(l.chaos.agents) + 5)
}

// chaosClient asks one agent, one thing after the other.
type chaosClient struct {
	load   *chaosLoad
	number int
	at     int // index of the agent
	agent  *agenttest.Agent
	http   *http.Client
	chance *rand.Rand
	seen   map[string]chaosPair // what it has read last, by key
	patience
}

// chaosPair is what is there of a key. Index 0 is nothing.
type chaosPair struct {
	value string
	index uint64
}

func (c *chaosClient) upTo(d time.Duration) time.Duration {
	return time.Duration(c.chance.Int64N(int64(d)))
}

// step does one thing to one key.
func (c *chaosClient) step(n int) {
	key, value := c.load.key(c.chance.IntN(chaosKeys)), fmt.Sprintf("%d.%d", c.number, n)
	pair, known := c.seen[key]
	p := c.chance.IntN(20)
	if c.patience == impatient {
		p %= 10
	}
	switch {
	case p < 5 || !known:
		c.get(key, "")
	case p < 9:
		c.get(key, "consistent")
	case p < 10:
		wait := min(c.least/2, 400*time.Millisecond)
		c.get(key, fmt.Sprintf("wait=%v&index=%d", wait, pair.index)) // what has changed, or what is there in a while
	case p < 14:
		c.change(key, call{verb: putKey, value: value}, http.MethodPut, "")
	case p < 15:
		c.change(key, call{verb: deleteKey}, http.MethodDelete, "")
	case p < 19 || pair.index == 0:
		c.change(key, call{verb: casKey, if_: pair.value, value: value}, http.MethodPut, fmt.Sprintf("cas=%d", pair.index))
	default:
		c.change(key, call{verb: casDelete, if_: pair.value}, http.MethodDelete, fmt.Sprintf("cas=%d", pair.index))
	}
}

func (c *chaosClient) get(key, query string) {
	from := c.load.chaos.history.now()
	status, body, err := c.ask(http.MethodGet, key, query, "")
	to := c.load.chaos.history.now()
	pair := chaosPair{value: absent}
	switch {
	case err == nil && status == http.StatusOK:
		var entries []struct {
			Value       []byte
			ModifyIndex uint64
		}
		if err := json.Unmarshal(body, &entries); err != nil || len(entries) != 1 {
			c.load.chaos.t.Errorf("%s says of %s: %q", c.agent.Name, key, body)
			return
		}
		pair = chaosPair{string(entries[0].Value), entries[0].ModifyIndex}
		c.load.chaos.history.saw(key, pair.value, pair.index)
	case err == nil && status == http.StatusNotFound:
	default:
		return // nothing was read
	}
	c.seen[key] = pair
	c.load.answered(c.at)
	how := fmt.Sprintf("client %d, %s %s", c.number, c.agent.Name, query)
	c.load.chaos.history.add(key, c.number, call{verb: getKey, how: how}, from, outcome{value: pair.value}, to)
}

// change carries out what changes a key, and notes what came of it, unless it was
// not done for sure.
func (c *chaosClient) change(key string, in call, method, query string) {
	in.how = fmt.Sprintf("client %d, %s %s", c.number, c.agent.Name, query)
	from := c.load.chaos.history.now()
	status, body, err := c.ask(method, key, query, in.value)
	to := c.load.chaos.history.now()
	var out outcome
	switch answer := strings.TrimSpace(string(body)); {
	case err == nil && status == http.StatusOK && (answer == "true" || answer == "false"):
		out.done = answer == "true"
		c.load.answered(c.at)
	case notDone(err, answer):
		c.load.refused.Add(1)
		return
	default:
		out.unknown = true
		in.how += fmt.Sprintf("; %v %d %s", err, status, answer)
	}
	c.load.chaos.history.add(key, c.number, in, from, out, to)
}

// notDone reports whether nothing was done for sure: nobody listened, or the agent
// says that there was nobody who could have done it.
func notDone(err error, answer string) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" ||
		err == nil && (answer == "No cluster leader" || answer == "No known Consul servers")
}

// ask sends one request and waits for the answer, for a while.
func (c *chaosClient) ask(method, key, query, body string) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.least+c.upTo(c.most-c.least))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.agent.HTTPAddr+"/v1/kv/"+key+"?"+query, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	began := time.Now()
	resp, err := c.http.Do(req)
	c.load.waited(c.at, time.Since(began))
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}
