package raft

import "github.com/actor-consul/consul/messages"

// otherVoters counts the voters besides self.
func otherVoters(peers []messages.RaftServer, self string) int {
	n := 0
	for _, p := range peers {
		if p.Voter && p.ID != self {
			n++
		}
	}
	return n
}

// soleVoter reports whether self votes and nobody else does: then its own word is
// a quorum's.
func soleVoter(peers []messages.RaftServer, self string) bool {
	votes := false
	for _, p := range peers {
		if p.Voter && p.ID != self {
			return false
		}
		votes = votes || p.Voter
	}
	return votes
}
