package raft

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/messages"
)

// status returns what is to be published. Its functions may be called after the
// node has ended.
func (n *node) status(s standing, ready bool) *messages.RaftStatus {
	return &messages.RaftStatus{
		State:      s.state,
		LeaderID:   s.leaderID,
		LeaderAddr: s.leaderAddr,
		Term:       s.term,
		Ready:      ready,
		LastContact: func() time.Time {
			if n.raft.State() == raft.Leader {
				return time.Now()
			}
			return n.raft.LastContact()
		},
		AppliedIndex: n.applied,
		Replaying:    n.replaying,
		AwaitApplied: func(ctx context.Context, index uint64) error {
			return n.machine.progress.await(ctx, index, n.applied)
		},
		LoneReadIndex: func() (messages.ReadIndex, bool) {
			if !ready || n.raft.State() != raft.Leader || n.raft.CurrentTerm() != s.term || !n.lone() {
				return messages.ReadIndex{}, false
			}
			return n.readIndex(), true
		},
		Peers: n.peers,
		Stats: n.raft.Stats,
	}
}

// poolAddresses finds peers where the pool says they are, rather than where they
// were when the peer set was made.
type poolAddresses struct{ n *node }

// ServerAddr implements raft.ServerAddressProvider.
func (p poolAddresses) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	if addr, ok := addressOf(p.n.cfg.Pool.Load(), string(id)); ok {
		return raft.ServerAddress(addr), nil
	}
	for _, s := range p.n.peers() {
		if s.ID == string(id) {
			return raft.ServerAddress(s.Address), nil
		}
	}
	return "", fmt.Errorf("server %s is in no pool and no peer set", id)
}

// readIndex returns the index that a read has to have seen that begins now.
func (n *node) readIndex() messages.ReadIndex {
	return messages.ReadIndex{Index: n.journal.silent.below(n.raft.CommitIndex())}
}

// applied returns how far the state is.
func (n *node) applied() uint64 {
	return n.journal.silent.above(n.machine.progress.index.Load(), n.raft.AppliedIndex())
}

// replaying reports whether the state lacks what the log had at the start, and will
// have it soon.
func (n *node) replaying() bool {
	if n.replayed.Load() {
		return false
	}
	end, err := n.journal.LastIndex()
	if err != nil { // the log is closed
		return false
	}
	if n.replay.over(n.applied(), end) {
		n.replayed.Store(true)
		return false
	}
	_, leader := n.raft.LeaderWithID()
	return !n.replay.hopeless(leader != "", time.Now())
}
