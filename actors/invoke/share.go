package invoke

import (
	"context"
	"reflect"
	"time"

	"github.com/actor-consul/consul/actors/answers"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages/wire"
)

// Shared is the answer to a read that others may have been given too.
type Shared[R any] struct {
	// Reply must not be changed. Its QueryMeta is that of Meta only when Kept is nil.
	Reply *R
	// Meta is what the reply says about itself to this asker.
	Meta wire.QueryMeta
	// Kept is where encoded forms of the reply are kept; nil when it was made for
	// this asker alone.
	Kept *answers.Answer
}

// Own returns a reply whose QueryMeta is the asker's. What is in it is shared.
func (s *Shared[R]) Own() *R {
	if s.Kept == nil {
		return s.Reply
	}
	own := *s.Reply
	if r, ok := any(&own).(wire.Reply); ok {
		*r.Meta() = s.Meta
	}
	return &own
}

// Share is Read for who can do with the very reply that others get. What is waited
// for is shared in any case; a read that does not wait only if it is worth it: if to
// answer it takes more than to find out whether the same was asked before.
func Share[A, R any](ctx context.Context, inv *Invoker, ep endpoint.Read[A, R], args *A, worth bool) (Shared[R], error) {
	req := any(args).(wire.Request)
	opts := optionsOf(req)
	var s Shared[R]
	own := func() error {
		s = Shared[R]{Reply: new(R)}
		err := inv.Invoke(ctx, &ep, req, s.Reply)
		if r, ok := any(s.Reply).(wire.Reply); ok {
			s.Meta = *r.Meta()
		}
		return err
	}
	if !worth && opts.MinQueryIndex == 0 || !inv.answersHere(req) {
		return s, own()
	}
	err := inv.hold(ctx, func() error {
		if inv.otherLeader(req) != "" {
			return own()
		}
		kept, err := inv.shared(ctx, &ep, req, opts)
		if kept == nil {
			if err != nil {
				return err
			}
			return own()
		}
		s = shareOf[R](inv, kept, opts)
		counted(&ep, req, s.Reply)
		return nil
	})
	return s, err
}

func shareOf[R any](inv *Invoker, kept *answers.Answer, opts *wire.QueryOptions) Shared[R] {
	s := Shared[R]{Reply: kept.Reply.(*R), Kept: kept}
	if r, ok := kept.Reply.(wire.Reply); ok {
		s.Meta = *r.Meta()
		inv.fillInMeta(&s.Meta, opts)
	}
	return s
}

// answersHere says whether this server may have the answer itself.
func (inv *Invoker) answersHere(args wire.Request) bool {
	dc := args.RequestDatacenter()
	return inv.cfg.Answers != nil && !inv.cfg.Client && (dc == "" || dc == inv.cfg.Datacenter)
}

func optionsOf(args wire.Request) *wire.QueryOptions {
	if r, ok := args.(wire.Read); ok {
		return r.Options()
	}
	return &wire.QueryOptions{}
}

// shared answers a read together with all who ask the same. It returns nil without
// an error when the read cannot be shared.
func (inv *Invoker) shared(ctx context.Context, m endpoint.ReadMethod, args wire.Request, opts *wire.QueryOptions) (*answers.Answer, error) {
	q := inv.cfg.Answers.Query(m, args)
	if q == nil {
		return nil, nil
	}
	blocking := endpoint.Blocking{Min: opts.MinQueryIndex}
	a, done, err := inv.look(ctx, q, opts, &blocking)
	if done || err != nil {
		return a, err
	}
	news := make(chan struct{}, 1)
	sub := q.Subscribe(func() {
		select {
		case news <- struct{}{}:
		default:
		}
	})
	if sub == nil {
		return nil, nil // the table is full, or about to be
	}
	defer sub.Cancel()
	inv.waiting.Add(1)
	defer inv.waiting.Add(-1)
	end := time.NewTimer(inv.patience(opts.MaxQueryTime))
	defer end.Stop()
	for {
		was := a
		if a, done, err = inv.look(ctx, q, opts, &blocking); done || err != nil {
			return a, err
		}
		if was.Abandoned() {
			// A snapshot was restored, whose indexes may be smaller than what the asker has
			// seen. He is told, or he would wait for ever.
			return a, a.Err
		}
		select {
		case <-news:
		case <-end.C:
			return a, nil
		case <-ctx.Done():
			return a, nil
		}
	}
}

// look says what the answer is now, and whether it is what was waited for.
func (inv *Invoker) look(ctx context.Context, q *answers.Query, opts *wire.QueryOptions, blocking *endpoint.Blocking) (*answers.Answer, bool, error) {
	if err := inv.mayAnswer(ctx, opts); err != nil {
		return nil, false, err
	}
	a := q.Answer(opts.MinQueryIndex)
	done, err := blocking.Done(a.Index, a.Err)
	if err != nil {
		return nil, false, err
	}
	return a, done, nil
}

// take answers with what others get, for who wants a reply of his own. The two share
// what is in it.
func (inv *Invoker) take(kept *answers.Answer, opts *wire.QueryOptions, reply any) {
	reflect.ValueOf(reply).Elem().Set(reflect.ValueOf(kept.Reply).Elem())
	inv.fillIn(reply, opts)
}
