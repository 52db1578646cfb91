package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// crash is a cluster of servers that are killed, and what it has acknowledged.
type crash struct {
	t       *testing.T
	servers []*agenttest.Agent
	ledger  *ledger
	chance  *rand.Rand // of the test's goroutine
	round   int
	client  *http.Client

	refused atomic.Int64 // requests that were answered, with an error
}

// newCrash returns a crash without servers, and says how to repeat it.
func newCrash(t *testing.T) *crash {
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to repeat it: -args -crashes %d -crash-seed %d", *crashes, seed)
	return &crash{t: t, ledger: newLedger(), chance: rand.New(rand.NewPCG(seed, 0))}
}

// any returns a time below d.
func (c *crash) any(d time.Duration) time.Duration { return time.Duration(c.chance.Int64N(int64(d))) }

const (
	crashWriters = 8
	keptRounds   = 3 // after so many, the keys of a round are deleted
)

// load begins to write, and returns what ends it. Keys and nodes are new with each
// load, since a write of an earlier one that was not acknowledged may yet come.
func (c *crash) load() (end func()) {
	c.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * crashWriters}, Timeout: agenttest.Patience}
	ctx, cancel := context.WithCancel(c.t.Context())
	var all sync.WaitGroup
	run := func(work func(*crashClient)) {
		chance := rand.New(rand.NewPCG(c.chance.Uint64(), 0))
		all.Go(func() { work(&crashClient{crash: c, ctx: ctx, chance: chance}) })
	}
	stamp := fmt.Sprintf("%d/%08x", c.round, c.chance.Uint32()) // a round may have two loads
	for w := range crashWriters {
		run(func(l *crashClient) { l.putKeys(fmt.Sprintf("crash/%s-%d", stamp, w)) })
	}
	run(func(l *crashClient) { l.putNodes("n-" + strings.ReplaceAll(stamp, "/", "-")) })
	for _, a := range c.servers {
		run(func(l *crashClient) { l.putServices(a, stamp, fmt.Sprintf("%d/", c.round-keptRounds)) })
	}
	run(func(l *crashClient) { l.deleteKeys(fmt.Sprintf("crash/%d/", c.round-keptRounds)) })
	run(func(l *crashClient) { l.count(fmt.Sprintf("crash/%s-counter", stamp)) })
	if c.chance.IntN(4) == 0 {
		for w := range 4 {
			run(func(l *crashClient) { l.putMuch(fmt.Sprintf("crash/%s-much-%d", stamp, w)) })
		}
	}
	return func() {
		cancel()
		all.Wait()
		c.client.CloseIdleConnections()
	}
}

// crashClient is one of those who write.
type crashClient struct {
	*crash
	ctx    context.Context // ends with the load
	chance *rand.Rand
}

// putKeys writes new keys, and now and then deletes one.
func (l *crashClient) putKeys(prefix string) {
	for i := 0; l.ctx.Err() == nil; i++ {
		key, value := fmt.Sprintf("%s/%d", prefix, i), strconv.FormatUint(l.chance.Uint64(), 36)
		if l.write(http.MethodPut, "/v1/kv/"+key, value, value, key) && l.chance.IntN(10) == 0 {
			l.write(http.MethodDelete, "/v1/kv/"+key, "", absent, key)
		}
	}
}

// putMuch writes big values, again and again to the same key, so that the log goes
// on to new files and what is read back stays small.
func (l *crashClient) putMuch(prefix string) {
	for i := 0; l.ctx.Err() == nil; {
		key, value := fmt.Sprintf("%s/%d", prefix, i), strings.Repeat(strconv.FormatUint(l.chance.Uint64(), 36), 30000)
		if !l.write(http.MethodPut, "/v1/kv/"+key, value, value, key) {
			i++ // that write may come later than a next one to the same key
		}
	}
}

// deleteKeys deletes all keys below prefix at once.
func (l *crashClient) deleteKeys(prefix string) {
	if keys := l.ledger.below(prefix); len(keys) > 0 {
		l.write(http.MethodDelete, "/v1/kv/"+prefix+"?recurse", "", absent, keys...)
	}
}

// putNodes registers nodes with a service, and takes some of them away again.
func (l *crashClient) putNodes(prefix string) {
	for i := 0; l.ctx.Err() == nil; i++ {
		node, address := fmt.Sprintf("%s-%d", prefix, i), fmt.Sprintf("10.%d.%d.%d", l.chance.IntN(256), l.chance.IntN(256), l.chance.IntN(256))
		body := fmt.Sprintf(`{"Node": %q, "Address": %q, "Service": {"Service": "crash", "Port": %d}}`, node, address, i+1)
		if l.write(http.MethodPut, "/v1/catalog/register", body, fmt.Sprintf("%s:%d", address, i+1), "node/"+node) && l.chance.IntN(4) == 0 {
			l.write(http.MethodPut, "/v1/catalog/deregister", fmt.Sprintf(`{"Node": %q}`, node), absent, "node/"+node)
		}
	}
}

// putServices registers services at an agent, takes some of them away again, and
// those of an earlier round. An agent keeps them by itself.
func (l *crashClient) putServices(a *agenttest.Agent, prefix, earlier string) {
	deregister := func(thing string) {
		id := strings.TrimPrefix(thing, "agent/"+a.Name+"/")
		l.writeAt(a, http.MethodPut, "/v1/agent/service/deregister/"+id, "", absent, thing)
	}
	for _, thing := range l.ledger.there("agent/" + a.Name + "/" + earlier) {
		deregister(thing)
	}
	for i := 1; l.ctx.Err() == nil; i++ {
		id := fmt.Sprintf("%s/%d", prefix, i)
		thing := "agent/" + a.Name + "/" + id
		body := fmt.Sprintf(`{"Name": "crash-agent", "ID": %q, "Port": %d, "Check": {"TTL": "1h", "Status": "passing"}}`, id, i)
		if l.writeAt(a, http.MethodPut, "/v1/agent/service/register", body, strconv.Itoa(i), thing) && l.chance.IntN(4) == 0 {
			deregister(thing)
		}
	}
}

// count writes a key again and again, and reads it back at once, from whichever
// server: who has been told that it was written reads no older value, and no older
// index.
func (l *crashClient) count(prefix string) {
	for i, n := 0, 0; l.ctx.Err() == nil; n++ {
		key, value := fmt.Sprintf("%s/%d", prefix, i), strconv.Itoa(n)
		if !l.write(http.MethodPut, "/v1/kv/"+key, value, value, key) {
			i++ // as above
			continue
		}
		resp, err := l.client.Get("http://" + l.server().HTTPAddr + "/v1/kv/" + key + "?raw")
		if err != nil {
			continue
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
		case resp.StatusCode == http.StatusOK && string(got) == value:
			l.forward(key, resp)
		case resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusNotFound:
			l.t.Errorf("%s: read %s %q after %q was acknowledged", key, resp.Status, got, value)
		default:
			l.refuse(http.MethodGet, key, resp, got)
		}
	}
}

// server returns any server.
func (l *crashClient) server() *agenttest.Agent { return l.servers[l.chance.IntN(len(l.servers))] }

// write sends a request that gives things a value to any server, and reports
// whether it was acknowledged.
func (l *crashClient) write(method, path, body, value string, things ...string) bool {
	return l.writeAt(l.server(), method, path, body, value, things...)
}

func (l *crashClient) writeAt(a *agenttest.Agent, method, path, body, value string, things ...string) bool {
	req, err := http.NewRequest(method, "http://"+a.HTTPAddr+path, strings.NewReader(body))
	if err != nil {
		l.t.Error(err)
		return false
	}
	l.ledger.writing(value, things...)
	resp, err := l.client.Do(req)
	if err != nil { // it was killed
		<-time.After(time.Millisecond)
		return false
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return false
	}
	yes := strings.TrimSpace(string(answer))
	if resp.StatusCode != http.StatusOK || yes != "true" && yes != "" { // /v1/agent says nothing
		l.refuse(method, path, resp, answer)
		return false
	}
	l.ledger.written(value, things...)
	return true
}

// refuse notes an answer that is none.
func (l *crashClient) refuse(method, path string, resp *http.Response, answer []byte) {
	if l.refused.Add(1) == 1 {
		l.t.Logf("the first refusal: %s %s: %s %s", method, path, resp.Status, answer)
	}
}

// verify compares what a server has with the ledger.
func (c *crash) verify(a *agenttest.Agent) {
	c.t.Helper()
	var keys []struct {
		Key         string
		Value       []byte
		ModifyIndex uint64
	}
	c.list(a, "/v1/kv/crash/?recurse", &keys)
	has := map[string]entry{}
	for _, k := range keys {
		has[k.Key] = entry{string(k.Value), k.ModifyIndex}
	}
	c.compare(a, "crash/", has)

	var nodes []struct {
		Node, Address string
		ServicePort   int
		ModifyIndex   uint64
	}
	c.list(a, "/v1/catalog/service/crash", &nodes)
	has = map[string]entry{}
	for _, n := range nodes {
		has["node/"+n.Node] = entry{fmt.Sprintf("%s:%d", n.Address, n.ServicePort), n.ModifyIndex}
	}
	c.compare(a, "node/", has)

	var services map[string]struct{ Port int }
	c.ask(a, "/v1/agent/services", &services)
	has = map[string]entry{}
	for id, s := range services {
		has["agent/"+a.Name+"/"+id] = entry{value: strconv.Itoa(s.Port)}
	}
	c.compare(a, "agent/"+a.Name+"/", has)

	c.list(a, "/v1/catalog/nodes", &nodes)
	c.list(a, "/v1/catalog/services", new(map[string][]string))
}

// list asks for everything, and checks the index of the answer.
func (c *crash) list(a *agenttest.Agent, query string, out any) {
	c.t.Helper()
	c.forward(query, c.ask(a, query, out))
}

// ask asks a server. Nothing at all is an answer, too.
func (c *crash) ask(a *agenttest.Agent, query string, out any) *http.Response {
	c.t.Helper()
	resp, err := http.Get("http://" + a.HTTPAddr + query)
	if err != nil {
		c.t.Fatalf("%s: %v", query, err)
	}
	defer resp.Body.Close()
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
	return resp
}

func (c *crash) compare(a *agenttest.Agent, prefix string, has map[string]entry) {
	c.t.Helper()
	if wrong := c.ledger.check(prefix, has); len(wrong) > 0 {
		c.t.Errorf("%s, round %d: of %d acknowledged writes, %d are not as they were: %q",
			a.Name, c.round, c.ledger.writes(), len(wrong), wrong[:min(10, len(wrong))])
	}
}

// forward checks that the index of a query does not go backwards.
func (c *crash) forward(query string, resp *http.Response) {
	c.t.Helper()
	index, err := strconv.ParseUint(resp.Header.Get("X-Consul-Index"), 10, 64)
	if before, ok := c.ledger.forward(query, index); err != nil || !ok {
		c.t.Errorf("%s: the index was %d, and is now %q", query, before, resp.Header.Get("X-Consul-Index"))
	}
}
