package raft

import (
	"errors"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/messages"
)

// writeError says in the agent's words what the library says of an entry. What it
// says at its shutdown it says of entries that were committed, too.
func writeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return messages.ErrNotLeader
	case errors.Is(err, raft.ErrLeadershipLost), errors.Is(err, raft.ErrRaftShutdown):
		return messages.ErrLeadershipLost
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return messages.ErrOverloaded
	default:
		return err
	}
}

// readError says in the agent's words what the library says of a question, which
// may be asked again of anybody.
func readError(err error) error {
	switch {
	case errors.Is(err, raft.ErrLeadershipLost):
		return messages.ErrNotLeader
	case errors.Is(err, raft.ErrRaftShutdown):
		return messages.ErrLeaving
	default:
		return writeError(err)
	}
}
