package raft

import (
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/messages"
)

const (
	// maxInFlight and maxBytesInFlight bound the entries that have been taken on and
	// not been answered. All that raft takes at once must fit into a file of the
	// log, whose offsets have 32 bits.
	maxInFlight      = 4096
	maxBytesInFlight = 128 << 20
	// maxEntry bounds one entry; raft-wal writes up to 64 MiB and reads no more.
	maxEntry = 32 << 20
)

func (a *raftActor) apply(msg *messages.ApplyEntry) {
	switch {
	case a.failing != nil:
		msg.Refuse(a.failing)
	case len(msg.Entry) > maxEntry:
		msg.Refuse(fmt.Errorf("the entry is %d bytes long, the raft log takes up to %d", len(msg.Entry), maxEntry))
	case !a.node.take(msg, len(msg.Entry)):
		a.overloaded("raft_entries", "too many entries wait for the log", msg)
	}
}

// overloaded refuses a request because so many others are under way, and says so.
func (a *raftActor) overloaded(limit, says string, msg messages.Refuser) {
	a.limits.Refused(limit, "refusing requests: "+says)
	msg.Refuse(messages.ErrOverloaded)
}

func (a *raftActor) barrier(msg *messages.Barrier) {
	if !a.node.take(msg, 0) {
		a.overloaded("raft_entries", "too many entries wait for the log", msg)
	}
}

// pending is an entry that raft has been given.
type pending struct {
	future  raft.Future
	apply   *messages.ApplyEntry // one of the two
	barrier *messages.Barrier
}

func (p *pending) settle(err error) {
	switch {
	case p.barrier != nil:
		p.barrier.Settle(messages.Unit{}, err)
	case err != nil:
		p.apply.Refuse(err)
	default:
		f := p.future.(raft.ApplyFuture)
		if _, crashed := f.Response().(*crash); crashed {
			p.apply.Refuse(messages.ErrCrashed)
			return
		}
		p.apply.Answer(messages.Applied{Index: f.Index(), Result: f.Response()})
	}
}

// take takes on a request of so many bytes, or says that there are too many.
func (n *node) take(msg any, bytes int) bool {
	entries, all := n.inFlight.Add(1), n.bytes.Add(int64(bytes))
	if entries > maxInFlight || all > maxBytesInFlight {
		n.release(bytes)
		return false
	}
	n.requests <- msg // has room for all that may be in flight
	return true
}

func (n *node) release(bytes int) {
	n.inFlight.Add(-1)
	n.bytes.Add(-int64(bytes))
}

// submit gives raft the requests. The library blocks while it has its hands full.
func (n *node) submit() {
	defer close(n.pending)
	for msg := range n.requests {
		switch msg := msg.(type) {
		case *messages.ApplyEntry:
			n.pending <- &pending{future: n.raft.Apply(msg.Entry, 0), apply: msg}
		case *messages.Barrier:
			n.pending <- &pending{future: n.raft.Barrier(0), barrier: msg}
		}
	}
}

// complete answers the requests, in the order in which raft gets them done.
func (n *node) complete() {
	for p := range n.pending {
		n.current.Store(p)
		p.settle(writeError(p.future.Error()))
		bytes := 0
		if p.apply != nil {
			bytes = len(p.apply.Entry)
		}
		n.release(bytes)
	}
	n.current.Store(nil)
}
