package http

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	consul "github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// bridgehead is a stage whose raft can be told to change its peer set, and whose
// autopilot has looked at the servers.
type bridgehead struct {
	*stage
	autopilot messages.Published[wire.AutopilotState]
	told      []string // what raft was told to do
	refusal   error    // its answer
}

var since = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newBridgehead(t *testing.T) *bridgehead {
	t.Helper()
	b := &bridgehead{stage: newStage(t)}
	raft := actortest.NewProbeFunc(t, b.sys, "peers", func(ctx actor.Context) bool {
		switch msg := ctx.Message().(type) {
		case *messages.RemovePeer:
			b.told = append(b.told, "remove "+msg.ID)
			msg.Settle(messages.Unit{}, b.refusal)
		case *messages.TransferLeadership:
			b.told = append(b.told, "hand over to "+msg.ID)
			msg.Settle(messages.Unit{}, b.refusal)
		default:
			return b.raft(ctx)
		}
		return true
	}).Address(b.sys)
	b.cfg.Invoker = invoke.New(invoke.Config{
		Datacenter: "dc1", View: b.fsm.View, Status: &b.status, Raft: raft, Autopilot: &b.autopilot, Hold: 50 * time.Millisecond,
	})
	return b
}

// look has autopilot say how the servers are.
func (b *bridgehead) look(healthy bool) {
	status := "failed"
	if healthy {
		status = "alive"
	}
	b.autopilot.Publish(&wire.AutopilotState{
		Healthy: healthy, Leader: nodeID, Voters: []string{nodeID},
		Servers: map[string]*wire.AutopilotServerState{
			nodeID: {
				Server: wire.AutopilotServer{ID: nodeID, Name: nodeName, Address: "127.0.0.1:8300", NodeStatus: "alive", Version: "1.19.2", RaftVersion: 3, IsLeader: true, NodeType: "voter", Meta: map[string]string{"rack": "r1"}},
				State:  wire.RaftLeader,
				Stats:  wire.AutopilotServerStats{LastTerm: 2, LastIndex: 7},
				Health: wire.AutopilotServerHealth{Healthy: true, StableSince: since},
			},
			"other": {
				Server: wire.AutopilotServer{ID: "other", Name: "o", Address: "127.0.0.2:8300", NodeStatus: status, Version: "1.19.2", RaftVersion: 3, NodeType: "read-replica"},
				State:  wire.RaftNonVoter,
				Stats:  wire.AutopilotServerStats{LastContact: 1500 * time.Microsecond, LastTerm: 2, LastIndex: 6},
				Health: wire.AutopilotServerHealth{Healthy: healthy, StableSince: since},
			},
		},
	})
}

// TestAutopilotHealth has the golden answer, with one server more.
func TestAutopilotHealth(t *testing.T) {
	const answer = `{"Healthy":%t,"FailureTolerance":0,"Servers":[` +
		`{"ID":"11111111-2222-3333-4444-555555555555","Name":"n1","Address":"127.0.0.1:8300","SerfStatus":"alive","Version":"1.19.2","Leader":true,` +
		`"LastContact":"0s","LastTerm":2,"LastIndex":7,"Healthy":true,"Voter":true,"StableSince":"2026-01-02T03:04:05Z"},` +
		`{"ID":"other","Name":"o","Address":"127.0.0.2:8300","SerfStatus":"%s","Version":"1.19.2","Leader":false,` +
		`"LastContact":"1.5ms","LastTerm":2,"LastIndex":6,"Healthy":%[1]t,"Voter":false,"StableSince":"2026-01-02T03:04:05Z"}]}`
	tests := []struct {
		healthy bool
		status  int
		serf    string
	}{
		{healthy: true, status: http.StatusOK, serf: "alive"},
		{healthy: false, status: http.StatusTooManyRequests, serf: "failed"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("healthy_%t", tt.healthy), func(t *testing.T) {
			b := newBridgehead(t)
			b.look(tt.healthy)
			got := call(b.api(t), "GET", "/v1/operator/autopilot/health", "")
			if want := fmt.Sprintf(answer, tt.healthy, tt.serf); got.Code != tt.status || got.Body.String() != want {
				t.Errorf("%d %s\nwant %d %s", got.Code, got.Body, tt.status, want)
			}
		})
	}
}

func TestAutopilotState(t *testing.T) {
	b := newBridgehead(t)
	b.look(true)
	got := call(b.api(t), "GET", "/v1/operator/autopilot/state", "")
	want := `{"Healthy":true,"FailureTolerance":0,"OptimisticFailureTolerance":0,"Servers":{` +
		`"11111111-2222-3333-4444-555555555555":{"ID":"11111111-2222-3333-4444-555555555555","Name":"n1","Address":"127.0.0.1:8300","NodeStatus":"alive","Version":"1.19.2",` +
		`"LastContact":"0s","LastTerm":2,"LastIndex":7,"Healthy":true,"StableSince":"2026-01-02T03:04:05Z","ReadReplica":false,"Status":"leader","Meta":{"rack":"r1"},"NodeType":"voter"},` +
		`"other":{"ID":"other","Name":"o","Address":"127.0.0.2:8300","NodeStatus":"alive","Version":"1.19.2",` +
		`"LastContact":"1.5ms","LastTerm":2,"LastIndex":6,"Healthy":true,"StableSince":"2026-01-02T03:04:05Z","ReadReplica":true,"Status":"non-voter","Meta":null,"NodeType":"read-replica"}},` +
		`"Leader":"11111111-2222-3333-4444-555555555555","Voters":["11111111-2222-3333-4444-555555555555"]}`
	if got.Code != http.StatusOK || got.Body.String() != want {
		t.Errorf("%d %s\nwant %s", got.Code, got.Body, want)
	}
}

func TestOperatorOfPeers(t *testing.T) {
	tests := []struct {
		name, request string
		refusal       error
		answer, told  string
	}{
		{name: "remove_by_id", request: "DELETE /v1/operator/raft/peer?id=other", answer: "200 ", told: "remove other"},
		{name: "remove_by_address", request: "DELETE /v1/operator/raft/peer?address=127.0.0.2:8300", answer: "200 ", told: "remove other"},
		{name: "remove_a_stranger", request: "DELETE /v1/operator/raft/peer?id=x", answer: `500 id "x" was not found in the Raft configuration`},
		{name: "remove_nobody", request: "DELETE /v1/operator/raft/peer", answer: "400 Must specify either ?id with the server's ID or ?address with IP:port of peer to remove"},
		{name: "remove_both", request: "DELETE /v1/operator/raft/peer?id=a&address=b", answer: "400 Must specify only one of ?id or ?address"},
		{name: "remove_elsewhere", request: "DELETE /v1/operator/raft/peer?id=a&dc=nope", answer: "500 No path to datacenter"},
		{name: "remove_in_vain", request: "DELETE /v1/operator/raft/peer?id=other", refusal: errors.New("no"), answer: "500 no", told: "remove other"},
		{name: "get_a_peer", request: "GET /v1/operator/raft/peer", answer: "405 method GET not allowed"},
		{name: "hand_over", request: "POST /v1/operator/raft/transfer-leader", answer: `200 {"Success":true}`, told: "hand over to "},
		{name: "hand_over_to_a_stranger", request: "POST /v1/operator/raft/transfer-leader?id=x", answer: `500 id "x" was not found in the Raft configuration`},
		{name: "hand_over_to_one_without_a_vote", request: "POST /v1/operator/raft/transfer-leader?id=other", answer: "500 server other (127.0.0.2:8300) has no vote and cannot lead"},
		{name: "state_elsewhere", request: "GET /v1/operator/autopilot/state?dc=nope", answer: "500 No path to datacenter"},
		{name: "health_with_odd_options", request: "GET /v1/operator/autopilot/health?stale&consistent", answer: "400 Cannot specify ?stale with ?consistent, conflicting semantics."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBridgehead(t)
			b.look(true)
			b.refusal = tt.refusal
			method, target, _ := strings.Cut(tt.request, " ")
			got := call(b.api(t), method, target, "")
			if have := fmt.Sprintf("%d %s", got.Code, got.Body); have != tt.answer || strings.Join(b.told, ", ") != tt.told {
				t.Errorf("%s, raft was told to %q; want %s, %q", have, b.told, tt.answer, tt.told)
			}
		})
	}
}

// TestOperatorWithoutLeader: the peer set can be had when nobody leads, which is when
// it is wanted most, and nothing else.
func TestOperatorWithoutLeader(t *testing.T) {
	b := newBridgehead(t)
	b.status.Publish(&messages.RaftStatus{State: messages.Candidate})
	a := b.api(t)
	if got := call(a, "GET", "/v1/operator/raft/configuration", ""); got.Code != http.StatusOK {
		t.Errorf("the peer set: %d %s", got.Code, got.Body)
	}
	for _, request := range []string{
		"GET /v1/operator/autopilot/state", "GET /v1/operator/autopilot/health",
		"DELETE /v1/operator/raft/peer?id=other", "POST /v1/operator/raft/transfer-leader",
	} {
		method, target, _ := strings.Cut(request, " ")
		if got := call(a, method, target, ""); got.Code != http.StatusInternalServerError || got.Body.String() != "No cluster leader" {
			t.Errorf("%s: %d %s, want 500 No cluster leader", request, got.Code, got.Body)
		}
	}
}

func TestFailedServersHaveNames(t *testing.T) {
	b := newBridgehead(t)
	view := *b.lan.Load()
	view.Members = append(view.Members, messages.Member{Name: "o", Status: messages.MemberFailed, Tags: map[string]string{"role": "consul", "id": "other", "raft_vsn": "3"}})
	b.lan.Publish(&view)
	got := call(b.api(t), "GET", "/v1/operator/raft/configuration", "").Body.String()
	if !strings.Contains(got, `{"ID":"other","Node":"o","Address":"127.0.0.2:8300","Leader":false,"ProtocolVersion":"3","Voter":false,"LastIndex":0}`) {
		t.Errorf("the peer set is %s", got)
	}
}

func TestOfficialOperatorClient(t *testing.T) {
	b := newBridgehead(t)
	b.look(false)
	c := official(t, b.stage).Operator()
	if health, err := c.AutopilotServerHealth(nil); err != nil || health.Healthy || len(health.Servers) != 2 || !health.Servers[0].StableSince.Equal(since) {
		t.Errorf("health: %+v, %v", health, err)
	}
	state, err := c.AutopilotState(nil)
	if err != nil {
		t.Fatal(err)
	}
	if other := state.Servers["other"]; state.Healthy || state.Leader != nodeID || other.Status != consul.AutopilotServerNonVoter || other.LastContact.Duration() != 1500*time.Microsecond {
		t.Errorf("state: %+v", state)
	}
	if err := c.RaftRemovePeerByID("other", nil); err != nil {
		t.Error(err)
	}
	if err := c.RaftRemovePeerByAddress("127.0.0.2:8300", nil); err != nil {
		t.Error(err)
	}
	if done, err := c.RaftLeaderTransfer("", nil); err != nil || !done.Success {
		t.Errorf("transfer: %+v, %v", done, err)
	}
	if got := strings.Join(b.told, ", "); got != "remove other, remove other, hand over to " {
		t.Errorf("raft was told to %q", got)
	}
}
