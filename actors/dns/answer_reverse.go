package dns

import (
	"net/netip"

	"github.com/miekg/dns"
)

// reverse answers with the node that is at an address, or with the service that
// is. It returns nil if we know of nobody there.
func (z *zone) reverse(q *query, addr netip.Addr) *response {
	if q.view == nil || q.view.LastIndex() == 0 {
		q.basis.fleeting = true
		return &response{rcode: dns.RcodeServerFailure}
	}
	q.basis.oneView = true
	name, ok := "", false
	if node := q.view.NodeAt(addr); node != nil {
		name, ok = nodeName(node.Node, z.datacenter, z.domain)
	} else if svc := q.view.ServiceAt(addr); svc != nil {
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
