package raft

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

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
}
