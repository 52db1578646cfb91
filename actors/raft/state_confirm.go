package raft

import "github.com/actor-consul/consul/messages"

// maxConfirms is how many may wait for a read index at a time. It is far above
// what the listeners let in at once.
const maxConfirms = 64 << 10

// confirms gathers those who ask for a read index into rounds. While a round is
// under way, all who come wait for the next one: what a server says is good only
// for those who had asked before it was asked.
//
// The library's VerifyLeader cannot be used for this. It counts answers to
// heartbeats that were sent before the question, which a leader that was stopped
// for a while finds in its socket, and it counts those of servers without a vote
// (v1.8.0, replication.go, notifyAll).
type confirms struct {
	waiting []*messages.ConfirmLeader
	round   round
	asked   map[string]uint64 // by server: the round it is being asked for
}

// round is one question to the voters. The zero value is over.
type round struct {
	number uint64
	askers []*messages.ConfirmLeader // nil when it is over
	index  messages.ReadIndex
	need   int               // votes that are missing
	voters map[string]string // who has not answered yet, with address
}

// add takes in one more, or says that there are too many.
func (c *confirms) add(msg *messages.ConfirmLeader) bool {
	if len(c.waiting)+len(c.round.askers) >= maxConfirms {
		return false
	}
	c.waiting = append(c.waiting, msg)
	return true
}

// due reports whether a round is to begin.
func (c *confirms) due() bool { return c.round.askers == nil && len(c.waiting) > 0 }

// begin starts a round with all who wait. index is what they will be told. It
// returns who is to be asked now; a server that has not yet answered an earlier
// round is asked when it has. The next round is due at once if nobody needs to be
// asked.
func (c *confirms) begin(index messages.ReadIndex, peers []messages.RaftServer, self string) (ask []messages.RaftServer) {
	r := round{number: c.round.number + 1, askers: c.waiting, index: index, voters: map[string]string{}}
	voters := 0
	for _, p := range peers {
		if !p.Voter {
			continue
		}
		voters++
		if p.ID != self {
			r.voters[p.ID] = p.Address
		}
	}
	r.need = voters/2 + 1 - (voters - len(r.voters))
	c.waiting, c.round = nil, r
	if r.need <= 0 {
		c.end(nil)
		return nil
	}
	if c.asked == nil {
		c.asked = map[string]uint64{}
	}
	for id, address := range r.voters {
		if _, busy := c.asked[id]; !busy {
			c.asked[id] = r.number
			ask = append(ask, messages.RaftServer{ID: id, Address: address, Voter: true})
		}
	}
	return ask
}

// heard takes in that a server regards us as the leader. It returns that server
// when it is to be asked again, for a round that began meanwhile.
func (c *confirms) heard(id string) (ask []messages.RaftServer) {
	number := c.asked[id]
	delete(c.asked, id)
	address, missing := c.round.voters[id]
	switch {
	case c.round.askers == nil || !missing:
		return nil
	case number != c.round.number:
		c.asked[id] = c.round.number
		return []messages.RaftServer{{ID: id, Address: address, Voter: true}}
	}
	delete(c.round.voters, id)
	if c.round.need--; c.round.need == 0 {
		c.end(nil)
	}
	return nil
}

// end gives the round its result.
func (c *confirms) end(err error) {
	for _, msg := range c.round.askers {
		msg.Settle(c.round.index, err)
	}
	c.round.askers = nil
}

// refuse sends everybody away, because this server does not lead any more. Who is
// being asked will not be heard.
func (c *confirms) refuse(err error) {
	c.end(err)
	for _, msg := range c.waiting {
		msg.Refuse(err)
	}
	c.waiting, c.asked = nil, nil
}
