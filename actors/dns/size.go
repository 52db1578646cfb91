package dns

import (
	"iter"
	"sort"
	"strings"

	"github.com/miekg/dns"
)

// The sizes of messages in bytes, and the numbers of records.
const (
	minUDPSize = 512  // without EDNS (RFC 1035), and the least with it
	maxUDPSize = 4096 // whatever the client takes: it may not be the client who gets it
	maxTCPSize = 65535
	minRecord  = 11 // no record is smaller, compressed or not

	// maxUDPAnswers bounds udp_answer_limit: more do not fit in 512 bytes anyway
	// once their names are long.
	maxUDPAnswers = 8
)

// response is all that is known about a question, the same for everybody who asks
// it. Nobody changes it, nor its records.
type response struct {
	rcode  int
	answer []dns.RR
	refers [][]dns.RR // by answer: the additional records that it refers to; nil: none does
	ns     []dns.RR
	extra  []dns.RR // additional records of the answer as a whole
	meta   []dns.RR // additional records that nothing refers to

	free bool // the answers have no order, and everybody gets them in another one
	most int  // with free: so many answers are enough; 0: all

	ordered  bool // the answers have an order: the first are the best
	tailored bool // the response is for one client
}

// share is what one client gets of a response, of which not everything need fit.
type share struct {
	answer []dns.RR
	ns     []dns.RR
	extra  []dns.RR // what answers refer to
	upTo   []int    // by answer: how many of extra it and those before it refer to; nil: all
	meta   []dns.RR // additional records that nothing refers to
	rest   int      // answers that were not dealt
}

// deal picks what one client may get: answers without an order at random, no more
// of them than can fit. intn returns a random number below its argument.
func (r *response) deal(b bounds, intn func(int) int) *share {
	s := &share{answer: r.answer, ns: r.ns, extra: r.extra, meta: r.meta}
	if !r.free {
		return s
	}
	all := len(r.answer)
	if r.most > 0 {
		all = min(all, r.most)
	}
	n := all
	if b.answers > 0 {
		n = min(n, b.answers)
	}
	s.answer = make([]dns.RR, 0, min(n, b.size/minRecord))
	if r.refers != nil {
		s.extra = append(make([]dns.RR, 0, len(r.extra)+cap(s.answer)), r.extra...)
		s.upTo = make([]int, 0, cap(s.answer))
	}
	hosts := make(map[*dns.RR]struct{}) // additional records that the share has
	if r.ordered {
		intn = func(int) int { return 0 } // the first of those that are left
	}
	left := b.size
	for i := range draw(len(r.answer), n, intn) {
		if left -= leastSize(r.answer[i]); left < 0 {
			break
		}
		s.answer = append(s.answer, r.answer[i])
		if r.refers == nil {
			continue
		}
		if extra := r.refers[i]; len(extra) > 0 {
			if _, dup := hosts[&extra[0]]; !dup {
				hosts[&extra[0]] = struct{}{}
				s.extra = append(s.extra, extra...)
				for _, rr := range extra {
					left -= leastSize(rr)
				}
			}
		}
		s.upTo = append(s.upTo, len(s.extra))
	}
	s.rest = all - len(s.answer)
	return s
}

// draw yields k different numbers below n in no order.
func draw(n, k int, intn func(int) int) iter.Seq[int] {
	return func(yield func(int) bool) {
		all := make([]int32, n)
		for i := range all {
			all[i] = int32(i)
		}
		for i := range k {
			j := i + intn(n-i)
			all[i], all[j] = all[j], all[i]
			if !yield(int(all[i])) {
				return
			}
		}
	}
}

// leastSize is what a record takes in a message at the least, in bytes: its name is
// a pointer, and so are those in it that can be one.
func leastSize(rr dns.RR) int {
	const head = 2 + 10
	switch rr := rr.(type) {
	case *dns.A:
		return head + 4
	case *dns.AAAA:
		return head + 16
	case *dns.SRV: // its target is never a pointer (RFC 2782)
		if strings.Contains(rr.Target, `\`) {
			return head + 6 + 1 // it is shorter than it looks
		}
		return head + 6 + len(rr.Target)
	default:
		return minRecord
	}
}

// bounds are what a client takes.
type bounds struct {
	size    int // of the message, in bytes
	answers int // 0: as many as fit
}

// limits returns what the client that sent req takes. The limit on the number of
// answers is for those that can take 512 bytes only.
func limits(req *dns.Msg, set *settings, tcp bool) bounds {
	if tcp {
		return bounds{size: maxTCPSize}
	}
	b := bounds{size: minUDPSize}
	if opt := req.IsEdns0(); opt != nil {
		b.size = min(max(int(opt.UDPSize()), minUDPSize), maxUDPSize)
	}
	if b.size == minUDPSize && set.UDPAnswerLimit > 0 {
		b.answers = min(set.UDPAnswerLimit, maxUDPAnswers)
	}
	return b
}

// fill puts into m, which holds the header, the question and the OPT record, what
// fits of the share. When not everything does, it leaves out first the
// metadata, then the authority, then answers and with them what they refer to. It
// says whether answers are missing.
func (s *share) fill(m *dns.Msg, b bounds) (trimmed bool) {
	opt := m.Extra
	n := len(s.answer)
	if b.answers > 0 {
		n = min(n, b.answers)
	}
	n = min(n, b.size/minRecord) // the rest need not be measured
	put := func(answers int, ns, meta bool) bool {
		m.Answer = s.answer[:answers]
		m.Ns, m.Extra = nil, opt
		if ns {
			m.Ns = s.ns
		}
		if extra := s.extraOf(answers); len(extra) > 0 || meta && len(s.meta) > 0 {
			m.Extra = make([]dns.RR, 0, len(extra)+len(s.meta)+len(opt))
			m.Extra = append(m.Extra, extra...)
			if meta {
				m.Extra = append(m.Extra, s.meta...)
			}
			m.Extra = append(m.Extra, opt...)
		}
		return fits(m, b.size)
	}
	if put(n, true, true) || put(n, true, false) || put(n, false, false) {
		return n < len(s.answer)+s.rest
	}
	fit := leave(n, func(leave int) bool { return put(n-leave, false, false) })
	if !put(n-fit, false, false) || fit == n {
		m.Extra = opt // what nothing refers to
	}
	return n-fit < len(s.answer)+s.rest
}

// leave returns the least number of n for which fits holds, or n. As a rule that is a
// small one.
func leave(n int, fits func(int) bool) int {
	few := 1
	for few < n && !fits(few) {
		few *= 2
	}
	from := few / 2 // does not fit
	return from + sort.Search(min(few, n)-from, func(i int) bool { return fits(from + i) })
}

// extraOf returns what the first n answers refer to.
func (s *share) extraOf(n int) []dns.RR {
	switch {
	case s.upTo == nil:
		return s.extra
	case n == 0:
		return nil
	default:
		return s.extra[:s.upTo[n-1]]
	}
}

// fits says whether a message has at most size bytes once it is packed.
func fits(m *dns.Msg, size int) bool {
	compress := m.Compress
	m.Compress = false
	plain := m.Len() // is found in a fraction of the time, and as a rule enough
	m.Compress = compress
	return plain <= size || compress && m.Len() <= size
}
