package dns

import (
	"math"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/actor-consul/consul/messages/wire"
)

// service answers with the instances of a service that are well.
func (z *zone) service(q *query, l lookup) *response {
	instances := healthy(q.source.instances(q, l), q.set.OnlyPassing)
	switch {
	case len(instances) == 0 && z.endsService(q, l):
		return z.noData(q)
	case len(instances) == 0:
		return z.noName(q)
	case l.srvOnly && q.qtype != dns.TypeSRV:
		return z.noData(q)
	}
	return z.records(q, instances, q.set.serviceTTL(l.name))
}

// endsService says whether names of services end in one that is not found: that of
// a protocol or a tag, as RFC 2782 has names, or the end of a tag with dots.
func (z *zone) endsService(q *query, l lookup) bool {
	if strings.HasPrefix(l.name, "_") {
		return true
	}
	if l.tag == "" {
		return false
	}
	for _, inst := range healthy(q.source.instancesOfAnyTag(q, l), q.set.OnlyPassing) {
		for _, tag := range inst.Service.Tags {
			if endsIn(tag, l.tag) {
				return true
			}
		}
	}
	return false
}

// endsIn says whether a name ends in the labels of another, with more before them.
func endsIn(name, ending string) bool {
	at := len(name) - len(ending) - 1
	return at > 0 && name[at] == '.' && strings.EqualFold(name[at+1:], ending)
}

// records answers with instances, in the form that is asked for.
func (z *zone) records(q *query, instances []*wire.CheckServiceNode, ttl uint32) *response {
	var r *response
	if q.qtype == dns.TypeSRV {
		r = z.srv(q, instances, ttl)
	} else {
		r = z.addresses(q, instances, ttl)
	}
	if len(r.answer) == 0 {
		return z.noData(q)
	}
	return r
}

// instances implements source.
func (ours) instances(q *query, l lookup) wire.CheckServiceNodes {
	var found wire.CheckServiceNodes
	switch {
	case l.kind == kindConnect:
		_, found = q.view.CheckConnectServiceNodes(q.basis.watch, l.name)
	case l.tag != "":
		_, found = q.view.CheckServiceTagNodes(q.basis.watch, l.name, []string{l.tag})
	default:
		_, found = q.view.CheckServiceNodes(q.basis.watch, l.name)
	}
	return found
}

// instancesOfAnyTag implements source.
func (s ours) instancesOfAnyTag(q *query, l lookup) wire.CheckServiceNodes {
	l.tag = ""
	return s.instances(q, l)
}

// healthy returns the instances that have no critical check, and with onlyPassing
// none that warns either.
func healthy(all wire.CheckServiceNodes, onlyPassing bool) []*wire.CheckServiceNode {
	well := make([]*wire.CheckServiceNode, 0, len(all))
instances:
	for i := range all {
		for _, check := range all[i].Checks {
			if check.Status == wire.HealthCritical || onlyPassing && check.Status != wire.HealthPassing {
				continue instances
			}
		}
		well = append(well, &all[i])
	}
	return well
}

// addresses answers with the addresses of instances, each once; with one CNAME, if
// none of them has an address.
func (z *zone) addresses(q *query, instances []*wire.CheckServiceNode, ttl uint32) *response {
	r := &response{answer: make([]dns.RR, 0, len(instances)), free: true, most: q.set.ARecordLimit}
	seen := make(map[netip.Addr]struct{}, len(instances))
	var hosts []string
	for _, inst := range instances {
		at := instanceAt(q, inst)
		addr, ok := parseAddr(at)
		if !ok {
			hosts = append(hosts, at)
		}
		if _, dup := seen[addr]; !ok || dup || !wants(q.qtype, addr) {
			continue
		}
		seen[addr] = struct{}{}
		r.answer = append(r.answer, addressRecord(q.name, addr, ttl))
	}
	if len(r.answer) == 0 {
		return z.anyName(q, hosts, ttl)
	}
	return r
}

// anyName answers with a CNAME to one of the hosts.
func (z *zone) anyName(q *query, hosts []string, ttl uint32) *response {
	switch len(hosts) {
	case 0:
		return &response{}
	case 1:
		return &response{answer: z.cname(q, hosts[0], ttl)}
	default:
		q.basis.fleeting = true // another one the next time
		return &response{answer: z.cname(q, hosts[q.intn(len(hosts))], ttl)}
	}
}

// instanceAt returns where an instance is found: at its own address, else at its
// node's. A service whose address is the very name that was asked for is at its
// node, too; it would lead nowhere.
func instanceAt(q *query, inst *wire.CheckServiceNode) string {
	at := serviceAt(q, inst.Service)
	if at == "" || strings.EqualFold(dns.Fqdn(at), q.name) {
		return nodeAt(q, inst.Node)
	}
	return at
}

// serviceAt returns the address of a service, of the version of IP that a question
// asks for if it has one. It is empty if it is the node's.
func serviceAt(q *query, s *wire.NodeService) string {
	for _, tag := range wantedTags(q) {
		if at := s.TaggedAddresses[tag].Address; at != "" {
			return at
		}
	}
	return s.Address
}

// portOf returns the port of an instance, as an SRV record has it.
func portOf(q *query, s *wire.NodeService) uint16 {
	if at := s.TaggedAddresses[wire.TaggedAddressWAN]; q.wan && at.Port != 0 {
		return port(at.Port)
	}
	return port(s.Port)
}

// srvKey tells the SRV records of instances apart.
type srvKey struct {
	node, address string
	port          int
}

// srv answers with the host and the port of each instance, and the hosts'
// addresses beside. The metadata of nodes comes once for each instance, as
// Consul's does.
func (z *zone) srv(q *query, instances []*wire.CheckServiceNode, ttl uint32) *response {
	n := len(instances)
	r := &response{answer: make([]dns.RR, 0, n), refers: make([][]dns.RR, 0, n), free: true}
	seen := make(map[srvKey]struct{}, n)
	hosts := make(map[string][]dns.RR, n)
	for _, inst := range instances {
		key := srvKey{inst.Node.Node, inst.Service.Address, inst.Service.Port}
		if _, dup := seen[key]; dup {
			continue
		}
		seen[key] = struct{}{}
		target, addr := z.target(q, inst)
		if target == "" {
			continue
		}
		r.answer = append(r.answer, &dns.SRV{
			Hdr:      header(q.name, dns.TypeSRV, ttl),
			Priority: 1,
			Weight:   weight(inst),
			Port:     portOf(q, inst.Service),
			Target:   target,
		})
		at, known := hosts[target]
		if !known {
			at = z.hostRecords(q, target, addr, ttl)
			hosts[target] = at
		}
		r.refers = append(r.refers, at)
		if q.set.NodeMetaTXT && len(inst.Node.Meta) > 0 {
			if name, ok := nodeName(inst.Node.Node, q.datacenter, q.domain); ok {
				r.meta = append(r.meta, metaRecords(name, inst.Node, ttl)...)
			}
		}
	}
	return r
}

// hostRecords returns the address records of the host that an SRV record names:
// addr, or what the name leads to.
func (z *zone) hostRecords(q *query, target string, addr netip.Addr, ttl uint32) []dns.RR {
	if addr.IsValid() {
		return []dns.RR{addressRecord(target, addr, ttl)}
	}
	return z.chase(q, target, ttl)
}

// target returns the host of an instance as an SRV record names it, and its
// address unless it is to be looked up. The host is the node, or a name that
// spells the address if that is the service's own, or if DNS cannot carry the
// node's name. It is empty if the instance is nowhere.
func (z *zone) target(q *query, inst *wire.CheckServiceNode) (string, netip.Addr) {
	at := instanceAt(q, inst)
	addr, ok := parseAddr(at)
	if !ok {
		name, ok := domainName(at)
		if !ok {
			return "", netip.Addr{}
		}
		return name, netip.Addr{}
	}
	if own := serviceAt(q, inst.Service); own == "" || at != own {
		if name, ok := nodeName(inst.Node.Node, q.datacenter, q.domain); ok {
			return name, addr
		}
	}
	return addrName(addr, q.datacenter, q.domain), addr
}

// weight is the weight of an instance by the worst of its checks.
func weight(inst *wire.CheckServiceNode) uint16 {
	w := wire.Weights{Passing: 1, Warning: 1}
	if inst.Service.Weights != nil {
		w = *inst.Service.Weights
	}
	for _, check := range inst.Checks {
		if check.Status == wire.HealthWarning {
			return clamp(w.Warning)
		}
	}
	return clamp(w.Passing)
}

func clamp(n int) uint16 { return uint16(min(max(n, 0), math.MaxUint16)) }

// port is a port as an SRV record has it: 0 for none, and for what is no port.
func port(n int) uint16 {
	if n < 0 || n > math.MaxUint16 {
		return 0
	}
	return uint16(n)
}
