package raft

import (
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/messages"
)

// changeBudget is for how long a change of the peer set waits for its turn: the
// library makes one at a time.
const changeBudget = 10 * time.Second

// putPeer changes the peer set and answers when the change is committed.
func (n *node) putPeer(msg *messages.PutPeer) {
	n.running.Go(func() {
		id, addr := raft.ServerID(msg.Server.ID), raft.ServerAddress(msg.Server.Address)
		votes := slices.ContainsFunc(n.peers(), func(p messages.RaftServer) bool { return p.Voter && p.ID == msg.Server.ID })
		var f raft.IndexFuture
		switch {
		case msg.Server.Voter:
			f = n.raft.AddVoter(id, addr, 0, changeBudget)
		case votes:
			f = n.raft.DemoteVoter(id, 0, changeBudget)
		default:
			f = n.raft.AddNonvoter(id, addr, 0, changeBudget)
		}
		msg.Settle(messages.Unit{}, writeError(f.Error()))
	})
}

// removePeer changes the peer set and answers when the change is committed.
func (n *node) removePeer(msg *messages.RemovePeer) {
	n.running.Go(func() {
		err := n.raft.RemoveServer(raft.ServerID(msg.ID), 0, changeBudget).Error()
		msg.Settle(messages.Unit{}, writeError(err))
	})
}

// takeSnapshot answers when the snapshot is written, or when there is nothing that
// the last one has not.
func (n *node) takeSnapshot(msg *messages.TakeSnapshot) {
	n.running.Go(func() {
		err := n.raft.Snapshot().Error()
		if errors.Is(err, raft.ErrNothingNewToSnapshot) {
			err = nil
		}
		msg.Settle(messages.Unit{}, readError(err))
	})
}
