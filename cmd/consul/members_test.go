package main

import (
	"net"
	"testing"

	"github.com/actor-consul/consul/messages/agentrpc"
)

var (
	server = agentrpc.Member{
		Name: "server-1", Addr: net.IPv4(10, 1, 10, 38), Port: 8301, Status: "alive",
		Tags: map[string]string{
			"bootstrap": "1", "build": "1.19.2:0123abcd", "dc": "dc1", "id": "9b2c", "port": "8300",
			"raft_vsn": "3", "role": "consul", "vsn": "2", "vsn_max": "3", "vsn_min": "2",
		},
		ProtocolMin: 1, ProtocolMax: 5, ProtocolCur: 2, DelegateMin: 2, DelegateMax: 5, DelegateCur: 4,
	}
	client = agentrpc.Member{
		Name: "web", Addr: net.ParseIP("fd00::7"), Port: 8301, Status: "failed",
		Tags: map[string]string{"dc": "dc1", "role": "node", "segment": "edge", "vsn": "2"},
	}
	hostile = agentrpc.Member{
		Name: "\x1b[2J", Addr: net.IPv4(10, 0, 0, 1), Port: 1, Status: "alive",
		Tags: map[string]string{"dc": "a\nb"},
	}
)

func TestMembersLines(t *testing.T) {
	tests := []struct {
		name     string
		members  []agentrpc.Member
		detailed bool
		want     string
	}{
		{
			name:    "one_server",
			members: []agentrpc.Member{server},
			want:    "server-1  10.1.10.38:8301  alive  role=consul,dc=dc1,vsn=2,vsn_min=2,vsn_max=3,port=8300,bootstrap=1",
		},
		{
			name:    "columns",
			members: []agentrpc.Member{server, client},
			want: "server-1  10.1.10.38:8301  alive   role=consul,dc=dc1,vsn=2,vsn_min=2,vsn_max=3,port=8300,bootstrap=1\n" +
				"web       [fd00::7]:8301   failed  role=node,dc=dc1,vsn=2",
		},
		{
			name: "expect_in_place_of_bootstrap",
			members: []agentrpc.Member{{
				Name: "s", Addr: net.IPv4(10, 0, 0, 1), Port: 8301, Status: "left",
				Tags: map[string]string{"expect": "3", "role": "consul"},
			}},
			want: "s  10.0.0.1:8301  left  role=consul,expect=3",
		},
		{
			name:     "detailed",
			members:  []agentrpc.Member{server},
			detailed: true,
			want: "server-1  10.1.10.38:8301  alive  role=consul,dc=dc1,vsn=2,vsn_min=2,vsn_max=3,port=8300,bootstrap=1," +
				"build=1.19.2:0123abcd,id=9b2c,raft_vsn=3",
		},
		{
			name:    "no_tags",
			members: []agentrpc.Member{{Name: "bare", Addr: net.IPv4(10, 0, 0, 1), Port: 8301, Status: "left"}},
			want:    "bare  10.0.0.1:8301  left",
		},
		{
			name:    "hostile_text",
			members: []agentrpc.Member{hostile},
			want:    `\x1b[2J  10.0.0.1:1  alive  dc=a\nb`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := membersLines(tt.members, tt.detailed); got != tt.want {
				t.Errorf("membersLines() =\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestMembersTable(t *testing.T) {
	bare := agentrpc.Member{Name: "bare", Addr: net.IPv4(10, 0, 0, 1), Port: 8301, Status: "left"}
	tests := []struct {
		name     string
		members  []agentrpc.Member
		detailed bool
		want     string
	}{
		{
			name:    "of_today",
			members: []agentrpc.Member{bare, server, client},
			want: "" +
				"Node      Address          Status  Type     Build   Protocol  DC   Partition  Segment\n" +
				"bare      10.0.0.1:8301    left    unknown  < 0.3                  default\n" +
				"server-1  10.1.10.38:8301  alive   server   1.19.2  2         dc1  default    <all>\n" +
				"web       [fd00::7]:8301   failed  client   < 0.3   2         dc1  default    edge",
		},
		{
			name:     "detailed",
			members:  []agentrpc.Member{client},
			detailed: true,
			want: "" +
				"Node  Address         Status  Tags\n" +
				"web   [fd00::7]:8301  failed  role=node,dc=dc1,vsn=2,segment=edge",
		},
		{
			name:     "hostile_text",
			members:  []agentrpc.Member{hostile},
			detailed: true,
			want: "" +
				"Node     Address     Status  Tags\n" +
				`\x1b[2J  10.0.0.1:1  alive   dc=a\nb`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := membersTable(tt.members, tt.detailed); got != tt.want {
				t.Errorf("membersTable() =\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestMembersJSON(t *testing.T) {
	want := `[
   {
      "Name": "web",
      "Addr": "fd00::7",
      "Port": 8301,
      "Tags": {
         "dc": "dc1",
         "role": "node",
         "segment": "edge",
         "vsn": "2"
      },
      "Status": "failed",
      "ProtocolMin": 0,
      "ProtocolMax": 0,
      "ProtocolCur": 0,
      "DelegateMin": 0,
      "DelegateMax": 0,
      "DelegateCur": 0
   }
]`
	if got := membersJSON([]agentrpc.Member{client}); got != want {
		t.Errorf("membersJSON() =\n%s\nwant\n%s", got, want)
	}
}
