package dns

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// A row is one behaviour: a question, with +edns as dig has it, and its answer as show
// writes it, joined by " | ". It is asked over UDP and over TCP, unless it says +udp or
// +tcp: what is about one of them, or asks once.
type row struct{ name, question, want string }

// none is the end of an answer that has nothing.
const none = " | ns consul. 0 IN SOA ns.consul. hostmaster.consul. 0 3600 600 86400 0"

func (s *stage) check(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			f := strings.Fields(r.question)
			var h how
			if slices.Contains(f, "+edns") {
				h.edns = 4096
			}
			for _, network := range []string{"+udp", "+tcp"} {
				if h.tcp = network == "+tcp"; slices.Contains(f, "+udp") && h.tcp || slices.Contains(f, "+tcp") && !h.tcp {
					continue
				}
				got, want := show(s.ask(t, h, f[0], f[1])), strings.Split(r.want, " | ")
				if !slices.Equal(got, want) {
					t.Errorf("%s %s\ngot\n\t%s\nwant\n\t%s", r.question, network, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
				}
			}
		})
	}
}

// population is a catalog with one of each: it is that of the recorded answers of
// Consul 1.19.2, with the node of the page that describes the first Consul.
func population() []*wire.RegisterRequest {
	weights := func(s *wire.NodeService) { s.Weights = &wire.Weights{Passing: 5, Warning: 2} }
	tagged := func(s *wire.NodeService) {
		s.TaggedAddresses = map[string]wire.ServiceAddress{"lan": {Address: "10.1.2.4", Port: 1}, "wan": {Address: "1.2.3.4", Port: 2}}
	}
	return []*wire.RegisterRequest{
		node("Armons-MacBook-Air", "10.1.10.38"),
		node("srv1", "127.0.0.1", "consul-network-segment", "", "consul-version", "1.19.2"),
		service("srv1", "consul", 8300),
		service("srv1", "web", 8080, at("127.0.0.5"), tags("v1", "blue", "a.b")), check("srv1", "web-8080", "passing"),
		service("srv1", "web", 8081, tags("v2"), weights), check("srv1", "web-8081", "warning"),
		node("ext", "10.1.2.3"),
		service("ext", "db", 5432, tags("primary"), tagged), check("ext", "db-5432", "passing"),
		node("six", "2001:db8::5"),
		service("six", "db", 5432, tags("replica")),
		node("cname", "db.example.com"),
		service("cname", "far", 1),
		node("rack.1", "10.9.9.9", "rfc1035-note", "just this", "Rack", "r=1"),
	}
}

func TestAnswers(t *testing.T) {
	newStage(t, nil).put(t, population()...).open(t).check(t, []row{
		{"node_of_the_page", "Armons-MacBook-Air.node.consul A", "NOERROR aa | Armons-MacBook-Air.node.consul. 0 IN A 10.1.10.38"},
		{"case_of_the_question_is_kept", "aRMONS-MacBook-AIR.noDe.CONsul A", "NOERROR aa | aRMONS-MacBook-AIR.noDe.CONsul. 0 IN A 10.1.10.38"},
		{"metadata_beside_the_address", "srv1.node.consul A", `NOERROR aa | srv1.node.consul. 0 IN A 127.0.0.1 | + srv1.node.consul. 0 IN TXT "consul-network-segment=" | + srv1.node.consul. 0 IN TXT "consul-version=1.19.2"`},
		{"node_with_datacenter", "ext.node.dc1.consul A", "NOERROR aa | ext.node.dc1.consul. 0 IN A 10.1.2.3"},
		{"node_with_datacenter_label", "ext.node.dc1.dc.consul A", "NOERROR aa | ext.node.dc1.dc.consul. 0 IN A 10.1.2.3"},
		{"datacenter_in_any_case", "ext.node.DC1.consul A", "NOERROR aa | ext.node.DC1.consul. 0 IN A 10.1.2.3"},
		{"node_name_with_dot", "rack.1.node.consul A", `NOERROR aa | rack.1.node.consul. 0 IN A 10.9.9.9 | + rack.1.node.consul. 0 IN TXT "Rack=r=1" | + rack.1.node.consul. 0 IN TXT "just this"`},
		{"node_without_that_address", "srv1.node.consul AAAA", `NOERROR aa | + srv1.node.consul. 0 IN TXT "consul-network-segment=" | + srv1.node.consul. 0 IN TXT "consul-version=1.19.2"`},
		{"node_six", "six.node.consul AAAA", "NOERROR aa | six.node.consul. 0 IN AAAA 2001:db8::5"},
		{"node_any", "srv1.node.consul ANY", `NOERROR aa | srv1.node.consul. 0 IN A 127.0.0.1 | srv1.node.consul. 0 IN TXT "consul-network-segment=" | srv1.node.consul. 0 IN TXT "consul-version=1.19.2"`},
		{"node_txt", "srv1.node.consul TXT", `NOERROR aa | srv1.node.consul. 0 IN TXT "consul-network-segment=" | srv1.node.consul. 0 IN TXT "consul-version=1.19.2"`},
		{"node_txt_without_metadata", "ext.node.consul TXT", "NOERROR aa"},
		{"node_of_another_type", "srv1.node.consul SRV", "NOERROR aa"},
		{"node_at_a_host_name", "cname.node.consul A", "NOERROR aa | cname.node.consul. 0 IN CNAME db.example.com."},
		{"alias_of_a_node_at_a_host_name", "cname.node.consul CNAME", "NOERROR aa | cname.node.consul. 0 IN CNAME db.example.com."},
		{"alias_of_a_node_at_an_address", "ext.node.consul CNAME", "NOERROR aa"},
		{"alias_of_no_node", "nope.node.consul CNAME", "NOERROR aa"},
		{"no_such_node", "nope.node.consul A", "NXDOMAIN aa" + none},
		{"no_node_named", "node.consul A", "NOERROR aa" + none}, // Consul says that there is nothing below it, either

		{"service_a", "web.service.consul A", "NOERROR aa | web.service.consul. 0 IN A 127.0.0.1 | web.service.consul. 0 IN A 127.0.0.5"},
		{"service_in_any_case", "WEB.Service.consul A", "NOERROR aa | WEB.Service.consul. 0 IN A 127.0.0.1 | WEB.Service.consul. 0 IN A 127.0.0.5"},
		{"service_aaaa", "db.service.consul AAAA", "NOERROR aa | db.service.consul. 0 IN AAAA 2001:db8::5"},
		{"service_any", "db.service.consul ANY", "NOERROR aa | db.service.consul. 0 IN A 10.1.2.3 | db.service.consul. 0 IN AAAA 2001:db8::5"},
		{"service_txt", "db.service.consul TXT", "NOERROR aa | db.service.consul. 0 IN A 10.1.2.3 | db.service.consul. 0 IN AAAA 2001:db8::5"},
		{"service_without_that_type", "web.service.consul MX", "NOERROR aa" + none},
		{"service_without_aaaa", "web.service.consul AAAA", "NOERROR aa" + none},
		{"service_with_datacenter", "web.service.dc1.consul A", "NOERROR aa | web.service.dc1.consul. 0 IN A 127.0.0.1 | web.service.dc1.consul. 0 IN A 127.0.0.5"},
		{"service_at_a_host_name", "far.service.consul A", "NOERROR aa | far.service.consul. 0 IN CNAME db.example.com."},
		{"no_such_service", "nope.service.consul A", "NXDOMAIN aa" + none},
		{"no_service_named", "service.consul A", "NOERROR aa" + none},
		{"rfc2782_tag_alone", "_tcp.service.consul A", "NOERROR aa" + none},
		{"datacenter_alone", "dc1.consul A", "NOERROR aa" + none},
		{"other_datacenter_alone", "dc9.consul A", "NXDOMAIN aa" + none},
		{"other_datacenter", "web.service.dc9.consul A", "NXDOMAIN aa" + none},
		{"other_peer", "web.service.dc1.peer.consul A", "NXDOMAIN aa" + none},
		{"too_many_labels_behind", "web.service.a.b.c.consul A", "NXDOMAIN aa" + none},

		{"tag", "v1.web.service.consul A", "NOERROR aa | v1.web.service.consul. 0 IN A 127.0.0.5"},
		{"tag_in_any_case", "BLUE.web.service.consul A", "NOERROR aa | BLUE.web.service.consul. 0 IN A 127.0.0.5"},
		{"tag_with_dot", "a.b.web.service.consul A", "NOERROR aa | a.b.web.service.consul. 0 IN A 127.0.0.5"},
		{"no_such_tag", "nope.web.service.consul A", "NXDOMAIN aa" + none},

		{"srv", "db.service.consul SRV", "NOERROR aa | db.service.consul. 0 IN SRV 1 1 5432 ext.node.dc1.consul. | db.service.consul. 0 IN SRV 1 1 5432 six.node.dc1.consul. | + ext.node.dc1.consul. 0 IN A 10.1.2.3 | + six.node.dc1.consul. 0 IN AAAA 2001:db8::5"},
		{"srv_of_a_service_with_an_address", "v1.web.service.consul SRV", `NOERROR aa | v1.web.service.consul. 0 IN SRV 1 1 8080 7f000005.addr.dc1.consul. | + 7f000005.addr.dc1.consul. 0 IN A 127.0.0.5 | + srv1.node.dc1.consul. 0 IN TXT "consul-network-segment=" | + srv1.node.dc1.consul. 0 IN TXT "consul-version=1.19.2"`},
		{"srv_weight_of_one_that_warns", "v2.web.service.consul SRV", `NOERROR aa | v2.web.service.consul. 0 IN SRV 1 2 8081 srv1.node.dc1.consul. | + srv1.node.dc1.consul. 0 IN A 127.0.0.1 | + srv1.node.dc1.consul. 0 IN TXT "consul-network-segment=" | + srv1.node.dc1.consul. 0 IN TXT "consul-version=1.19.2"`},
		{"srv_at_a_host_name", "far.service.consul SRV", "NOERROR aa | far.service.consul. 0 IN SRV 1 1 1 db.example.com."},
		{"rfc2782", "_db._tcp.service.consul SRV", "NOERROR aa | _db._tcp.service.consul. 0 IN SRV 1 1 5432 ext.node.dc1.consul. | _db._tcp.service.consul. 0 IN SRV 1 1 5432 six.node.dc1.consul. | + ext.node.dc1.consul. 0 IN A 10.1.2.3 | + six.node.dc1.consul. 0 IN AAAA 2001:db8::5"},
		{"rfc2782_with_tag", "_db._primary.service.consul SRV", "NOERROR aa | _db._primary.service.consul. 0 IN SRV 1 1 5432 ext.node.dc1.consul. | + ext.node.dc1.consul. 0 IN A 10.1.2.3"},
		{"rfc2782_without_service_label", "_db._primary.consul SRV", "NOERROR aa | _db._primary.consul. 0 IN SRV 1 1 5432 ext.node.dc1.consul. | + ext.node.dc1.consul. 0 IN A 10.1.2.3"},
		{"rfc2782_without_service_label_with_datacenter", "_db._primary.dc1.consul SRV", "NOERROR aa | _db._primary.dc1.consul. 0 IN SRV 1 1 5432 ext.node.dc1.consul. | + ext.node.dc1.consul. 0 IN A 10.1.2.3"},
		{"rfc2782_without_service_label_is_for_srv", "_db._primary.consul A", "NOERROR aa" + none}, // Consul: NXDOMAIN
		{"rfc2782_without_service_label_of_nobody", "_nope._primary.consul A", "NXDOMAIN aa" + none},
		{"ending_of_rfc2782", "_primary.consul A", "NOERROR aa" + none},
		{"ending_of_rfc2782_with_datacenter", "_tcp.dc1.consul A", "NOERROR aa" + none},
		{"ending_of_rfc2782_with_datacenter_label", "_tcp.dc1.dc.consul A", "NOERROR aa" + none},
		{"ending_of_rfc2782_with_other_datacenter", "_tcp.dc9.consul A", "NXDOMAIN aa" + none},
		{"ending_of_a_node", "1.node.consul A", "NOERROR aa" + none},
		{"ending_of_a_node_of_the_datacenter", "1.node.dc1.consul A", "NOERROR aa" + none},
		{"middle_of_no_node", "ack.1.node.consul A", "NXDOMAIN aa" + none},
		{"ending_of_a_tag", "B.web.service.consul A", "NOERROR aa" + none},
		{"ending_of_a_tag_of_another", "b.db.service.consul A", "NXDOMAIN aa" + none},
		{"ending_of_no_tag", "lue.web.service.consul A", "NXDOMAIN aa" + none},
		{"rfc2782_address", "_db._primary.service.consul A", "NOERROR aa | _db._primary.service.consul. 0 IN A 10.1.2.3"},

		{"addr", "0a010203.addr.consul A", "NOERROR aa | 0a010203.addr.consul. 0 IN A 10.1.2.3"},
		{"addr_with_datacenter", "0a010203.addr.dc1.consul A", "NOERROR aa | 0a010203.addr.dc1.consul. 0 IN A 10.1.2.3"},
		{"addr_keeps_the_case", "0A010203.addr.consul A", "NOERROR aa | 0A010203.addr.consul. 0 IN A 10.1.2.3"},
		{"addr_six", "20010db8000000000000000000000005.addr.consul AAAA", "NOERROR aa | 20010db8000000000000000000000005.addr.consul. 0 IN AAAA 2001:db8::5"},
		{"addr_any", "0a010203.addr.consul ANY", "NOERROR aa | 0a010203.addr.consul. 0 IN A 10.1.2.3"},
		{"addr_of_another_type", "0a010203.addr.consul AAAA", "NOERROR aa | + 0a010203.addr.consul. 0 IN A 10.1.2.3"},
		{"addr_of_odd_length", "0a01020.addr.consul A", "NXDOMAIN aa" + none},
		{"addr_that_is_none", "0a0102zz.addr.consul A", "NXDOMAIN aa" + none},
		{"addr_of_two_labels", "x.0a010203.addr.consul A", "NXDOMAIN aa" + none},

		{"soa", "consul SOA", "NOERROR aa | consul. 0 IN SOA ns.consul. hostmaster.consul. 0 3600 600 86400 0 | ns consul. 0 IN NS srv1.node.dc1.consul. | + srv1.node.dc1.consul. 0 IN A 127.0.0.1"},
		{"ns", "consul NS", "NOERROR aa | consul. 0 IN NS srv1.node.dc1.consul. | + srv1.node.dc1.consul. 0 IN A 127.0.0.1"},
		{"apex", "consul A", "NOERROR aa" + none},
		{"no_kind", "bad.consul A", "NXDOMAIN aa" + none},
		{"no_kind_of_many_labels", "a.b.c.d.consul A", "NXDOMAIN aa" + none},
		{"transfer", "consul AXFR +tcp", "NOTIMP aa"},

		{"connect_without_mesh", "web.connect.consul A", "NXDOMAIN aa" + none},
		{"ingress_without_mesh", "web.ingress.consul A", "NXDOMAIN aa" + none},
		{"virtual_without_mesh", "web.virtual.consul A", "NOERROR aa"},
		{"prepared_query", "web.query.consul A", "NXDOMAIN aa" + none},

		{"ptr_of_a_node", "3.2.1.10.in-addr.arpa PTR", "NOERROR aa | 3.2.1.10.in-addr.arpa. 0 IN PTR ext.node.dc1.consul."},
		{"ptr_of_a_node_six", "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR", "NOERROR aa | 5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 0 IN PTR six.node.dc1.consul."},
		{"ptr_of_a_service", "5.0.0.127.in-addr.arpa PTR", "NOERROR aa | 5.0.0.127.in-addr.arpa. 0 IN PTR web.service.dc1.consul."},
		{"ptr_in_any_case", "3.2.1.10.IN-ADDR.arpa PTR", "NOERROR aa | 3.2.1.10.IN-ADDR.arpa. 0 IN PTR ext.node.dc1.consul."},
		{"ptr_of_nobody", "9.9.9.9.in-addr.arpa PTR", "NXDOMAIN aa" + none},
		{"ptr_name_of_another_type", "3.2.1.10.in-addr.arpa A", "NOERROR aa" + none},
		{"ptr_of_no_address", "300.2.1.10.in-addr.arpa PTR", "NXDOMAIN aa" + none},

		{"other_name", "example.com A", "REFUSED"},
		{"domain_within_another_label", "notconsul A", "REFUSED"},
		{"escaped_dot_is_no_border", `ext\.node\.consul A`, "REFUSED"},
		{"escaped_dot_in_a_node", `rack\.1.node.consul A`, `NOERROR aa | rack\.1.node.consul. 0 IN A 10.9.9.9 | + rack\.1.node.consul. 0 IN TXT "Rack=r=1" | + rack\.1.node.consul. 0 IN TXT "just this"`},
		{"nul_in_a_name", `ext\000x.node.consul A`, "NXDOMAIN aa" + none},
	})
}

func TestHealth(t *testing.T) {
	catalog := func(s *stage) {
		for i, status := range []string{"passing", "warning", "critical"} {
			name := "n" + string(rune('0'+i))
			s.put(t, node(name, "10.0.0."+string(rune('0'+i))), service(name, "web", 80), check(name, "web-80", status))
		}
		s.put(t, node("n3", "10.0.0.3"), service("n3", "web", 80), check("n3", "", "critical"))
		s.put(t, node("n4", "10.0.0.4"), service("n4", "web", 80)) // without a check
		s.put(t, node("n5", "10.0.0.5"), service("n5", "down", 80), check("n5", "down-80", "critical"))
	}
	t.Run("default", func(t *testing.T) {
		s := newStage(t, nil)
		catalog(s)
		s.open(t).check(t, []row{
			{"critical_is_left_out", "web.service.consul A", "NOERROR aa | web.service.consul. 0 IN A 10.0.0.0 | web.service.consul. 0 IN A 10.0.0.1 | web.service.consul. 0 IN A 10.0.0.4"},
			{"all_critical", "down.service.consul A", "NXDOMAIN aa" + none},
			{"node_is_found_all_the_same", "n3.node.consul A", "NOERROR aa | n3.node.consul. 0 IN A 10.0.0.3"},
		})
	})
	t.Run("only_passing", func(t *testing.T) {
		s := newStage(t, func(cfg *Config) { cfg.DNS.OnlyPassing = true })
		catalog(s)
		s.open(t).check(t, []row{
			{"warning_is_left_out", "web.service.consul A", "NOERROR aa | web.service.consul. 0 IN A 10.0.0.0 | web.service.consul. 0 IN A 10.0.0.4"},
		})
	})
}

func TestAddresses(t *testing.T) {
	both := func(s *wire.NodeService) {
		s.TaggedAddresses = map[string]wire.ServiceAddress{"lan_ipv4": {Address: "10.0.4.4"}, "lan_ipv6": {Address: "2001:db8::44"}}
	}
	two := node("two", "10.0.0.2")
	two.TaggedAddresses = map[string]string{"lan_ipv4": "10.0.0.2", "lan_ipv6": "2001:db8::2"}
	s := newStage(t, nil).put(t,
		two, service("two", "dual", 80), service("two", "own", 80, at("10.7.7.7")), service("two", "tagged", 80, at("10.0.4.4"), both),
		node("one", "10.0.0.1"), service("one", "same", 80), service("one", "same", 81),
		service("one", "self", 80, at("SELF.service.consul")),
		service("one", "inner", 80, at("one.node.consul")),
		service("one", "deep0", 80, at("deep1.service.consul")), service("one", "deep1", 80, at("deep2.service.consul.")), service("one", "deep2", 80, at("deep3.service.consul")), service("one", "deep3", 80, at("one.node.consul")),
		service("one", "ping", 80, at("pong.service.consul")), service("one", "pong", 80, at("ping.service.consul")),
		service("one", "mixed", 80, at("db.example.com")), service("one", "mixed", 81),
		service("one", "broken", 80, at("not..a.name")), service("one", "broken", 81, at("10.0.0.9")),
		service("one", "port", 0),
		node("v4in6", "::ffff:10.0.0.4"),
		node("far", "one.node.dc1.consul"),
		node("under score", "10.0.0.6"), service("under score", "odd", 80),
		node(strings.Repeat("x", 64), "10.0.0.7"), service(strings.Repeat("x", 64), "long", 80),
		node("meta", "10.0.0.8", "big", strings.Repeat("v", 300), "slash", `a\b"c`),
	).open(t)
	s.check(t, []row{
		{"node_has_both", "two.node.consul AAAA", "NOERROR aa | two.node.consul. 0 IN AAAA 2001:db8::2"},
		{"service_on_a_node_that_has_both", "dual.service.consul AAAA", "NOERROR aa | dual.service.consul. 0 IN AAAA 2001:db8::2"},
		{"service_has_both", "tagged.service.consul AAAA", "NOERROR aa | tagged.service.consul. 0 IN AAAA 2001:db8::44"},
		{"own_address_hides_that_of_the_node", "own.service.consul AAAA", "NOERROR aa" + none},
		{"an_address_comes_once", "same.service.consul A", "NOERROR aa | same.service.consul. 0 IN A 10.0.0.1"},
		{"a_host_comes_once", "same.service.consul SRV", "NOERROR aa | same.service.consul. 0 IN SRV 1 1 80 one.node.dc1.consul. | same.service.consul. 0 IN SRV 1 1 81 one.node.dc1.consul. | + one.node.dc1.consul. 0 IN A 10.0.0.1"},
		{"mapped_address", "v4in6.node.consul A", "NOERROR aa | v4in6.node.consul. 0 IN A 10.0.0.4"},
		{"service_at_its_own_name", "self.service.consul A", "NOERROR aa | self.service.consul. 0 IN A 10.0.0.1"},
		{"cname_within_the_zone", "inner.service.consul A", "NOERROR aa | inner.service.consul. 0 IN CNAME one.node.consul. | one.node.consul. 0 IN A 10.0.0.1"},
		{"cname_of_a_node", "far.node.consul A", "NOERROR aa | far.node.consul. 0 IN CNAME one.node.dc1.consul. | one.node.dc1.consul. 0 IN A 10.0.0.1"},
		{"cname_chain", "deep1.service.consul A +edns", "NOERROR aa | deep1.service.consul. 0 IN CNAME deep2.service.consul. | deep2.service.consul. 0 IN CNAME deep3.service.consul. | deep3.service.consul. 0 IN CNAME one.node.consul. | one.node.consul. 0 IN A 10.0.0.1"},
		{"cname_chain_is_cut", "deep0.service.consul A +edns", "NOERROR aa | deep0.service.consul. 0 IN CNAME deep1.service.consul. | deep1.service.consul. 0 IN CNAME deep2.service.consul. | deep2.service.consul. 0 IN CNAME deep3.service.consul. | deep3.service.consul. 0 IN CNAME one.node.consul."},
		{"cname_loop_ends", "ping.service.consul A +edns", "NOERROR aa | ping.service.consul. 0 IN CNAME pong.service.consul. | pong.service.consul. 0 IN CNAME ping.service.consul."},
		{"srv_to_a_name_in_the_zone", "inner.service.consul SRV", "NOERROR aa | inner.service.consul. 0 IN SRV 1 1 80 one.node.consul. | + one.node.consul. 0 IN A 10.0.0.1"},
		{"addresses_before_names", "mixed.service.consul A", "NOERROR aa | mixed.service.consul. 0 IN A 10.0.0.1"},
		{"what_is_no_name_is_left_out", "broken.service.consul A", "NOERROR aa | broken.service.consul. 0 IN A 10.0.0.9"},
		{"what_is_no_name_is_left_out_of_srv", "broken.service.consul SRV", "NOERROR aa | broken.service.consul. 0 IN SRV 1 1 81 0a000009.addr.dc1.consul. | + 0a000009.addr.dc1.consul. 0 IN A 10.0.0.9"},
		{"no_port", "port.service.consul SRV", "NOERROR aa | port.service.consul. 0 IN SRV 1 1 0 one.node.dc1.consul. | + one.node.dc1.consul. 0 IN A 10.0.0.1"},
		{"node_with_a_space", `under\032score.node.consul A`, `NOERROR aa | under\ score.node.consul. 0 IN A 10.0.0.6`},
		{"node_that_is_no_label", "long.service.consul SRV", "NOERROR aa | long.service.consul. 0 IN SRV 1 1 80 0a000007.addr.dc1.consul. | + 0a000007.addr.dc1.consul. 0 IN A 10.0.0.7"},
		{"long_text_is_cut", "meta.node.consul TXT", `NOERROR aa | meta.node.consul. 0 IN TXT "big=` + strings.Repeat("v", 251) + `" "` + strings.Repeat("v", 49) + `" | meta.node.consul. 0 IN TXT "slash=a\\b\"c"`},
	})
}

func TestDomains(t *testing.T) {
	newStage(t, func(cfg *Config) {
		cfg.Domain, cfg.AltDomain = "Example.Consul.", "consul."
		cfg.Datacenter = "DC1"
	}).put(t, population()...).open(t).check(t, []row{
		{"many_labels", "primary.db.service.example.consul SRV", "NOERROR aa | primary.db.service.example.consul. 0 IN SRV 1 1 5432 ext.node.dc1.example.consul. | + ext.node.dc1.example.consul. 0 IN A 10.1.2.3"},
		{"alternate", "primary.db.service.consul SRV", "NOERROR aa | primary.db.service.consul. 0 IN SRV 1 1 5432 ext.node.dc1.consul. | + ext.node.dc1.consul. 0 IN A 10.1.2.3"},
		{"soa_of_the_alternate", "nope.service.consul A", "NXDOMAIN aa" + none},
		{"ns_of_the_alternate", "consul NS", "NOERROR aa | consul. 0 IN NS srv1.node.dc1.consul. | + srv1.node.dc1.consul. 0 IN A 127.0.0.1"},
		{"ptr_has_the_domain", "3.2.1.10.in-addr.arpa PTR", "NOERROR aa | 3.2.1.10.in-addr.arpa. 0 IN PTR ext.node.dc1.example.consul."},
		{"datacenter_in_any_case", "ext.node.dc1.consul A", "NOERROR aa | ext.node.dc1.consul. 0 IN A 10.1.2.3"},
	})
}

func TestTTLs(t *testing.T) {
	newStage(t, func(cfg *Config) {
		cfg.DNS.NodeTTL = 10 * time.Second
		cfg.DNS.ServiceTTL = map[string]time.Duration{"DB": 5 * time.Second, "d*": 6 * time.Second, "we*": 7 * time.Second, "*": 9 * time.Second}
		cfg.DNS.SOA = messages.SOAConfig{Refresh: 1, Retry: 2, Expire: 3, MinTTL: 4}
	}).put(t, population()...).put(t, service("ext", "dock", 1), service("ext", "other", 1)).open(t).check(t, []row{
		{"node", "ext.node.consul A", "NOERROR aa | ext.node.consul. 10 IN A 10.1.2.3"},
		{"addr", "0a010203.addr.consul A", "NOERROR aa | 0a010203.addr.consul. 10 IN A 10.1.2.3"},
		{"ns", "consul NS", "NOERROR aa | consul. 10 IN NS srv1.node.dc1.consul. | + srv1.node.dc1.consul. 10 IN A 127.0.0.1"},
		{"exact_service", "primary.db.service.consul SRV", "NOERROR aa | primary.db.service.consul. 5 IN SRV 1 1 5432 ext.node.dc1.consul. | + ext.node.dc1.consul. 5 IN A 10.1.2.3"},
		{"glob", "dock.service.consul A", "NOERROR aa | dock.service.consul. 6 IN A 10.1.2.3"},
		{"longest_glob", "v1.WEB.service.consul A", "NOERROR aa | v1.WEB.service.consul. 7 IN A 127.0.0.5"},
		{"any_service", "other.service.consul A", "NOERROR aa | other.service.consul. 9 IN A 10.1.2.3"},
		{"ptr", "3.2.1.10.in-addr.arpa PTR", "NOERROR aa | 3.2.1.10.in-addr.arpa. 0 IN PTR ext.node.dc1.consul."},
		{"soa", "nope.node.consul A", "NXDOMAIN aa | ns consul. 4 IN SOA ns.consul. hostmaster.consul. 0 1 2 3 4"},
	})
}

func TestMetadataOff(t *testing.T) {
	newStage(t, func(cfg *Config) { cfg.DNS.NodeMetaTXT = false }).put(t, population()...).open(t).check(t, []row{
		{"not_beside_a", "srv1.node.consul A", "NOERROR aa | srv1.node.consul. 0 IN A 127.0.0.1"},
		{"not_beside_srv", "v2.web.service.consul SRV", "NOERROR aa | v2.web.service.consul. 0 IN SRV 1 2 8081 srv1.node.dc1.consul. | + srv1.node.dc1.consul. 0 IN A 127.0.0.1"},
		{"when_asked_for", "srv1.node.consul TXT", `NOERROR aa | srv1.node.consul. 0 IN TXT "consul-network-segment=" | srv1.node.consul. 0 IN TXT "consul-version=1.19.2"`},
	})
}

// TestServers covers the servers of the gossip pool, which count while the catalog
// has none.
func TestServers(t *testing.T) {
	lan := new(messages.Published[messages.PoolView])
	member := func(name, addr string, status messages.MemberStatus, role string) messages.Member {
		return messages.Member{Name: name, Addr: mustAddr(addr), Status: status, Tags: map[string]string{"role": role, "dc": "dc1", "port": "8300"}}
	}
	s := newStage(t, func(cfg *Config) { cfg.LAN = lan }).put(t, node("x", "10.0.0.1")).open(t)
	s.check(t, []row{{"none", "consul NS", "NOERROR aa"}})
	lan.Publish(&messages.PoolView{Members: []messages.Member{
		member("S1", "10.0.0.1", messages.MemberAlive, "consul"),
		member("s2", "10.0.0.2", messages.MemberFailed, "consul"),
		member("c1", "10.0.0.3", messages.MemberAlive, "node"),
		member("no name", "10.0.0.4", messages.MemberAlive, "consul"),
	}})
	s.check(t, []row{{"pool", "consul NS", "NOERROR aa | consul. 0 IN NS s1.node.dc1.consul. | + s1.node.dc1.consul. 0 IN A 10.0.0.1"}})
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		s.put(t, node(name, "10.0.1.1"), service(name, "consul", 8300))
	}
	s.put(t, check("a", "consul-8300", "critical"), check("b", "consul-8300", "critical"))
	s.check(t, []row{{"catalog", "consul NS", "NOERROR aa | consul. 0 IN NS c.node.dc1.consul. | consul. 0 IN NS d.node.dc1.consul. | consul. 0 IN NS e.node.dc1.consul. | + c.node.dc1.consul. 0 IN A 10.0.1.1 | + d.node.dc1.consul. 0 IN A 10.0.1.1 | + e.node.dc1.consul. 0 IN A 10.0.1.1"}})
}

// TestNotRestored holds a server that has no state yet to saying so.
func TestNotRestored(t *testing.T) {
	newStage(t, nil).open(t).check(t, []row{
		{"node", "x.node.consul A", "SERVFAIL aa"},
		{"ns", "consul NS", "SERVFAIL aa"},
		{"ptr", "1.0.0.10.in-addr.arpa PTR", "SERVFAIL aa"},
		{"other_name", "example.com A", "REFUSED"},
	})
}

func TestShuffles(t *testing.T) {
	s := newStage(t, nil)
	for _, name := range []string{"a", "b", "c"} {
		s.put(t, node(name, "10.0.0."+string(name[0]-'a'+'1')), service(name, "web", 80))
	}
	s.open(t)
	first := map[string]bool{}
	for range 1000 { // all three are first sooner or later
		m := s.ask(t, how{}, "web.service.consul", "A")
		first[m.Answer[0].(*dns.A).A.String()] = true
		if len(first) == 3 {
			return
		}
	}
	t.Errorf("only %v are ever the first", first)
}

func TestEDNS(t *testing.T) {
	s := newStage(t, nil).put(t, population()...).open(t)
	subnet := func(m *dns.Msg) {
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, SourceScope: 7, Address: mustAddr("192.0.2.0").AsSlice()}}
	}
	m := s.ask(t, how{edns: 1232, tweak: subnet}, "ext.node.consul", "A")
	opt := m.IsEdns0()
	if opt == nil || opt.UDPSize() != 1232 || len(opt.Option) != 1 || opt.Option[0].String() != "192.0.2.0/24/0" {
		t.Errorf("OPT is %v, want the size and the subnet of the client", opt)
	}
	if opt := s.ask(t, how{}, "ext.node.consul", "A").IsEdns0(); opt != nil {
		t.Errorf("OPT is %v, but the client has no EDNS", opt)
	}
	m = s.ask(t, how{edns: 1232, tweak: func(m *dns.Msg) { m.IsEdns0().SetVersion(1) }}, "ext.node.consul", "A")
	if m.Rcode != dns.RcodeBadVers || len(m.Answer) > 0 {
		t.Errorf("version 1 is answered with %s, want BADVERS", dns.RcodeToString[m.Rcode])
	}
}

func TestFlagsOfTheQuestion(t *testing.T) {
	s := newStage(t, nil).put(t, population()...).open(t)
	m := s.ask(t, how{tweak: func(m *dns.Msg) { m.RecursionDesired, m.CheckingDisabled = false, true }}, "ext.node.consul", "A")
	if m.RecursionDesired || !m.CheckingDisabled {
		t.Error("RD and CD are not those of the question")
	}
	if m := s.ask(t, how{}, "ext.node.consul", "A"); !m.RecursionDesired || m.RecursionAvailable {
		t.Error("RD is not that of the question, or RA is set without recursors")
	}
	m = s.ask(t, how{tweak: func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }}, "version.bind", "TXT")
	if m.Rcode != dns.RcodeRefused {
		t.Errorf("another class is answered with %s, want REFUSED", dns.RcodeToString[m.Rcode])
	}
}
