package answers

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages/wire"
)

// The bounds of a table, unless the configuration has others.
const (
	defaultMaxQueries = 8192
	defaultMaxBytes   = 64 << 20
)

// Config is what a Table needs.
type Config struct {
	View func() *state.View // required: the newest state
	// Follow is told of a query that somebody begins to wait for; whoever hears of it
	// has Query.Follow run. Required. It must not block.
	Follow func(*Query)

	MaxQueries int   // default 8192
	MaxBytes   int64 // of answers that nobody waits for, about; default 64 MiB
}

// Table is the queries whose answers are kept. Any number of goroutines may use it.
type Table struct {
	cfg     Config
	queries sync.Map // by key: *Query
	count   atomic.Int64
	bytes   atomic.Int64
	limit   atomic.Int64 // of bytes: from when on it is worth looking for some to forget
	clock   atomic.Int64 // moves with every new query
	tidy    sync.Mutex   // held by who makes room

	evaluated, encoded, woken atomic.Int64
}

// New returns an empty table.
func New(cfg Config) *Table {
	cfg.MaxQueries = cmp.Or(cfg.MaxQueries, defaultMaxQueries)
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, defaultMaxBytes)
	t := &Table{cfg: cfg}
	t.limit.Store(cfg.MaxBytes)
	return t
}

// Stats is what a table has done so far, and what it holds.
type Stats struct {
	Evaluated, Encoded, Woken int64
	Queries, Bytes            int64
}

// Stats returns the figures of the table.
func (t *Table) Stats() Stats {
	return Stats{t.evaluated.Load(), t.encoded.Load(), t.woken.Load(), t.count.Load(), t.bytes.Load()}
}

// Query returns the query of a read; nil when it cannot be shared, or when there
// are too many.
func (t *Table) Query(m endpoint.ReadMethod, args wire.Request) *Query {
	key, ok := endpoint.Key(m, args)
	if !ok {
		return nil
	}
	if q, ok := t.queries.Load(key); ok {
		return q.(*Query).touch()
	}
	plain, ok := endpoint.Plain(args)
	if !ok || t.count.Load() >= int64(t.cfg.MaxQueries) && !t.makeRoom() {
		return nil
	}
	q, there := t.queries.LoadOrStore(key, &Query{table: t, key: key, read: m, args: plain})
	if !there {
		t.count.Add(1)
		t.clock.Add(1)
	}
	return q.(*Query).touch()
}

// Waited returns the queries that somebody waits for.
func (t *Table) Waited() []*Query {
	var waited []*Query
	for _, q := range t.queries.Range {
		if q := q.(*Query); q.Waited() {
			waited = append(waited, q)
		}
	}
	return waited
}

// makeRoom forgets the queries that were not used for the longest time, until a
// quarter of the table is free, and says whether there is room for one more.
func (t *Table) makeRoom() bool {
	t.tidy.Lock()
	defer t.tidy.Unlock()
	var idle []*Query // a table may be full of queries that are waited for
	for _, q := range t.queries.Range {
		if q := q.(*Query); !q.Waited() {
			idle = append(idle, q)
		}
	}
	slices.SortFunc(idle, func(a, b *Query) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	for _, q := range idle {
		if t.count.Load() <= int64(t.cfg.MaxQueries)*3/4 && t.bytes.Load() <= t.cfg.MaxBytes*3/4 {
			break
		}
		if q.forget() {
			t.queries.Delete(q.key)
			t.count.Add(-1)
		}
	}
	t.limit.Store(max(t.cfg.MaxBytes, t.bytes.Load()*5/4)) // what is left is waited for
	return t.count.Load() < int64(t.cfg.MaxQueries)
}
