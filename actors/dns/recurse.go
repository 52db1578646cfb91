package dns

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/zap"
)

// recursors asks other servers. Its methods are called on many goroutines, and
// wait.
type recursors struct {
	log   *zap.Logger
	slots chan struct{} // one for each query that waits

	mu       sync.Mutex
	standing standing

	// What has been said in the log, and is not said again for each query.
	full    atomic.Bool // that too many wait
	failing atomic.Bool // that no recursor has an answer
}

func newRecursors(log *zap.Logger, most int) *recursors {
	return &recursors{log: log, slots: make(chan struct{}, most), standing: standing{}}
}

// forward passes a query on to the recursors, one after the other, until one has an
// answer: that there is no such name is an answer. Those that have not answered of late
// come last. It returns nil if none has an answer, or if too many queries wait already.
func (r *recursors) forward(ctx context.Context, req *dns.Msg, set *settings, tcp bool) *dns.Msg {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
		r.full.Store(false)
	default:
		if !r.full.Swap(true) {
			r.log.Warn("too many queries wait for recursors; new ones are answered with SERVFAIL",
				zap.Int("limit", cap(r.slots)), zap.Strings("recursors", set.Recursors))
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience(set.RecursorTimeout, len(set.Recursors)))
	defer cancel()
	ask := *req
	ask.Id = dns.Id() // the client's could be known to who would forge the answer
	for _, at := range r.order(set) {
		if answer := r.one(ctx, &ask, at, set.RecursorTimeout, tcp); answer != nil {
			answer.Id = req.Id
			return answer
		}
		if ctx.Err() != nil {
			break
		}
	}
	if !r.failing.Swap(true) {
		r.log.Warn("no recursor had an answer; the next ones that fail are logged at DEBUG until one has",
			question(req), zap.Strings("recursors", set.Recursors))
	}
	return nil
}

// one asks one recursor, and returns nil if it has no answer. What that says of it is
// noted.
func (r *recursors) one(ctx context.Context, ask *dns.Msg, at string, timeout time.Duration, tcp bool) *dns.Msg {
	began := time.Now()
	answer, err := exchange(ctx, ask, at, timeout, tcp)
	var fault net.Error
	switch {
	case !errors.As(err, &fault): // it has said something, if only nonsense
		if r.note(func(s standing) bool { return s.answered(at, time.Now()) }) {
			r.log.Info("recursor answers again", zap.String("recursor", at))
		}
	case time.Since(began) >= timeout || !fault.Timeout(): // else the query had no more time
		if r.note(func(s standing) bool { return s.silent(at, began, time.Now()) }) {
			r.log.Warn("recursor does not answer; others are asked before it", zap.String("recursor", at), zap.Error(err))
		}
	}
	switch {
	case err != nil:
		r.log.Debug("recursor gave no answer", zap.String("recursor", at), question(ask), zap.Error(err))
		return nil
	case answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError:
		r.log.Debug("recursor could not answer", zap.String("recursor", at), question(ask),
			zap.String("rcode", dns.RcodeToString[answer.Rcode]))
		return nil
	}
	r.failing.Store(false)
	return answer
}

// note changes what is known of the recursors, and says whether it is news.
func (r *recursors) note(change func(standing) bool) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return change(r.standing)
}

// order returns the recursors in the order in which they are asked.
func (r *recursors) order(set *settings) []string {
	all := set.Recursors
	if set.RecursorsAtRandom {
		all = slices.Clone(all)
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.standing) > len(all) {
		r.standing.forget(all)
	}
	return r.standing.order(all, time.Now())
}

var errOtherQuestion = errors.New("the answer is to another question")

// The parts of its time after which a server is asked again over UDP: a packet may be
// lost.
var resendAfter = []time.Duration{4, 4, 2}

// exchange asks one server. A truncated answer is one: the client will ask again
// over TCP.
func exchange(ctx context.Context, ask *dns.Msg, at string, timeout time.Duration, tcp bool) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	network, parts := "udp", resendAfter
	if tcp {
		network, parts = "tcp", []time.Duration{1}
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, at)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	for _, part := range parts {
		client := &dns.Client{Net: network, Timeout: timeout / part}
		var answer *dns.Msg
		answer, _, err = client.ExchangeWithConnContext(ctx, ask, &dns.Conn{Conn: nc})
		switch {
		case err == nil && (len(answer.Question) != 1 || !sameQuestion(answer.Question[0], ask.Question[0])):
			return nil, errOtherQuestion
		case err == nil:
			return answer, nil
		case ctx.Err() != nil || !isTimeout(err):
			return nil, err
		}
	}
	return nil, err
}

// isTimeout says whether an error is that time was up.
func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

func sameQuestion(a, b dns.Question) bool {
	return a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}

// resolve returns the address records of a name as the recursors have them.
func (r *recursors) resolve(ctx context.Context, name string, qtype uint16, set *settings) []dns.RR {
	ask := new(dns.Msg)
	ask.SetQuestion(name, qtype)
	if answer := r.forward(ctx, ask, set, false); answer != nil {
		return answer.Answer
	}
	return nil
}

func question(req *dns.Msg) zap.Field {
	q := req.Question[0]
	return zap.String("question", q.Name+" "+dns.Type(q.Qtype).String())
}
