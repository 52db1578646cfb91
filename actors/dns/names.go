package dns

import (
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// The names below are under a domain that ends in a dot, and are in the form in
// which miekg/dns wants them.

// nodeName returns the name of a node of a datacenter, and whether DNS can carry it: a node may be
// called anything.
func nodeName(node, datacenter, domain string) (string, bool) {
	name := escape(node) + ".node." + datacenter + "." + domain
	_, ok := dns.IsDomainName(name)
	return name, ok
}

// serviceName returns the name of a service, and whether DNS can carry it.
func serviceName(service, dc, domain string) (string, bool) {
	name := escape(service) + ".service." + dc + "." + domain
	_, ok := dns.IsDomainName(name)
	return name, ok
}

// addrName returns the name that spells an address.
func addrName(addr netip.Addr, datacenter, domain string) string {
	return hex.EncodeToString(addr.AsSlice()) + ".addr." + datacenter + "." + domain
}

// escape keeps a backslash from being read as the start of an escape.
func escape(s string) string { return strings.ReplaceAll(s, `\`, `\\`) }

// hostName says whether a name is made of what the names of hosts are made of.
func hostName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	})
}
