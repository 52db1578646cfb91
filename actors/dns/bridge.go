package dns

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/go-metrics"
	"github.com/miekg/dns"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

// udpBuffer is how much of a packet is read, in bytes. No query is longer.
const udpBuffer = 4096

// server has the sockets of one life of the actor, with a goroutine of miekg/dns
// on each, and one for each query. Its methods are the actor's unless they say
// otherwise.
type server struct {
	cfg      Config
	log      *zap.Logger
	zone     *zone
	settings *messages.Published[settings]
	others   *recursors
	far      *elsewhere
	reliable *reliable
	kept     *responses
	root     *actor.RootContext
	self     *actor.PID
	labels   []metrics.Label

	ctx    context.Context // ends with the server, and with it what waits for recursors
	end    context.CancelFunc
	flight atomic.Int64 // queries in flight

	aged     ageing
	near     networks
	stranger atomic.Bool // it has been said that one is not recursed for
	crowded  seldom      // there are too many connections

	executing chan struct{} // one for each prepared query that is being carried out

	sockets []socket
	servers []*dns.Server
}

func newServer(cfg Config, log *zap.Logger, set *messages.Published[settings], root *actor.RootContext, self *actor.PID) *server {
	s := &server{
		cfg: cfg, log: log, zone: newZone(cfg), settings: set,
		others: newRecursors(log, cfg.Limits.Recursions), far: newElsewhere(cfg, log), reliable: newReliable(log), kept: newResponses(maxKept), root: root, self: self,
		labels:    []metrics.Label{{Name: "node", Value: cfg.NodeName}},
		executing: make(chan struct{}, cfg.Limits.PreparedQueries),
		near:      networks{read: net.InterfaceAddrs},
	}
	s.ctx, s.end = context.WithCancel(context.Background())
	return s
}

// serve answers at the sockets, which it owns.
func (s *server) serve(sockets []socket) {
	s.sockets = sockets
	all := &room{seats: newSeats(s.cfg.Limits.TCPConns, s.cfg.Limits.TCPConnsEach)}
	for _, at := range sockets {
		for _, conn := range at.udp {
			r := newReader(s)
			s.start(&dns.Server{PacketConn: conn, Handler: r, DecorateReader: r.decorate, UDPSize: udpBuffer}, "UDP "+at.addr().String())
		}
		s.start(&dns.Server{
			Handler:        s,
			Listener:       &limited{Listener: at.tcp, end: s.ctx.Done(), room: all, timeout: s.cfg.Limits.WriteTimeout, shed: s.shed, refused: s.refused},
			DecorateReader: mark,
			ReadTimeout:    s.cfg.Limits.ReadTimeout,
			IdleTimeout:    func() time.Duration { return s.cfg.Limits.IdleTimeout },
			MaxTCPQueries:  s.cfg.Limits.TCPQueries,
		}, "TCP "+at.addr().String())
	}
}

func (s *server) start(srv *dns.Server, what string) {
	srv.MsgInvalidFunc, srv.MsgAcceptFunc = s.invalid, s.accept
	s.servers = append(s.servers, srv)
	go func() {
		err := srv.ActivateAndServe()
		s.root.Send(s.self, &ended{server: s, what: what, err: err})
	}()
}

// drain waits until the queries in flight are answered, but no longer than the
// budget allows, and completes the report. It is a goroutine.
func (s *server) drain(report *drained, budget time.Duration) {
	ctx, cancel := context.WithTimeout(s.ctx, budget-budget/10) // the report must not come too late
	defer cancel()
	report.begun = s.flight.Load()
	s.shutdown(ctx)
	report.left = s.flight.Load()
	s.root.Send(s.self, report)
}

// close closes everything and waits for nothing.
func (s *server) close() {
	s.end()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	s.shutdown(now)
}

// shutdown ends the listeners and waits for their goroutines until ctx ends.
func (s *server) shutdown(ctx context.Context) {
	var all sync.WaitGroup
	for _, srv := range s.servers {
		all.Go(func() {
			// One that has not begun to listen cannot be shut down; without its
			// socket it will not begin either.
			_ = srv.ShutdownContext(ctx)
		})
	}
	all.Wait()
	for _, at := range s.sockets {
		at.close()
	}
}

// The methods below run on the goroutines of queries.

// ServeDNS implements dns.Handler. A panic costs the query its answer.
func (s *server) ServeDNS(w dns.ResponseWriter, req *dns.Msg) { s.serveDNS(w, req, nil) }

// serveDNS answers a query, and gives learn what may be said again.
func (s *server) serveDNS(w dns.ResponseWriter, req *dns.Msg, learn func(*dns.Msg, *found)) {
	s.flight.Add(1)
	defer s.flight.Add(-1)
	defer s.contain(w, req)
	_, tcp := w.RemoteAddr().(*net.TCPAddr)
	m, f := s.respond(req, tcp, addressOf(w.RemoteAddr()))
	s.write(w, req, m)
	if f != nil && learn != nil {
		learn(lowered(req), f)
	}
}

func (s *server) contain(w dns.ResponseWriter, req *dns.Msg) {
	if p := recover(); p != nil {
		metrics.IncrCounter([]string{Name, "panics"}, 1)
		s.log.Error("a query made the listener panic", zap.Any("panic", p),
			zap.Strings("question", questions(req)), zap.ByteString("stack", debug.Stack()))
		s.fail(w, req)
	}
}

func (s *server) fail(w dns.ResponseWriter, req *dns.Msg) {
	_ = w.WriteMsg(refusal(req, dns.RcodeServerFailure))
}

// write sends an answer. One that cannot be packed has been put together wrongly.
func (s *server) write(w dns.ResponseWriter, req, m *dns.Msg) {
	raw, err := m.Pack()
	if err != nil {
		s.log.Error("an answer cannot be packed", zap.Strings("question", questions(req)), zap.Error(err))
		s.fail(w, req)
		return
	}
	spell(raw, m, req)
	if _, err := w.Write(raw); err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Debug("an answer did not reach its client", zap.Stringer("client", w.RemoteAddr()), zap.Error(err))
	}
}

// respond returns the answer to a query, and what it was made of if that may be
// kept. Names in the answer are in lower case.
func (s *server) respond(req *dns.Msg, tcp bool, client netip.Addr) (*dns.Msg, *found) {
	if m := refuse(req); m != nil {
		if m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented {
			s.malformed("a packet is no query that can be answered")
		}
		return m, nil
	}
	set := s.settings.Load()
	low := lowered(req)
	r, f := s.lookUp(low, client, set)
	switch {
	case r != nil:
	case len(set.Recursors) > 0 && !transfer(req.Question[0].Qtype) && s.recursesFor(client, set):
		return s.forward(req, set, tcp), nil
	default:
		return refusal(req, dns.RcodeRefused), nil
	}
	m := newReply(low, set)
	finish(m, r, limits(low, set, tcp), set, rand.IntN)
	if r.tailored {
		scope(m)
	}
	return m, f
}

// lookUp returns what we know, kept or found now, or nil if the question is for
// others; and the same once more if it may be kept.
func (s *server) lookUp(low *dns.Msg, client netip.Addr, set *settings) (*response, *found) {
	q := s.query(low, set)
	of := subject{q.name, q.qtype, q.edns}
	age := s.age(set, q.now)
	q.tooOld = set.tooOld(age)
	if !q.tooOld {
		if f := s.kept.get(of, q.view, set, q.now); f != nil {
			metrics.MeasureSinceWithLabels(f.what, q.now, s.labels)
			stale(age)
			return f.response, f
		}
	}
	q.execute = s.execute(low, client, set)
	q.queries = s.queries()
	r, what := s.answer(q)
	if what != nil {
		metrics.MeasureSinceWithLabels(what, q.now, s.labels)
	}
	if !q.basis.asked {
		stale(age)
	}
	if r == nil {
		return nil, nil
	}
	f := q.keep(r, what)
	if f != nil {
		s.kept.put(of, f)
	}
	return r, f
}

// The figures that count queries, by kind.
var (
	domainQuery = []string{Name, "domain_query"}
	ptrQuery    = []string{Name, "ptr_query"}
)

// answer returns what we know, or nil if the question is for others; and which figure
// counts it, nil if none does.
func (s *server) answer(q *query) (*response, []string) {
	if labels, domain, ok := s.zone.domains.find(q.name); ok {
		q.domain = domain
		return s.zone.answer(q, labels), domainQuery
	}
	if dns.IsSubDomain("arpa.", q.name) {
		return s.zone.arpa(q, len(q.set.Recursors) > 0), ptrQuery
	}
	return nil, nil
}

// query is what the answer to a query whose name is in lower case depends on.
func (s *server) query(low *dns.Msg, set *settings) *query {
	q := &query{
		name: low.Question[0].Name, qtype: low.Question[0].Qtype, domain: s.zone.domain,
		edns: low.IsEdns0() != nil,
		view: s.cfg.View(), set: set, now: time.Now(), intn: rand.IntN, basis: newBasis(),
	}
	if s.cfg.Elsewhere != nil {
		q.elsewhere = s.elsewhere(set)
	}
	if len(set.Recursors) > 0 {
		q.outside = s.outside(q.qtype, set)
	}
	return q
}

// forward answers with what the recursors say.
func (s *server) forward(req *dns.Msg, set *settings, tcp bool) *dns.Msg {
	answer := s.others.forward(s.ctx, req, set, tcp)
	if answer == nil {
		m := newReply(req, set)
		m.Authoritative = false
		m.Rcode = dns.RcodeServerFailure
		return m
	}
	passOn(answer, req, limits(req, set, tcp), set)
	return answer
}

// maxOutside is how many names recursors are asked for to answer one query.
const maxOutside = 5

// outside returns what finds address records outside of the zone, a few times, and no
// longer than one query waits.
func (s *server) outside(qtype uint16, set *settings) func(string) []dns.RR {
	if qtype != dns.TypeAAAA {
		qtype = dns.TypeA
	}
	asked, until := 0, time.Now().Add(patience(set.RecursorTimeout, len(set.Recursors)))
	return func(name string) []dns.RR {
		if asked++; asked > maxOutside {
			return nil
		}
		ctx, cancel := context.WithDeadline(s.ctx, until)
		defer cancel()
		return s.others.resolve(ctx, name, qtype, set)
	}
}

// accept is called with the header of each packet that is passed on.
func (s *server) accept(h dns.Header) dns.MsgAcceptAction {
	action := accept(h)
	if action != dns.MsgAccept {
		s.malformed("a packet is no query by its header")
	}
	return action
}

// invalid is called with each packet that cannot be read.
func (s *server) invalid(_ []byte, err error) {
	s.malformed("a packet is no DNS message", zap.Error(err))
}

// malformed counts a packet that is no query.
func (s *server) malformed(what string, why ...zap.Field) {
	metrics.IncrCounter([]string{Name, "invalid"}, 1)
	s.log.Debug(what, why...)
}

// shed counts a connection that ended so that another could begin.
func (s *server) shed() { metrics.IncrCounter([]string{Name, "connections_shed"}, 1) }

// refused counts a connection that was one too many.
func (s *server) refused(from netip.Addr) {
	metrics.IncrCounter([]string{Name, "connections_refused"}, 1)
	if s.crowded.now() {
		s.log.Warn("too many DNS connections that all wait for answers; new ones are closed", zap.Stringer("client", from),
			zap.Int("limit", s.cfg.Limits.TCPConns), zap.Int("limit_each", s.cfg.Limits.TCPConnsEach))
	}
}

// seldom is what is worth a line in the log from time to time. It may be asked on many
// goroutines.
type seldom struct{ last atomic.Int64 }

// now says whether it is time for a line, and takes note that there is one.
func (s *seldom) now() bool {
	now, last := time.Now().UnixNano(), s.last.Load()
	return (last == 0 || time.Duration(now-last) > tellEvery) && s.last.CompareAndSwap(last, now)
}
