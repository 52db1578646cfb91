package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/actor-consul/consul/messages/agentrpc"
)

// answer is what the scripted agent says to a command.
type answer struct {
	refusal string
	body    any   // follows the header; nil for commands without one
	stream  []any // each follows a header of its own
	hold    bool  // go on waiting after the stream, as a monitor does
}

// scriptedAgent answers each command from a table, and remembers what it was
// asked. A command that is not in the table is not supported.
type scriptedAgent struct {
	answers map[agentrpc.Command]answer
	addr    string

	mu    sync.Mutex
	asked []any // the bodies of the requests
}

// requestBodies makes what the body of a request is read into.
var requestBodies = map[agentrpc.Command]func() any{
	agentrpc.Handshake:     func() any { return new(agentrpc.HandshakeRequest) },
	agentrpc.ForceLeave:    func() any { return new(agentrpc.ForceLeaveRequest) },
	agentrpc.Join:          func() any { return new(agentrpc.JoinRequest) },
	agentrpc.Monitor:       func() any { return new(agentrpc.MonitorRequest) },
	agentrpc.LeaveProgress: func() any { return new(agentrpc.LeaveRequest) },
	agentrpc.InstallKey:    func() any { return new(agentrpc.KeyringRequest) },
	agentrpc.ListKeys:      func() any { return new(agentrpc.KeyringRequest) },
}

// startAgent serves answers until the test ends.
func startAgent(t *testing.T, answers map[agentrpc.Command]answer) *scriptedAgent {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &scriptedAgent{answers: answers, addr: l.Addr().String()}
	a.answers[agentrpc.Handshake] = answer{}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed below
			}
			serving.Go(func() { a.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return a
}

func (a *scriptedAgent) serve(conn net.Conn) {
	defer conn.Close()
	requests := agentrpc.NewDecoder(conn, agentrpc.MaxRequest)
	for {
		var h agentrpc.RequestHeader
		if requests.Decode(&h) != nil {
			return
		}
		if create, ok := requestBodies[h.Command]; ok {
			body := create()
			if requests.Decode(body) != nil {
				return
			}
			a.mu.Lock()
			a.asked = append(a.asked, body)
			a.mu.Unlock()
		}
		said, supported := a.answers[h.Command]
		if !supported {
			said = answer{refusal: agentrpc.UnsupportedCommand}
		}
		if say(conn, h.Seq, said) != nil || !supported {
			return
		}
		if said.stream != nil && !said.hold {
			return
		}
	}
}

func say(w io.Writer, seq uint64, said answer) error {
	values := []any{&agentrpc.ResponseHeader{Seq: seq, Error: said.refusal}}
	if said.body != nil {
		values = append(values, said.body)
	}
	for _, record := range said.stream {
		values = append(values, &agentrpc.ResponseHeader{Seq: seq}, record)
	}
	enc := agentrpc.NewEncoder(w)
	if err := enc.Encode(values...); err != nil {
		return err
	}
	return enc.Flush()
}

// last returns what the agent was asked last that had a body.
func (a *scriptedAgent) last() any {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[len(a.asked)-1]
}

// TestAsking runs each command against an agent that answers well, or does not.
func TestAsking(t *testing.T) {
	tests := []struct {
		name           string
		args           []string
		command        agentrpc.Command
		answer         answer
		status         int
		stdout, stderr string
		asked          any
	}{
		{
			name: "members", args: []string{"members"},
			command: agentrpc.MembersLAN,
			answer:  answer{body: &agentrpc.MembersResponse{Members: []agentrpc.Member{client, server}}},
			stdout: "server-1  10.1.10.38:8301  alive   role=consul,dc=dc1,vsn=2,vsn_min=2,vsn_max=3,port=8300,bootstrap=1\n" +
				"web       [fd00::7]:8301   failed  role=node,dc=dc1,vsn=2\n",
		},
		{
			name: "members_by_status", args: []string{"members", "-status=^fail"},
			command: agentrpc.MembersLAN,
			answer:  answer{body: &agentrpc.MembersResponse{Members: []agentrpc.Member{client, server}}},
			stdout:  "web  [fd00::7]:8301  failed  role=node,dc=dc1,vsn=2\n",
		},
		{
			name: "members_by_role", args: []string{"members", "-wan", "-role=consul", "-format=table"},
			command: agentrpc.MembersWAN,
			answer:  answer{body: &agentrpc.MembersResponse{Members: []agentrpc.Member{client, server}}},
			stdout: "Node      Address          Status  Type    Build   Protocol  DC   Partition  Segment\n" +
				"server-1  10.1.10.38:8301  alive   server  1.19.2  2         dc1  default    <all>\n",
		},
		{
			name: "members_nobody", args: []string{"members", "-role=nothing"},
			command: agentrpc.MembersLAN,
			answer:  answer{body: &agentrpc.MembersResponse{Members: []agentrpc.Member{client, server}}},
			status:  2,
			stderr:  "No members match\n",
		},
		{
			name: "members_refused", args: []string{"members"},
			command: agentrpc.MembersLAN,
			answer:  answer{refusal: "try again", body: &agentrpc.MembersResponse{}},
			status:  1,
			stderr:  "Error retrieving members: try again\n",
		},
		{
			name: "info", args: []string{"info"},
			command: agentrpc.Stats,
			answer:  answer{body: map[string]map[string]string{"raft": {"term": "2", "state": "Leader"}}},
			stdout:  "raft:\n\tstate = Leader\n\tterm = 2\n",
		},
		{
			name: "join", args: []string{"join", "10.0.0.1", "-wan", "10.0.0.2:8302"},
			command: agentrpc.Join,
			answer:  answer{body: &agentrpc.JoinResponse{Num: 2}},
			stdout:  "Successfully joined cluster by contacting 2 nodes.\n",
			asked:   &agentrpc.JoinRequest{Existing: []string{"10.0.0.1", "10.0.0.2:8302"}, WAN: true},
		},
		{
			name: "join_fails", args: []string{"join", "10.0.0.1"},
			command: agentrpc.Join,
			answer:  answer{refusal: "10.0.0.1:8301: connection refused", body: &agentrpc.JoinResponse{}},
			status:  1,
			stderr:  "Error joining the cluster: 10.0.0.1:8301: connection refused\n",
		},
		{
			name: "force_leave", args: []string{"force-leave", "web", "-prune"},
			command: agentrpc.ForceLeave,
			asked:   &agentrpc.ForceLeaveRequest{Node: "web", Prune: true},
		},
		{
			name: "leave", args: []string{"leave", "-force"},
			command: agentrpc.LeaveProgress,
			answer: answer{stream: []any{
				&agentrpc.LeaveRecord{Step: "withdraw", Owner: "local"},
				&agentrpc.LeaveRecord{Step: "withdraw", Owner: "local", Done: true, Note: "2 services taken out", Took: 12 * time.Millisecond},
				&agentrpc.LeaveRecord{End: true},
			}},
			stdout: "    12ms  withdraw: 2 services taken out\n" +
				"Graceful leave complete\n",
			asked: &agentrpc.LeaveRequest{Force: true},
		},
		{
			name: "leave_that_goes_wrong", args: []string{"leave"},
			command: agentrpc.LeaveProgress,
			answer: answer{stream: []any{
				&agentrpc.LeaveRecord{Step: "leave the raft peers", Owner: "raft", Done: true, Err: "no leader", Took: 12 * time.Millisecond},
				&agentrpc.LeaveRecord{End: true},
			}},
			stdout: "    12ms  leave the raft peers: failed: no leader\n",
			stderr: "The agent has left, but could not do all that it should have: 1 of the steps above failed. See `consul members` and `consul operator raft list-peers` on another agent.\n",
			status: 1,
			asked:  &agentrpc.LeaveRequest{},
		},
		{
			name: "leave_refused", args: []string{"leave"},
			command: agentrpc.LeaveProgress,
			answer:  answer{refusal: "the cluster would lose its quorum"},
			status:  1,
			stderr:  "Error leaving: the cluster would lose its quorum\n",
		},
		{
			name: "leave_of_an_older_agent", args: []string{"leave"},
			command: agentrpc.Leave,
			stdout:  "Graceful leave complete\n",
		},
		{
			name: "reload", args: []string{"reload"},
			command: agentrpc.ReloadReport,
			answer:  answer{body: &agentrpc.ReloadResponse{Applied: []string{"log_level"}, Unchanged: 114}},
			stdout:  "Configuration reload triggered\napplied    log_level\nunchanged  114 keys\n",
		},
		{
			name: "actors", args: []string{"actors"},
			command: agentrpc.Actors,
			answer:  answer{body: &agentrpc.ActorsResponse{Actors: []agentrpc.Actor{{Name: "logs", State: "running", Since: start.UnixNano()}}}},
			stdout: "Actor  State    Mailbox  Handled  Restarts  Up since              Last failure\n" +
				"logs   running  0        0        0         2026-03-04T05:06:07Z  -\n",
		},
		{
			name: "keyring_list", args: []string{"keyring", "-list", "-relay-factor=2"},
			command: agentrpc.ListKeys,
			answer: answer{body: &agentrpc.KeyringResponse{
				Info: twoPools[:1],
				Keys: []agentrpc.KeyringEntry{{Datacenter: "dc1", Pool: "LAN", Key: "a=", Count: 3}},
			}},
			stdout: "==> Gathering installed encryption keys...\n\ndc1 (LAN):\n  a= [3/3]\n",
			asked:  &agentrpc.KeyringRequest{RelayFactor: 2},
		},
		{
			name: "keyring_install", args: []string{"keyring", "-install=a="},
			command: agentrpc.InstallKey,
			answer:  answer{body: &agentrpc.KeyringResponse{Info: twoPools}},
			stdout:  "==> Installing new gossip encryption key...\n==> Done!\n",
			asked:   &agentrpc.KeyringRequest{Key: "a="},
		},
		{
			name: "keyring_member_fails", args: []string{"keyring", "-install=a="},
			command: agentrpc.InstallKey,
			answer: answer{refusal: "1/3 nodes reported failure", body: &agentrpc.KeyringResponse{
				Info:     []agentrpc.KeyringInfo{{Datacenter: "dc1", Pool: "LAN", NumNodes: 3, Error: "1/3 nodes reported failure"}},
				Messages: []agentrpc.KeyringMessage{{Datacenter: "dc1", Pool: "LAN", Node: "web", Message: "bad key"}},
			}},
			status: 1,
			stdout: "==> Installing new gossip encryption key...\n",
			stderr: "\ndc1 (LAN) error: 1/3 nodes reported failure\n  web: bad key\n",
		},
		{
			name: "keyring_refused", args: []string{"keyring", "-list"},
			command: agentrpc.ListKeys,
			answer:  answer{refusal: "gossip is not encrypted", body: &agentrpc.KeyringResponse{}},
			status:  1,
			stdout:  "==> Gathering installed encryption keys...\n",
			stderr:  "Error: gossip is not encrypted\n",
		},
		{
			name: "monitor_until_the_agent_ends", args: []string{"monitor", "-log-level=DEBUG"},
			command: agentrpc.Monitor,
			answer:  answer{stream: []any{&agentrpc.LogRecord{Log: "[INFO] agent: \x1b[2Jone"}}},
			status:  1,
			stdout:  `[INFO] agent: \x1b[2Jone` + "\n",
			stderr: "Error monitoring the agent: the agent closed the connection; it has ended," +
				" or its RPC listener has been restarted\n",
			asked: &agentrpc.MonitorRequest{LogLevel: "debug"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			agent := startAgent(t, map[agentrpc.Command]answer{tt.command: tt.answer})
			t.Setenv(agentrpc.AddrEnv, agent.addr)
			var stdout, stderr bytes.Buffer
			status := run(tt.args, &stdout, &stderr)
			if status != tt.status || stdout.String() != tt.stdout || stderr.String() != tt.stderr {
				t.Errorf("exit status %d, want %d\nstdout\n%swant\n%sstderr\n%swant\n%s",
					status, tt.status, &stdout, tt.stdout, &stderr, tt.stderr)
			}
			if tt.asked != nil {
				assertEqual(t, agent.last(), tt.asked)
			}
		})
	}
}

// TestRPCAddr checks that the flag goes before the environment.
func TestRPCAddr(t *testing.T) {
	agent := startAgent(t, map[agentrpc.Command]answer{
		agentrpc.MembersLAN: {body: &agentrpc.MembersResponse{Members: []agentrpc.Member{server}}},
	})
	t.Setenv(agentrpc.AddrEnv, "nowhere")
	var stderr bytes.Buffer
	if status := run([]string{"members", "-rpc-addr", agent.addr}, io.Discard, &stderr); status != 0 {
		t.Errorf("with the flag the exit status is %d: %s", status, &stderr)
	}
	if status := run([]string{"members"}, io.Discard, &stderr); status != 1 {
		t.Errorf("with the environment the exit status is %d: %s", status, &stderr)
	}
}

// interrupter presses Ctrl-C when it has seen a line.
type interrupter struct{ strings.Builder }

func (w *interrupter) Write(p []byte) (int, error) {
	n, err := w.Builder.Write(p)
	if err == nil && strings.HasSuffix(w.String(), "\n") {
		err = syscall.Kill(os.Getpid(), syscall.SIGINT)
	}
	return n, err
}

func TestMonitorInterrupted(t *testing.T) {
	agent := startAgent(t, map[agentrpc.Command]answer{
		agentrpc.Monitor: {stream: []any{&agentrpc.LogRecord{Log: `{"m":"\u001b"}`}}, hold: true},
	})
	var stdout interrupter
	var stderr bytes.Buffer
	status := run([]string{"monitor", "-log-json", "-rpc-addr", agent.addr}, &stdout, &stderr)
	if status != 0 || stdout.String() != `{"m":"\u001b"}`+"\n" || stderr.Len() > 0 {
		t.Errorf("exit status %d, stdout %q, stderr %q", status, stdout.String(), &stderr)
	}
	assertEqual(t, agent.last(), &agentrpc.MonitorRequest{LogLevel: "info", JSON: true})
}

func assertEqual(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the agent was asked %+v, want %+v", got, want)
	}
}
