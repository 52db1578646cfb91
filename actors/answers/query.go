package answers

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/go-metrics"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages/wire"
)

// Query is something that is asked again and again, with its newest answer.
type Query struct {
	table *Table
	key   string
	read  endpoint.ReadMethod
	args  wire.Request // nobody changes it
	used  atomic.Int64 // by the clock of the table
	now   atomic.Pointer[Answer]
	turn  sync.Mutex // one evaluation at a time

	mu   sync.Mutex
	subs []*Sub
	gone bool // the table has forgotten it
}

// Sub is somebody who waits for another answer.
type Sub struct {
	query *Query
	wake  func()
	at    int // in subs of the query
}

func (q *Query) touch() *Query {
	if now := q.table.clock.Load(); q.used.Load() != now {
		q.used.Store(now)
	}
	return q
}

// Answer returns what the newest state says to who has seen index. It evaluates the
// query when the last answer is not true any more; who asks meanwhile waits and
// shares it.
//
// It does so too when the asker has seen a greater index than the answer has and the
// state has moved: some indexes, such as that of a key that is not there, move
// with more than what is watched, and who has heard of a greater one is not to
// be told a smaller one.
func (q *Query) Answer(index uint64) *Answer {
	good := func(a *Answer) bool {
		return a.True() && (a.Index >= index || a.seen >= min(index, q.table.cfg.View().LastIndex()))
	}
	if a := q.now.Load(); good(a) {
		return a
	}
	q.turn.Lock()
	defer q.turn.Unlock()
	was := q.now.Load()
	if good(was) {
		return was
	}
	is := q.evaluate()
	q.replace(was, is)
	return is
}

// Newest returns the last answer, true or not; nil before the first.
func (q *Query) Newest() *Answer { return q.now.Load() }

func (q *Query) evaluate() (a *Answer) {
	q.table.evaluated.Add(1)
	metrics.IncrCounter([]string{"watch", "evaluated"}, 1)
	a = &Answer{table: q.table, Reply: q.read.NewReply()}
	defer func() {
		if reason := recover(); reason != nil {
			a.Err = fmt.Errorf("%s failed: %v", q.read.Name(), reason)
		}
	}()
	view := q.table.cfg.View()
	env := &endpoint.Env{View: view, Watch: memdb.NewWatchSet()}
	a.Err = q.read.EvalAny(env, q.args, a.Reply)
	if r, ok := a.Reply.(wire.Reply); ok {
		a.Index = r.Meta().Index
	}
	a.abandoned, a.next, a.seen = view.Abandoned(), view.Next(), view.LastIndex()
	if len(env.Watch) > 0 && !a.failed() {
		for ch := range env.Watch {
			a.watch = append(a.watch, ch)
		}
	}
	return a
}

// replace puts an answer in the place of another, and wakes those who wait unless
// it tells them nothing new.
func (q *Query) replace(was, is *Answer) {
	q.mu.Lock()
	q.now.Store(is)
	var subs []*Sub
	if is.news(was) {
		subs = slices.Clone(q.subs)
	}
	if q.gone {
		is.retire()
	}
	q.mu.Unlock()
	was.retire()
	is.account(sizeOf(is.Reply) + 2*len(q.key)) // the arguments take as much again
	if len(subs) == 0 {
		return
	}
	for _, s := range subs {
		s.wake()
	}
	q.table.woken.Add(int64(len(subs)))
	metrics.IncrCounter([]string{"watch", "woken"}, float32(len(subs)))
}

// Subscribe has wake called whenever there is another answer, until the subscription
// is cancelled. wake must not block. It returns nil when the table has forgotten the
// query; then another is there for it.
func (q *Query) Subscribe(wake func()) *Sub {
	q.mu.Lock()
	if q.gone {
		q.mu.Unlock()
		return nil
	}
	s := &Sub{query: q, wake: wake, at: len(q.subs)}
	q.subs = append(q.subs, s)
	first := len(q.subs) == 1
	q.mu.Unlock()
	if first {
		q.table.cfg.Follow(q)
	}
	return s
}

// Cancel ends a subscription. It is called once; wake may be called a last time
// while it runs.
func (s *Sub) Cancel() {
	q := s.query
	q.mu.Lock()
	defer q.mu.Unlock()
	last := len(q.subs) - 1
	q.subs[s.at] = q.subs[last]
	q.subs[s.at].at = s.at
	q.subs[last] = nil
	q.subs = q.subs[:last]
	if cap(q.subs) > 4*last+64 {
		q.subs = slices.Clone(q.subs)
	}
}

// Waited says whether somebody waits.
func (q *Query) Waited() bool { return q.Waiting() > 0 }

// Waiting returns how many wait.
func (q *Query) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.subs)
}

// Follow evaluates the query whenever its answer has changed, until nobody waits at
// such a moment, or ctx ends. It blocks; one who follows a query is enough.
func (q *Query) Follow(ctx context.Context) {
	for q.Waited() {
		a := q.Answer(0)
		if a.failed() || a.wait(ctx) != nil {
			return // who waits is told of the failure when it asks, and waits no more
		}
	}
}

// forget takes leave of a query that nobody waits for, and says whether it could.
func (q *Query) forget() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.subs) > 0 {
		return false
	}
	q.gone = true
	q.now.Load().retire()
	return true
}
