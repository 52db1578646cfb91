package dns

import (
	"sort"

	"github.com/miekg/dns"
)

// The sizes of messages in bytes, and the numbers of records.
const (
	minUDPSize = 512   // without EDNS (RFC 1035), and the least with it
	maxUDPSize = 65467 // what fits in a datagram
	maxTCPSize = 65535
	minRecord  = 11 // no record is smaller, compressed or not

	// maxUDPAnswers bounds udp_answer_limit: more do not fit in 512 bytes anyway
	// once their names are long.
	maxUDPAnswers = 8
)

// response is an answer of which not everything need be sent.
type response struct {
	rcode  int
	answer []dns.RR
	ns     []dns.RR
	extra  []dns.RR // what answers refer to
	upTo   []int    // by answer: how many of extra it and those before it refer to; nil: all
	meta   []dns.RR // additional records that nothing refers to
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
// fits of the response. When not everything does, it leaves out first the
// metadata, then the authority, then answers and with them what they refer to. It
// says whether answers are missing.
func (r *response) fill(m *dns.Msg, b bounds) (trimmed bool) {
	opt := m.Extra
	n := len(r.answer)
	if b.answers > 0 {
		n = min(n, b.answers)
	}
	n = min(n, b.size/minRecord) // the rest need not be measured
	put := func(answers int, ns, meta bool) bool {
		m.Answer = r.answer[:answers]
		m.Ns, m.Extra = nil, opt
		if ns {
			m.Ns = r.ns
		}
		if extra := r.extraOf(answers); len(extra) > 0 || meta && len(r.meta) > 0 {
			m.Extra = make([]dns.RR, 0, len(extra)+len(r.meta)+len(opt))
			m.Extra = append(m.Extra, extra...)
			if meta {
				m.Extra = append(m.Extra, r.meta...)
			}
			m.Extra = append(m.Extra, opt...)
		}
		return fits(m, b.size)
	}
	if put(n, true, true) || put(n, true, false) || put(n, false, false) {
		return n < len(r.answer)
	}
	fit := sort.Search(n, func(leave int) bool { return put(n-leave, false, false) })
	if !put(n-fit, false, false) || fit == n {
		m.Extra = opt // what nothing refers to
	}
	return n-fit < len(r.answer)
}

// extraOf returns what the first n answers refer to.
func (r *response) extraOf(n int) []dns.RR {
	switch {
	case r.upTo == nil:
		return r.extra
	case n == 0:
		return nil
	default:
		return r.extra[:r.upTo[n-1]]
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
