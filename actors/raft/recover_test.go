package raft

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/messages"
)

func TestPeersJSON(t *testing.T) {
	all := newCluster(t, func(c *Config) { c.DataDir = t.TempDir() })
	leader, followers := leaderOf(t, all...)
	leader.leads()
	leader.mustPut("x", "y")
	index, err := do(leader, &messages.ConfirmLeader{})
	if err != nil {
		t.Fatal(err)
	}
	survivor := followers[0]
	if err := survivor.status.Load().AwaitApplied(t.Context(), index.Index); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		s.stop()
	}
	dir := filepath.Join(survivor.cfg.DataDir, "raft")
	if _, err := os.Stat(filepath.Join(dir, "peers.info")); err != nil {
		t.Errorf("peers.info: %v", err)
	}
	path := filepath.Join(dir, "peers.json")
	if err := os.WriteFile(path, []byte(`[{"id": "x", "address": "10.0.0.1:8300"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := survivor.fails(); !strings.Contains(got, "is not in it; mend it as "+dir) {
		t.Errorf("a file without this server: %q", got)
	}
	peers := fmt.Sprintf(`[{"id": %q, "address": %q, "non_voter": false}]`, survivor.cfg.NodeID, survivor.cfg.Advertise)
	if err := os.WriteFile(path, []byte(peers), 0o600); err != nil {
		t.Fatal(err)
	}
	for what := range []string{"taken over", "kept"} {
		survivor.start().leads()
		if got := survivor.words.get(); !slices.Equal(got, []string{"x", "y"}) {
			t.Errorf("%d: the state is %v", what, got)
		}
		if conf, err := do(survivor, &messages.GetRaftConfiguration{}); err != nil || len(conf.Servers) != 1 {
			t.Errorf("%d: the peer set is %+v, %v", what, conf, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d: peers.json is still there: %v", what, err)
		}
		survivor.stop()
	}
	if applied, err := filepath.Glob(path + ".applied-*"); err != nil || len(applied) != 1 {
		t.Errorf("the file is kept as %q, %v", applied, err)
	} else if data, err := os.ReadFile(applied[0]); err != nil || string(data) != peers {
		t.Errorf("it has %s, %v", data, err)
	}
}

// TestPeersJSONOfAddresses is Consul's form before raft protocol 3.
func TestPeersJSONOfAddresses(t *testing.T) {
	all := newCluster(t, func(c *Config) { c.DataDir = t.TempDir() })
	leader, _ := leaderOf(t, all...)
	leader.leads()
	leader.mustPut("x", "y")
	for _, s := range all {
		s.stop()
	}
	peers := fmt.Sprintf("[%q]", leader.cfg.Advertise)
	if err := os.WriteFile(filepath.Join(leader.cfg.DataDir, "raft", "peers.json"), []byte(peers), 0o600); err != nil {
		t.Fatal(err)
	}
	leader.start().leads()
	if got := leader.words.get(); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("the state is %v", got)
	}
	if conf, err := do(leader, &messages.GetRaftConfiguration{}); err != nil || len(conf.Servers) != 1 || conf.Servers[0].ID != leader.cfg.NodeID {
		t.Errorf("the peer set is %+v, %v", conf, err)
	}
}

func TestParsePeers(t *testing.T) {
	identify := func(address string) (string, bool) { return "id-" + address, address != "10.0.0.9:8300" }
	tests := []struct{ name, data, want string }{
		{"ids", `[{"id": "a", "address": "10.0.0.1:8300"}, {"id": "b", "address": "10.0.0.2:8300", "non_voter": true}]`, "a 10.0.0.1:8300 Voter, b 10.0.0.2:8300 Nonvoter"},
		{"addresses", `["10.0.0.1:8300", "10.0.0.2:8300"]`, "id-10.0.0.1:8300 10.0.0.1:8300 Voter, id-10.0.0.2:8300 10.0.0.2:8300 Voter"},
		{"unknown_address", `["10.0.0.1:8300", "10.0.0.9:8300"]`, `its entry 2: the log knows no server at "10.0.0.9:8300", so its ID has to be given`},
		{"empty_file", ``, "it is no list in JSON: unexpected end of JSON input"},
		{"an_object", `{"id": "a"}`, "it is no list in JSON: json: cannot unmarshal object into Go value of type []json.RawMessage"},
		{"empty_list", `[]`, "it lists no servers"},
		{"number", `[7]`, "its entry 1: it is neither an address nor an object of id, address and non_voter"},
		{"no_id", `[{"address": "10.0.0.1:8300"}]`, "its entry 1: it has no id"},
		{"no_port", `[{"id": "a", "address": "10.0.0.1"}]`, "its entry 1: its address is no host:port: address 10.0.0.1: missing port in address"},
		{"id_twice", `[{"id": "a", "address": "10.0.0.1:8300"}, {"id": "a", "address": "10.0.0.2:8300"}]`, `its entries 1 and 2 have the same ID "a"`},
		{"address_twice", `[{"id": "a", "address": "10.0.0.1:8300"}, {"id": "b", "address": "10.0.0.1:8300"}]`, `its entries 1 and 2 have the same address "10.0.0.1:8300"`},
		{"nobody_votes", `[{"id": "a", "address": "10.0.0.1:8300", "non_voter": true}]`, "none of its servers votes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conf, err := parsePeers([]byte(tt.data), identify)
			var got []string
			for _, s := range conf.Servers {
				got = append(got, fmt.Sprintf("%s %s %s", s.ID, s.Address, s.Suffrage))
			}
			if text := strings.Join(got, ", "); err != nil && err.Error() != tt.want || err == nil && text != tt.want {
				t.Errorf("parsePeers = %s, %v; want %s", text, err, tt.want)
			}
		})
	}
}

// FuzzPeers reads whatever somebody may have written into peers.json. Every server of
// what is taken can be reached, and one of them votes.
func FuzzPeers(f *testing.F) {
	f.Add([]byte(`["127.0.0.1:8300"]`))
	f.Add([]byte(`[{"id":"a","address":"127.0.0.1:8300","non_voter":false},{"id":"b","address":"[::1]:1","non_voter":true}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		conf, err := parsePeers(data, func(address string) (string, bool) { return "of " + address, len(address)%2 == 0 })
		if err != nil {
			return
		}
		voters := 0
		for _, s := range conf.Servers {
			if s.ID == "" || s.Address == "" {
				t.Errorf("%s has %+v", data, s)
			}
			if s.Suffrage == raft.Voter {
				voters++
			}
		}
		if voters == 0 {
			t.Errorf("%s has nobody who votes", data)
		}
	})
}
