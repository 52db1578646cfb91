package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/messages/agentrpc"
)

func TestChoose(t *testing.T) {
	tests := []struct {
		name      string
		args      []string
		rpc, http string // the environment's addresses
		want      way
		wrong     string
	}{
		{name: "nothing_said", want: byEither},
		{name: "flag_of_rpc", args: []string{"-rpc-addr=x"}, http: "h", want: byRPC},
		{name: "flag_of_http", args: []string{"-http-addr=x"}, rpc: "r", want: byHTTP},
		{name: "another_flag_of_http", args: []string{"-ca-file=x"}, rpc: "r", want: byHTTP},
		{name: "flag_of_its_own", args: []string{"-filter=x"}, rpc: "r", want: byHTTP},
		{name: "flag_that_is_neither", args: []string{"-wan"}, rpc: "r", want: byRPC},
		{name: "environment_of_rpc", rpc: "r", http: "h", want: byRPC},
		{name: "environment_of_http", http: "h", want: byHTTP},
		{name: "both_flags", args: []string{"-token=x", "-rpc-addr=y"}, wrong: "-token for HTTP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(agentrpc.AddrEnv, tt.rpc)
			t.Setenv(api.HTTPAddrEnvName, tt.http)
			c := newMembersCommand(cli.NewMockUi()).(*membersCommand)
			if _, ok := c.parse(tt.args, 0, 0); !ok {
				t.Fatal("parse() refused")
			}
			got, err := c.choose()
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("choose() = %v, want %s", err, tt.wrong)
				}
			} else if err != nil || got != tt.want {
				t.Errorf("choose() = %d, %v, want %d", got, err, tt.want)
			}
		})
	}
}

// TestEither asks where nobody has said whether over RPC or HTTP.
func TestEither(t *testing.T) {
	t.Setenv(agentrpc.AddrEnv, "")
	t.Setenv(api.HTTPAddrEnvName, "")
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"Stats": {"agent": {"check_monitors": "0"}}}`)) //nolint:errcheck // the client will see
	}))
	defer web.Close()
	rpc := startAgent(t, map[agentrpc.Command]answer{
		agentrpc.Stats: {body: map[string]map[string]string{"raft": {"term": "2"}}},
	})
	webAddr := strings.TrimPrefix(web.URL, "http://")
	const nobody = "127.0.0.1:1"
	tests := []struct {
		name, rpc, http string
		status          int
		out, err        string
	}{
		{name: "both", rpc: rpc.addr, http: webAddr, out: "raft:\n\tterm = 2\n"},
		{name: "http_alone", rpc: nobody, http: webAddr, out: "agent:\n\tcheck_monitors = 0\n"},
		{name: "nobody", rpc: nobody, http: nobody, status: 1, err: "nor is there an HTTP API at 127.0.0.1:1 (-http-addr or CONSUL_HTTP_ADDR)\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			c := newInfoCommand(&cli.BasicUi{Writer: &stdout, ErrorWriter: &stderr}).(*infoCommand)
			c.rpcDefault, c.httpDefault = tt.rpc, tt.http
			if status := c.Run(nil); status != tt.status || stdout.String() != tt.out || !strings.HasSuffix(stderr.String(), tt.err) {
				t.Errorf("exit status %d, stdout %q, stderr %q", status, &stdout, &stderr)
			}
		})
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// TestHTTPOfConsul asks an agent that tells as little as one of Consul.
func TestHTTPOfConsul(t *testing.T) {
	var asked []string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.String())
		if strings.HasSuffix(r.URL.Path, "/down") {
			http.Error(w, "nobody is there", http.StatusInternalServerError)
		}
	}))
	defer web.Close()
	tests := []struct {
		name     string
		args     []string
		status   int
		out, err string
		want     string
	}{
		{name: "reload", args: []string{"reload"}, out: "Configuration reload triggered\n", want: "PUT /v1/agent/reload"},
		{name: "leave", args: []string{"leave"}, out: "Graceful leave complete\n", want: "PUT /v1/agent/leave"},
		{name: "leave_forced", args: []string{"leave", "-force"}, out: "Graceful leave complete\n", want: "PUT /v1/agent/leave?force=1"},
		{name: "force_leave", args: []string{"force-leave", "-prune", "-wan", "s1.dc2"}, want: "PUT /v1/agent/force-leave/s1.dc2?prune=1&wan=1"},
		{name: "join_one_of_two", args: []string{"join", "10.0.0.1", "down"}, err: "Error joining the cluster: down: ",
			out: "Successfully joined cluster by contacting 1 nodes.\n", want: "PUT /v1/agent/join/down"},
		{name: "join_none", args: []string{"join", "-wan", "down"}, status: 1, err: "nobody is there", want: "PUT /v1/agent/join/down?wan=1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked = nil
			var stdout, stderr bytes.Buffer
			status := run(append(tt.args, "-http-addr="+web.URL), &stdout, &stderr)
			if status != tt.status || stdout.String() != tt.out || !strings.Contains(stderr.String(), tt.err) {
				t.Errorf("exit status %d, stdout %q, stderr %q", status, &stdout, &stderr)
			}
			if tt.want != "" && (len(asked) == 0 || asked[len(asked)-1] != tt.want) {
				t.Errorf("the agent was asked %q, want %q", asked, tt.want)
			}
		})
	}
}
