package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/raft"
	"github.com/hashicorp/serf/coordinate"

	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

func TestSelf(t *testing.T) {
	a := newStage(t).api(t)
	var got struct {
		Config      map[string]any
		DebugConfig map[string]any
		Coord       map[string]any
		Member      map[string]any
		Stats       map[string]map[string]string
		Meta        map[string]string
	}
	body := call(a, "GET", "/v1/agent/self", "").Body.Bytes()
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	config := fmt.Sprint(got.Config)
	if want := fmt.Sprint(map[string]any{
		"Datacenter": "dc1", "PrimaryDatacenter": "dc1", "NodeName": nodeName, "NodeID": nodeID,
		"Revision": "abc", "Server": true, "Version": "1.19.2", "BuildDate": "2026-01-02T03:04:05Z",
	}); config != want {
		t.Errorf("Config = %s\nwant     %s", config, want)
	}
	if got.Member["Name"] != nodeName || got.Member["Status"] != 1.0 || got.Coord == nil || got.Meta["consul-version"] != "1.19.2" ||
		got.DebugConfig["SerfAdvertiseAddrLAN"] != "tcp://127.0.0.1:8301" {
		t.Errorf("self = %s", body)
	}
	for _, figure := range []struct{ group, name, want string }{
		{"consul", "leader", "true"}, {"consul", "leader_addr", "127.0.0.1:8300"}, {"consul", "known_datacenters", "2"},
		{"raft", "state", "Leader"}, {"serf_lan", "members", "2"}, {"build", "version", "1.19.2"}, {"build", "own_version", "0.1.0"},
	} {
		if have := got.Stats[figure.group][figure.name]; have != figure.want {
			t.Errorf("Stats.%s.%s = %q, want %q", figure.group, figure.name, have, figure.want)
		}
	}
}

func TestVersionAndHost(t *testing.T) {
	a := newStage(t).api(t)
	if got, want := call(a, "GET", "/v1/agent/version", "").Body.String(), `{"SHA":"abc","BuildDate":"2026-01-02T03:04:05Z","HumanVersion":"1.19.2","FIPS":""}`; got != want {
		t.Errorf("version %s, want %s", got, want)
	}
	var host struct{ CollectionTime int64 }
	if body := call(a, "GET", "/v1/agent/host", "").Body.Bytes(); json.Unmarshal(body, &host) != nil || host.CollectionTime == 0 {
		t.Errorf("host %s", body)
	}
}

func TestMembers(t *testing.T) {
	a := newStage(t).api(t)
	tests := []struct {
		target string
		want   []string
		status int
		text   string
	}{
		{target: "/v1/agent/members", want: []string{"n1 1", "n2 4"}},
		{target: "/v1/agent/members?segment=_all", want: []string{"n1 1", "n2 4"}},
		{target: "/v1/agent/members?segment=other", want: nil},
		{target: "/v1/agent/members?wan=1", want: []string{"n1.dc1 1", "x.dc2 1"}},
		{target: `/v1/agent/members?wan=1&filter=Tags["dc"]==dc2`, want: []string{"x.dc2 1"}},
		{target: "/v1/agent/members?wan=1&segment=other", status: 400, text: "Cannot provide a segment with wan=true"},
		{target: "/v1/agent/members?filter=bad(", status: 500, text: "Failed to create boolean expression evaluator"},
	}
	for _, tt := range tests {
		got := call(a, "GET", tt.target, "")
		if tt.status != 0 {
			if got.Code != tt.status || !strings.HasPrefix(got.Body.String(), tt.text) {
				t.Errorf("%s: %d %s", tt.target, got.Code, got.Body)
			}
			continue
		}
		var members []struct {
			Name   string
			Status int
		}
		if err := json.Unmarshal(got.Body.Bytes(), &members); err != nil || members == nil {
			t.Errorf("%s: %s", tt.target, got.Body)
		}
		var have []string
		for _, m := range members {
			have = append(have, fmt.Sprint(m.Name, " ", m.Status))
		}
		if !slices.Equal(have, tt.want) {
			t.Errorf("%s: %v, want %v", tt.target, have, tt.want)
		}
	}
	if got := call(a, "GET", "/v1/agent/members?filter=Name==n1", "").Body.String(); !strings.Contains(got, `"Addr":"127.0.0.1","Port":8301,"Tags":{`) ||
		!strings.Contains(got, `"ProtocolMin":1,"ProtocolMax":5,"ProtocolCur":2,"DelegateMin":2,"DelegateMax":5,"DelegateCur":4`) {
		t.Errorf("a member: %s", got)
	}
}

// TestRequestsForActors wants what is asked over HTTP to reach the right actor, and
// what that says to come back.
func TestRequestsForActors(t *testing.T) {
	heard := map[string]string{}
	s := newStage(t)
	for _, pool := range []string{"gossip-lan", "gossip-wan"} {
		s.answers[pool] = func(ctx actor.Context) bool {
			switch msg := ctx.Message().(type) {
			case *messages.JoinPool:
				heard[pool] = fmt.Sprintf("join %v %t", msg.Addresses, msg.Replay)
				msg.Answer(1)
			case *messages.ForceLeave:
				heard[pool] = fmt.Sprintf("force-leave %s %t", msg.Node, msg.Prune)
				msg.Refuse(errors.New("agent: No node found with name 'nope'"))
			}
			return true
		}
	}
	s.answers["supervisor"] = func(ctx actor.Context) bool {
		switch msg := ctx.Message().(type) {
		case *messages.ListActors:
			msg.Answer([]messages.ActorInfo{{Name: "http", State: messages.ActorRunning}})
		case *messages.Reload:
			msg.Answer(messages.ReloadReport{Applied: []string{"log_level"}, Unchanged: 3})
		}
		return true
	}
	a := s.api(t)
	tests := []struct {
		request, pool, heard string
		status               int
		text                 string
	}{
		{request: "PUT /v1/agent/join/127.0.0.1:1", pool: "gossip-lan", heard: "join [127.0.0.1:1] false", status: 200},
		{request: "PUT /v1/agent/join/a?wan=1", pool: "gossip-wan", heard: "join [a] false", status: 200},
		{request: "PUT /v1/agent/join/", status: 400, text: "Missing address"},
		{request: "PUT /v1/agent/force-leave/nope", pool: "gossip-lan", heard: "force-leave nope false", status: 500, text: "agent: No node found with name 'nope'"},
		{request: "PUT /v1/agent/force-leave/nope?prune&wan", pool: "gossip-wan", heard: "force-leave nope true", status: 500, text: "agent: No node found with name 'nope'"},
		{request: "PUT /v1/agent/force-leave/", status: 400, text: "Missing node name"},
		{request: "PUT /v1/agent/reload", status: 200, text: `{"Applied":["log_level"],"NeedsRestart":[],"Unchanged":3}`},
		{request: "GET /v1/agent/actors", status: 200, text: `[{"Name":"http","State":"running","MailboxDepth":0,"Handled":0,"Restarts":0,"Since":"0001-01-01T00:00:00Z"}]`},
	}
	for _, tt := range tests {
		method, target, _ := strings.Cut(tt.request, " ")
		got := call(a, method, target, "")
		if got.Code != tt.status || got.Body.String() != tt.text || heard[tt.pool] != tt.heard {
			t.Errorf("%s: %d %q, %s heard %q; want %d %q, %q", tt.request, got.Code, got.Body, tt.pool, heard[tt.pool], tt.status, tt.text, tt.heard)
		}
	}
}

// TestForceLeaveIsForBothPools wants a server to be regarded as left in the WAN pool
// too, where it has a name of its own.
func TestForceLeaveIsForBothPools(t *testing.T) {
	var heard []string
	s := newStage(t)
	for _, pool := range []string{"gossip-lan", "gossip-wan"} {
		s.answers[pool] = func(ctx actor.Context) bool {
			if msg, ok := ctx.Message().(*messages.ForceLeave); ok {
				heard = append(heard, fmt.Sprintf("%s %s %t", pool, msg.Node, msg.Prune))
				msg.Answer(messages.Unit{})
			}
			return true
		}
	}
	a := s.api(t)
	for target, want := range map[string][]string{
		"n1":           {"gossip-lan n1 false", "gossip-wan n1.dc1 false"},
		"n1.dc1?prune": {"gossip-lan n1 true", "gossip-wan n1.dc1 true"},
		"n1?wan&prune": {"gossip-wan n1.dc1 true"},
		"n2?prune":     {"gossip-lan n2 true"},
		"x.dc2":        {"gossip-wan x.dc2 false"},
		"x.dc2?wan":    {"gossip-wan x.dc2 false"},
	} {
		heard = nil
		if got := call(a, "PUT", "/v1/agent/force-leave/"+target, ""); got.Code != 200 || !slices.Equal(heard, want) {
			t.Errorf("%s: %d %s, heard %q; want %q", target, got.Code, got.Body, heard, want)
		}
	}
}

func TestClientsHaveNoServerParts(t *testing.T) {
	s := newStage(t)
	s.cfg.Facts.Server = false
	s.cfg.RaftStatus, s.cfg.WANView = nil, nil
	s.cfg.Invoker = s.client()
	a := s.api(t)
	for request, want := range map[string]string{
		"GET /v1/status/peers":           `200 ["127.0.0.1:8300"]`,
		"GET /v1/status/leader":          `200 "127.0.0.1:8300"`,
		"GET /v1/status/leader?dc=dc2":   "500 rpc error making call: No path to datacenter",
		"GET /v1/agent/members?wan=1":    "200 []",
		"GET /v1/catalog/datacenters":    `200 ["dc1","dc2"]`,
		"GET /v1/coordinate/datacenters": `200 [{"Datacenter":"dc2","AreaID":"wan","Coordinates":[]}]`,
		"PUT /v1/agent/join/a?wan=1":     "500 the WAN pool has servers only, and this agent is a client",
		"PUT /v1/session/create?dc=dc2":  "500 cross datacenter lock must be created at server agent",
	} {
		method, target, _ := strings.Cut(request, " ")
		got := call(a, method, target, "")
		if have := fmt.Sprintf("%d %s", got.Code, got.Body); have != want {
			t.Errorf("%s: %s, want %s", request, have, want)
		}
	}
	if got := call(a, "GET", "/v1/agent/self", "").Body.String(); !strings.Contains(got, `"known_servers":"1"`) {
		t.Errorf("self: %s", got)
	}
}

// client returns the Invoker of a client agent that knows a server, which answers
// what is about itself.
func (s *stage) client() *invoke.Invoker {
	var routes messages.Published[messages.Routes]
	routes.Publish(&messages.Routes{Servers: map[string][]messages.Server{"dc1": {{Name: nodeName, Datacenter: "dc1"}}}})
	return invoke.New(invoke.Config{
		Datacenter: "dc1", Client: true, Routes: &routes, View: s.fsm.View, Status: &s.status,
		Call: func(_ context.Context, _, method string, args wire.Request, reply any) error {
			switch r := reply.(type) {
			case *string:
				if args.RequestDatacenter() != "dc1" {
					return errors.New("rpc error making call: No path to datacenter")
				}
				*r = "127.0.0.1:8300"
			case *[]string:
				*r = []string{"127.0.0.1:8300"}
				if method == "Catalog.ListDatacenters" {
					*r = []string{"dc1", "dc2"}
				}
			case *[]wire.DatacenterMap:
				*r = []wire.DatacenterMap{{Datacenter: "dc2", AreaID: "wan", Coordinates: wire.Coordinates{}}}
			}
			return nil
		},
	})
}

func TestMetrics(t *testing.T) {
	s := newStage(t)
	a := s.api(t)
	if got := call(a, "GET", "/v1/agent/metrics", ""); got.Body.String() != `{"Gauges":[]}` {
		t.Errorf("metrics: %d %s", got.Code, got.Body)
	}
	off := call(a, "GET", "/v1/agent/metrics?format=prometheus", "")
	if off.Code != http.StatusUnsupportedMediaType || !strings.Contains(off.Body.String(), "retention time") {
		t.Errorf("without Prometheus: %d %s", off.Code, off.Body)
	}
	s.cfg.Metrics = figures{prometheus: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "consul_x 1") })}
	a = s.api(t)
	for _, accept := range []string{"application/openmetrics-text;version=1.0.0,*/*;q=0.1", "text/plain; version=0.4.0;q=0.3", "text/html, text/plain;version=0.4.0"} {
		if got := call(a, "GET", "/v1/agent/metrics", "", "Accept", accept); got.Body.String() != "consul_x 1" {
			t.Errorf("Accept %s: %s", accept, got.Body)
		}
	}
	if got := call(a, "GET", "/v1/agent/metrics", "", "Accept", "text/plain"); got.Body.String() == "consul_x 1" {
		t.Error("plain text was taken for Prometheus's")
	}
}

// TestMetricsStream wants the intervals as they come, until the agent leaves.
func TestMetricsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newStage(t).api(t)
		p := watch(t.Context(), a, "/v1/agent/metrics/stream")
		for _, want := range []string{`{"Interval":0}`, `{"Interval":1}`} {
			if got := p.next(); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		synctest.Wait()
		if p.header.Get("Content-Type") != typeJSON || p.flushs.Load() != 3 {
			t.Errorf("%d flushes, %v", p.flushs.Load(), p.header)
		}
		if n, _ := a.flight.settled(); n != 0 {
			t.Error("a drain would wait for the stream")
		}
		a.wake()
		if got := p.next(); got != "end" {
			t.Errorf("after the drain began: %q", got)
		}
	})
}

// TestLeave wants the answer when the plan has been carried out, and the leave
// coordinator to hear that it is out.
func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		progress := make(chan messages.LeaveProgress, 4)
		var heard, force bool
		s.answers["leave"] = func(ctx actor.Context) bool {
			if msg, ok := ctx.Message().(*messages.BeginLeave); ok {
				force = msg.Force
				msg.Answer(messages.LeaveBegun{Progress: progress, Heard: func() { heard = true }})
			}
			return true
		}
		a := s.api(t)
		left := make(chan int, 1)
		go func() { left <- call(a, "PUT", "/v1/agent/leave?force", "").Code }()
		progress <- messages.LeaveProgress{Step: "drain"}
		time.Sleep(time.Minute)
		if n, _ := a.flight.settled(); n != 0 {
			t.Error("the drain would wait for the request to leave")
		}
		if heard || len(left) > 0 {
			t.Error("answered before the plan was done")
		}
		close(progress)
		if code := <-left; code != http.StatusOK || !heard || !force {
			t.Errorf("left: %d, heard %t, force %t", code, heard, force)
		}
	})
}

func TestLeaveWithoutAnAudience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		heard := make(chan struct{})
		s.answers["leave"] = func(ctx actor.Context) bool {
			if msg, ok := ctx.Message().(*messages.BeginLeave); ok {
				msg.Answer(messages.LeaveBegun{Progress: make(chan messages.LeaveProgress), Heard: func() { close(heard) }})
			}
			return true
		}
		a := s.api(t)
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, "PUT", "/v1/agent/leave", nil)
		if err != nil {
			t.Fatal(err)
		}
		go serveOne(a, r)
		synctest.Wait()
		cancel()
		<-heard // or the agent would wait for it
	})
}

func TestLeaveRefused(t *testing.T) {
	s := newStage(t)
	s.answers["leave"] = func(ctx actor.Context) bool {
		if msg, ok := ctx.Message().(*messages.BeginLeave); ok {
			msg.Refuse(errors.New("the cluster would lose its quorum"))
		}
		return true
	}
	if got := call(s.api(t), "PUT", "/v1/agent/leave", ""); got.Code != http.StatusInternalServerError || got.Body.String() != "the cluster would lose its quorum" {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestCoordinates(t *testing.T) {
	s := newStage(t)
	a := s.api(t)
	s.self(t, a)
	entry, err := wire.Encode(wire.CoordinateBatchUpdateType, wire.Coordinates{
		{Node: nodeName, Coord: coordinate.NewCoordinate(coordinate.DefaultConfig())},
		{Node: nodeName, Segment: "edge", Coord: coordinate.NewCoordinate(coordinate.DefaultConfig())},
	})
	if err != nil {
		t.Fatal(err)
	}
	if result := s.fsm.Apply(&raft.Log{Index: 1000, Data: entry}); result != nil {
		t.Fatal(result)
	}
	for target, want := range map[string]int{
		"/v1/coordinate/nodes":                              2,
		"/v1/coordinate/nodes?segment=edge":                 1,
		"/v1/coordinate/nodes?segment=":                     1,
		"/v1/coordinate/node/" + nodeName:                   2,
		"/v1/coordinate/node/" + nodeName + "?segment=no":   0,
		"/v1/coordinate/nodes?segment=no":                   0,
		"/v1/coordinate/node/" + nodeName + "?segment=edge": 1,
	} {
		if got := call(a, "GET", target, "").Body.String(); strings.Count(got, `"Node":"n1"`) != want {
			t.Errorf("%s: %s, want %d", target, got, want)
		}
	}
}
