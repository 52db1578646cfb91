package dns

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	zones := newDomains("consul.", "alt.example")
	for _, tc := range []struct {
		name, question string
		want           lookup
	}{
		{"node", "n.node.consul. A", lookup{kind: kindNode, name: "n"}},
		{"node_of_many_labels", "a.b.c.node.consul. A", lookup{kind: kindNode, name: "a.b.c"}},
		{"node_named_service", "service.node.consul. A", lookup{kind: kindNode, name: "service"}},
		{"last_kind_counts", "x.node.service.consul. A", lookup{kind: kindService, name: "node", tag: "x"}},
		{"datacenter", "n.node.dc1.consul. A", lookup{kind: kindNode, name: "n", datacenter: "dc1"}},
		{"datacenter_label", "n.node.dc1.dc.consul. A", lookup{kind: kindNode, name: "n", datacenter: "dc1"}},
		{"peer_label", "n.node.p.peer.consul. A", lookup{kind: kindNode, name: "n", peer: "p"}},
		{"other_label", "n.node.p.ns.consul. A", lookup{}},
		{"three_labels_behind", "n.node.a.b.c.consul. A", lookup{}},
		{"service", "s.service.consul. A", lookup{kind: kindService, name: "s"}},
		{"tag", "t.s.service.consul. A", lookup{kind: kindService, name: "s", tag: "t"}},
		{"tag_of_many_labels", "a.b.s.service.consul. A", lookup{kind: kindService, name: "s", tag: "a.b"}},
		{"upper_case", "T.S.SERVICE.CONSUL. A", lookup{kind: kindService, name: "s", tag: "t"}},
		{"rfc2782", "_s._t.service.consul. SRV", lookup{kind: kindService, name: "s", tag: "t"}},
		{"rfc2782_tcp", "_s._tcp.service.consul. SRV", lookup{kind: kindService, name: "s"}},
		{"rfc2782_udp_is_a_tag", "_s._udp.service.consul. SRV", lookup{kind: kindService, name: "s", tag: "udp"}},
		{"rfc2782_short", "_s._tcp.consul. SRV", lookup{kind: kindService, name: "s", srvOnly: true}},
		{"rfc2782_short_datacenter", "_s._tcp.dc1.consul. SRV", lookup{kind: kindService, name: "s", datacenter: "dc1", srvOnly: true}},
		{"rfc2782_short_a", "_s._tcp.consul. A", lookup{kind: kindService, name: "s", srvOnly: true}},
		{"rfc2782_without_name", "_._tcp.service.consul. SRV", lookup{}},
		{"half_rfc2782", "s._t.service.consul. SRV", lookup{kind: kindService, name: "_t", tag: "s"}},
		{"connect", "s.connect.consul. A", lookup{kind: kindConnect, name: "s"}},
		{"virtual", "s.virtual.consul. A", lookup{kind: kindVirtual, name: "s"}},
		{"ingress", "s.ingress.consul. A", lookup{}},
		{"query", "s.query.consul. A", lookup{kind: kindQuery, name: "s"}},
		{"query_with_dots", "a.b.query.dc2.consul. A", lookup{kind: kindQuery, name: "a.b", datacenter: "dc2"}},
		{"query_as_rfc_2782", "_a.b._tcp.query.consul. SRV", lookup{kind: kindQuery, name: "a.b"}},
		{"query_without_a_name", "query.consul. A", lookup{kind: kindEmpty}},
		{"service_named_query", "query.service.consul. A", lookup{kind: kindService, name: "query"}},
		{"addr", "7f000001.addr.consul. A", lookup{kind: kindAddr, addr: mustAddr("127.0.0.1")}},
		{"addr_six", "00000000000000000000000000000001.addr.consul. A", lookup{kind: kindAddr, addr: mustAddr("::1")}},
		{"addr_too_long", "7f00000100.addr.consul. A", lookup{}},
		{"addr_not_hex", "7f00000g.addr.consul. A", lookup{}},
		{"bare_kind", "service.consul. A", lookup{kind: kindEmpty}},
		{"bare_addr", "addr.consul. A", lookup{kind: kindEmpty}},
		{"bare_ingress", "ingress.consul. A", lookup{kind: kindEmpty}},
		{"bare_kind_in_a_datacenter", "service.dc1.dc.consul. A", lookup{kind: kindEmpty, datacenter: "dc1"}},
		{"bare_kind_of_a_peer", "service.p.peer.consul. A", lookup{kind: kindEmpty, peer: "p"}},
		{"bare_datacenter", "dc1.consul. A", lookup{kind: kindEmpty, datacenter: "dc1"}},
		{"bare_datacenter_label", "dc1.dc.consul. A", lookup{kind: kindEmpty, datacenter: "dc1"}},
		{"bare_dc", "dc.consul. A", lookup{kind: kindEmpty}},
		{"bare_tcp", "_tcp.consul. A", lookup{kind: kindService, name: "_tcp", srvOnly: true}},
		{"no_kind", "a.b.consul. A", lookup{}},
		{"apex", "consul. A", lookup{kind: kindEmpty}},
		{"other_domain", "n.node.alt.example. A", lookup{kind: kindNode, name: "n"}},
		{"escapes", `a\.b\032\"\\.node.consul. A`, lookup{kind: kindNode, name: `a.b "\`}},
		{"nul", `a\000b.node.consul. A`, lookup{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name, _, _ := strings.Cut(tc.question, " ")
			labels, _, ok := zones.find(name)
			if got := parse(labels); !ok || got != tc.want {
				t.Errorf("parse(%s) = %+v, %t, want %+v", tc.question, got, ok, tc.want)
			}
		})
	}
}

func TestDomainsFind(t *testing.T) {
	zones := newDomains("Consul", "svc.consul.", "")
	for _, tc := range []struct {
		name, question, labels, domain string
		ok                             bool
	}{
		{"first", "a.b.CONSUL.", "a b", "consul.", true},
		{"longest", "a.svc.consul.", "a", "svc.consul.", true},
		{"apex", "consul.", "", "consul.", true},
		{"other", "example.com.", "", "", false},
		{"end_of_a_label", "myconsul.", "", "", false},
		{"root", ".", "", "", false},
		{"escaped_dot", `a\.consul.`, "", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			labels, domain, ok := zones.find(tc.question)
			if strings.Join(labels, " ") != tc.labels || domain != tc.domain || ok != tc.ok {
				t.Errorf("find(%s) = %q, %q, %t, want %q, %q, %t", tc.question, labels, domain, ok, tc.labels, tc.domain, tc.ok)
			}
		})
	}
}

func TestParseReverse(t *testing.T) {
	const zeros = "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	for _, tc := range []struct{ name, question, want string }{
		{"four", "4.3.2.1.in-addr.arpa.", "1.2.3.4"},
		{"six", "1." + zeros + "ip6.arpa.", "::1"},
		{"six_upper_case", "F." + zeros + "IP6.ARPA.", "::f"},
		{"too_few", "3.2.1.in-addr.arpa.", ""},
		{"too_many", "5.4.3.2.1.in-addr.arpa.", ""},
		{"too_great", "256.3.2.1.in-addr.arpa.", ""},
		{"leading_zero", "04.3.2.1.in-addr.arpa.", ""},
		{"two_digits_of_six", "11." + zeros + "ip6.arpa.", ""},
		{"six_too_few", zeros + "ip6.arpa.", ""},
		{"zone_of_an_interface", `1\%eth0.` + zeros + "ip6.arpa.", ""},
		{"four_under_six", "4.3.2.1.ip6.arpa.", ""},
		{"not_arpa", "4.3.2.1.in-addr.consul.", ""},
		{"bare", "in-addr.arpa.", ""},
		{"root", ".", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr, ok := parseReverse(tc.question)
			if got := addr.String(); ok != (tc.want != "") || ok && got != tc.want {
				t.Errorf("parseReverse(%s) = %s, %t, want %q", tc.question, got, ok, tc.want)
			}
		})
	}
}

func TestAttribute(t *testing.T) {
	for _, tc := range []struct{ name, key, value, want string }{
		{"plain", "rack", "r1", "rack=r1"},
		{"empty_value", "rack", "", "rack="},
		{"equals_in_the_key", "a=b", "c=d", "a`=b=c=d"},
		{"backquotes", "a`b", "c`d", "a``b=c``d"},
		{"spaces_around_the_key", "  a b ", " v ", "` ` a b` = v "},
		{"only_spaces", "  ", "v", "` ` =v"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := attribute(tc.key, tc.value); got != tc.want {
				t.Errorf("attribute(%q, %q) = %q, want %q", tc.key, tc.value, got, tc.want)
			}
		})
	}
}

func TestPartOfReverse(t *testing.T) {
	for name, want := range map[string]bool{
		"arpa.": true, "in-addr.arpa.": true, "ip6.arpa.": true, "10.in-addr.arpa.": true, "0.0.10.in-addr.arpa.": true,
		"1.0.0.10.in-addr.arpa.": false, "256.in-addr.arpa.": false, "x.in-addr.arpa.": false, "": false, "consul.": false, "other.arpa.": false,
		"f.ip6.arpa.": true, "0.F.ip6.arpa.": true, "10.ip6.arpa.": false, "g.ip6.arpa.": false,
		strings.Repeat("0.", 31) + "ip6.arpa.": true, strings.Repeat("0.", 32) + "ip6.arpa.": false,
	} {
		if got := partOfReverse(name); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}
