package http

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/limits"
	"github.com/actor-consul/consul/messages"
)

// api answers requests. It lives from one start of the actor to its end, and is
// shared by the goroutines of all connections.
type api struct {
	cfg      Config
	log      *zap.Logger
	settings *messages.Published[messages.HTTPConfig]

	routes   table
	conns    *conns
	limits   *limits.Refusals
	odd      oddities
	requests gate
	writes   gate
	flight   flight
	back     *lostAndFound // connections that were taken from net/http

	closing context.Context // done when the listener ends; requests die with it
	leaving context.Context // done when whoever waits is to answer with what it has
	wake    context.CancelFunc
}

var _ http.Handler = (*api)(nil)

func newAPI(closing context.Context, cfg Config, log *zap.Logger, settings *messages.Published[messages.HTTPConfig]) *api {
	leaving, wake := context.WithCancel(closing)
	refusals := limits.New(log)
	return &api{
		cfg:      cfg,
		log:      log,
		settings: settings,
		routes:   newTable(routes(cfg)),
		conns:    newConns(settings, refusals),
		limits:   refusals,
		requests: make(gate, cfg.Limits.MaxRequests),
		writes:   make(gate, cfg.Limits.MaxWrites),
		back:     newLostAndFound(),
		closing:  closing,
		leaving:  leaving,
		wake:     wake,
	}
}

// ServeHTTP implements http.Handler.
func (a *api) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	out := &writer{ResponseWriter: w}
	r := &request{Request: hr, api: a, out: out, begun: time.Now()}
	defer func() {
		if reason := recover(); reason != nil {
			a.contain(out, r, reason)
		}
		if !r.held {
			a.finished(r)
		}
	}()
	a.always(out.Header())

	if refused(r.Context()) {
		out.Header().Set("Connection", "close")
		a.fail(out, r, tooManyConns)
		return
	}
	if strings.ContainsFunc(r.URL.Path, func(c rune) bool { return !unicode.IsPrint(c) }) {
		a.fail(out, r, refusal(http.StatusBadRequest, "the path has characters that cannot be printed"))
		return
	}
	if clean := cleanPath(r.URL.Path); clean != r.URL.Path {
		redirect(out, r, clean)
		return
	}
	line, tail, ok := a.routes.find(r.URL.Path)
	if !ok {
		a.fail(out, r, notFound(r.URL.Path))
		return
	}
	r.tail = tail
	a.serve(out, r, line)
	metrics.MeasureSinceWithLabels([]string{"api", "http"}, r.begun, []metrics.Label{
		{Name: "method", Value: r.Method}, {Name: "path", Value: line.label()},
	})
}

func (a *api) finished(r *request) {
	if line := a.log.Check(zap.DebugLevel, "Request finished"); line != nil {
		line.Write(zap.String("method", r.Method), zap.String("url", r.loggable()),
			zap.String("from", r.RemoteAddr), zap.Duration("latency", time.Since(r.begun)))
	}
}

// always sets what every answer has.
func (a *api) always(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	for name, value := range a.settings.Load().ResponseHeaders {
		h.Set(name, value)
	}
}

// dress sets what every answer has but those of bare routes.
func (a *api) dress(h http.Header) {
	h.Set("X-Consul-Default-ACL-Policy", "allow")
	if a.cfg.TranslateWANAddrs {
		h.Set("X-Consul-Translate-Addresses", "true")
	}
}

// serve answers a request for a route that exists.
func (a *api) serve(w *writer, r *request, line *route) {
	if !line.bare {
		a.dress(w.Header())
	}
	on, err := a.admit(r, line)
	switch {
	case err != nil:
		a.fail(w, r, err)
	case r.Method == http.MethodOptions:
		a.respond(w, r, &answer{header: http.Header{"Allow": {line.allow()}}})
	default:
		a.carryOut(w, r, on)
	}
}

// admit says whether a request is well formed and allowed, and what it wants.
func (a *api) admit(r *request, line *route) (*verb, error) {
	if err := r.parse(); err != nil {
		return nil, err
	}
	if err := a.allowed(r); err != nil {
		return nil, err
	}
	on, ok := line.verb(r.Method)
	if !ok && r.Method != http.MethodOptions {
		return nil, &problem{status: http.StatusMethodNotAllowed, text: fmt.Sprintf("method %s not allowed", r.Method), allow: line.allow()}
	}
	return on, nil
}

// carryOut has a request answered, if there is room for one more.
func (a *api) carryOut(w *writer, r *request, on *verb) {
	if !a.requests.enter() {
		a.fail(w, r, tooMany("requests", a.cfg.Limits.MaxRequests))
		return
	}
	if !on.apart {
		a.flight.enter()
	}
	leave := func() {
		if !on.apart {
			a.flight.leave()
		}
		a.requests.leave()
	}
	defer func() {
		if !r.held {
			leave()
		}
	}()
	ans, err := a.handle(r, on)
	if err == nil && ans.held != nil {
		h := ans.held
		h.done, r.held = leave, true
		if h.take(w) {
			return
		}
		r.held = false
		ans, err = h.alone(time.Until(h.wait.Until()))
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.respond(w, r, ans)
}

// handle calls the handler. The body is read before a write takes one of the few
// places, so that a slow client holds none.
func (a *api) handle(r *request, on *verb) (*answer, error) {
	if err := r.readBody(on.body(a.cfg.Limits), on.takes.key()); err != nil {
		return nil, err
	}
	if on.writes() && !on.apart {
		if !a.writes.enter() {
			return nil, tooMany("writes", a.cfg.Limits.MaxWrites)
		}
		defer a.writes.leave()
	}
	return on.handle(r)
}

// allowed says whether the configuration lets this client do this.
func (a *api) allowed(r *request) error {
	if slices.ContainsFunc(a.cfg.BlockEndpoints, func(prefix string) bool { return strings.HasPrefix(r.URL.Path, prefix) }) {
		return refusal(http.StatusForbidden, "Endpoint is blocked by agent configuration")
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	if len(a.cfg.AllowWriteFrom) == 0 {
		return nil
	}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		client := from.Addr().Unmap()
		if slices.ContainsFunc(a.cfg.AllowWriteFrom, func(n netip.Prefix) bool { return n.Contains(client) }) {
			return nil
		}
	}
	return refusal(http.StatusForbidden, "Access is restricted")
}

// contain ends a request whose handler panicked. When part of the answer is out
// already the connection is cut, so that nobody takes it for the whole.
func (a *api) contain(w *writer, r *request, reason any) {
	if reason == http.ErrAbortHandler { //nolint:errorlint // it is that very value
		panic(reason)
	}
	a.log.Error(fmt.Sprintf("failed on a request: %v", reason), zap.String("method", r.Method), zap.String("url", r.loggable()))
	a.log.Debug("the stack of a failure", zap.ByteString("stack", debug.Stack()))
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	a.plain(w, http.StatusInternalServerError, "internal error: the agent failed on this request; its log says why")
}

// cleanPath returns the path without empty, "." and ".." parts, as net/http's own
// multiplexer, and so Consul, has it.
func cleanPath(p string) string {
	if p == "" || p[0] != '/' {
		p = "/" + p
	}
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}
