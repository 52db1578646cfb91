package raft

import (
	"fmt"
	"strings"

	"github.com/actor-consul/consul/messages"
)

// Objection returns why a server had better not leave: the voters that remain could
// not agree on anything, so that the datacenter would take no writes. It is nil
// when nothing speaks against it, and for the only voter, whose peer set waits for
// it to come back.
func Objection(peers []messages.RaftServer, pool *messages.PoolView, self string) error {
	if otherVoters(peers, self) == 0 || !votes(peers, self) || keepsQuorum(peers, self, pool) {
		return nil
	}
	var alive, gone []string
	for _, p := range peers {
		if !p.Voter || p.ID == self {
			continue
		}
		if _, ok := addressOf(pool, p.ID); ok {
			alive = append(alive, p.Address)
		} else {
			gone = append(gone, p.Address)
		}
	}
	remain := len(alive) + len(gone)
	return fmt.Errorf("leaving would cost the datacenter its quorum: of the %d other voters %d must be alive, but only %d are (gone: %s); bring those back first, or leave with -force",
		remain, remain/2+1, len(alive), strings.Join(gone, ", "))
}

func votes(peers []messages.RaftServer, id string) bool {
	for _, p := range peers {
		if p.ID == id {
			return p.Voter
		}
	}
	return false
}
