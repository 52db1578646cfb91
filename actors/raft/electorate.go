package raft

import (
	"slices"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/messages"
)

// electorate is the transport as raft sees it. Of the requests that come in it
// changes those of candidates that our own, older peer set does not let vote.
//
// The library refuses such a candidate its vote. That costs an election where the
// candidate has become a voter by an entry that a quorum has and this server has
// not: it alone has the newest log, and who could elect it does not know it. Of
// three servers of which one stops at that moment, the other two would never agree.
// In Raft a vote does not depend on the peer set of who gives it (Ongaro's
// dissertation, 4.1): whose log is older loses, and while somebody leads nobody is
// elected, as before. The LAN pool says whether the candidate is a server of ours.
type electorate struct {
	*raft.NetworkTransport
	node     *node
	requests chan raft.RPC
}

var _ raft.WithPreVote = (*electorate)(nil)

// Consumer implements raft.Transport.
func (e *electorate) Consumer() <-chan raft.RPC { return e.requests }

// pass passes on what comes in until the transport is closed.
func (e *electorate) pass() {
	for {
		select {
		case rpc := <-e.NetworkTransport.Consumer():
			e.admit(rpc.Command)
			select {
			case e.requests <- rpc:
			case <-e.node.stream.done.Done():
				return
			}
		case <-e.node.stream.done.Done():
			return
		}
	}
}

// admit has raft look at the log of a candidate and at nothing else.
func (e *electorate) admit(request any) {
	switch req := request.(type) {
	case *raft.RequestVoteRequest:
		if _, ok := e.stranger(req.ID); ok {
			req.ID = nil // as old versions leave it: it is not looked up
		}
	case *raft.RequestPreVoteRequest:
		if voter, ok := e.stranger(req.ID); ok {
			req.ID = []byte(voter) // nothing else is done with it
		}
	}
}

// stranger reports whether a candidate is a server of ours that we do not know as a
// voter, and returns one whom we do.
func (e *electorate) stranger(candidate []byte) (voter string, is bool) {
	if len(candidate) == 0 || e.node.cfg.Pool == nil {
		return "", false
	}
	peers := e.node.peers()
	votes := func(p messages.RaftServer) bool { return p.Voter }
	known := func(p messages.RaftServer) bool { return p.Voter && p.ID == string(candidate) }
	i := slices.IndexFunc(peers, votes)
	if i < 0 || slices.ContainsFunc(peers, known) {
		return "", false
	}
	_, ours := addressOf(e.node.cfg.Pool.Load(), string(candidate))
	return peers[i].ID, ours
}
