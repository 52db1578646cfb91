package rpc

import (
	"errors"
	"net"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/agentrpc"
)

func TestWork(t *testing.T) {
	const drain, began, ended = 'd', 'b', 'e'
	tests := []struct {
		name string
		ops  string
		want []string // the note of the answer after each, or nothing
	}{
		{"nothing_to_do", "d", []string{"no command was under way"}},
		{"all_ended_before", "bebed", []string{"", "", "", "", "no command was under way"}},
		{"waits_for_one", "bde", []string{"", "", "answered 1 command"}},
		{"waits_for_the_last", "bbdee", []string{"", "", "", "", "answered 2 commands"}},
		{"refuses_meanwhile", "bdbee", []string{"", "", "", "", "answered 1 command"}},
		{"answers_once", "bdebe", []string{"", "", "answered 1 command", "", ""}},
		{"taken_twice", "bdde", []string{"", "", "", "answered 1 command"}},
		{"taken_again_later", "dd", []string{"no command was under way", "no command was under way"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var w work
			for i, op := range tt.ops {
				var got *messages.StepDone
				switch op {
				case drain:
					got = w.drain(messages.StepID(7))
				case began:
					w.began()
				case ended:
					got = w.ended()
				}
				note := ""
				if got != nil {
					note = got.Note
					if got.Step != 7 || got.Err != nil {
						t.Errorf("op %d: %+v", i, got)
					}
				}
				if note != tt.want[i] {
					t.Errorf("after %q: %q, want %q", tt.ops[:i+1], note, tt.want[i])
				}
			}
		})
	}
}

func TestMembers(t *testing.T) {
	tests := []struct {
		name string
		addr string
		want net.IP
	}{
		{"ipv4", "10.1.10.38", net.IP{10, 1, 10, 38}},
		{"ipv4_in_ipv6", "::ffff:10.1.10.38", net.IP{10, 1, 10, 38}},
		{"ipv6", "fd00::1", net.ParseIP("fd00::1")},
		{"unknown", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var addr netip.Addr
			if tt.addr != "" {
				addr = netip.MustParseAddr(tt.addr)
			}
			got := members(&messages.PoolView{Members: []messages.Member{{Name: "n", Addr: addr, Status: messages.MemberLeft}}})
			want := []agentrpc.Member{{Name: "n", Addr: tt.want, Status: "left"}}
			if !reflect.DeepEqual(got.Members, want) {
				t.Errorf("%+v, want %+v", got.Members, want)
			}
		})
	}
}

func TestKeyring(t *testing.T) {
	got := keyring("dc1", []poolKeys{
		{pool: messages.WAN, err: errors.New("keyring is not enabled")},
		{pool: messages.LAN, err: errors.New("2/3 nodes reported failure"), changed: messages.KeyringChanged{
			NumNodes: 3,
			Messages: map[string]string{"b": "no such key", "a": "no room"},
			Keys:     map[string]int{"k2": 1, "k1": 3},
		}},
	})
	want := agentrpc.KeyringResponse{
		Keys:     []agentrpc.KeyringEntry{{Datacenter: "dc1", Pool: "LAN", Key: "k1", Count: 3}, {Datacenter: "dc1", Pool: "LAN", Key: "k2", Count: 1}},
		Messages: []agentrpc.KeyringMessage{{Datacenter: "dc1", Pool: "LAN", Node: "a", Message: "no room"}, {Datacenter: "dc1", Pool: "LAN", Node: "b", Message: "no such key"}},
		Info: []agentrpc.KeyringInfo{
			{Datacenter: "dc1", Pool: "WAN", Error: "keyring is not enabled"},
			{Datacenter: "dc1", Pool: "LAN", NumNodes: 3, Error: "2/3 nodes reported failure"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
}

func TestActorsResponse(t *testing.T) {
	since := time.Unix(1, 2)
	got := actorsResponse([]messages.ActorInfo{{Name: "raft", State: messages.ActorRunning, MailboxDepth: 1, Handled: 2, Restarts: 3, Since: since}})
	want := []agentrpc.Actor{{Name: "raft", State: "running", MailboxDepth: 1, Handled: 2, Restarts: 3, Since: since.UnixNano()}}
	if !reflect.DeepEqual(got.Actors, want) {
		t.Errorf("%+v, want %+v", got.Actors, want)
	}
}

func TestUnseen(t *testing.T) {
	all := []messages.LogEntry{{Seq: 2}, {Seq: 5}, {Seq: 6}}
	tests := []struct {
		name string
		last uint64
		want int
	}{
		{"nothing_seen", 0, 3}, {"before_the_first", 1, 3}, {"the_first", 2, 2}, {"in_a_gap", 3, 2}, {"the_last", 6, 0}, {"more", 9, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := unseen(all, tt.last); len(got) != tt.want {
				t.Errorf("%d entries, want %d", len(got), tt.want)
			}
		})
	}
}

func TestLossEntry(t *testing.T) {
	for lost, want := range map[int]string{
		1: "1 log line was lost to this slow reader",
		2: "2 log lines were lost to this slow reader",
	} {
		if got := lossEntry(time.Time{}, lost); got.Text != want || got.Logger != "agent" || got.Level != lossLevel {
			t.Errorf("%+v", got)
		}
	}
}

func TestStats(t *testing.T) {
	var lan, wan messages.Published[messages.PoolView]
	var raft messages.Published[messages.RaftStatus]
	server := func(name, dc string, status messages.MemberStatus) messages.Member {
		return messages.Member{Name: name, Status: status, Tags: map[string]string{"role": "consul", "dc": dc}}
	}
	lan.Publish(&messages.PoolView{Stats: map[string]string{"members": "3"}, Members: []messages.Member{
		{Name: "web", Status: messages.MemberAlive, Tags: map[string]string{"role": "node"}},
		server("s1", "dc1", messages.MemberAlive), server("s2", "dc1", messages.MemberFailed),
	}})
	wan.Publish(&messages.PoolView{Stats: map[string]string{"members": "2"}, Members: []messages.Member{
		server("s1.dc1", "dc1", messages.MemberAlive), server("s9.dc2", "dc2", messages.MemberAlive),
	}})
	raft.Publish(&messages.RaftStatus{State: messages.Leader, LeaderAddr: "10.0.0.1:8300", Stats: func() map[string]string {
		return map[string]string{"term": "2"}
	}})

	onServer := NewStats(StatsConfig{
		Version: "1.19.2", Revision: "0123456789ab", Server: true, Bootstrap: true, LAN: &lan, WAN: &wan, Raft: &raft,
		Agent: func() map[string]string { return map[string]string{"services": "1"} },
	})(t.Context())
	wantGroup(t, onServer, "agent", map[string]string{"services": "1"})
	wantGroup(t, onServer, "build", map[string]string{"version": "1.19.2", "version_metadata": "", "prerelease": "", "revision": "01234567"})
	wantGroup(t, onServer, "consul", map[string]string{
		"server": "true", "leader": "true", "leader_addr": "10.0.0.1:8300", "bootstrap": "true", "known_datacenters": "2", "acl": "disabled",
	})
	wantGroup(t, onServer, "raft", map[string]string{"term": "2"})
	wantGroup(t, onServer, "serf_lan", map[string]string{"members": "3"})
	wantGroup(t, onServer, "serf_wan", map[string]string{"members": "2"})
	if onServer["runtime"]["os"] == "" {
		t.Errorf("runtime: %v", onServer["runtime"])
	}

	onClient := NewStats(StatsConfig{LAN: &lan})(t.Context())
	wantGroup(t, onClient, "consul", map[string]string{"server": "false", "known_servers": "1", "acl": "disabled"})
	wantGroup(t, onClient, "raft", nil)
	wantGroup(t, onClient, "serf_wan", nil)

	early := NewStats(StatsConfig{Server: true, LAN: new(messages.Published[messages.PoolView]), Raft: new(messages.Published[messages.RaftStatus])})(t.Context())
	wantGroup(t, early, "consul", map[string]string{
		"server": "true", "leader": "false", "leader_addr": "", "bootstrap": "false", "known_datacenters": "1", "acl": "disabled",
	})
}

func wantGroup(t *testing.T, stats map[string]map[string]string, group string, want map[string]string) {
	t.Helper()
	if got := stats[group]; !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", group, got, want)
	}
}
