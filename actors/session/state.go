package session

import (
	"container/heap"
	"slices"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

const (
	// retryFirst is how long the end of a session that could not be written waits for
	// the next try. It doubles with each, up to retryMost.
	retryFirst = time.Second
	retryMost  = time.Minute
)

// lease is a session that has to be renewed.
type lease struct {
	id       string
	due      time.Time // when it ends or, if it is ending, is tried to be ended again
	place    int       // in the heap; -1 when it is not there
	ending   bool      // its time was up: nothing saves it any more
	failures int       // to end it, in a row
}

// leases are the deadlines of one reign, the first due on top of a heap.
type leases struct {
	byID  map[string]*lease
	queue queue
}

func newLeases() *leases { return &leases{byID: map[string]*lease{}} }

// follow takes note of the sessions that there are now: the time of new ones begins,
// and those that have gone are forgotten.
func (l *leases) follow(sessions wire.Sessions, now time.Time) {
	there := make(map[string]bool, len(l.byID))
	for _, s := range sessions {
		ttl := s.Lease()
		if ttl <= 0 {
			continue
		}
		there[s.ID] = true
		if l.byID[s.ID] == nil {
			l.renew(s.ID, ttl, now)
		}
	}
	for id := range l.byID {
		if !there[id] {
			l.forget(id)
		}
	}
}

// renew begins the time of a session anew, known or not. It returns false when its
// end has been decided.
func (l *leases) renew(id string, ttl time.Duration, now time.Time) bool {
	s := l.byID[id]
	if s == nil {
		s = &lease{id: id, place: -1}
	}
	if s.ending {
		return false
	}
	s.due = now.Add(ttl * wire.SessionTTLMultiplier)
	l.put(s)
	return true
}

// expire returns the sessions whose time is up, the first due first and no more than
// most, and decides their end. Each is returned again only after failed.
func (l *leases) expire(now time.Time, most int) (ids []string) {
	for len(l.queue) > 0 && len(ids) < most && !l.queue[0].due.After(now) {
		s := heap.Pop(&l.queue).(*lease)
		s.ending = true
		ids = append(ids, s.id)
	}
	return ids
}

// failed has the end of a session tried again, later each time.
func (l *leases) failed(id string, now time.Time) {
	s := l.byID[id]
	if s == nil {
		return
	}
	s.due = now.Add(min(retryFirst<<min(s.failures, 16), retryMost))
	s.failures++
	l.put(s)
}

// forget is for a session that has ended.
func (l *leases) forget(id string) {
	if s := l.byID[id]; s != nil {
		delete(l.byID, id)
		if s.place >= 0 {
			heap.Remove(&l.queue, s.place)
		}
	}
}

// next returns when there is something to expire.
func (l *leases) next() (time.Time, bool) {
	if len(l.queue) == 0 {
		return time.Time{}, false
	}
	return l.queue[0].due, true
}

// put files a lease, or files it anew after its due time was changed.
func (l *leases) put(s *lease) {
	l.byID[s.id] = s
	if s.place >= 0 {
		heap.Fix(&l.queue, s.place)
		return
	}
	heap.Push(&l.queue, s)
}

// queue implements heap.Interface.
type queue []*lease

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	s := x.(*lease)
	s.place = len(*q)
	*q = append(*q, s)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	s := (*q)[last]
	*q = slices.Delete(*q, last, last+1)
	s.place = -1
	return s
}
