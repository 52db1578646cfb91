package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/cli"
)

// fakeOperator is an agent that says what a test has it say, by method and path.
type fakeOperator struct {
	answers map[string]string // 200 with this, or a status and a text
	asked   []string          // method and URL, and the body
}

func (f *fakeOperator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	answer, ok := f.answers[r.Method+" "+r.URL.Path]
	if !ok {
		answer = "!no such route"
	}
	if problem, is := strings.CutPrefix(answer, "!"); is {
		http.Error(w, problem, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, answer)
}

const (
	fakePeers = `{"Servers":[
		{"ID":"7d3a16c4","Node":"s1","Address":"10.0.0.1:8300","Leader":true,"ProtocolVersion":"3","Voter":true,"LastIndex":1167},
		{"ID":"9c8b2f7e","Node":"s2","Address":"10.0.0.2:8300","Leader":false,"ProtocolVersion":"3","Voter":true,"LastIndex":1166},
		{"ID":"b1","Node":"s\u001b[2J","Address":"10.0.0.3:8300","Leader":false,"ProtocolVersion":"3","Voter":false,"LastIndex":1170},
		{"ID":"b2","Node":"(unknown)","Address":"10.0.0.4:8300","Leader":false,"ProtocolVersion":"unknown","Voter":true,"LastIndex":0}],"Index":7}`
	fakeConfig = `{"CleanupDeadServers":true,"LastContactThreshold":"200ms","MaxTrailingLogs":250,"MinQuorum":0,"ServerStabilizationTime":"10s",
		"RedundancyZoneTag":"","DisableUpgradeMigration":false,"UpgradeVersionTag":"","CreateIndex":5,"ModifyIndex":9}`
	fakeState = `{"Healthy":false,"FailureTolerance":0,"OptimisticFailureTolerance":0,"Leader":"b","Voters":["b","a"],"Servers":{
		"a":{"ID":"a","Name":"s1","Address":"10.0.0.1:8300","NodeStatus":"failed","Version":"1.19.2","LastContact":"1.5ms","LastTerm":2,"LastIndex":8,
			"Healthy":false,"StableSince":"2026-01-02T03:04:05Z","ReadReplica":false,"Status":"voter","Meta":{"rack":"r1"},"NodeType":"voter"},
		"b":{"ID":"b","Name":"","Address":"10.0.0.2:8300","NodeStatus":"none","Version":"","LastContact":"0s","LastTerm":2,"LastIndex":9,
			"Healthy":true,"StableSince":"2026-01-02T03:04:05Z","ReadReplica":false,"Status":"leader","Meta":null,"NodeType":"voter"}}}`
)

// operate runs a command against an agent, and returns what it said.
func operate(t *testing.T, line string, answers map[string]string) (status int, stdout, stderr string, agent *fakeOperator) {
	t.Helper()
	t.Setenv("CONSUL_HTTP_TOKEN", "")
	agent = &fakeOperator{answers: answers}
	at := httptest.NewServer(agent)
	defer at.Close()
	args := strings.Fields(line)
	n := 0
	for n < len(args) && !strings.HasPrefix(args[n], "-") {
		n++
	}
	ui := cli.NewMockUi()
	command := commands[strings.Join(args[:n], " ")](ui)
	status = command.Run(append([]string{"-http-addr=" + at.URL}, args[n:]...))
	return status, ui.OutputWriter.String(), ui.ErrorWriter.String(), agent
}

const (
	peersRoute  = "GET /v1/operator/raft/configuration"
	removeRoute = "DELETE /v1/operator/raft/peer"
	handRoute   = "POST /v1/operator/raft/transfer-leader"
	getRoute    = "GET /v1/operator/autopilot/configuration"
	setRoute    = "PUT /v1/operator/autopilot/configuration"
	stateRoute  = "GET /v1/operator/autopilot/state"
)

func TestOperatorCommands(t *testing.T) {
	casOf := func(change, to string) string {
		plain := strings.NewReplacer("\n", "", "\t", "").Replace(fakeConfig)
		return "PUT /v1/operator/autopilot/configuration?cas=9 " + strings.Replace(plain, change, to, 1)
	}
	tests := []struct {
		name    string
		line    string
		answers map[string]string
		output  string
		asked   string // at last
	}{
		{name: "list_peers", line: "operator raft list-peers", answers: map[string]string{peersRoute: fakePeers}, asked: peersRoute, output: `
Node       ID        Address        State     Voter  RaftProtocol  Commit Index  Trails Leader By
s1         7d3a16c4  10.0.0.1:8300  leader    true   3             1167          -
s2         9c8b2f7e  10.0.0.2:8300  follower  true   3             1166          1 commit
s\x1b[2J   b1        10.0.0.3:8300  follower  false  3             1170          0 commits
(unknown)  b2        10.0.0.4:8300  follower  true   unknown       -             -
`},
		{name: "list_peers_stale", line: "operator raft list-peers -stale -datacenter=dc2", answers: map[string]string{peersRoute: `{}`},
			asked: peersRoute + "?dc=dc2&stale=", output: "\nNode  ID  Address  State  Voter  RaftProtocol  Commit Index  Trails Leader By\n"},
		{name: "remove_by_id", line: "operator raft remove-peer -id=b1", answers: map[string]string{removeRoute: ""},
			asked: removeRoute + "?id=b1", output: "\nRemoved peer with id \"b1\"\n"},
		{name: "remove_by_address", line: "operator raft remove-peer -address=10.0.0.2:8300", answers: map[string]string{removeRoute: ""},
			asked: removeRoute + "?address=10.0.0.2%3A8300", output: "\nRemoved peer with address \"10.0.0.2:8300\"\n"},
		{name: "hand_over", line: "operator raft transfer-leader", answers: map[string]string{handRoute: `{"Success":true}`},
			asked: handRoute, output: "\nSuccess\n"},
		{name: "hand_over_to_one", line: "operator raft transfer-leader -id=b1", answers: map[string]string{handRoute: `{"Success":true}`},
			asked: handRoute + "?id=b1", output: "\nSuccess\n"},
		{name: "get_config", line: "operator autopilot get-config", answers: map[string]string{getRoute: fakeConfig}, asked: getRoute, output: `
CleanupDeadServers = true
LastContactThreshold = 200ms
MaxTrailingLogs = 250
MinQuorum = 0
ServerStabilizationTime = 10s
RedundancyZoneTag = ""
DisableUpgradeMigration = false
UpgradeVersionTag = ""
`},
		{name: "set_one", line: "operator autopilot set-config -cleanup-dead-servers=false", answers: map[string]string{getRoute: fakeConfig, setRoute: "true"},
			asked: casOf(`"CleanupDeadServers":true`, `"CleanupDeadServers":false`), output: "\nConfiguration updated!\n"},
		{name: "set_durations", line: "operator autopilot set-config -server-stabilization-time=1m", answers: map[string]string{getRoute: fakeConfig, setRoute: "true"},
			asked: casOf(`"10s"`, `"1m0s"`), output: "\nConfiguration updated!\n"},
		{name: "set_to_nothing", line: "operator autopilot set-config -max-trailing-logs=0", answers: map[string]string{getRoute: fakeConfig, setRoute: "true"},
			asked: casOf(`:250`, `:0`), output: "\nConfiguration updated!\n"},
		{name: "set_what_does_nothing", line: "operator autopilot set-config -upgrade-version-tag=v", answers: map[string]string{getRoute: fakeConfig, setRoute: "true"},
			asked: casOf(`"UpgradeVersionTag":""`, `"UpgradeVersionTag":"v"`), output: "\nConfiguration updated!\n"},
		{name: "state", line: "operator autopilot state", answers: map[string]string{stateRoute: fakeState}, asked: stateRoute, output: `
Healthy:                      false
Failure Tolerance:            0
Optimistic Failure Tolerance: 0
Leader:                       b
Voters:
   b
   a
Servers:
   a
      Name:         s1
      Address:      10.0.0.1:8300
      Version:      1.19.2
      Status:       voter
      Node Type:    voter
      Node Status:  failed
      Healthy:      false
      Stable Since: 2026-01-02T03:04:05Z
      Last Contact: 1.5ms
      Last Term:    2
      Last Index:   8
      Meta
         "rack": "r1"
   b
      Name:
      Address:      10.0.0.2:8300
      Version:
      Status:       leader
      Node Type:    voter
      Node Status:  none
      Healthy:      true
      Stable Since: 2026-01-02T03:04:05Z
      Last Contact: 0s
      Last Term:    2
      Last Index:   9
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr, agent := operate(t, tt.line, tt.answers)
			if status != 0 || "\n"+stdout != tt.output || stderr != "" {
				t.Errorf("%d, %q, output:\n%s\nwant:%s", status, stderr, stdout, tt.output)
			}
			if got := agent.asked[len(agent.asked)-1]; got != tt.asked {
				t.Errorf("the agent was asked %s\nwant %s", got, tt.asked)
			}
		})
	}
}

func TestOperatorComplaints(t *testing.T) {
	refused := "!no"
	tests := []struct {
		name    string
		line    string
		answers map[string]string
		told    string // how it begins
	}{
		{name: "list_peers", line: "operator raft list-peers", told: "Error getting peers: Unexpected response code: 500 (no such route)"},
		{name: "remove_neither", line: "operator raft remove-peer", told: "consul operator raft remove-peer: needs exactly one of -id and -address\n"},
		{name: "remove_both", line: "operator raft remove-peer -id=a -address=b", told: "consul operator raft remove-peer: needs exactly one of -id and -address\n"},
		{name: "remove", line: "operator raft remove-peer -id=a", answers: map[string]string{removeRoute: refused}, told: "Error removing peer: Unexpected response code: 500 (no)"},
		{name: "hand_over", line: "operator raft transfer-leader", answers: map[string]string{handRoute: refused}, told: "Error transferring leadership: Unexpected response code: 500 (no)"},
		{name: "hand_over_in_vain", line: "operator raft transfer-leader", answers: map[string]string{handRoute: `{"Success":false}`}, told: "Error transferring leadership: the leader leads on"},
		{name: "get_config", line: "operator autopilot get-config", answers: map[string]string{getRoute: refused}, told: "Error querying Autopilot configuration: Unexpected response code: 500 (no)"},
		{name: "set_nothing", line: "operator autopilot set-config", told: "consul operator autopilot set-config: needs something to change\n"},
		{name: "set_nonsense", line: "operator autopilot set-config -last-contact-threshold=soon", told: "consul operator autopilot set-config: invalid value \"soon\" for flag -last-contact-threshold"},
		{name: "set_negative", line: "operator autopilot set-config -last-contact-threshold=-1s", told: "consul operator autopilot set-config: invalid value \"-1s\" for flag -last-contact-threshold: it is negative"},
		{name: "set_blindly", line: "operator autopilot set-config -min-quorum=3", answers: map[string]string{getRoute: refused}, told: "Error querying Autopilot configuration: Unexpected response code: 500 (no)"},
		{name: "set", line: "operator autopilot set-config -min-quorum=3", answers: map[string]string{getRoute: fakeConfig, setRoute: refused}, told: "Error setting Autopilot configuration: Unexpected response code: 500 (no)"},
		{name: "set_too_late", line: "operator autopilot set-config -min-quorum=3", answers: map[string]string{getRoute: fakeConfig, setRoute: "false"}, told: "Configuration could not be atomically updated, please try again"},
		{name: "state", line: "operator autopilot state", answers: map[string]string{stateRoute: "!No cluster leader"}, told: "Error querying Autopilot state: Unexpected response code: 500 (No cluster leader)"},
		{name: "operands", line: "operator autopilot state -- x", told: `consul operator autopilot state: takes no arguments, but was given "x"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr, _ := operate(t, tt.line, tt.answers)
			if status != 1 || stdout != "" || !strings.HasPrefix(stderr, tt.told) {
				t.Errorf("%d, %q, told:\n%s\nwant it to begin with:\n%s", status, stdout, stderr, tt.told)
			}
		})
	}
}

func TestAutopilotStateAsJSON(t *testing.T) {
	_, stdout, stderr, _ := operate(t, "operator autopilot state -format=json", map[string]string{stateRoute: fakeState})
	if !strings.HasPrefix(stdout, "{\n   \"Healthy\": false,\n") || !strings.Contains(stdout, `"LastContact": "1.5ms"`) {
		t.Errorf("%q, output:\n%s", stderr, stdout)
	}
}

func TestOperatorWithoutAnAgent(t *testing.T) {
	ui := cli.NewMockUi()
	if status := newListPeersCommand(ui).Run([]string{"-http-addr=127.0.0.1:1"}); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	if got := ui.ErrorWriter.String(); !strings.HasPrefix(got, "Error getting peers: nothing listens at 127.0.0.1:1: is the agent running there?") {
		t.Errorf("told: %s", got)
	}
}
