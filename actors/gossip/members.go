package gossip

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"

	"github.com/actor-consul/consul/messages"
)

// memberOf copies a member of Serf's. The map of tags is shared: Serf replaces it
// and never writes to it.
func memberOf(m serf.Member) messages.Member {
	return messages.Member{
		Name:        m.Name,
		Addr:        addrOf(m.Addr),
		Port:        m.Port,
		Tags:        m.Tags,
		Status:      statusOf(m.Status),
		ProtocolMin: m.ProtocolMin,
		ProtocolMax: m.ProtocolMax,
		ProtocolCur: m.ProtocolCur,
		DelegateMin: m.DelegateMin,
		DelegateMax: m.DelegateMax,
		DelegateCur: m.DelegateCur,
	}
}

func membersOf(all []serf.Member) []messages.Member {
	members := make([]messages.Member, len(all))
	for i, m := range all {
		members[i] = memberOf(m)
	}
	return members
}

// nodeMember is the member that a node of memberlist's will be, once it is one.
// The node comes from the network.
func nodeMember(n *memberlist.Node) (messages.Member, error) {
	m := messages.Member{Name: n.Name, Addr: addrOf(n.Addr), Port: n.Port, Status: messages.MemberAlive}
	switch n.State {
	case memberlist.StateDead:
		m.Status = messages.MemberFailed
	case memberlist.StateLeft:
		m.Status = messages.MemberLeft
	}
	if !m.Addr.IsValid() {
		return m, fmt.Errorf("refused the agent %q: its address has %d bytes, not 4 or 16", n.Name, len(n.Addr))
	}
	tags, err := decodeTags(n.Meta)
	if err != nil {
		return m, fmt.Errorf("refused the agent %q at %s: %w", n.Name, address(m), err)
	}
	m.Tags = tags
	return m, nil
}

func statusOf(s serf.MemberStatus) messages.MemberStatus {
	switch s {
	case serf.StatusAlive:
		return messages.MemberAlive
	case serf.StatusLeaving:
		return messages.MemberLeaving
	case serf.StatusLeft:
		return messages.MemberLeft
	case serf.StatusFailed:
		return messages.MemberFailed
	default:
		return messages.MemberNone
	}
}

func changeOf(t serf.EventType) (messages.MembershipChange, bool) {
	switch t {
	case serf.EventMemberJoin:
		return messages.Joined, true
	case serf.EventMemberLeave:
		return messages.Left, true
	case serf.EventMemberFailed:
		return messages.Failed, true
	case serf.EventMemberUpdate:
		return messages.Updated, true
	case serf.EventMemberReap:
		return messages.Reaped, true
	default:
		return "", false
	}
}

// addrOf returns the zero Addr when ip is neither of the two kinds.
func addrOf(ip net.IP) netip.Addr {
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}

// address is where a member is reached, as host:port.
func address(m messages.Member) string {
	return netip.AddrPortFrom(m.Addr, m.Port).String()
}
