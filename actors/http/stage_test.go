package http

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/go-metrics"
	"github.com/hashicorp/raft"
	"github.com/hashicorp/serf/coordinate"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/answers"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const (
	nodeName = "n1"
	nodeID   = "11111111-2222-3333-4444-555555555555"
)

// stage is a server of one node: the real state and endpoints, a raft that applies
// at once, and probes for everybody else.
type stage struct {
	sys  *actor.ActorSystem
	fsm  *catalog.FSM
	cfg  Config
	logs *observer.ObservedLogs

	index  uint64 // of the last entry; the raft probe's
	status messages.Published[messages.RaftStatus]
	lan    messages.Published[messages.PoolView]
	wan    messages.Published[messages.PoolView]
	local  *registered
	events messages.Published[messages.EventView]

	firedIn string // the datacenter of the last event; the event probe's

	table   *answers.Table
	answers map[string]func(actor.Context) bool // by actor: what a probe does with a message
}

// newStage returns a stage whose server leads.
func newStage(t testing.TB) *stage {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	s := &stage{sys: actortest.System(t), fsm: catalog.NewFSM(), logs: logs, index: 1, answers: map[string]func(actor.Context) bool{}}
	raft := actortest.NewProbeFunc(t, s.sys, "raft", s.raft).Address(s.sys)
	s.lead()
	s.pools()
	s.local = newRegistered()
	s.answers["local"], s.answers["health"] = s.local.asked, s.local.asked
	s.answers["session"] = renewed
	s.table = answers.New(answers.Config{View: s.fsm.View, Follow: func(q *answers.Query) { go q.Follow(t.Context()) }})
	s.cfg = Config{
		Logger: zap.New(core),
		Invoker: invoke.New(invoke.Config{
			Datacenter: "dc1", View: s.fsm.View, Status: &s.status, Raft: raft, WAN: &s.wan, Hold: 50 * time.Millisecond,
			Sessions: s.probe(t, "session"), Answers: s.table,
		}),
		Raft:       raft,
		Event:      s.probe(t, "event"),
		GossipLAN:  s.probe(t, "gossip-lan"),
		GossipWAN:  s.probe(t, "gossip-wan"),
		Health:     s.probe(t, "health"),
		Leave:      s.probe(t, "leave"),
		Local:      s.probe(t, "local"),
		Logs:       s.probe(t, "logs"),
		Supervisor: s.probe(t, "supervisor"),
		LANView:    &s.lan,
		WANView:    &s.wan,
		RaftStatus: &s.status,
		LocalView:  &s.local.view,
		Events:     &s.events,
		Facts: Facts{
			NodeName: nodeName, NodeID: nodeID, Datacenter: "dc1", Server: true, Bootstrap: true,
			NodeMeta: map[string]string{"consul-version": "1.19.2"},
			Version:  "1.19.2", OwnVersion: "0.1.0", Revision: "abc", BuildDate: "2026-01-02T03:04:05Z",
			DebugConfig: map[string]any{"SerfAdvertiseAddrLAN": "tcp://127.0.0.1:8301"},
		},
		Limits:  DefaultLimits(),
		LogText: func(b []byte, e messages.LogEntry) []byte { return append(append(b, "[INFO] "...), e.Text...) },
		LogJSON: func(b []byte, e messages.LogEntry) []byte {
			line, _ := json.Marshal(map[string]string{"@message": e.Text})
			return append(b, line...)
		},
		ParseLevel: func(name string) (zapcore.Level, error) {
			if name == "odd" {
				return 0, errors.New("no such level")
			}
			return zapcore.InfoLevel, nil
		},
		Metrics: figures{},
	}
	return s
}

// renewed plays who keeps the deadlines of sessions.
func renewed(ctx actor.Context) bool {
	msg, ok := ctx.Message().(*messages.RenewSession)
	if ok {
		msg.Answer(true)
	}
	return ok
}

// figures are the metrics of these tests.
type figures struct{ prometheus http.Handler }

func (figures) DisplayMetrics(http.ResponseWriter, *http.Request) (any, error) {
	return map[string][]string{"Gauges": {}}, nil
}

// Stream implements Metrics with two intervals, and then waits for the end.
func (figures) Stream(ctx context.Context, to metrics.Encoder) {
	for i := range 2 {
		if to.Encode(map[string]int{"Interval": i}) != nil {
			return
		}
	}
	<-ctx.Done()
}

func (f figures) Prometheus() http.Handler { return f.prometheus }

// probe spawns an actor that does what s.answers says when it is asked.
func (s *stage) probe(t testing.TB, name string) ask.Address {
	return actortest.NewProbeFunc(t, s.sys, name, func(ctx actor.Context) bool {
		does := s.answers[name]
		return does != nil && does(ctx)
	}).Address(s.sys)
}

func (s *stage) raft(ctx actor.Context) bool {
	switch msg := ctx.Message().(type) {
	case *messages.ConfirmLeader:
		if !s.status.Load().Leads() {
			msg.Refuse(messages.ErrNotLeader)
			break
		}
		msg.Answer(messages.ReadIndex{Index: s.index})
	case *messages.ApplyEntry:
		s.index++
		result := s.fsm.Apply(&raft.Log{Index: s.index, Data: msg.Entry})
		msg.Answer(messages.Applied{Index: s.index, Result: result})
	case *messages.GetRaftConfiguration:
		msg.Answer(messages.RaftConfiguration{Index: 1, Servers: []messages.RaftServer{
			{ID: nodeID, Address: "127.0.0.1:8300", Voter: true},
			{ID: "other", Address: "127.0.0.2:8300"},
		}})
	default:
		if does := s.answers["raft"]; does != nil {
			return does(ctx)
		}
	}
	return true
}

func (s *stage) lead() {
	s.status.Publish(&messages.RaftStatus{
		State: messages.Leader, LeaderID: nodeID, LeaderAddr: "127.0.0.1:8300", Ready: true,
		AppliedIndex: func() uint64 { return 7 },
		Stats:        func() map[string]string { return map[string]string{"state": "Leader"} },
	})
}

func (s *stage) follow(lastContact time.Duration) {
	s.status.Publish(&messages.RaftStatus{
		State: messages.Follower, LeaderID: "other", LeaderAddr: "127.0.0.2:8300",
		LastContact: func() time.Time { return time.Now().Add(-lastContact) },
	})
}

func (s *stage) pools() {
	own := messages.Member{
		Name: nodeName, Addr: netip.MustParseAddr("127.0.0.1"), Port: 8301, Status: messages.MemberAlive,
		Tags:        map[string]string{"role": "consul", "dc": "dc1", "port": "8300", "raft_vsn": "3", "id": nodeID, "segment": ""},
		ProtocolMin: 1, ProtocolMax: 5, ProtocolCur: 2, DelegateMin: 2, DelegateMax: 5, DelegateCur: 4,
	}
	failed := messages.Member{Name: "n2", Addr: netip.MustParseAddr("127.0.0.2"), Port: 8301, Status: messages.MemberFailed, Tags: map[string]string{"role": "node"}}
	s.lan.Publish(&messages.PoolView{
		Pool: messages.LAN, Local: nodeName, Members: []messages.Member{own, failed},
		Stats: map[string]string{"members": "2"},
		Coordinate: func(name string) *coordinate.Coordinate {
			return coordinate.NewCoordinate(coordinate.DefaultConfig())
		},
	})
	own.Name += ".dc1"
	far := messages.Member{Name: "x.dc2", Addr: netip.MustParseAddr("127.0.0.9"), Port: 8302, Status: messages.MemberAlive, Tags: map[string]string{"role": "consul", "dc": "dc2"}}
	s.wan.Publish(&messages.PoolView{
		Pool: messages.WAN, Local: own.Name, Members: []messages.Member{own, far},
		Coordinate: func(name string) *coordinate.Coordinate {
			if name != own.Name {
				return nil
			}
			return coordinate.NewCoordinate(coordinate.DefaultConfig())
		},
	})
}

// api returns the handler alone, for tests that need no socket.
func (s *stage) api(t testing.TB) *api {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	var settings messages.Published[messages.HTTPConfig]
	settings.Publish(&messages.HTTPConfig{ResponseHeaders: s.cfg.ResponseHeaders})
	return newAPI(ctx, s.cfg, s.cfg.Logger, &settings)
}

// register puts a node, and what else there is, into the catalog.
func (s *stage) register(t testing.TB, a http.Handler, body string) {
	t.Helper()
	if got := call(a, "PUT", "/v1/catalog/register", body); got.Code != http.StatusOK {
		t.Fatalf("register %s: %d %s", body, got.Code, got.Body)
	}
}

// self registers this node as the leader would.
func (s *stage) self(t testing.TB, a http.Handler) {
	t.Helper()
	s.register(t, a, `{"Node":"`+nodeName+`","ID":"`+nodeID+`","Address":"127.0.0.1",
		"Check":{"CheckID":"serfHealth","Name":"Serf Health Status","Status":"passing","Output":"Agent alive and reachable"}}`)
}

// call makes a request without a socket. Each pair after the body is a header.
func call(a http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, in)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return serveOne(a, r)
}

func serveOne(a http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}
