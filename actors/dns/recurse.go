package dns

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strings"
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

	// What has been said in the log, and is not said again for each query.
	full    atomic.Bool // that too many wait
	failing atomic.Bool // that no recursor has an answer
}

func newRecursors(log *zap.Logger, most int) *recursors {
	return &recursors{log: log, slots: make(chan struct{}, most)}
}

// forward passes a query on to the recursors, one after the other, until one has an
// answer: that there is no such name is an answer. It returns nil if none has, or
// if too many queries wait already.
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
	ask := *req
	ask.Id = dns.Id() // the client's could be known to who would forge the answer
	for _, at := range order(set) {
		answer, err := exchange(ctx, &ask, at, set.RecursorTimeout, tcp)
		switch {
		case err != nil:
			r.log.Debug("recursor gave no answer", zap.String("recursor", at), question(req), zap.Error(err))
		case answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError:
			r.log.Debug("recursor could not answer", zap.String("recursor", at), question(req),
				zap.String("rcode", dns.RcodeToString[answer.Rcode]))
		default:
			r.failing.Store(false)
			answer.Id = req.Id
			return answer
		}
		if ctx.Err() != nil {
			return nil
		}
	}
	if !r.failing.Swap(true) {
		r.log.Warn("no recursor had an answer; the next ones that fail are logged at DEBUG until one has",
			question(req), zap.Strings("recursors", set.Recursors))
	}
	return nil
}

// order returns the recursors in the order in which they are asked.
func order(set *settings) []string {
	if !set.RecursorsAtRandom {
		return set.Recursors
	}
	shuffled := make([]string, len(set.Recursors))
	for i, j := range rand.Perm(len(shuffled)) {
		shuffled[i] = set.Recursors[j]
	}
	return shuffled
}

var errOtherQuestion = errors.New("the answer is to another question")

// exchange asks one server. A truncated answer is one: the client will ask again
// over TCP.
func exchange(ctx context.Context, ask *dns.Msg, at string, timeout time.Duration, tcp bool) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	network := "udp"
	if tcp {
		network = "tcp"
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, at)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	client := &dns.Client{Net: network, Timeout: timeout}
	answer, _, err := client.ExchangeWithConnContext(ctx, ask, &dns.Conn{Conn: nc})
	switch {
	case err != nil:
		return nil, err
	case len(answer.Question) != 1 || !sameQuestion(answer.Question[0], ask.Question[0]):
		return nil, errOtherQuestion
	}
	return answer, nil
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
