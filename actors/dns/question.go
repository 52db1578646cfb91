package dns

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// kind is what a name in the zone is about.
type kind int

const (
	kindInvalid kind = iota // nothing: there is no such name
	kindNode                // [node].node
	kindService             // [tag.]service.service, _service._tag.service
	kindConnect             // service.connect
	kindVirtual             // service.virtual
	kindAddr                // 0a010203.addr
	kindEmpty               // a name that other names end in, and that has no records
	kindQuery               // [query].query, _query._tcp.query
)

// The labels that say what a name is about. Ingress gateways are known, so that no
// service is taken for one, and never found.
var kinds = map[string]kind{
	"node":    kindNode,
	"service": kindService,
	"connect": kindConnect,
	"virtual": kindVirtual,
	"addr":    kindAddr,
	"ingress": kindInvalid,
	"query":   kindQuery,
}

// lookup is what a name in the zone asks for. Names are in lower case.
type lookup struct {
	kind       kind
	name       string     // of the node, the service or the query
	tag        string     // that instances must have; empty: any
	addr       netip.Addr // that the name spells
	datacenter string     // empty: our own
	peer       string     // empty: none
	srvOnly    bool       // the name has no other records
}

// domains are the names of the zone, as labels in lower case.
type domains [][]string

func newDomains(names ...string) domains {
	var d domains
	for _, name := range names {
		if name != "" {
			d = append(d, dns.SplitDomainName(strings.ToLower(dns.Fqdn(name))))
		}
	}
	return d
}

// find returns the labels of a name that are before the zone's, and the zone's
// name as the question has it, in lower case. The longest domain counts.
func (d domains) find(name string) (labels []string, domain string, ok bool) {
	all := dns.SplitDomainName(strings.ToLower(name))
	most := -1
	for _, zone := range d {
		if n := len(all) - len(zone); n >= 0 && len(zone) > most && equal(all[n:], zone) {
			most = len(zone)
			labels, domain, ok = all[:n], strings.Join(zone, ".")+".", true
		}
	}
	return labels, domain, ok
}

func equal(a, b []string) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// parse reads the labels of a name before the zone's.
func parse(labels []string) lookup {
	for i := len(labels) - 1; i >= 0; i-- {
		if k, ok := kinds[labels[i]]; ok {
			return parseKind(k, labels[:i], labels[i+1:])
		}
		// RFC 2782 names of SRV records can do without the label "service".
		if strings.HasPrefix(labels[i], "_") {
			l := parseKind(kindService, labels[:i+1], labels[i+1:])
			l.srvOnly = l.kind == kindService
			return l
		}
	}
	return parseEmpty(labels)
}

// parseEmpty reads the names that other names end in: the zone itself, dc, [dc] and
// [dc].dc. A resolver that asks for one label after the other stops where a
// name does not exist, since then nothing below it does (RFC 8020, RFC 9156).
func parseEmpty(labels []string) lookup {
	l := lookup{kind: kindEmpty}
	switch {
	case len(labels) == 0, len(labels) == 1 && labels[0] == "dc":
		return l
	case l.locate(labels) && l.peer == "":
		return l
	default:
		return lookup{}
	}
}

// parseKind reads the labels before the one that says what the name is about, and
// those behind it.
func parseKind(k kind, parts, suffix []string) lookup {
	l := lookup{kind: k}
	if !l.locate(suffix) || k == kindInvalid && len(parts) > 0 {
		return lookup{}
	}
	if len(parts) == 0 {
		l.kind = kindEmpty
		return l
	}
	last := len(parts) - 1
	switch k {
	case kindNode:
		l.name = unescape(strings.Join(parts, "."))
	case kindService:
		l.service(parts)
	case kindConnect, kindVirtual:
		l.name = unescape(parts[last])
	case kindQuery:
		if last > 0 && strings.HasPrefix(parts[0], "_") && strings.HasPrefix(parts[last], "_") {
			parts = append([]string{parts[0][1:]}, parts[1:last]...) // as RFC 2782 has it
		}
		l.name = unescape(strings.Join(parts, "."))
	case kindAddr:
		raw, err := hex.DecodeString(parts[last])
		addr, ok := netip.AddrFromSlice(raw)
		if err != nil || !ok || last != 0 {
			return lookup{}
		}
		l.addr = addr
		return l
	}
	if l.name == "" || strings.ContainsRune(l.name, 0) { // the tables end names with a NUL
		return lookup{}
	}
	return l
}

// service reads the labels of a service: _name._tag as RFC 2782 has it, where the
// tag _tcp is none, or [tag.]name, where the tag may contain dots.
func (l *lookup) service(parts []string) {
	last := len(parts) - 1
	if last == 1 && strings.HasPrefix(parts[0], "_") && strings.HasPrefix(parts[1], "_") {
		l.name, l.tag = unescape(parts[0][1:]), unescape(parts[1][1:])
		if l.tag == "tcp" {
			l.tag = ""
		}
		return
	}
	l.name, l.tag = unescape(parts[last]), unescape(strings.Join(parts[:last], "."))
}

// locate reads where a name is: nothing, [dc], [dc].dc or [peer].peer.
func (l *lookup) locate(suffix []string) bool {
	switch {
	case len(suffix) == 0:
	case len(suffix) == 1:
		l.datacenter = suffix[0]
	case len(suffix) == 2 && suffix[1] == "dc":
		l.datacenter = suffix[0]
	case len(suffix) == 2 && suffix[1] == "peer":
		l.peer = suffix[0]
	default:
		return false
	}
	return true
}

// parseReverse reads the address from a name under in-addr.arpa or ip6.arpa.
func parseReverse(name string) (netip.Addr, bool) {
	labels := dns.SplitDomainName(strings.ToLower(name))
	n := len(labels)
	if n < 2 {
		return netip.Addr{}, false
	}
	var text strings.Builder
	switch zone := labels[n-2]; {
	case zone == "in-addr" && n == 4+2:
		for i := 3; i >= 0; i-- {
			text.WriteString(labels[i])
			if i > 0 {
				text.WriteByte('.')
			}
		}
	case zone == "ip6" && n == 32+2:
		for i := 31; i >= 0; i-- {
			text.WriteString(labels[i])
			if i > 0 && i%4 == 0 {
				text.WriteByte(':')
			}
		}
	}
	addr, err := netip.ParseAddr(text.String())
	if err != nil || labels[n-1] != "arpa" {
		return netip.Addr{}, false
	}
	return addr, addr.Zone() == ""
}

// partOfReverse says whether the names of addresses end in a name, which is then no
// address itself.
func partOfReverse(name string) bool {
	labels := dns.SplitDomainName(strings.ToLower(name))
	n := len(labels)
	if n < 2 || labels[n-1] != "arpa" {
		return n == 1 && labels[0] == "arpa"
	}
	base, bits, most := 0, 0, 0
	switch labels[n-2] {
	case "in-addr":
		base, bits, most = 10, 8, 4
	case "ip6":
		base, bits, most = 16, 4, 32
	}
	return n-2 < most && !slices.ContainsFunc(labels[:n-2], func(label string) bool {
		_, err := strconv.ParseUint(label, base, bits)
		return err != nil
	})
}

// unescape turns a name from the form in which miekg/dns has it, where odd bytes
// are \X or \DDD, into the bytes that it stands for.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	raw := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			raw = append(raw, s[i])
		case i+3 < len(s) && digit(s[i+1]) && digit(s[i+2]) && digit(s[i+3]):
			raw = append(raw, (s[i+1]-'0')*100+(s[i+2]-'0')*10+(s[i+3]-'0'))
			i += 3
		default:
			i++
			raw = append(raw, s[i])
		}
	}
	return string(raw)
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
