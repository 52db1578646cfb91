package http

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/catalog"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// A request may allocate so many bytes for each of its own, and so many beside. JSON
// is read once for each level that it is nested, and there may be maxNesting of them.
const (
	requestFactor = 1000
	requestBase   = 4 << 20
)

// FuzzRequest asks anything of any route. Nothing may panic; who is refused is told
// why, and has changed nothing; JSON is JSON; who asks for the state twice hears the
// same; and what is allocated is bounded by what was sent.
func FuzzRequest(f *testing.F) {
	p := newPlace(f)
	for i, on := range p.on {
		for _, s := range fuzzSeeds[on.method+" "+on.path] {
			f.Add(uint16(i), s.tail, s.query, "", []byte(s.body))
		}
		f.Add(uint16(i), "n1", "near=_agent&filter=Node+%3D%3D+n1&stale&index=1", "max-age=1", []byte("{}"))
	}
	f.Fuzz(func(t *testing.T, which uint16, tail, query, header string, body []byte) {
		on := p.on[int(which)%len(p.on)]
		path := on.path
		if strings.HasSuffix(path, "/") {
			path += tail
		}
		target := &url.URL{Path: path, RawQuery: query}
		ask := func() *httptest.ResponseRecorder {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			r := httptest.NewRequestWithContext(ctx, on.method, "/", bytes.NewReader(body))
			r.URL = target
			for _, name := range []string{"Cache-Control", "X-Forwarded-For", "Accept-Encoding", "Authorization"} {
				r.Header.Set(name, header)
			}
			return serveOne(p.api, r)
		}
		defer p.restore(t)
		before := p.state(t)
		var got *httptest.ResponseRecorder
		size := uint64(len(path) + len(query) + len(header) + len(body))
		if n := actortest.Allocated(func() { got = ask() }); n > requestFactor*size+requestBase {
			t.Errorf("%s %s allocates %d bytes for %d", on.method, target, n, size)
		}
		text := got.Body.String()
		switch {
		case strings.Contains(text, "internal error"):
			t.Fatalf("%s %s with %q panics", on.method, target, body)
		case got.Code >= 400 && text == "" && (got.Code != http.StatusNotFound || on.method != http.MethodGet):
			t.Errorf("%s %s: %d without a word", on.method, target, got.Code)
		case got.Code >= 400 && !bytes.Equal(before, p.state(t)):
			t.Errorf("%s %s with %q was refused with %d %s, and has changed something", on.method, target, body, got.Code, text)
		case got.Header().Get("Content-Type") == "application/json" && got.Header().Get("Content-Encoding") == "" && !json.Valid(got.Body.Bytes()):
			t.Errorf("%s %s: no JSON: %s", on.method, target, text)
		}
		if on.method == http.MethodGet && ofState(path) {
			if again := ask(); again.Code != got.Code || again.Body.String() != text {
				t.Errorf("%s answers %d %s, and then %d %s", target, got.Code, text, again.Code, again.Body)
			}
		}
	})
}

// ofState says whether a path shows what is in the state, which nobody else changes.
func ofState(path string) bool {
	return slices.ContainsFunc([]string{"/v1/catalog/", "/v1/health/", "/v1/kv/", "/v1/session/", "/v1/config/", "/v1/connect/intentions"},
		func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

// place is a server with something of everything, which is as before when restored.
type place struct {
	stage *stage
	api   *api
	on    []asks
	base  []byte // a snapshot
	index uint64
}

type asks struct{ method, path string }

func newPlace(f *testing.F) *place {
	s := newStage(f)
	for _, name := range []string{"event", "gossip-lan", "gossip-wan", "leave", "logs", "raft", "supervisor"} {
		s.answers[name] = declined
	}
	a := s.api(f)
	s.self(f, a)
	s.register(f, a, `{"Node":"n1","Address":"127.0.0.1","Service":{"ID":"w","Service":"web","Port":80,"Tags":["x"],"Meta":{"a":"b"}},"Checks":[{"CheckID":"c","ServiceID":"w","Status":"warning"}]}`)
	for _, w := range []struct{ method, target, body string }{
		{"PUT", "/v1/kv/a/b", "v"}, {"PUT", "/v1/session/create", `{"TTL":"10s"}`},
		{"POST", "/v1/query", `{"Name":"q","Service":{"Service":"web"}}`},
		{"PUT", "/v1/config", `{"Kind":"service-defaults","Name":"web","Protocol":"http"}`},
		{"PUT", "/v1/connect/intentions/exact?source=a&destination=web", `{"Action":"allow"}`},
		{"PUT", "/v1/agent/service/register", `{"Name":"local"}`},
	} {
		if got := call(a, w.method, w.target, w.body); got.Code != http.StatusOK {
			f.Fatalf("%s %s: %d %s", w.method, w.target, got.Code, got.Body)
		}
	}
	p := &place{stage: s, api: a, index: s.index}
	var base bytes.Buffer
	if err := catalog.WriteState(&base, s.fsm.View()); err != nil {
		f.Fatal(err)
	}
	p.base = base.Bytes()
	for _, r := range routes(s.cfg) {
		for _, v := range r.on {
			if !v.apart {
				p.on = append(p.on, asks{v.method, r.path})
			}
		}
	}
	// Nobody waits for news here: it is as if the agent were leaving.
	leaving, cancel := context.WithCancel(context.Background())
	cancel()
	a.leaving = leaving
	return p
}

// declined plays an actor that does nothing of what it is asked.
func declined(ctx actor.Context) bool {
	if asked, ok := ctx.Message().(interface{ Refuse(error) }); ok {
		asked.Refuse(messages.ErrUnavailable)
	}
	return true
}

// state returns all that is replicated, without the index that it is at.
func (p *place) state(t testing.TB) []byte {
	var all bytes.Buffer
	enc := wire.NewEncoder(&all)
	for kind, record := range p.stage.fsm.View().Records() {
		all.WriteByte(byte(kind))
		if err := enc.Encode(record); err != nil {
			t.Fatal(err)
		}
	}
	return all.Bytes()
}

// restore makes everything as it was.
func (p *place) restore(t testing.TB) {
	p.stage.logs.TakeAll()
	if p.stage.index == p.index {
		return
	}
	if err := p.stage.fsm.Restore(io.NopCloser(bytes.NewReader(p.base))); err != nil {
		t.Fatal(err)
	}
	p.stage.index = p.index
}

// fuzzSeeds has what each route is for, where "{}" does not show it.
var fuzzSeeds = map[string][]struct{ tail, query, body string }{
	"PUT /v1/kv/":    {{"k", "flags=7", "v"}, {"k", "cas=0", "v"}, {"k", "acquire=s", "v"}, {"k", "release=s", "v"}},
	"GET /v1/kv/":    {{"a", "recurse", ""}, {"a", "keys&separator=/", ""}, {"a/b", "raw", ""}},
	"DELETE /v1/kv/": {{"a", "recurse", ""}, {"a/b", "cas=1", ""}},
	"PUT /v1/txn": {{"", "", `[{"KV":{"Verb":"set","Key":"k","Value":"dg=="}},{"KV":{"Verb":"get","Key":"a/b"}}]`},
		{"", "", `[{"Node":{"Verb":"set","Node":{"Node":"n3","Address":"10.0.0.1"}}},{"Service":{"Verb":"set","Node":"n1","Service":{"Service":"s"}}},{"Check":{"Verb":"delete","Check":{"Node":"n1","CheckID":"c"}}}]`},
		{"", "", `[{"KV":{"Verb":"check-index","Key":"a/b","Index":1}}]`}},
	"PUT /v1/catalog/register":                 {{"", "", `{"Node":"n","Address":"a","Service":{"Service":"s","Port":1,"Weights":{"Passing":1}},"Check":{"CheckID":"c","Definition":{"Interval":"10s","Header":{"a":["b"]}}},"SkipNodeUpdate":true}`}},
	"PUT /v1/catalog/deregister":               {{"", "", `{"Node":"n1","ServiceID":"w"}`}, {"", "", `{"Node":"n1","CheckID":"c"}`}},
	"PUT /v1/session/create":                   {{"", "dc=dc1", `{"Name":"s","TTL":"10s","LockDelay":"15s","Behavior":"delete","NodeChecks":[],"ServiceChecks":[{"ID":"c"}]}`}},
	"PUT /v1/agent/service/register":           {{"", "replace-existing-checks", `{"Name":"s","Checks":[{"TTL":"1s"},{"http":"http://a","interval":"1s","deregister_critical_service_after":"1m"}],"connect":{"sidecar_service":{"port":1}},"Proxy":{"upstreams":[{"destination_name":"x"}]}}`}},
	"PUT /v1/agent/check/register":             {{"", "", `{"Name":"c","ID":"i","TTL":"10s","ServiceID":"local"}`}, {"", "", `{"Name":"c","Args":["true"],"Interval":"1s","H2PING":"a:1"}`}},
	"PUT /v1/agent/check/update/":              {{"c", "", `{"Status":"passing","Output":"o"}`}},
	"PUT /v1/config":                           {{"", "cas=0", `{"Kind":"service-resolver","Name":"web","ConnectTimeout":"5s","Subsets":{"v":{"Filter":"x"}}}`}, {"", "", `{"Kind":"service-intentions","Name":"x","Sources":[{"Name":"a","Action":"deny"}]}`}},
	"POST /v1/query":                           {{"", "", `{"Name":"geo","Template":{"Type":"name_prefix_match","Regexp":"^a(.*)$"},"Service":{"Service":"${match(1)}","Failover":{"NearestN":1,"Targets":[{"Datacenter":"dc2"}]}},"DNS":{"TTL":"10s"}}`}},
	"GET /v1/query/":                           {{"q/execute", "limit=1&near=_ip", ""}, {"q/explain", "", ""}},
	"PUT /v1/coordinate/update":                {{"", "", `{"Node":"n1","Segment":"","Coord":{"Vec":[0,0,0,0,0,0,0,0],"Error":1.5,"Adjustment":0,"Height":0.00001}}`}},
	"POST /v1/connect/intentions":              {{"", "", `{"SourceName":"a","DestinationName":"b","Action":"allow"}`}},
	"PUT /v1/connect/intentions/exact":         {{"", "source=x&destination=y", `{"Action":"deny","Description":"d"}`}},
	"POST /v1/agent/connect/authorize":         {{"", "", `{"Target":"web","ClientCertURI":"spiffe://x.consul/ns/default/dc/dc1/svc/a","ClientCertSerial":"1"}`}},
	"PUT /v1/operator/autopilot/configuration": {{"", "cas=0", `{"CleanupDeadServers":true,"LastContactThreshold":"200ms","MaxTrailingLogs":250,"ServerStabilizationTime":"10s"}`}},
	"POST /v1/operator/keyring":                {{"", "", `{"Key":"pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s="}`}},
	"PUT /v1/event/fire/":                      {{"deploy", "node=n&service=s&tag=t", "payload"}},
}
