package wire

import (
	"bytes"
	"reflect"
	"testing"
	"time"
)

// TestOperatorOnTheWire: what the leader says of its servers arrives as it was sent,
// times included, down to the nanosecond.
func TestOperatorOnTheWire(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	for name, sent := range map[string]any{
		"state": &AutopilotState{
			Healthy: true, FailureTolerance: 1, Leader: "a", Voters: []string{"a", "b"},
			Servers: map[string]*AutopilotServerState{"a": {
				Server: AutopilotServer{ID: "a", Name: "s1", Address: "10.0.0.1:8300", NodeStatus: "alive", Version: "1.19.2", Meta: map[string]string{"rack": "r1"}, RaftVersion: 3, IsLeader: true, NodeType: "voter"},
				State:  RaftLeader,
				Stats:  AutopilotServerStats{LastContact: -1, LastTerm: 2, LastIndex: 9},
				Health: AutopilotServerHealth{Healthy: true, StableSince: since},
			}},
		},
		"health":        &AutopilotHealthReply{Healthy: true, Servers: []AutopilotHealth{{ID: "a", SerfStatus: 1, LastContact: time.Second, StableSince: since}}},
		"configuration": &RaftConfigurationResponse{Index: 7, Servers: []*RaftServer{{ID: "a", Node: "s1", Address: "10.0.0.1:8300", Leader: true, ProtocolVersion: "3", Voter: true, LastIndex: 9}}},
		"remove":        &RaftRemovePeerRequest{Datacenter: "dc1", Address: "10.0.0.1:8300", ID: "a", WriteRequest: WriteRequest{Token: "t"}},
		"transfer":      &TransferLeaderRequest{Datacenter: "dc1", ID: "a", WriteRequest: WriteRequest{Token: "t"}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := NewEncoder(&b).Encode(sent); err != nil {
				t.Fatal(err)
			}
			got := reflect.New(reflect.TypeOf(sent).Elem()).Interface()
			if err := NewDecoder(&b).Decode(got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, sent) {
				t.Errorf("arrived as %+v, want %+v", got, sent)
			}
		})
	}
}
