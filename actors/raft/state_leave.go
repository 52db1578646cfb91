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

// keepsQuorum reports whether the voters that remain when self has left can still
// agree: of n that remain, more than half have to be alive. A pool that is not
// known speaks against nobody.
func keepsQuorum(peers []messages.RaftServer, self string, pool *messages.PoolView) bool {
	if pool == nil {
		return true
	}
	remain, alive := 0, 0
	for _, p := range peers {
		if !p.Voter || p.ID == self {
			continue
		}
		remain++
		if _, ok := addressOf(pool, p.ID); ok {
			alive++
		}
	}
	return alive >= remain/2+1
}
