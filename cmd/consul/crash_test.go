package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
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
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to repeat it: -args -crashes %d -crash-seed %d", *crashes, seed)
	c := &crash{t: t, ledger: newLedger(), chance: rand.New(rand.NewPCG(seed, 0))}
	c.opts = agenttest.Options{Name: "crash", Args: agenttest.Bootstrap("-log-level", "warn",
		"-hcl", `raft_snapshot_threshold = 100 raft_snapshot_interval = "20ms" raft_trailing_logs = 20`)}
	c.agent = agenttest.Start(t, c.opts)
	c.opts.DataDir, c.opts.Ports = c.agent.DataDir, c.agent.Ports
	for c.round = range *crashes {
		switch c.chance.IntN(5) {
		case 0:
			c.killWhileStarting()
		case 1:
			c.killUnderLoad(40 * time.Millisecond)
			c.agent.Restart() // and again at once
			c.killUnderLoad(10 * time.Millisecond)
		default:
			c.killUnderLoad(300 * time.Millisecond)
		}
		c.agent.Restart()
		c.verify()
		if t.Failed() {
			t.Fatalf("in round %d", c.round)
		}
	}
	t.Logf("%d writes were acknowledged, none is lost", c.ledger.writes())
	if c.ledger.writes() < *crashes {
		t.Error("hardly anything was written, so this shows nothing")
	}
}

// crash is an agent that is killed, and what it has acknowledged.
type crash struct {
	t      *testing.T
	opts   agenttest.Options
	agent  *agenttest.Agent
	ledger *ledger
	chance *rand.Rand // of the test's goroutine
	round  int
	client *http.Client
}

// any returns a time below d.
func (c *crash) any(d time.Duration) time.Duration { return time.Duration(c.chance.Int64N(int64(d))) }

// killWhileStarting kills the agent some time after its start, before it runs or
// soon after.
func (c *crash) killWhileStarting() {
	c.agent.Kill()
	for range 1 + c.chance.IntN(3) {
		a := agenttest.Launch(c.t, c.opts)
		<-time.After(c.any(150 * time.Millisecond))
		a.Kill()
	}
}

const (
	crashWriters = 8
	keptRounds   = 3 // after so many, the keys of a round are deleted
)

// killUnderLoad kills the agent after a time below most, while it is written to.
func (c *crash) killUnderLoad(most time.Duration) {
	c.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * crashWriters}, Timeout: agenttest.Patience}
	ctx, cancel := context.WithCancel(c.t.Context())
	var load sync.WaitGroup
	run := func(work func(context.Context, *rand.Rand)) {
		chance := rand.New(rand.NewPCG(c.chance.Uint64(), 0))
		load.Go(func() { work(ctx, chance) })
	}
	stamp := c.chance.Uint32() // a round may have two loads
	for w := range crashWriters {
		run(func(ctx context.Context, chance *rand.Rand) {
			c.putKeys(ctx, chance, fmt.Sprintf("crash/%d/%d-%d", c.round, stamp, w))
		})
	}
	run(func(ctx context.Context, chance *rand.Rand) {
		c.putNodes(ctx, chance, fmt.Sprintf("n-%d-%d", c.round, stamp))
	})
	run(func(ctx context.Context, _ *rand.Rand) {
		c.deleteKeys(ctx, fmt.Sprintf("crash/%d/", c.round-keptRounds))
	})
	run(func(ctx context.Context, _ *rand.Rand) { c.count(ctx, fmt.Sprintf("%d-%d", c.round, stamp)) })
	if c.chance.IntN(4) == 0 {
		for w := range 4 {
			run(func(ctx context.Context, chance *rand.Rand) { c.putMuch(ctx, chance, fmt.Sprintf("crash/much/%d", w)) })
		}
	}
	<-time.After(c.any(most))
	c.agent.Kill()
	cancel()
	load.Wait()
	c.client.CloseIdleConnections()
}

// putKeys writes new keys, and now and then deletes one.
func (c *crash) putKeys(ctx context.Context, chance *rand.Rand, prefix string) {
	for i := 0; ctx.Err() == nil; i++ {
		key, value := fmt.Sprintf("%s/%d", prefix, i), strconv.FormatUint(chance.Uint64(), 36)
		if !c.write(ctx, http.MethodPut, "/v1/kv/"+key, value, value, key) {
			return
		}
		if chance.IntN(10) == 0 && !c.write(ctx, http.MethodDelete, "/v1/kv/"+key, "", absent, key) {
			return
		}
	}
}

// putMuch writes big values, again and again to the same key, so that the log goes
// on to new files and what is read back stays small.
func (c *crash) putMuch(ctx context.Context, chance *rand.Rand, key string) {
	for ctx.Err() == nil {
		value := strings.Repeat(strconv.FormatUint(chance.Uint64(), 36), 30000)
		if !c.write(ctx, http.MethodPut, "/v1/kv/"+key, value, value, key) {
			return
		}
	}
}

// deleteKeys deletes all keys below prefix at once.
func (c *crash) deleteKeys(ctx context.Context, prefix string) {
	if keys := c.ledger.below(prefix); len(keys) > 0 {
		c.write(ctx, http.MethodDelete, "/v1/kv/"+prefix+"?recurse", "", absent, keys...)
	}
}

// putNodes registers nodes with a service, and takes some of them away again.
func (c *crash) putNodes(ctx context.Context, chance *rand.Rand, prefix string) {
	for i := 0; ctx.Err() == nil; i++ {
		node, address := fmt.Sprintf("%s-%d", prefix, i), fmt.Sprintf("10.%d.%d.%d", chance.IntN(256), chance.IntN(256), chance.IntN(256))
		body := fmt.Sprintf(`{"Node": %q, "Address": %q, "Service": {"Service": "crash", "Port": %d}}`, node, address, i+1)
		if !c.write(ctx, http.MethodPut, "/v1/catalog/register", body, fmt.Sprintf("%s:%d", address, i+1), "node/"+node) {
			return
		}
		if chance.IntN(4) == 0 && !c.write(ctx, http.MethodPut, "/v1/catalog/deregister", fmt.Sprintf(`{"Node": %q}`, node), absent, "node/"+node) {
			return
		}
	}
}

// counter is a key that is written again and again.
const counter = "crash/counter"

// count writes the counter and reads it back: who has been told that it was
// written reads no older value, and a newer index.
func (c *crash) count(ctx context.Context, prefix string) {
	for i := 0; ctx.Err() == nil; i++ {
		value := fmt.Sprintf("%s-%d", prefix, i)
		if !c.write(ctx, http.MethodPut, "/v1/kv/"+counter, value, value, counter) {
			return
		}
		resp, err := c.client.Get("http://" + c.agent.HTTPAddr + "/v1/kv/" + counter + "?raw")
		if err != nil {
			return
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			return
		}
		if string(got) != value {
			c.t.Errorf("read %q after %q was acknowledged", got, value)
		}
		c.ledger.forward(c.t, counter, index(resp))
	}
}

// write sends a request that gives things a value, and reports whether it was
// acknowledged. Anything but an acknowledgement or the end of the connection is an
// error.
func (c *crash) write(ctx context.Context, method, path, body, value string, things ...string) bool {
	req, err := http.NewRequest(method, "http://"+c.agent.HTTPAddr+path, strings.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return false
	}
	c.ledger.writing(value, things...)
	resp, err := c.client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return false
	}
	if resp.StatusCode != http.StatusOK || strings.TrimSpace(string(answer)) != "true" {
		if ctx.Err() == nil {
			c.t.Errorf("%s %s: %s %s", method, path, resp.Status, answer)
		}
		return false
	}
	c.ledger.written(value, things...)
	return true
}

// verify compares what the agent has with the ledger.
func (c *crash) verify() {
	c.t.Helper()
	var keys []struct {
		Key         string
		Value       []byte
		ModifyIndex uint64
	}
	c.list("/v1/kv/crash/?recurse", &keys)
	has := map[string]entry{}
	for _, k := range keys {
		has[k.Key] = entry{string(k.Value), k.ModifyIndex}
	}
	c.ledger.check(c.t, "crash/", has)

	var nodes []struct {
		Node, Address string
		ServicePort   int
		ModifyIndex   uint64
	}
	c.list("/v1/catalog/service/crash", &nodes)
	has = map[string]entry{}
	for _, n := range nodes {
		has["node/"+n.Node] = entry{fmt.Sprintf("%s:%d", n.Address, n.ServicePort), n.ModifyIndex}
	}
	c.ledger.check(c.t, "node/", has)
	c.list("/v1/catalog/nodes", &nodes)
	c.list("/v1/catalog/services", new(map[string][]string))
}

// list asks for everything, and checks the index of the answer. Nothing at all is
// an answer, too.
func (c *crash) list(query string, out any) {
	c.t.Helper()
	resp, err := http.Get("http://" + c.agent.HTTPAddr + query)
	if err != nil {
		c.t.Fatalf("%s: %v", query, err)
	}
	defer resp.Body.Close()
	c.ledger.forward(c.t, query, index(resp))
	switch resp.StatusCode {
	case http.StatusNotFound:
	case http.StatusOK:
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil && !errors.Is(err, io.EOF) {
			c.t.Fatalf("%s: %v", query, err)
		}
	default:
		text, _ := io.ReadAll(resp.Body)
		c.t.Fatalf("%s: %s %s", query, resp.Status, text)
	}
}

func index(resp *http.Response) uint64 {
	n, _ := strconv.ParseUint(resp.Header.Get("X-Consul-Index"), 10, 64)
	return n
}
