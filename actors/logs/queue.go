package logs

import (
	"sync"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// queueSize is how many entries wait for the actor. It holds what the actor keeps
// as recent, and a burst.
const queueSize = 4 * recentSize

// entriesWaiting tells the actor that the queue has entries for its readers.
type entriesWaiting struct{}

// IgnoreDeadLetterLogging keeps the framework from logging that the log is not
// there.
func (*entriesWaiting) IgnoreDeadLetterLogging() {}

// A queue stands between the goroutines that log and the actor. Its lock is held
// for a copy and never while anything is called, so putting never waits: not for
// a slow actor, not for a missing one. When it is full the oldest entry goes.
//
// The actor is woken once for many entries, and only while somebody reads;
// otherwise entries stay here until somebody does.
type queue struct {
	mu      sync.Mutex
	seq     uint64
	entries ring
	lost    tally // dropped from the ring since the last take

	to    ask.Address // the actor, while it lives
	eager bool        // somebody reads
	woken bool        // a wake-up is on its way
}

// put numbers an entry and adds it.
func (q *queue) put(e messages.LogEntry) {
	q.mu.Lock()
	q.seq++
	e.Seq = q.seq
	if dropped, full := q.entries.push(e); full {
		q.lost.add(dropped.Level)
	}
	wake, to := q.mustWake(), q.to
	q.mu.Unlock()
	if wake {
		to.Tell(&entriesWaiting{})
	}
}

// mustWake reports whether the actor has to be told of what waits, and takes note
// that it will be.
func (q *queue) mustWake() bool {
	if !q.eager || q.woken || len(q.entries.entries) == 0 || q.to == (ask.Address{}) {
		return false
	}
	q.woken = true
	return true
}

// take empties the queue into dst and returns what was lost before that.
func (q *queue) take(dst []messages.LogEntry) ([]messages.LogEntry, tally) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lost := q.lost
	q.lost, q.woken = tally{}, false
	return q.entries.drain(dst), lost
}

// attach says where the actor is; the zero address says that it is not there.
func (q *queue) attach(to ask.Address) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.to, q.woken = to, false
}

// wakeFor says whether the actor wants to be woken for new entries.
func (q *queue) wakeFor(readers bool) {
	q.mu.Lock()
	q.eager = readers
	wake, to := q.mustWake(), q.to
	q.mu.Unlock()
	if wake {
		to.Tell(&entriesWaiting{})
	}
}
