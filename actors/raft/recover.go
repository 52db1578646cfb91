package raft

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

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
   The older form, a list of addresses ["10.1.0.1:8300", "10.1.0.2:8300"], is taken
   too where the log knows the IDs of the servers at these addresses.
3. Start the agents. Each takes over the file and renames it to
   peers.json.applied-TIME, so that it is taken over once.

While the agents run, "consul operator raft recover" does it without a file.
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
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var peers raft.Configuration
	if err == nil {
		peers, err = parsePeers(data, n.identify)
	}
	if err == nil {
		err = n.checkPeers(peers)
	}
	if err != nil {
		return fmt.Errorf("%s is there, and cannot be used: %w; mend it as %s shows, or delete it", path, err, info)
	}
	n.log.Info("found peers.json, taking over its peer set", zap.String("path", path), zap.Int("servers", len(peers.Servers)))
	if err := raft.RecoverCluster(lib, n.cfg.FSM, n.journal, n.journal, n.snapshots, n.transport, peers); err != nil {
		return fmt.Errorf("take over the peer set of %s: %w", path, err)
	}
	applied := path + ".applied-" + time.Now().UTC().Format("20060102T150405Z")
	if err := os.Rename(path, applied); err != nil {
		return fmt.Errorf("the peer set is taken over, but its file cannot be renamed: %w; delete it, or it will be taken over again", err)
	}
	n.log.Info("took over the peer set and renamed peers.json", zap.String("path", applied))
	return nil
}

// checkPeers says why a peer set that is to be forced cannot be this server's.
func (n *node) checkPeers(peers raft.Configuration) error {
	self := raft.ServerID(n.cfg.NodeID)
	if !slices.ContainsFunc(peers.Servers, func(s raft.Server) bool { return s.ID == self }) {
		return fmt.Errorf("this server, %s at %s, is not in it", self, n.cfg.Advertise)
	}
	return nil
}

// identify returns the ID of the server that the newest peer set in the log or in
// a snapshot has at an address; this server knows its own.
func (n *node) identify(address string) (id string, ok bool) {
	if address == n.cfg.Advertise {
		return n.cfg.NodeID, true
	}
	for _, s := range n.lastPeers().Servers {
		if string(s.Address) == address {
			return string(s.ID), true
		}
	}
	return "", false
}

// lastPeers returns the newest peer set on the disk, committed or not.
func (n *node) lastPeers() raft.Configuration {
	first, err := n.journal.FirstIndex()
	last, err2 := n.journal.LastIndex()
	if err == nil && err2 == nil && last > 0 {
		for index := last; index >= first; index-- {
			var entry raft.Log
			if n.journal.GetLog(index, &entry) == nil && entry.Type == raft.LogConfiguration {
				return raft.DecodeConfiguration(entry.Data)
			}
		}
	}
	if all, err := n.snapshots.List(); err == nil && len(all) > 0 {
		return all[0].Configuration
	}
	return raft.Configuration{}
}
