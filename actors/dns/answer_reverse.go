package dns

import (
	"net/netip"

	"github.com/miekg/dns"
)

// arpa answers a question about an address, or about what the names of addresses end
// in. It returns nil if that is for the recursors to answer.
func (z *zone) arpa(q *query, recurse bool) *response {
	if addr, ok := parseReverse(q.name); ok {
		if r := z.reverse(q, addr); r != nil {
			return r
		}
	}
	switch {
	case recurse && !transfer(q.qtype):
		return nil
	case partOfReverse(q.name):
		return z.noData(q)
	default:
		return z.noName(q)
	}
}

// reverse answers with the node that is at an address, or with the service that
// is. It returns nil if we know of nobody there.
func (z *zone) reverse(q *query, addr netip.Addr) *response {
	if q.view == nil || q.view.LastIndex() == 0 {
		q.basis.fleeting = true
		return &response{rcode: dns.RcodeServerFailure}
	}
	name, ok := "", false
	if node := q.view.NodeAt(q.basis.watch, addr); node != nil {
		name, ok = nodeName(node.Node, z.datacenter, z.domain)
	} else if svc := q.view.ServiceAt(q.basis.watch, addr); svc != nil {
		name, ok = serviceName(svc.Service, z.datacenter, z.domain)
	}
	switch {
	case !ok:
		return nil
	case q.qtype != dns.TypePTR && q.qtype != dns.TypeANY:
		return z.noData(q)
	default:
		return &response{answer: []dns.RR{&dns.PTR{Hdr: header(q.name, dns.TypePTR, 0), Ptr: name}}}
	}
}
