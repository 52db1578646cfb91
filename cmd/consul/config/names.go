package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// cloudPattern finds the provider in an entry such as "provider=aws tag_key=consul".
var cloudPattern = regexp.MustCompile(`\bprovider=([a-z0-9]+)`)

// joins expands the addresses to join.
func (r *resolver) joins() {
	r.join("start_join", &r.StartJoin)
	r.join("start_join_wan", &r.StartJoinWAN)
	r.join("retry_join", &r.RetryJoin)
	r.join("retry_join_wan", &r.RetryJoinWAN)
}

func (r *resolver) join(key string, field *[]string) {
	var all []string
	for i, entry := range *field {
		if cloud := cloudPattern.FindStringSubmatch(entry); cloud != nil { // the entry may hold credentials: do not show it
			r.warn(key, "%s[%d]: cloud auto-join (provider=%s) is not supported; the entry is left out", key, i, cloud[1])
			continue
		}
		if strings.TrimSpace(entry) == "" {
			r.bad(key, "has an empty address")
		}
		all = append(all, r.expand(key, entry)...)
	}
	*field = all
}

// zonePattern is a DNS name that ends in a dot.
var zonePattern = regexp.MustCompile(`^([a-z0-9_-]{1,63}\.)+$`)

// domains makes the zones canonical.
func (r *resolver) domains() {
	r.Domain = r.zone("domain", r.Domain)
	if r.Domain == "" {
		r.bad("domain", "cannot be empty")
	}
	if r.AltDomain = r.zone("alt_domain", r.AltDomain); r.AltDomain == "" {
		return
	}
	first, _, _ := strings.Cut(r.AltDomain, ".")
	if slices.Contains([]string{"service", "connect", "node", "query", "addr", r.Datacenter}, first) {
		r.bad("alt_domain", "cannot start with {service,connect,node,query,addr,%s}", r.Datacenter)
	}
}

func (r *resolver) zone(key, name string) string {
	if name == "" {
		return ""
	}
	zone := strings.ToLower(strings.TrimSuffix(name, ".")) + "."
	if !zonePattern.MatchString(zone) {
		r.bad(key, "cannot be %q. Must be a DNS name", name)
	}
	return zone
}

// recursorPort is where DNS is served (RFC 1035).
const recursorPort = 53

// recursors gives every recursor a port.
func (r *resolver) recursors() {
	var all []string
	for _, entry := range r.Recursors {
		for _, text := range r.expand("recursors", entry) {
			if at, ok := r.recursor(text); ok {
				all = appendOnce(all, at)
			}
		}
	}
	r.Recursors = all
}

func (r *resolver) recursor(text string) (string, bool) {
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		a, ok := parseIP(text)
		if !ok {
			r.bad("recursors", "has %q. Must be ip or ip:port", text)
			return "", false
		}
		at = netip.AddrPortFrom(a, recursorPort)
	}
	if at.Addr().IsUnspecified() {
		r.known(errRecursorAny)
		return "", false
	}
	return at.String(), true
}
