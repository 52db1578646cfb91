package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

var (
	benchWaiters   = flag.Int("bench-waiters", 10000, "how many wait in TestBenchWatch")
	benchInstances = flag.Int("bench-instances", 1000, "how many instances the service has that they wait for")
	benchPlain     = flag.Bool("bench-plain", false, "the waiters of TestBenchWatch take no gzip")
)

// The time that what was caused gets to happen: what is left of a burst to be
// collected, what is not to come to come.
const (
	benchSettle = 5 * time.Second
	benchRest   = 5 * time.Second
)

// TestBenchWatch measures what it costs to have many wait for the same service:
// while nothing happens, when something else does, and when the service changes.
// Nothing is asserted; docs/BENCH.md has the figures.
func TestBenchWatch(t *testing.T) {
	if !*bench {
		return // it takes a minute, and measures nothing on a machine that is busy
	}
	b := &benchmark{t: t}
	b.agent = agenttest.Start(t, agenttest.Options{Name: "bench", Binary: *benchBinary, Args: agenttest.Bootstrap("-log-level", "warn",
		"-hcl", "enable_debug = true", "-hcl", "limits { http_max_conns_per_client = 0 }",
		"-hcl", `telemetry { prometheus_retention_time = "24h" }`)})
	b.awaitLeader()
	b.crowd()
}

// crowd is those who wait.
type crowd struct {
	*benchmark
	path    string
	waiters []*waiter
	slowest atomic.Int64 // when the last answer of a round was whole, in Unix nanoseconds
	bytes   atomic.Int64 // of the bodies of a round
	answers sync.WaitGroup
}

// waiter is a client that waits for news over a connection of its own.
type waiter struct {
	conn  net.Conn
	in    *bufio.Reader
	index string
}

func (b *benchmark) crowd() {
	for i := range *benchInstances {
		b.registerInstance(i, "passing")
	}
	c := &crowd{benchmark: b, path: "/v1/health/service/crowd"}
	index := answerOf(b.t, "http://"+b.agent.HTTPAddr+c.path).Header.Get("X-Consul-Index")
	b.collect()
	before, goroutines := b.memory(), b.goroutines()

	for range *benchWaiters {
		conn, err := net.Dial("tcp", b.agent.HTTPAddr)
		if err != nil {
			b.t.Fatal(err)
		}
		defer conn.Close()
		w := &waiter{conn: conn, in: bufio.NewReaderSize(conn, 2<<10), index: index}
		c.waiters = append(c.waiters, w)
		c.send(w)
	}
	<-time.After(benchSettle)
	peak := b.memory()
	b.collect()
	n := float64(len(c.waiters))
	fmt.Printf("\n%d waiters for a service of %d instances (gzip: %v)\n", len(c.waiters), *benchInstances, !*benchPlain)
	fmt.Printf("  each takes %.1f KiB (%.1f KiB before a collection) and %.2f goroutines\n",
		(b.memory()-before)*1024/n, (peak-before)*1024/n, float64(b.goroutines()-goroutines)/n)
	c.rest()
	c.elsewhere()
	for i := range 3 {
		c.change(i)
	}
}

func (b *benchmark) registerInstance(i int, status string) {
	node := fmt.Sprintf("crowd-%04d", i)
	_, err := b.agent.Client().Catalog().Register(&api.CatalogRegistration{
		Node: node, Address: fmt.Sprintf("10.%d.%d.1", i/250, i%250),
		Service: &api.AgentService{ID: "crowd-1", Service: "crowd", Tags: []string{"v1", "primary"}, Port: 8000},
		Checks: api.HealthChecks{{
			Node: node, CheckID: "service:crowd", Name: "Service 'crowd' check", Status: status, ServiceID: "crowd-1",
			Output: "HTTP GET http://localhost:8080/health: 200 OK",
		}},
	}, nil)
	if err != nil {
		b.t.Fatal(err)
	}
}

// send asks for what comes after the index that the waiter knows.
func (c *crowd) send(w *waiter) {
	accept := "Accept-Encoding: gzip\r\n" // as Go's clients do
	if *benchPlain {
		accept = ""
	}
	_, err := fmt.Fprintf(w.conn, "GET %s?index=%s&wait=10m HTTP/1.1\r\nHost: bench\r\nUser-Agent: Go-http-client/1.1\r\n%s\r\n", c.path, w.index, accept)
	if err != nil {
		c.t.Error(err)
	}
}

// receive reads an answer, throws its body away and keeps its index.
func (c *crowd) receive(w *waiter) error {
	length := -1
	for first := true; ; first = false {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("answered %q", line)
		}
		if len(line) <= 2 {
			break
		}
		if n, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(n))); err != nil {
				return err
			}
		}
		if n, ok := bytes.CutPrefix(line, []byte("X-Consul-Index: ")); ok {
			w.index = string(bytes.TrimSpace(n))
		}
	}
	if length < 0 {
		return fmt.Errorf("an answer without a length")
	}
	c.bytes.Add(int64(length))
	_, err := io.CopyN(io.Discard, w.in, int64(length))
	return err
}

// rest measures what the agent does while everybody waits.
func (c *crowd) rest() {
	cpu := cpuTime(c.agent.Pid())
	<-time.After(benchRest)
	fmt.Printf("  at rest: %.1f %% CPU\n", 100*float64(cpuTime(c.agent.Pid())-cpu)/float64(benchRest))
}

// elsewhere writes what nobody waits for.
func (c *crowd) elsewhere() {
	const writes = 1000
	stop := make(chan struct{})
	woken := c.woken(stop)
	was, cpu := c.counters(), cpuTime(c.agent.Pid())
	kv := c.agent.Client().KV()
	for i := range writes / 2 {
		if _, err := kv.Put(&api.KVPair{Key: fmt.Sprintf("elsewhere/%d", i), Value: []byte("v")}, nil); err != nil {
			c.t.Fatal(err)
		}
		if _, err := c.agent.Client().Catalog().Register(&api.CatalogRegistration{
			Node: "elsewhere", Address: "10.9.9.9", Service: &api.AgentService{Service: "elsewhere", Port: 1 + i},
		}, nil); err != nil {
			c.t.Fatal(err)
		}
	}
	cpu = cpuTime(c.agent.Pid()) - cpu
	<-time.After(time.Second)
	close(stop)
	fmt.Printf("  %d unrelated writes: %d waiters woken, %.2f s CPU%s\n", writes, woken(), cpu.Seconds(), c.since(was))
}

// woken counts the waiters that are sent something before stop is closed.
func (c *crowd) woken(stop chan struct{}) func() int64 {
	var n atomic.Int64
	var all sync.WaitGroup
	for _, w := range c.waiters {
		all.Go(func() {
			if _, err := w.in.Peek(1); err == nil {
				n.Add(1)
			}
		})
	}
	all.Go(func() {
		<-stop
		for _, w := range c.waiters {
			w.conn.SetReadDeadline(time.Now()) //nolint:errcheck // it has one
		}
	})
	return func() int64 {
		all.Wait()
		for _, w := range c.waiters {
			w.conn.SetReadDeadline(time.Time{}) //nolint:errcheck // the same
		}
		return n.Load()
	}
}

// change changes the service once and waits until everybody knows.
func (c *crowd) change(round int) {
	c.bytes.Store(0)
	var failed atomic.Int64
	for _, w := range c.waiters {
		c.answers.Go(func() {
			if err := c.receive(w); err != nil && failed.Add(1) == 1 {
				c.t.Error(err)
			}
			now := time.Now().UnixNano()
			for at := c.slowest.Load(); now > at && !c.slowest.CompareAndSwap(at, now); at = c.slowest.Load() {
			}
		})
	}
	<-time.After(time.Second)
	c.collect()
	was, cpu, before := c.counters(), cpuTime(c.agent.Pid()), c.memory()
	began := time.Now()
	c.registerInstance(7, []string{"critical", "passing"}[round%2])
	c.answers.Wait()
	took := time.Duration(c.slowest.Load() - began.UnixNano())
	after := c.memory()
	indexes := map[string]int{}
	for _, w := range c.waiters {
		indexes[w.index]++
	}
	fmt.Printf("  a change: the last waiter has all %d KB after %.2f s, %.2f s CPU%s; %d failed, %d indexes, %.0f MiB, was %.0f\n",
		c.bytes.Load()/int64(len(c.waiters))/1000, took.Seconds(), (cpuTime(c.agent.Pid()) - cpu).Seconds(), c.since(was), failed.Load(), len(indexes), after, before)
	cpu = cpuTime(c.agent.Pid())
	for _, w := range c.waiters {
		c.send(w)
	}
	<-time.After(benchSettle)
	fmt.Printf("  everybody waits again: %.2f s CPU\n", (cpuTime(c.agent.Pid()) - cpu).Seconds())
}

// counters returns what the agent counts about queries that are waited for.
func (c *crowd) counters() map[string]float64 {
	counters := map[string]float64{}
	for line := range strings.Lines(c.get("/v1/agent/metrics?format=prometheus")) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(name, "consul_watch_") {
			counters[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	return counters
}

// since says how far the counters have moved.
func (c *crowd) since(was map[string]float64) string {
	text := ""
	now := c.counters()
	for _, name := range []string{"evaluated", "encoded", "woken"} {
		if n, ok := now["consul_watch_"+name]; ok {
			text += fmt.Sprintf(", %.0f %s", n-was["consul_watch_"+name], name)
		}
	}
	return text
}

// goroutines returns how many the agent has.
func (b *benchmark) goroutines() int {
	n := 0
	fmt.Sscanf(b.get("/debug/pprof/goroutine?debug=1"), "goroutine profile: total %d", &n) //nolint:errcheck // then it is 0
	return n
}

// collect has the agent's garbage collected, twice, since what the first leaves in
// pools goes with the second.
func (b *benchmark) collect() {
	for range 2 {
		b.get("/debug/pprof/heap?gc=1")
	}
	<-time.After(benchSettle)
}

func (b *benchmark) get(path string) string {
	resp, err := http.Get("http://" + b.agent.HTTPAddr + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(slices.Clip(body))
}
