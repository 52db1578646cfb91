package dns

import (
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/actor-consul/consul/messages/wire"
)

// node answers with the address and the metadata of a node.
func (z *zone) node(q *query, l lookup) *response {
	switch q.qtype {
	case dns.TypeA, dns.TypeAAAA, dns.TypeANY, dns.TypeTXT:
	case dns.TypeCNAME:
		return z.nodeAlias(q, l)
	default:
		return &response{} // as Consul, which does not even look
	}
	node := q.source.node(q, l.name)
	switch {
	case node == nil && q.source.nodeEndsIn(q, l.name):
		return z.noData(q) // and so the name is there, with nothing at it (RFC 8020)
	case node == nil:
		return z.noName(q)
	}
	r := &response{}
	if q.qtype != dns.TypeTXT {
		r.answer = z.nodeAddress(q, node)
	}
	switch {
	case q.qtype == dns.TypeTXT || q.qtype == dns.TypeANY:
		r.answer = append(r.answer, metaRecords(q.name, node, q.set.nodeTTL)...)
	case q.set.NodeMetaTXT:
		r.meta = metaRecords(q.name, node, q.set.nodeTTL)
	}
	return r
}

// nodeAlias answers with the host name that a node is at, if it is at one.
func (z *zone) nodeAlias(q *query, l lookup) *response {
	r := &response{}
	node := q.source.node(q, l.name)
	if node == nil {
		return r // as with other types
	}
	at := nodeAt(q, node)
	if _, is := parseAddr(at); is {
		return r
	}
	if target, ok := domainName(at); ok {
		r.answer = []dns.RR{&dns.CNAME{Hdr: header(q.name, dns.TypeCNAME, q.set.nodeTTL), Target: target}}
	}
	return r
}

// nodeAddress returns the address record of a node, or a CNAME and where it leads
// to if the node is at a host name.
func (z *zone) nodeAddress(q *query, node *wire.Node) []dns.RR {
	at := nodeAt(q, node)
	if addr, ok := parseAddr(at); ok {
		if !wants(q.qtype, addr) {
			return nil
		}
		return []dns.RR{addressRecord(q.name, addr, q.set.nodeTTL)}
	}
	return z.cname(q, at, q.set.nodeTTL)
}

// cname returns a CNAME record and where it leads to; nothing, if target is no
// name.
func (z *zone) cname(q *query, target string, ttl uint32) []dns.RR {
	if target, ok := domainName(target); ok {
		rr := &dns.CNAME{Hdr: header(q.name, dns.TypeCNAME, ttl), Target: target}
		return append([]dns.RR{rr}, z.chase(q, target, ttl)...)
	}
	return nil
}

// domainName returns s as DNS has names, if it can be one.
func domainName(s string) (string, bool) {
	if s == "" {
		return "", false
	}
	s = dns.Fqdn(s)
	_, ok := dns.IsDomainName(s)
	return s, ok
}

// node implements source.
func (ours) node(q *query, name string) *wire.Node {
	_, node := q.view.Node(q.basis.watch, name)
	if node == nil {
		_, node = q.view.NodeByID(q.basis.watch, name)
	}
	return node
}

// nodeEndsIn implements source.
func (ours) nodeEndsIn(q *query, name string) bool { return q.view.NodeEndsIn(q.basis.watch, name) }

// nodeAt returns where a question finds a node: at its address of the version of IP
// that is asked for if it has one, else at its address.
func nodeAt(q *query, node *wire.Node) string {
	for _, tag := range wantedTags(q) {
		if at := node.TaggedAddresses[tag]; at != "" {
			return at
		}
	}
	return node.Address
}

// wantedTags returns the tags of the addresses that a question asks for, before that which
// has none.
func wantedTags(q *query) []string {
	t := lanTags
	if q.wan {
		t = wanTags
	}
	switch q.qtype {
	case dns.TypeA:
		return t.v4
	case dns.TypeAAAA:
		return t.v6
	default:
		return t.any
	}
}

// The tags of addresses by the version of IP that is asked for.
var (
	lanTags = tagsOf{v4: []string{wire.TaggedAddressLANIPv4}, v6: []string{wire.TaggedAddressLANIPv6}}
	wanTags = tagsOf{
		v4:  []string{wire.TaggedAddressWANIPv4, wire.TaggedAddressWAN},
		v6:  []string{wire.TaggedAddressWANIPv6, wire.TaggedAddressWAN},
		any: []string{wire.TaggedAddressWAN},
	}
)

type tagsOf struct{ v4, v6, any []string }

// metaRecords returns a TXT record for each pair of a node's metadata.
func metaRecords(name string, node *wire.Node, ttl uint32) []dns.RR {
	if len(node.Meta) == 0 {
		return nil
	}
	records := make([]dns.RR, 0, len(node.Meta))
	for _, key := range slices.Sorted(maps.Keys(node.Meta)) {
		text := node.Meta[key]
		if !strings.HasPrefix(strings.ToLower(key), "rfc1035-") {
			text = attribute(key, text)
		}
		records = append(records, &dns.TXT{Hdr: header(name, dns.TypeTXT, ttl), Txt: chunks(text)})
	}
	return records
}

// attribute writes a pair as RFC 1464 has it, where a backquote takes the meaning
// from what follows.
func attribute(key, value string) string {
	inner := strings.Trim(key, " ")
	lead := len(key) - len(strings.TrimLeft(key, " "))
	trail := len(key) - lead - len(inner)
	quote := strings.NewReplacer("`", "``", "=", "`=")
	return strings.Repeat("` ", lead) + quote.Replace(inner) + strings.Repeat("` ", trail) +
		"=" + strings.ReplaceAll(value, "`", "``")
}

// chunks cuts a text into the strings of at most 255 bytes that a TXT record is
// made of, escaped as miekg/dns wants them.
func chunks(text string) []string {
	const most = 255
	all := make([]string, 0, 1)
	for len(text) > most {
		all = append(all, escape(text[:most]))
		text = text[most:]
	}
	return append(all, escape(text))
}
