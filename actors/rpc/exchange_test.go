package rpc

import (
	"io"
	"net"
	"regexp"
	"slices"
	"testing"

	"github.com/actor-consul/consul/actors/actortest"
)

// Parts of what the programs of Consul send, as Consul's encoder writes it. Those
// before 0.6 have no token in the header.
const (
	hello   = "\x83\xa7Command\xa9handshake\xa3Seq\x01\xa5Token\xa0" + "\x81\xa7Version\x01"
	oldie   = "\x82\xa7Command\xa9handshake\xa3Seq\x01" + "\x81\xa7Version\x01"
	welcome = "\x82\xa5Error\xa0\xa3Seq\x01"
	ok2     = "\x82\xa5Error\xa0\xa3Seq\x02"

	lanMembers = "\x81\xa7Members\x91\x8b\xa4Addr\xc4\x04\x7f\x00\x00\x01\xabDelegateCur\x04\xabDelegateMax\x05\xabDelegateMin\x02" +
		"\xa4Name\xa1n\xa4Port\xcd\x20\x6d\xabProtocolCur\x02\xabProtocolMax\x05\xabProtocolMin\x01\xa6Status\xa5alive" +
		"\xa4Tags\x81\xa4role\xa6consul"
	wanMembers = "\x81\xa7Members\x91\x8b\xa4Addr\xc0\xabDelegateCur\x00\xabDelegateMax\x00\xabDelegateMin\x00" +
		"\xa4Name\xa5n.dc1\xa4Port\x00\xabProtocolCur\x00\xabProtocolMax\x00\xabProtocolMin\x00\xa6Status\xa0" +
		"\xa4Tags\xc0"
	keys = "\x83\xa4Info\x92" +
		"\x84\xaaDatacenter\xa3dc1\xa5Error\xacnobody there\xa8NumNodes\x00\xa4Pool\xa3WAN" +
		"\x84\xaaDatacenter\xa3dc1\xa5Error\xa0\xa8NumNodes\x02\xa4Pool\xa3LAN" +
		"\xa4Keys\x92" +
		"\x84\xa5Count\x00\xaaDatacenter\xa3dc1\xa3Key\xa1k\xa4Pool\xa3WAN" +
		"\x84\xa5Count\x02\xaaDatacenter\xa3dc1\xa3Key\xa1k\xa4Pool\xa3LAN" +
		"\xa8Messages\xc0"
)

// boxes finds the address of an answer box.
var boxes = regexp.MustCompile(`box:0x[0-9a-f]+`)

// head writes a request header with an empty token.
func head(cmd string, seq byte) string {
	return "\x83\xa7Command" + string([]byte{0xa0 + byte(len(cmd))}) + cmd + "\xa3Seq" + string([]byte{seq}) + "\xa5Token\xa0"
}

// TestExchange compares every byte with what Consul 0.7.5 answers.
func TestExchange(t *testing.T) {
	tests := []struct {
		name  string
		tweak func(*Config)
		send  string
		want  string
		told  []string // what the LAN pool was asked
		wan   []string // what the WAN pool was asked
	}{
		{name: "handshake", send: hello, want: welcome},
		{name: "handshake_before_0.6", send: oldie, want: welcome},
		{name: "handshake_twice", send: hello + hello, want: welcome + "\x82\xa5Error\xbbHandshake already performed\xa3Seq\x01"},
		{
			name: "handshake_of_another_version_may_be_tried_again",
			send: head("handshake", 1) + "\x81\xa7Version\x02" + hello,
			want: "\x82\xa5Error\xb7Unsupported RPC version\xa3Seq\x01" + welcome,
		},
		{
			name: "no_handshake_ends_the_connection",
			send: head("members-lan", 9) + hello,
			want: "\x82\xa5Error\xb2Handshake required\xa3Seq\x09",
		},
		{
			name: "unknown_command_ends_the_connection",
			send: hello + head("event", 2) + hello,
			want: welcome + "\x82\xa5Error\xb3Unsupported command\xa3Seq\x02",
		},
		{name: "members_lan", send: hello + head("members-lan", 2), want: welcome + ok2 + lanMembers},
		{name: "members_wan", send: hello + head("members-wan", 2), want: welcome + ok2 + wanMembers},
		{
			name:  "members_wan_of_a_client",
			tweak: func(c *Config) { c.WANView = nil },
			send:  hello + head("members-wan", 2), want: welcome + ok2 + "\x81\xa7Members\x90",
		},
		{
			name: "long_seq_is_echoed",
			send: hello + "\x83\xa7Command\xabmembers-lan\xa3Seq\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa5Token\xa0",
			want: welcome + "\x82\xa5Error\xa0\xa3Seq\xcf\xff\xff\xff\xff\xff\xff\xff\xff" + lanMembers,
		},
		{
			name: "join", send: hello + head("join", 2) + "\x82\xa8Existing\x91\xa1a\xa3WAN\xc2",
			want: welcome + ok2 + "\x81\xa3Num\x02",
			told: []string{"JoinPool{Asked:{box:B} Addresses:[a] Replay:false}"},
		},
		{
			name: "join_wan_fails_with_a_body", send: hello + head("join", 2) + "\x82\xa8Existing\x91\xa1a\xa3WAN\xc3",
			want: welcome + "\x82\xa5Error\xacnobody there\xa3Seq\x02" + "\x81\xa3Num\x00",
			wan:  []string{"JoinPool{Asked:{box:B} Addresses:[a] Replay:false}"},
		},
		{
			name:  "join_wan_of_a_client",
			tweak: func(c *Config) { c.Server = false },
			send:  hello + head("join", 2) + "\x82\xa8Existing\x91\xa1a\xa3WAN\xc3",
			want:  welcome + "\x82\xa5Error\xd9\x24Must be a server to join WAN cluster\xa3Seq\x02" + "\x81\xa3Num\x00",
		},
		{
			name: "force_leave", send: hello + head("force-leave", 2) + "\x81\xa4Node\xa1x", want: welcome + ok2,
			told: []string{"ForceLeave{Asked:{box:B} Node:x Prune:false}"},
		},
		{
			name: "force_leave_of_a_server", send: hello + head("force-leave", 2) + "\x82\xa4Node\xa1n\xa5Prune\xc3", want: welcome + ok2,
			told: []string{"ForceLeave{Asked:{box:B} Node:n Prune:true}"},
			wan:  []string{"ForceLeave{Asked:{box:B} Node:n.dc1 Prune:true}"},
		},
		{name: "stats", send: hello + head("stats", 2), want: welcome + ok2 + "\x81\xa5agent\x81\xa6checks\xa10"},
		{name: "reload", send: hello + head("reload", 2), want: welcome + ok2},
		{
			name: "use_key", send: hello + head("use-key", 2) + "\x82\xa3Key\xa1k\xabRelayFactor\x03", want: welcome + ok2 + keys,
			told: []string{"ChangeKeyring{Asked:{box:B} Verb:use Key:k RelayFactor:3}"},
			wan:  []string{"ChangeKeyring{Asked:{box:B} Verb:use Key:k RelayFactor:3}"},
		},
		{
			name:  "keyring_of_a_client",
			tweak: func(c *Config) { c.Server = false },
			send:  hello + head("list-keys", 2) + "\x82\xa3Key\xa0\xabRelayFactor\x00",
			want: welcome +
				"\x82\xa5Error\xd9\x31keyring operations must run against a server node\xa3Seq\x02" +
				"\x83\xa4Info\xc0\xa4Keys\xc0\xa8Messages\xc0",
		},
		{
			name: "list_keys", send: hello + head("list-keys", 2) + "\x82\xa3Key\xa0\xabRelayFactor\x01" + head("stop", 3) + "\x81\xa4Stop\x01",
			want: welcome + ok2 + keys + "\x82\xa5Error\xa0\xa3Seq\x03",
			told: []string{"ChangeKeyring{Asked:{box:B} Verb:list Key: RelayFactor:1}"},
			wan:  []string{"ChangeKeyring{Asked:{box:B} Verb:list Key: RelayFactor:1}"},
		},
		{
			name: "list_keys_before_0.7.4_and_a_command_behind", send: hello + head("list-keys", 2) + head("stop", 3) + "\x81\xa4Stop\x01",
			want: welcome + ok2 + keys + "\x82\xa5Error\xa0\xa3Seq\x03",
			told: []string{"ChangeKeyring{Asked:{box:B} Verb:list Key: RelayFactor:0}"},
			wan:  []string{"ChangeKeyring{Asked:{box:B} Verb:list Key: RelayFactor:0}"},
		},
		{
			name: "monitor_at_no_level", send: hello + head("monitor", 2) + "\x81\xa8LogLevel\xa4loud",
			want: welcome + "\x82\xa5Error\xb7Unknown log level: LOUD\xa3Seq\x02",
		},
		{name: "stop_of_nothing", send: hello + head("stop", 2) + "\x81\xa4Stop\x32", want: welcome + ok2},
		{
			name: "reload_report", send: hello + head("reload-report", 2),
			want: welcome + ok2 + "\x83\xa7Applied\x91\xa9log_level\xacNeedsRestart\xc0\xa9Unchanged\x03",
		},
		{
			name: "actors", send: hello + head("actors", 2),
			want: welcome + ok2 + "\x81\xa6Actors\x91\x88\xa7Handled\x00\xabLastFailure\xa0\xadLastFailureAt\x00\xacMailboxDepth\x00" +
				"\xa4Name\xa4raft\xa8Restarts\x00\xa5Since\x00\xa5State\xa7running",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, tt.tweak)
			actortest.AwaitReady(t, s.parent)
			c := s.connect(t)
			if _, err := io.WriteString(c, tt.send); err != nil {
				t.Fatal(err)
			}
			if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(c)
			if err != nil || string(got) != tt.want {
				t.Errorf("got  %q, %v\nwant %q", got, err, tt.want)
			}
			wantAsked(t, "LAN", s.lan, tt.told)
			wantAsked(t, "WAN", s.wan, tt.wan)
		})
	}
}

// wantAsked compares what a pool was asked, but for the address of the box.
func wantAsked(t *testing.T, pool string, p *actortest.Probe, want []string) {
	t.Helper()
	got := p.Got()
	for i, g := range got {
		got[i] = boxes.ReplaceAllString(g, "box:B")
	}
	if !slices.Equal(got, want) {
		t.Errorf("the %s pool was asked %q, want %q", pool, got, want)
	}
}
