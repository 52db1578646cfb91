package supervisor

import (
	"sync/atomic"
	"time"

	"github.com/actor-consul/consul/messages"
)

// contact is since when nobody says any more what has changed. It is noted on the
// goroutines that ask.
type contact struct {
	lost atomic.Int64 // in nanoseconds since 1970; 0: somebody does, or there has been nobody yet
}

// note takes note of how a question to the servers ended, which was held for a while
// before it failed.
func (c *contact) note(err error, held time.Duration) {
	if err == nil {
		c.lost.Store(0)
	} else {
		c.lost.CompareAndSwap(0, time.Now().Add(-held).UnixNano())
	}
}

func (c *contact) age() time.Duration {
	if lost := c.lost.Load(); lost != 0 {
		return max(0, time.Since(time.Unix(0, lost)))
	}
	return 0
}

// viewAge returns what says how old the state of this agent may be: how long a server
// has heard of no leader, or a client agent of no server.
func (p *plot) viewAge() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return stateAge(p.raft.Load(), &p.copied, began) }
}

// stateAge is pure but for the clock. A server that has heard of no leader since its
// start has a state that is older than that; nobody knows by how much.
func stateAge(s *messages.RaftStatus, copied *contact, began time.Time) time.Duration {
	switch {
	case s == nil:
		return copied.age()
	case s.Leads() || s.LastContact == nil:
		return 0
	}
	last := s.LastContact()
	if last.IsZero() {
		last = began
	}
	return max(0, time.Since(last))
}
