package dns

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// maxChase is how many CNAMEs in a row are followed inside of the zone.
const maxChase = 3

// zone is what the agent answers for.
type zone struct {
	domains    domains
	domain     string // the first of them, in lower case, ends in a dot
	datacenter string
	lan        *messages.Published[messages.PoolView] // nil: unknown
	translate  bool                                   // what is elsewhere is at its WAN address
}

func newZone(cfg Config) *zone {
	return &zone{
		domains:    newDomains(cfg.Domain, cfg.AltDomain),
		domain:     strings.ToLower(dns.Fqdn(cfg.Domain)),
		datacenter: strings.ToLower(cfg.Datacenter),
		lan:        cfg.LAN,
		translate:  cfg.TranslateWANAddrs,
	}
}

// query is a question with all that its answer depends on. The same query has the
// same answer.
type query struct {
	name   string // in lower case
	qtype  uint16
	domain string // the zone's name in the question, in lower case
	edns   bool

	view *state.View
	set  *settings
	now  time.Time
	intn func(int) int // a random number below its argument

	basis *basis // what was read to answer it

	// What find has found out: where the lookup is answered, by whom, and whether at
	// WAN addresses.
	datacenter string
	source     source
	wan        bool

	// elsewhere asks the datacenter of a lookup, and waits; nil if there are no others.
	elsewhere func(lookup) (*theirs, error)
	tooOld    bool // the view is, and the leader has to be asked

	// execute carries out a prepared query in a datacenter, empty for our own; nil if
	// nobody can.
	execute func(name, dc string) (*wire.PreparedQueryExecuteResponse, error)

	// queries returns the names of the prepared queries of a datacenter; nil if nobody
	// knows them.
	queries func(dc string) ([]string, error)

	// outside asks the recursors for the address records of a name; nil if there
	// are no recursors.
	outside func(name string) []dns.RR

	path []string // names whose CNAMEs led here
}

// source is who knows what is looked up.
type source interface {
	// node returns the node of that name or ID, nil if there is none.
	node(q *query, name string) *wire.Node
	// nodeEndsIn says whether there is a node whose name ends in labels of that name.
	nodeEndsIn(q *query, name string) bool
	// instances returns the instances of a service, whatever their health.
	instances(q *query, l lookup) wire.CheckServiceNodes
	// instancesOfAnyTag returns the instances of a service that need not have the tag.
	instancesOfAnyTag(q *query, l lookup) wire.CheckServiceNodes
}

// ours is the catalog of our own datacenter, as q.view has it.
type ours struct{}

// answer answers a question whose name is in the zone: labels are those before
// the zone's own.
func (z *zone) answer(q *query, labels []string) *response {
	if transfer(q.qtype) {
		return &response{rcode: dns.RcodeNotImplemented}
	}
	if q.view == nil || q.view.LastIndex() == 0 {
		q.basis.fleeting = true
		return &response{rcode: dns.RcodeServerFailure}
	}
	switch q.qtype {
	case dns.TypeSOA:
		ns := z.servers(q).deal(bounds{size: maxTCPSize}, q.intn)
		return &response{answer: []dns.RR{z.soa(q)}, ns: ns.answer, extra: ns.extra}
	case dns.TypeNS:
		return z.servers(q)
	}
	return z.find(q, parse(labels))
}

// transfer says whether a question of that type asks for a whole zone.
func transfer(qtype uint16) bool { return qtype == dns.TypeAXFR || qtype == dns.TypeIXFR }

// find answers what a name in the zone asks for.
func (z *zone) find(q *query, l lookup) *response {
	if l.kind == kindAddr { // it says itself what it is, wherever that is
		return z.addr(q, l)
	}
	if l.kind == kindInvalid || l.peer != "" {
		return z.noName(q)
	}
	at := *q
	q = &at
	q.datacenter, q.source, q.wan = z.datacenter, ours{}, false
	if l.kind == kindQuery {
		return z.prepared(q, l)
	}
	if l.datacenter != "" && l.datacenter != z.datacenter {
		if r := z.goElsewhere(q, l); r != nil {
			return r
		}
	} else if r := z.askLeader(q, l); r != nil {
		return r
	}
	switch l.kind {
	case kindNode:
		return z.node(q, l)
	case kindService, kindConnect:
		return z.service(q, l)
	case kindVirtual:
		// There are no virtual addresses without a mesh; Consul then says that the
		// name exists and has none.
		return &response{}
	case kindEmpty:
		return z.noData(q)
	default:
		return z.noName(q)
	}
}

// goElsewhere has another datacenter be the source of q, or returns what to answer
// instead: one that nobody knows has no names, and of one that does not answer nobody
// knows. What is found there is not kept, since nobody says when it changes.
func (z *zone) goElsewhere(q *query, l lookup) *response {
	if q.elsewhere == nil || l.kind == kindVirtual {
		return z.noName(q)
	}
	q.basis.fleeting, q.basis.asked = true, true
	said, err := q.elsewhere(l)
	switch {
	case errors.Is(err, wire.ErrNoDCPath):
		return z.noName(q)
	case err != nil:
		return &response{rcode: dns.RcodeServerFailure}
	}
	q.datacenter, q.source, q.wan = l.datacenter, said, z.translate
	return nil
}

// askLeader has the leader be the source of q when the view is too old to be, or
// returns what to answer when he cannot be asked.
func (z *zone) askLeader(q *query, l lookup) *response {
	if !q.tooOld || q.elsewhere == nil || l.kind != kindNode && l.kind != kindService && l.kind != kindConnect {
		return nil
	}
	q.basis.fleeting, q.basis.asked = true, true
	l.datacenter = z.datacenter
	said, err := q.elsewhere(l)
	if err != nil {
		return &response{rcode: dns.RcodeServerFailure}
	}
	q.source = leaders{said}
	return nil
}

// noName answers that a name does not exist.
func (z *zone) noName(q *query) *response {
	return &response{rcode: dns.RcodeNameError, ns: []dns.RR{z.soa(q)}}
}

// noData answers that a name has no such records.
func (z *zone) noData(q *query) *response {
	return &response{ns: []dns.RR{z.soa(q)}}
}

// addr answers with the address that a name spells.
func (z *zone) addr(q *query, l lookup) *response {
	rr := addressRecord(q.name, l.addr, q.set.nodeTTL)
	if q.qtype == dns.TypeANY || q.qtype == rr.Header().Rrtype {
		return &response{answer: []dns.RR{rr}}
	}
	return &response{extra: []dns.RR{rr}}
}

// soa is the start of authority of the zone. What it says of the TTL of negative
// answers holds for itself, too.
func (z *zone) soa(q *query) *dns.SOA {
	q.basis.brief = true
	soa := q.set.SOA
	return &dns.SOA{
		Hdr:     header(q.domain, dns.TypeSOA, soa.MinTTL),
		Ns:      "ns." + q.domain,
		Mbox:    "hostmaster." + q.domain,
		Serial:  uint32(q.now.Unix()), // wraps (RFC 1982)
		Refresh: soa.Refresh,
		Retry:   soa.Retry,
		Expire:  soa.Expire,
		Minttl:  soa.MinTTL,
	}
}

// maxServers is how many servers are named.
const maxServers = 3

// servers answers with NS records of servers that are well, and their addresses.
func (z *zone) servers(q *query) *response {
	r := &response{free: true, most: maxServers}
	for _, s := range z.candidates(q) {
		name, ok := nodeName(strings.ToLower(s.name), z.datacenter, q.domain)
		if !ok || !hostName(s.name) {
			continue
		}
		r.answer = append(r.answer, &dns.NS{Hdr: header(q.domain, dns.TypeNS, q.set.nodeTTL), Ns: name})
		var at []dns.RR
		if s.addr.IsValid() {
			at = []dns.RR{addressRecord(name, s.addr, q.set.nodeTTL)}
		}
		r.refers = append(r.refers, at)
	}
	return r
}

// candidate is a server that an NS record may name.
type candidate struct {
	name string
	addr netip.Addr
}

// candidates returns the servers: those of the catalog, or of the gossip pool while
// the catalog has none.
func (z *zone) candidates(q *query) []candidate {
	var found []candidate
	_, all := q.view.CheckServiceNodes(q.basis.watch, wire.ConsulServiceName)
	for _, inst := range healthy(all, q.set.OnlyPassing) {
		addr, _ := parseAddr(inst.Node.Address)
		found = append(found, candidate{inst.Node.Node, addr})
	}
	if len(found) == 0 && z.lan != nil {
		q.basis.fleeting = true
		if pool := z.lan.Load(); pool != nil {
			for _, m := range pool.Members {
				if s, ok := m.Server(); ok && m.Status == messages.MemberAlive {
					found = append(found, candidate{m.Name, s.Addr.Addr().Unmap()})
				}
			}
		}
	}
	return found
}

// chase returns the address records that a name outside of this answer leads to:
// from the zone itself, or from the recursors. What they are for lives for ttl.
func (z *zone) chase(q *query, target string, ttl uint32) []dns.RR {
	var found []dns.RR
	if labels, domain, ok := z.domains.find(target); ok {
		path := append(slices.Clip(q.path), q.name)
		if len(path) > maxChase || slices.ContainsFunc(path, func(name string) bool { return strings.EqualFold(name, target) }) {
			return nil
		}
		next := *q
		next.name, next.domain, next.path = target, domain, path
		if next.qtype != dns.TypeA && next.qtype != dns.TypeAAAA {
			next.qtype = dns.TypeANY
		}
		r := z.find(&next, parse(labels))
		if r.free && len(r.answer) > 1 {
			q.basis.fleeting = true // others of them the next time
		}
		found = r.deal(bounds{size: maxTCPSize}, q.intn).answer
	} else if q.outside != nil {
		q.basis.fleeting = true
		found = q.outside(target)
	}
	return leadingTo(found, ttl, q.edns)
}

// maxChased is how many records behind a CNAME fit in an answer without EDNS.
const maxChased = 5

// leadingTo returns those of the records that lead to an address.
func leadingTo(found []dns.RR, ttl uint32, edns bool) []dns.RR {
	var kept []dns.RR
	for _, rr := range found {
		switch rr.Header().Rrtype {
		case dns.TypeCNAME, dns.TypeA, dns.TypeAAAA:
			rr.Header().Ttl = ttl // nobody else has the record
			kept = append(kept, rr)
		}
		if len(kept) == maxChased && !edns {
			break
		}
	}
	return kept
}

func header(name string, rrtype uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl}
}

// addressRecord is the A or AAAA record of an address.
func addressRecord(name string, addr netip.Addr, ttl uint32) dns.RR {
	if addr.Is4() {
		return &dns.A{Hdr: header(name, dns.TypeA, ttl), A: addr.AsSlice()}
	}
	return &dns.AAAA{Hdr: header(name, dns.TypeAAAA, ttl), AAAA: addr.AsSlice()}
}

// wants says whether a question of type qtype is answered with an address.
// Consul's answers to TXT have addresses, too.
func wants(qtype uint16, addr netip.Addr) bool {
	switch qtype {
	case dns.TypeA:
		return addr.Is4()
	case dns.TypeAAAA:
		return addr.Is6()
	case dns.TypeANY, dns.TypeSRV, dns.TypeTXT:
		return true
	default:
		return false
	}
}

// parseAddr reads an IP address, of version 4 if it can be.
func parseAddr(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(s)
	return addr.Unmap().WithZone(""), err == nil
}
