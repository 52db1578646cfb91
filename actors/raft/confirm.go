package raft

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/messages"
)

func (a *raftActor) confirm(msg *messages.ConfirmLeader) {
	if !a.standing.leads() {
		msg.Refuse(messages.ErrNotLeader)
		return
	}
	if index, ok := a.cfg.Status.Load().LoneReadIndex(); ok {
		msg.Answer(index)
		return
	}
	if !a.confirms.add(msg) {
		a.overloaded("raft_reads", "too many reads wait for the word of a quorum", msg)
		return
	}
	a.maybeConfirm()
}

// maybeConfirm starts rounds for those who wait, one at a time. Not before the
// leader is ready: what earlier leaders have acknowledged may not be applied here.
func (a *raftActor) maybeConfirm() {
	for a.ready && a.confirms.due() {
		// The index comes first: whatever is acknowledged by now is to be seen.
		a.ask(a.confirms.begin(a.node.readIndex(), a.node.peers(), a.cfg.NodeID))
	}
}

func (a *raftActor) ask(voters []messages.RaftServer) {
	for _, v := range voters {
		a.node.askVoter(a.reign, v, a.standing.term)
	}
}

// heard takes in what a voter said. One that knows of a later term says no; raft
// will hear of it, too.
func (a *raftActor) heard(msg *heard) {
	switch {
	case msg.term != a.standing.term || !a.standing.leads():
	case !msg.leads:
		a.confirms.refuse(messages.ErrNotLeader)
	default:
		a.ask(a.confirms.heard(msg.id))
		a.maybeConfirm()
	}
}

func (a *raftActor) leaderReady(msg *messages.LeaderReady) {
	if !a.standing.leads() || msg.Term != a.standing.term || a.ready {
		return
	}
	a.ready = true
	a.publish()
	a.maybeConfirm()
}

const (
	// askAgain is how long to wait before a server that gave no answer is asked
	// again, up to a multiple of maxAskAgain.
	askAgain    = 20 * time.Millisecond
	maxAskAgain = 25
)

// askVoter asks a server whether it regards us as the leader of a term, as a
// heartbeat does, until it has answered or the reign is over.
func (n *node) askVoter(reign context.Context, s messages.RaftServer, term uint64) {
	req := &raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{
			ProtocolVersion: raft.ProtocolVersionMax,
			ID:              []byte(n.cfg.NodeID),
			Addr:            n.transport.EncodePeer(raft.ServerID(n.cfg.NodeID), n.transport.LocalAddr()),
		},
		Term:   term,
		Leader: n.transport.EncodePeer(raft.ServerID(n.cfg.NodeID), n.transport.LocalAddr()),
	}
	n.running.Go(func() {
		for try := 1; reign.Err() == nil; try++ {
			var resp raft.AppendEntriesResponse
			err := n.transport.AppendEntries(raft.ServerID(s.ID), raft.ServerAddress(s.Address), req, &resp)
			if err == nil {
				n.tell(&heard{id: s.ID, term: term, leads: resp.Success && resp.Term == term})
				return
			}
			select {
			case <-time.After(time.Duration(min(try, maxAskAgain)) * askAgain):
			case <-reign.Done():
			}
		}
	})
}
