package http

import (
	"context"
	"net/http"
	"time"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages/wire"
)

// query is how one read of the API is answered. The reads are data, so that what
// holds for all of them (consistency, waiting, headers, encoding an answer once for
// everybody who asked the same) is in one place.
type query[A, R any] struct {
	read endpoint.Read[A, R]
	// args finds what is asked for in the URL, but for the options that every read
	// has.
	args func(*request, *A) error
	// show makes the answer of a reply. The reply is everybody's and must not be
	// changed.
	show func(*request, *R) (*answer, error)
	// form names what is shown, when it depends on nothing but the reply and that: all
	// who are answered the same in the same form are shown the same bytes. Without it
	// the answer is shown to everybody anew. The meta of a reply that is shown in a
	// form is not filled in.
	form func(*request) string
	// tell changes what is told of a reply. Optional.
	tell func(*request, *wire.QueryMeta)
	// worth says that an answer is worth keeping for those who do not wait.
	worth bool

	names  naming
	silent bool // Consul does not tell the consistency of this one
	cached bool // Consul's agent has a cache for this one
}

// naming is which of the names of Consul Enterprise a request may not have.
type naming int

const (
	noNames     naming = iota // neither namespace nor partition
	noPartition               // namespaces are passed over
	anyNames                  // both are passed over
)

// handle answers a request; it is a handler.
func (q query[A, R]) handle(r *request) (*answer, error) {
	if err := r.checkNames(q.names); err != nil {
		return nil, err
	}
	args := new(A)
	opts := any(args).(wire.Read).Options()
	if err := r.options(opts); err != nil {
		return nil, err
	}
	if err := q.args(r, args); err != nil {
		return nil, err
	}
	if h := q.hold(r, args, opts); h != nil {
		return &answer{held: h}, nil
	}
	return q.answered(r, args, opts)
}

// answered waits for the reply and shows it.
func (q query[A, R]) answered(r *request, args *A, opts *wire.QueryOptions) (*answer, error) {
	reply, err := q.ask(r, args, opts)
	if err != nil {
		return nil, err
	}
	if cfg := &r.api.cfg; cfg.TranslateWANAddrs && any(args).(wire.Request).RequestDatacenter() != cfg.Facts.Datacenter {
		translate(reply.Reply)
	}
	return q.present(r, opts, reply)
}

// present shows a reply and says how it was found.
func (q query[A, R]) present(r *request, opts *wire.QueryOptions, reply invoke.Shared[R]) (*answer, error) {
	ans, err := q.answer(r, reply)
	if err != nil {
		return nil, err
	}
	if _, ok := any(reply.Reply).(wire.Reply); ok && !ans.unmarked {
		if q.tell != nil {
			q.tell(r, &reply.Meta)
		}
		ans.meta = &reply.Meta
		if !q.silent {
			ans.level = ans.meta.ConsistencyLevel
		}
	}
	if q.cached && opts.UseCache {
		ans.header = miss()
		if reply.Kept != nil && reply.Kept.Again() {
			ans.header = hit()
		}
	}
	return ans, nil
}

// hold returns a query that has to wait, if that can be done without net/http; nil
// if not.
func (q query[A, R]) hold(r *request, args *A, opts *wire.QueryOptions) *held {
	if opts.MinQueryIndex == 0 || opts.MaxStaleDuration > 0 || !r.holdable() {
		return nil
	}
	wait := invoke.Await(r.Context(), r.api.cfg.Invoker, q.read, args)
	if wait == nil {
		return nil
	}
	slim := r.slim()
	return &held{
		api: r.api, r: slim, wait: wait,
		show: func() (*answer, error) { return q.present(slim, opts, invoke.Taken[R](wait)) },
		alone: func(most time.Duration) (*answer, error) {
			opts.MaxQueryTime = max(most, 1)
			return q.answered(slim, args, opts)
		},
	}
}

// answer shows a reply, or what it was shown as to others.
func (q query[A, R]) answer(r *request, reply invoke.Shared[R]) (*answer, error) {
	if reply.Kept == nil || q.form == nil {
		return q.show(r, reply.Own())
	}
	form := q.form(r)
	if r.has("pretty") {
		form += " pretty"
	}
	p := reply.Kept.Form(form, func() (any, int) {
		p := newPage(r, func() (*answer, error) { return q.show(r, reply.Reply) })
		return p, p.size()
	}).(*page)
	return &answer{page: p}, p.err
}

// ask has the read answered. Who waits for news is woken when the listener drains,
// and then has what there is.
func (q query[A, R]) ask(r *request, args *A, opts *wire.QueryOptions) (invoke.Shared[R], error) {
	leaving := r.api.leaving
	if leaving.Err() != nil {
		opts.MinQueryIndex = 0
	}
	ctx := r.Context()
	if opts.MinQueryIndex > 0 {
		waiting, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(leaving, cancel)()
		ctx = waiting
	}
	reply, err := q.share(ctx, r, args)
	if err != nil && opts.MinQueryIndex > 0 && leaving.Err() != nil && !opts.RequireConsistent {
		// It was woken where it could not answer. Nobody leads here any more, but what
		// this server has is what it would have gone on waiting with.
		opts.MinQueryIndex, opts.AllowStale = 0, true
		return q.share(r.Context(), r, args)
	}
	if err == nil && tooStale(opts, &reply.Meta) {
		opts.AllowStale, opts.MaxStaleDuration, opts.MinQueryIndex = false, 0, 0
		return q.share(r.Context(), r, args)
	}
	return reply, err
}

func (q query[A, R]) share(ctx context.Context, r *request, args *A) (invoke.Shared[R], error) {
	return invoke.Share(ctx, r.api.cfg.Invoker, q.read, args, q.worth)
}

// as is a form by a name of its own.
func as(name string) func(*request) string { return func(*request) string { return name } }

// tooStale reports whether a stale answer is older than the client said it may be.
func tooStale(opts *wire.QueryOptions, meta *wire.QueryMeta) bool {
	return opts.AllowStale && opts.MaxStaleDuration > 0 && meta.LastContact > opts.MaxStaleDuration
}

// miss is the header of an answer that could have come from a cache, and is the first
// of its kind.
func miss() http.Header { return http.Header{"X-Cache": {"MISS"}} }

// hit is the header of one that others who could do with a cache have had. It has no
// age: it is kept only as long as the newest state would say the same.
func hit() http.Header { return http.Header{"X-Cache": {"HIT"}, "Age": {"0"}} }
