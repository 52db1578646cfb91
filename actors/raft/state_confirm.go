package raft

import "github.com/actor-consul/consul/messages"

// maxConfirms is how many may wait for a read index at a time. It is far above
// what the listeners let in at once.
const maxConfirms = 64 << 10

// confirms gathers those who ask for a read index into rounds. While a round is
// under way, all who come wait for the next one: an answer is good only for those
// who had asked before its round began.
type confirms struct {
	waiting []*messages.ConfirmLeader
	round   []*messages.ConfirmLeader // nil while no round is under way
}

// add takes in one more, or says that there are too many.
func (c *confirms) add(msg *messages.ConfirmLeader) bool {
	if len(c.waiting)+len(c.round) >= maxConfirms {
		return false
	}
	c.waiting = append(c.waiting, msg)
	return true
}

// begin starts a round with all who wait, and reports whether it did.
func (c *confirms) begin() bool {
	if c.round != nil || len(c.waiting) == 0 {
		return false
	}
	c.round, c.waiting = c.waiting, nil
	return true
}

// end gives the round its result.
func (c *confirms) end(index messages.ReadIndex, err error) {
	for _, msg := range c.round {
		msg.Settle(index, err)
	}
	c.round = nil
}

// refuse sends away those who wait. A round that is under way has its own end.
func (c *confirms) refuse(err error) {
	for _, msg := range c.waiting {
		msg.Refuse(err)
	}
	c.waiting = nil
}
