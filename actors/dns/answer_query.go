package dns

import (
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages/wire"
)

// prepared answers with what a prepared query finds, in its order, here or wherever it
// fails over to. The answer depends on who asks, and is not kept.
func (z *zone) prepared(q *query, l lookup) *response {
	if q.execute == nil {
		return z.noName(q)
	}
	q.basis.fleeting, q.basis.asked = true, true
	dc := l.datacenter
	if dc == z.datacenter {
		dc = ""
	}
	found, err := q.execute(l.name, dc)
	switch {
	case err != nil && absent(err), err == nil && len(found.Nodes) == 0:
		return tailored(z.noQuery(q, l.name, dc))
	case err != nil:
		return &response{rcode: dns.RcodeServerFailure}
	}
	if found.Datacenter != "" && found.Datacenter != z.datacenter {
		q.datacenter, q.wan = found.Datacenter, z.translate
	}
	q.intn = func(int) int { return 0 } // what comes first is best
	instances := make([]*wire.CheckServiceNode, len(found.Nodes))
	for i := range found.Nodes {
		instances[i] = &found.Nodes[i]
	}
	r := z.records(q, instances, queryTTL(q, found))
	r.ordered = true
	return tailored(r)
}

// noQuery answers that a name is of no query, or of one that finds nothing. It may end
// the names of others: a query may have dots, and RFC 2782 has _tcp behind its name.
func (z *zone) noQuery(q *query, name, dc string) *response {
	if strings.HasPrefix(name, "_") {
		return z.noData(q)
	}
	if q.queries == nil {
		return z.noName(q)
	}
	all, err := q.queries(dc)
	if err != nil || slices.ContainsFunc(all, func(other string) bool { return endsIn(other, name) }) {
		return z.noData(q) // also where nobody knows
	}
	return z.noName(q)
}

// queryTTL is that of the query, else that of the service.
func queryTTL(q *query, found *wire.PreparedQueryExecuteResponse) uint32 {
	if d, err := time.ParseDuration(found.DNS.TTL); err == nil {
		return seconds(d)
	}
	return q.set.serviceTTL(strings.ToLower(found.Service))
}

// absent says whether an error means that there is no such query, or no such
// datacenter. From another server it comes as a text.
func absent(err error) bool {
	return strings.Contains(err.Error(), endpoint.ErrQueryNotFound.Error()) || strings.Contains(err.Error(), wire.ErrNoDCPath.Error())
}

func tailored(r *response) *response {
	r.tailored = true
	return r
}

// scope says in an answer that it is for the client's subnet only (RFC 7871).
func scope(m *dns.Msg) {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if subnet, ok := o.(*dns.EDNS0_SUBNET); ok {
				subnet.SourceScope = subnet.SourceNetmask
			}
		}
	}
}
