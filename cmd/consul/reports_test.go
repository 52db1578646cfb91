package main

import (
	"testing"
	"time"

	"github.com/actor-consul/consul/cmd/consul/version"
	"github.com/actor-consul/consul/messages/agentrpc"
)

func TestInfoText(t *testing.T) {
	got := infoText(map[string]map[string]string{
		"raft":  {"term": "2", "state": "Leader", "last_contact": "0"},
		"agent": {"check_ttls": "1"},
		"empty": nil,
	})
	want := "agent:\n\tcheck_ttls = 1\nempty:\nraft:\n\tlast_contact = 0\n\tstate = Leader\n\tterm = 2"
	if got != want {
		t.Errorf("infoText() =\n%s\nwant\n%s", got, want)
	}
}

func TestReloadText(t *testing.T) {
	tests := []struct {
		name   string
		report *agentrpc.ReloadResponse
		want   string
	}{
		{"no_report", nil, "Configuration reload triggered"},
		{
			"nothing_changed", &agentrpc.ReloadResponse{Unchanged: 114},
			"Configuration reload triggered\nunchanged  114 keys",
		},
		{
			"certificates", &agentrpc.ReloadResponse{Certificates: []string{"/etc/agent.pem"}, Unchanged: 114},
			"Configuration reload triggered\nloaded anew  /etc/agent.pem\nunchanged    114 keys",
		},
		{
			"changes",
			&agentrpc.ReloadResponse{Applied: []string{"log_level", "node_meta"}, NeedsRestart: []string{"ports.http"}, Unchanged: 111},
			"Configuration reload triggered\n" +
				"applied        log_level\n" +
				"applied        node_meta\n" +
				"needs restart  ports.http\n" +
				"unchanged      111 keys",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := reloadText(tt.report); got != tt.want {
				t.Errorf("reloadText() =\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestLeaveLine(t *testing.T) {
	tests := []struct {
		name string
		step agentrpc.LeaveRecord
		want string
	}{
		{
			"done",
			agentrpc.LeaveRecord{Step: "say goodbye to the LAN", Note: "3 members know", Took: 1234567 * time.Microsecond},
			"  1.235s  say goodbye to the LAN: 3 members know",
		},
		{
			"failed",
			agentrpc.LeaveRecord{Step: "hand over", Err: "took longer than its 1s", Took: time.Second},
			"      1s  hand over: failed: took longer than its 1s",
		},
		{
			"nothing_to_do",
			agentrpc.LeaveRecord{Step: "hand over", Took: 300 * time.Nanosecond},
			"      0s  hand over",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := leaveLine(tt.step); got != tt.want {
				t.Errorf("leaveLine() =\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestVersionText(t *testing.T) {
	const protocol = "Protocol 2 spoken by default, understands 2 to 3" +
		" (agent will automatically use protocol >2 when speaking to compatible agents)"
	tests := []struct {
		name  string
		build version.Build
		want  string
	}{
		{
			"from_a_repository", version.Build{Revision: "0123abcd", Date: "2026-03-04T05:06:07Z"},
			"Consul v1.19.2\nRevision 0123abcd\nBuild Date 2026-03-04T05:06:07Z\n" + protocol,
		},
		{
			"from_nowhere", version.Build{Date: "1970-01-01T00:00:01Z"},
			"Consul v1.19.2\nBuild Date 1970-01-01T00:00:01Z\n" + protocol,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := versionText(tt.build); got != tt.want {
				t.Errorf("versionText() =\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestVersionJSON(t *testing.T) {
	got := versionJSON(version.Build{Revision: "0123abcd", Date: "2026-03-04T05:06:07Z"})
	want := `{
   "Version": "1.19.2",
   "Revision": "0123abcd",
   "Prerelease": "",
   "BuildDate": "2026-03-04T05:06:07Z",
   "RPC": {
      "Default": 2,
      "Min": 2,
      "Max": 3
   }
}`
	if got != want {
		t.Errorf("versionJSON() =\n%s\nwant\n%s", got, want)
	}
}
