package dns

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages/wire"
)

// Elsewhere asks a server of another datacenter. Its functions are called on the
// goroutines of queries and wait, no longer than their context. An error that wraps
// wire.ErrNoDCPath says that there is no such datacenter.
type Elsewhere struct {
	// Node returns the node of that name, or nil.
	Node func(context.Context, *wire.NodeSpecificRequest) (*wire.Node, error)
	// Datacenters returns the names of all datacenters.
	Datacenters func(context.Context) ([]string, error)
	// Instances returns the instances of a service, whatever their health.
	Instances func(context.Context, *wire.ServiceSpecificRequest) (wire.CheckServiceNodes, error)
}

// theirs is what a server of another datacenter has said of one lookup. Nobody
// changes it: the queries that asked together share it.
type theirs struct {
	found *wire.Node
	all   wire.CheckServiceNodes
}

func (t *theirs) node(*query, string) *wire.Node                  { return t.found }
func (t *theirs) instances(*query, lookup) wire.CheckServiceNodes { return t.all }

// nodeEndsIn implements source. It does not look: that would be a list of all nodes
// for every name that is not there.
func (t *theirs) nodeEndsIn(*query, string) bool { return false }

// instancesOfAnyTag implements source. It asks.
func (t *theirs) instancesOfAnyTag(q *query, l lookup) wire.CheckServiceNodes {
	l.tag, l.datacenter = "", q.datacenter
	if said, err := q.elsewhere(l); err == nil {
		return said.all
	}
	return nil
}

// leaders is what the leader of our own datacenter has said, instead of a view that is
// too old.
type leaders struct{ *theirs }

func (leaders) nodeEndsIn(q *query, name string) bool { return ours{}.nodeEndsIn(q, name) }

// maxFailing bounds how many silent datacenters are remembered.
const maxFailing = 64

// errCrowded is returned when too many queries wait already.
var errCrowded = errors.New("too many queries wait for other datacenters")

// elsewhere has lookups answered in other datacenters. Its methods are called on many
// goroutines, and wait. Those who want to know the same at the same time ask once.
type elsewhere struct {
	cfg   Config
	log   *zap.Logger
	slots chan struct{} // one for each query that waits

	mu      sync.Mutex
	flights map[lookup]*flight
	failing map[string]bool // datacenters of which the log has said that they do not answer

	full atomic.Bool // that too many wait has been said
}

// flight is a question that is under way.
type flight struct {
	done chan struct{} // closed when what follows is set
	said *theirs
	err  error
}

func newElsewhere(cfg Config, log *zap.Logger) *elsewhere {
	return &elsewhere{
		cfg: cfg, log: log, slots: make(chan struct{}, cfg.Limits.Elsewhere),
		flights: map[lookup]*flight{}, failing: map[string]bool{},
	}
}

// elsewhere returns what asks other datacenters, or says what they said.
func (s *server) elsewhere(set *settings) func(lookup) (*theirs, error) {
	return func(l lookup) (*theirs, error) {
		found, err := s.reliable.ask(l, set, func() (word, error) {
			said, err := s.far.find(s.ctx, l, set)
			return word{theirs: said}, err
		})
		return found.theirs, err
	}
}

// find returns what the datacenter of a lookup says. It waits until then, or until ctx
// ends, but no longer than the limits say.
func (e *elsewhere) find(ctx context.Context, l lookup, set *settings) (*theirs, error) {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
		e.full.Store(false)
	default:
		if !e.full.Swap(true) {
			e.log.Warn("too many queries wait for other datacenters; new ones are answered with SERVFAIL", zap.Int("limit", cap(e.slots)))
		}
		return nil, errCrowded
	}
	f := e.join(ctx, l, set)
	select {
	case <-f.done:
		return f.said, f.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// join returns the flight of a lookup, which sets off if there is none.
func (e *elsewhere) join(ctx context.Context, l lookup, set *settings) *flight {
	e.mu.Lock()
	defer e.mu.Unlock()
	if f := e.flights[l]; f != nil {
		return f
	}
	f := &flight{done: make(chan struct{})}
	e.flights[l] = f
	go func() {
		defer e.land(l, f)
		ctx, cancel := context.WithTimeout(ctx, e.cfg.Limits.ElsewhereTimeout)
		defer cancel()
		f.said, f.err = e.ask(ctx, l, set)
	}()
	return f
}

// land tells those who wait, and the log what is news. It is deferred by the goroutine of
// the flight: a panic there costs that flight alone.
func (e *elsewhere) land(l lookup, f *flight) {
	if reason := recover(); reason != nil {
		f.err = fmt.Errorf("the question failed: %v", reason)
		e.log.Debug("the stack of a failure", zap.ByteString("stack", debug.Stack()))
	}
	e.mu.Lock()
	delete(e.flights, l)
	silent := f.err != nil && !errors.Is(f.err, wire.ErrNoDCPath)
	news := e.note(l.datacenter, silent)
	e.mu.Unlock()
	close(f.done)
	switch {
	case news && l.datacenter == strings.ToLower(e.cfg.Datacenter):
		e.log.Warn("the leader is asked, since what is known here may be too old (dns_config.allow_stale, max_stale)",
			zap.Bool("answers", !silent), zap.Error(f.err))
	case news && silent:
		e.log.Warn("another datacenter does not answer; queries for it are answered with what it has said before, or with SERVFAIL",
			zap.String("datacenter", l.datacenter), zap.Error(f.err))
	case news:
		e.log.Info("the other datacenter answers again", zap.String("datacenter", l.datacenter))
	case silent:
		e.log.Debug("another datacenter does not answer", zap.String("datacenter", l.datacenter), zap.Error(f.err))
	}
}

// note takes note of whether a datacenter is silent, and says whether that is news.
// While none of our own servers can be asked, every name is that of a datacenter which
// is silent; so no more than a few are remembered, and told of.
func (e *elsewhere) note(datacenter string, silent bool) (news bool) {
	was, full := e.failing[datacenter], len(e.failing) >= maxFailing
	switch {
	case !silent && full:
		clear(e.failing)
	case !silent:
		delete(e.failing, datacenter)
	case !full:
		e.failing[datacenter] = true
	}
	return silent != was && (!silent || !full)
}

func (e *elsewhere) ask(ctx context.Context, l lookup, set *settings) (*theirs, error) {
	if l.kind == kindEmpty { // a name that others end in: it is there if its datacenter is
		known, err := e.cfg.Elsewhere.Datacenters(ctx)
		if err == nil && !slices.Contains(known, l.datacenter) {
			err = wire.ErrNoDCPath
		}
		return &theirs{}, err
	}
	opts := wire.QueryOptions{AllowStale: set.AllowStale, MaxStaleDuration: set.MaxStale}
	if l.kind == kindNode {
		node, err := e.cfg.Elsewhere.Node(ctx, &wire.NodeSpecificRequest{Datacenter: l.datacenter, Node: l.name, QueryOptions: opts})
		return &theirs{found: node}, err
	}
	args := &wire.ServiceSpecificRequest{
		Datacenter: l.datacenter, ServiceName: l.name, Connect: l.kind == kindConnect, QueryOptions: opts,
	}
	if l.tag != "" {
		args.ServiceTags, args.TagFilter = []string{l.tag}, true
	}
	all, err := e.cfg.Elsewhere.Instances(ctx, args)
	return &theirs{all: all}, err
}
