package dns

import (
	"github.com/miekg/dns"
)

// The most that a query has of records in each section: a SOA of NOTIFY and IXFR, EDNS
// and a signature.
const (
	mostQuestions  = 2 // one, but who asks two is told so
	mostAnswers    = 1
	mostAuthority  = 1
	mostAdditional = 2
)

// accept says by the header alone what becomes of a packet. What announces more than a
// query has is not read any further, nor answered with more than a header.
func accept(h dns.Header) dns.MsgAcceptAction {
	const response, opcodeAt, opcodes = 1 << 15, 11, 0xF
	switch {
	case h.Bits&response != 0:
		return dns.MsgIgnore
	case h.Qdcount <= mostQuestions && h.Ancount <= mostAnswers && h.Nscount <= mostAuthority && h.Arcount <= mostAdditional:
		return dns.MsgAccept
	case h.Bits>>opcodeAt&opcodes != dns.OpcodeQuery:
		return dns.MsgRejectNotImplemented
	default:
		return dns.MsgReject
	}
}

// refuse answers a query that is not one we can read, and returns nil if it is.
func refuse(req *dns.Msg) *dns.Msg {
	opt := req.IsEdns0()
	switch {
	case req.Opcode != dns.OpcodeQuery:
		return refusal(req, dns.RcodeNotImplemented)
	case len(req.Question) != 1, several(req.Extra): // a packet may end behind its header
		return withOPT(new(dns.Msg).SetRcodeFormatError(req), req)
	case req.Question[0].Qclass != dns.ClassINET && req.Question[0].Qclass != dns.ClassANY:
		return refusal(req, dns.RcodeRefused)
	case opt != nil && opt.Version() != 0:
		m := new(dns.Msg).SetRcode(req, dns.RcodeBadVers)
		m.SetEdns0(opt.UDPSize(), false)
		return m
	}
	return nil
}

// refusal is an answer that has nothing but a code.
func refusal(req *dns.Msg, rcode int) *dns.Msg {
	return withOPT(new(dns.Msg).SetRcode(req, rcode), req)
}

// withOPT adds to an answer the OPT record that a query with one is answered with,
// whatever the answer is (RFC 6891).
func withOPT(m, req *dns.Msg) *dns.Msg {
	if opt := req.IsEdns0(); opt != nil {
		m.Extra = []dns.RR{echo(opt)}
	}
	return m
}

// several says whether there is more than one OPT record, which is an error.
func several(extra []dns.RR) bool {
	n := 0
	for _, rr := range extra {
		if rr.Header().Rrtype == dns.TypeOPT {
			n++
		}
	}
	return n > 1
}

// newReply returns an answer to req without its records: the header, the question,
// and what EDNS has to say.
func newReply(req *dns.Msg, set *settings) *dns.Msg {
	m := new(dns.Msg).SetReply(req)
	m.Compress = !set.DisableCompress
	m.Authoritative = true
	m.RecursionAvailable = len(set.Recursors) > 0
	return withOPT(m, req)
}

// echo returns the OPT record of an answer: the client's size, and its subnet with
// the scope 0, since the answer is the same for everybody (RFC 7871).
func echo(opt *dns.OPT) *dns.OPT {
	reply := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
	reply.SetUDPSize(opt.UDPSize())
	for _, o := range opt.Option {
		if subnet, ok := o.(*dns.EDNS0_SUBNET); ok {
			same := *subnet
			same.SourceScope = 0
			reply.Option = append(reply.Option, &same)
			break
		}
	}
	return reply
}

// finish puts a share of a response into an answer, as much of it as fits. Without
// enable_truncate an answer does not say that records are missing, unless all are.
func finish(m *dns.Msg, r *response, b bounds, set *settings, intn func(int) int) {
	m.Rcode = r.rcode
	trimmed := r.deal(b, intn).fill(m, b)
	m.Truncated = trimmed && (set.EnableTruncate || len(m.Answer) == 0)
}

// passOn makes a recursor's answer to req ours: compressed as ours are, no larger
// than the client takes.
func passOn(m, req *dns.Msg, b bounds, set *settings) {
	m.Compress = !set.DisableCompress
	if m.Len() <= b.size {
		return
	}
	s := &share{answer: m.Answer, ns: m.Ns}
	m.Extra = nil
	withOPT(m, req)
	m.Truncated = s.fill(m, bounds{size: b.size}) || m.Truncated
}

// questions returns what req asks, for the log.
func questions(req *dns.Msg) []string {
	var all []string
	for _, q := range req.Question {
		all = append(all, q.Name+" "+dns.Type(q.Qtype).String())
	}
	return all
}
