package http

import (
	"context"
	"net/http"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages/wire"
)

// query is how one read of the API is answered. The reads are data, so that what
// holds for all of them (consistency, waiting, headers, and one day encoding an
// answer once for everybody who asked the same) is in one place.
type query[A, R any] struct {
	read endpoint.Read[A, R]
	// args finds what is asked for in the URL, but for the options that every read
	// has.
	args func(*request, *A) error
	// show makes the answer of a reply. The reply shares values with the state and
	// must not be changed.
	show func(*request, *R) (*answer, error)

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
	reply, err := q.ask(r, args, opts)
	if err != nil {
		return nil, err
	}
	if cfg := &r.api.cfg; cfg.TranslateWANAddrs && any(args).(wire.Request).RequestDatacenter() != cfg.Facts.Datacenter {
		translate(reply)
	}
	ans, err := q.show(r, reply)
	if err != nil {
		return nil, err
	}
	if m, ok := any(reply).(wire.Reply); ok && !ans.unmarked {
		ans.meta = m.Meta()
		if !q.silent {
			ans.level = ans.meta.ConsistencyLevel
		}
	}
	if q.cached && opts.UseCache {
		ans.header = miss()
	}
	return ans, nil
}

// ask has the read answered. Who waits for news is woken when the listener drains,
// and then has what there is.
func (q query[A, R]) ask(r *request, args *A, opts *wire.QueryOptions) (*R, error) {
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
	reply := new(R)
	err := invoke.Read(ctx, r.api.cfg.Invoker, q.read, args, reply)
	if err != nil && opts.MinQueryIndex > 0 && leaving.Err() != nil && !opts.RequireConsistent {
		// It was woken where it could not answer. Nobody leads here any more, but what
		// this server has is what it would have gone on waiting with.
		opts.MinQueryIndex, opts.AllowStale = 0, true
		return reply, invoke.Read(r.Context(), r.api.cfg.Invoker, q.read, args, reply)
	}
	if err == nil && tooStale(opts, reply) {
		opts.AllowStale, opts.MaxStaleDuration, opts.MinQueryIndex = false, 0, 0
		return reply, invoke.Read(r.Context(), r.api.cfg.Invoker, q.read, args, reply)
	}
	return reply, err
}

// tooStale reports whether a stale answer is older than the client said it may be.
func tooStale(opts *wire.QueryOptions, reply any) bool {
	m, ok := reply.(wire.Reply)
	return ok && opts.AllowStale && opts.MaxStaleDuration > 0 && m.Meta().LastContact > opts.MaxStaleDuration
}

// miss is the header of an answer that could have come from a cache, which this
// agent does not have.
func miss() http.Header { return http.Header{"X-Cache": {"MISS"}} }
