package messages

import (
	"net/netip"
	"strconv"
	"strings"
)

// A Server is what the tags of a gossip member say of a Consul server.
type Server struct {
	Name       string // of the node, without the datacenter
	ID         string // the node ID, by which raft knows it
	Datacenter string
	Addr       netip.AddrPort // where its RPC (8300) is reached
	Status     MemberStatus
	Bootstrap  bool
	Expect     int // bootstrap_expect; 0 when unset
	RaftVsn    int
	Version    string // such as "1.19.2"
	NonVoter   bool
	TLS        bool
}

// Server reads the tags of a member. It returns false when the member is not a
// server, or its tags make no sense; they come from the network.
func (m Member) Server() (Server, bool) {
	if m.Tags["role"] != "consul" {
		return Server{}, false
	}
	port, err := strconv.ParseUint(m.Tags["port"], 10, 16)
	if err != nil || port == 0 || !m.Addr.IsValid() {
		return Server{}, false
	}
	expect, _ := strconv.Atoi(m.Tags["expect"])
	raft, _ := strconv.Atoi(m.Tags["raft_vsn"])
	dc := m.Tags["dc"]
	build, _, _ := strings.Cut(m.Tags["build"], ":")
	has := func(tag string) bool { _, ok := m.Tags[tag]; return ok }
	return Server{
		Name:       strings.TrimSuffix(m.Name, "."+dc),
		ID:         m.Tags["id"],
		Datacenter: dc,
		Addr:       netip.AddrPortFrom(m.Addr, uint16(port)),
		Status:     m.Status,
		Bootstrap:  has("bootstrap"),
		Expect:     expect,
		RaftVsn:    raft,
		Version:    build,
		NonVoter:   has("nonvoter") || has("read_replica"),
		TLS:        has("use_tls"),
	}, true
}
