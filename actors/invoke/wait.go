package invoke

import (
	"context"
	"time"

	"github.com/actor-consul/consul/actors/answers"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages/wire"
)

// Wait is a blocking read that has to wait, for who has a better way to do that than
// a goroutine that does nothing else. Its methods are for one goroutine.
type Wait struct {
	inv      *Invoker
	query    *answers.Query
	sub      *answers.Sub
	opts     wire.QueryOptions
	blocking endpoint.Blocking
	last     *answers.Answer
	until    time.Time
}

// Await begins a blocking read. It returns nil when there is nothing to wait for, or
// when waiting is not possible this way; the read is then for Share. Who gets a Wait
// calls Begin, and End when it is over.
func Await[A, R any](ctx context.Context, inv *Invoker, ep endpoint.Read[A, R], args *A) *Wait {
	req := any(args).(wire.Request)
	opts := optionsOf(req)
	if opts.MinQueryIndex == 0 || !inv.answersHere(req) || inv.otherLeader(req) != "" {
		return nil
	}
	q := inv.cfg.Answers.Query(&ep, req)
	if q == nil {
		return nil
	}
	w := &Wait{inv: inv, query: q, opts: *opts, blocking: endpoint.Blocking{Min: opts.MinQueryIndex}}
	if done, err := w.Look(ctx); done || err != nil {
		return nil
	}
	w.until = time.Now().Add(inv.patience(opts.MaxQueryTime))
	return w
}

// Begin has wake called whenever there is something to look at. wake must not block.
// It returns false when that is not possible; then there is nothing to end.
func (w *Wait) Begin(wake func()) bool {
	if w.sub = w.query.Subscribe(wake); w.sub == nil {
		return false
	}
	w.inv.waiting.Add(1)
	return true
}

// End ends a Wait that has begun.
func (w *Wait) End() {
	w.sub.Cancel()
	w.inv.waiting.Add(-1)
}

// Until is when to wait no more.
func (w *Wait) Until() time.Time { return w.until }

// Moved says whether it is worth to look. It costs next to nothing.
func (w *Wait) Moved() bool { return w.query.Newest() != w.last }

// Look says whether the answer is there that is waited for. After an error this
// server cannot answer now, or not at all: Share finds out.
func (w *Wait) Look(ctx context.Context) (bool, error) {
	was := w.last
	a, done, err := w.inv.look(ctx, w.query, &w.opts, &w.blocking)
	if err != nil {
		return false, err
	}
	w.last = a
	return done || was != nil && was.Abandoned(), nil
}

// Taken returns what a Wait has seen last.
func Taken[R any](w *Wait) Shared[R] { return shareOf[R](w.inv, w.last, &w.opts) }
