package raft

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"
	"go.uber.org/zap"
)

const (
	peersFile = "peers.json"
	peersInfo = "peers.info"
)

// recoveryHelp is what peers.info says.
const recoveryHelp = `How to force a peer set on this server
======================================

When more than half of the servers are gone for good, those that are left cannot
elect a leader. This is how to tell them who is left. Whatever the lost servers had
and these have not is lost with them, and entries that were under way count as
committed, so do it only when the others do not come back.

1. Stop the agent on all servers that are left.
2. In this directory of each of them, put a file peers.json that lists all servers
   that are to be in the peer set, the same file everywhere:

   [
     {"id": "adf4238a-882b-9ddc-4a9d-5b6758e4159e", "address": "10.1.0.1:8300"},
     {"id": "8b6dda82-3103-11e7-93ae-92361f002671", "address": "10.1.0.2:8300",
      "non_voter": true}
   ]

   "id" is the server's node ID, which its log says at start and which is in the
   file node-id in its data directory. "non_voter" may be left out.
3. Start the agents. Each takes over the file and deletes it.
`

// recoverPeers takes over the peer set that an operator has put into peers.json,
// as https://developer.hashicorp.com/consul/docs/manage/disaster-recovery says.
func (n *node) recoverPeers(lib *raft.Config) error {
	if n.cfg.DataDir == "" {
		return nil
	}
	info := filepath.Join(n.dir, peersInfo)
	if _, err := os.Stat(info); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(info, []byte(recoveryHelp), 0o600); err != nil {
			return err
		}
	}
	path := filepath.Join(n.dir, peersFile)
	peers, err := raft.ReadConfigJSON(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s is there, and cannot be used: %w; mend it as %s shows, or delete it", path, err, info)
	}
	n.log.Info("found peers.json, taking over its peer set", zap.String("path", path), zap.Int("servers", len(peers.Servers)))
	if err := raft.RecoverCluster(lib, n.cfg.FSM, n.journal, n.journal, n.snapshots, n.transport, peers); err != nil {
		return fmt.Errorf("take over the peer set of %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("the peer set is taken over, but its file cannot be deleted: %w; delete it, or it will be taken over again", err)
	}
	n.log.Info("took over the peer set and deleted peers.json")
	return nil
}
