package leader

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// entry is what the catalog has of one node: the pieces that membership writes.
type entry struct {
	node   *wire.Node        // nil when the node is not there
	serf   *wire.HealthCheck // nil when it has no serfHealth
	consul *wire.NodeService // nil when it does not offer "consul"
}

// A change is one write that brings the catalog in line with the membership, and
// the line that tells of it. One of the requests is set.
type change struct {
	register   *wire.RegisterRequest
	deregister *wire.DeregisterRequest
	news       string
}

// self is the leader itself: what it may not deregister, and where it is.
type self struct {
	name       string
	datacenter string
}

// judge compares a member with what the catalog has of it and returns the write
// that is due, or nil.
//
// A member that is alive passes, one that has failed is critical and stays, one
// that has left goes, as https://developer.hashicorp.com/consul/docs/concept/gossip
// and the page "Run the Agent" say.
func (s self) judge(m messages.Member, has entry) *change {
	switch m.Status {
	case messages.MemberAlive:
		return s.alive(m, has)
	case messages.MemberFailed:
		return s.failed(m, has)
	case messages.MemberLeft:
		return s.left(m, has)
	default: // leaving: what comes of it will be told
		return nil
	}
}

// impostor returns the write that takes the node from the catalog that has the name
// of a member, and is another: an agent that lost its data directory, or the state
// of another cluster that was restored here. While the catalog regards that node as
// healthy, it would let nobody else say what the node of this name is.
func (s self) impostor(m messages.Member, has entry) *change {
	id := m.Tags["id"]
	if m.Status != messages.MemberAlive || id == "" || has.node == nil || has.node.ID == "" || strings.EqualFold(has.node.ID, id) {
		return nil
	}
	return &change{
		deregister: &wire.DeregisterRequest{Datacenter: s.datacenter, Node: m.Name},
		news: "member '" + m.Name + "' is the node " + id + ", and the catalog has " + has.node.ID +
			" under its name, deregistering that one",
	}
}

// living returns the names of the members that are alive, by the IDs of their nodes.
func living(members []messages.Member) map[string]string {
	names := make(map[string]string, len(members))
	for _, m := range members {
		if id := m.Tags["id"]; m.Status == messages.MemberAlive && id != "" {
			names[strings.ToLower(id)] = m.Name
		}
	}
	return names
}

// namesake returns the member whose node the catalog has under the name of m, when that
// is another one and alive: to gossip, names that differ in case only are two, and to the
// catalog they are one. Whoever has it keeps it.
func namesake(m messages.Member, has entry, alive map[string]string) (name string, ok bool) {
	if has.node == nil || has.node.ID == "" || strings.EqualFold(has.node.ID, m.Tags["id"]) {
		return "", false
	}
	name, ok = alive[strings.ToLower(has.node.ID)]
	return name, ok && strings.EqualFold(name, m.Name)
}

func (s self) alive(m messages.Member, has entry) *change {
	service := s.service(m)
	want := s.registration(m, service)
	if has.node != nil &&
		has.serf != nil && has.serf.Status == wire.HealthPassing && has.serf.Output == wire.SerfCheckAliveOutput &&
		(service == nil || sameService(has.consul, service)) {
		return nil
	}
	return &change{register: want, news: "member '" + m.Name + "' joined, marking health alive"}
}

// failed marks the node of a member that has failed. One that is not there stays so: it
// may be that its agent goes on under another name, and who writes a node by its ID
// renames it.
func (s self) failed(m messages.Member, has entry) *change {
	if has.node == nil || has.serf != nil && has.serf.Status == wire.HealthCritical {
		return nil
	}
	return &change{
		register: s.critical(has.node),
		news:     "member '" + m.Name + "' failed, marking health critical",
	}
}

// critical is the write that marks a node as one that does not answer, and changes
// nothing else of it.
func (s self) critical(node *wire.Node) *wire.RegisterRequest {
	return &wire.RegisterRequest{
		Datacenter:     s.datacenter,
		Node:           node.Node,
		ID:             node.ID,
		Address:        node.Address,
		Check:          serfHealth(node.Node, wire.HealthCritical, wire.SerfCheckFailedOutput),
		SkipNodeUpdate: true,
	}
}

func (s self) left(m messages.Member, has entry) *change {
	if m.Name == s.name || has.node == nil {
		return nil // a leader does not write itself off: who leads next does
	}
	return &change{
		deregister: &wire.DeregisterRequest{Datacenter: s.datacenter, Node: m.Name},
		news:       "member '" + m.Name + "' left, deregistering",
	}
}

func (s self) registration(m messages.Member, service *wire.NodeService) *wire.RegisterRequest {
	return &wire.RegisterRequest{
		Datacenter: s.datacenter,
		Node:       m.Name,
		ID:         m.Tags["id"],
		Address:    m.Addr.String(),
		Service:    service,
		Check:      serfHealth(m.Name, wire.HealthPassing, wire.SerfCheckAliveOutput),
		// What a node that is there already says of itself, its addresses and
		// metadata, it writes itself, also when it has moved. What was read of it here
		// may be older than what it has just written.
		SkipNodeUpdate: true,
	}
}

// serfHealth is the check of a node that says how its membership is.
func serfHealth(node, status, output string) *wire.HealthCheck {
	return &wire.HealthCheck{Node: node, CheckID: wire.SerfCheckID, Name: wire.SerfCheckName, Status: status, Output: output}
}

// service returns the service that a server offers, or nil for a client.
func (s self) service(m messages.Member) *wire.NodeService {
	server, ok := m.Server()
	if !ok {
		return nil
	}
	meta := map[string]string{
		"version":               server.Version,
		"raft_version":          strconv.Itoa(server.RaftVsn),
		"serf_protocol_current": strconv.Itoa(int(m.ProtocolCur)),
		"serf_protocol_min":     strconv.Itoa(int(m.ProtocolMin)),
		"serf_protocol_max":     strconv.Itoa(int(m.ProtocolMax)),
		"non_voter":             strconv.FormatBool(server.NonVoter),
		"read_replica":          strconv.FormatBool(server.NonVoter),
	}
	if p := m.Tags["grpc_port"]; p != "" {
		meta["grpc_port"] = p
	}
	if p := m.Tags["grpc_tls_port"]; p != "" {
		meta["grpc_tls_port"] = p
	}
	return &wire.NodeService{
		ID:      wire.ConsulServiceID,
		Service: wire.ConsulServiceName,
		Port:    int(server.Addr.Port()),
		Weights: &wire.Weights{Passing: 1, Warning: 1},
		Meta:    meta,
		Tags:    []string{},
	}
}

func sameService(a, b *wire.NodeService) bool {
	return a != nil && a.Service == b.Service && a.Port == b.Port && a.Address == b.Address &&
		maps.Equal(a.Meta, b.Meta) && slices.Equal(a.Tags, b.Tags)
}

// comings returns the servers among the members that have come or gone, and notes
// them in known. A server is one, in whichever pool it is seen.
func comings(known map[string]messages.Server, members []messages.Member) (news []messages.Server) {
	for _, m := range members {
		s, ok := m.Server()
		if !ok {
			continue
		}
		key := s.Name + "." + s.Datacenter
		before, was := known[key]
		switch {
		case s.Status == messages.MemberAlive && (!was || before.Addr != s.Addr):
			known[key] = s
			news = append(news, s)
		case s.Status != messages.MemberAlive && was:
			delete(known, key)
			news = append(news, s)
		}
	}
	return news
}
