package autopilot

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/actor-consul/consul/messages"
)

// raftVersion is the least raft protocol in which servers are known by their IDs.
const raftVersion = 3

// A resident is a server as the LAN pool has it.
type resident struct {
	messages.Server
	// contested says that another live server claims the same ID or address and that
	// the peer set gives neither of them right. Nothing is done about such a server
	// until a person has.
	contested bool
}

func (r *resident) alive() bool { return r != nil && r.Status == messages.MemberAlive }

// settled reports whether it is known who the server is and where.
func (r *resident) settled() bool { return r.alive() && !r.contested }

func (r *resident) describe() string {
	return fmt.Sprintf("server %q (ID %q, %s)", r.Name, r.ID, r.Addr)
}

// roster is who the servers of a datacenter are by the word of the LAN pool.
type roster struct {
	byID     map[string]*resident
	problems []string // what a person has to mend, naming all sides
}

// readRoster finds out which server each ID is. An ID that is held by a live member
// is that one's, whatever else the pool remembers of it: a server may come back
// under another name.
func readRoster(members []messages.Member, datacenter string, peers []messages.RaftServer) roster {
	r := roster{byID: map[string]*resident{}}
	claims := map[string][]messages.Server{}
	for _, m := range members {
		s, ok := m.Server()
		if !ok || s.ID == "" || s.Datacenter != datacenter {
			continue
		}
		if s.RaftVsn < raftVersion {
			r.problems = append(r.problems, fmt.Sprintf(
				"server %q (%s) speaks raft protocol %d and cannot be in the peer set, which needs %d; upgrade it, or set its raft_protocol to %d",
				s.Name, s.Addr, s.RaftVsn, raftVersion, raftVersion))
			continue
		}
		claims[s.ID] = append(claims[s.ID], s)
	}
	for _, id := range slices.Sorted(maps.Keys(claims)) {
		r.byID[id] = r.occupant(id, claims[id], addressOf(peers, id))
	}
	r.contestAddresses(peers)
	return r
}

// standing orders the claims on an ID: who lives comes before who may come back, and
// who may come back before who has gone for good.
func standing(s messages.MemberStatus) int {
	order := []messages.MemberStatus{messages.MemberAlive, messages.MemberLeaving, messages.MemberFailed, messages.MemberLeft}
	if i := slices.Index(order, s); i >= 0 {
		return i
	}
	return len(order)
}

// occupant decides which of the members that claim an ID has it.
func (r *roster) occupant(id string, claims []messages.Server, known string) *resident {
	slices.SortFunc(claims, func(a, b messages.Server) int {
		return cmp.Or(cmp.Compare(standing(a.Status), standing(b.Status)), cmp.Compare(a.Name, b.Name))
	})
	alive := slices.DeleteFunc(slices.Clone(claims), func(s messages.Server) bool { return s.Status != messages.MemberAlive })
	if len(alive) < 2 {
		return &resident{Server: claims[0]}
	}
	var sides []string
	holder := -1
	for i, s := range alive {
		sides = append(sides, fmt.Sprintf("%q (%s)", s.Name, s.Addr))
		if at(known, s.Addr) {
			holder = i
		}
	}
	verdict := "the peer set is left as it is"
	if holder >= 0 {
		verdict = fmt.Sprintf("the peer set keeps %q", alive[holder].Name)
	}
	r.problems = append(r.problems, fmt.Sprintf("node ID %q is claimed by the servers %s; %s; remove the file node-id from the data directory of all but one of them and start them again",
		id, strings.Join(sides, " and "), verdict))
	if holder < 0 {
		return &resident{Server: alive[0], contested: true}
	}
	return &resident{Server: alive[holder]}
}

// contestAddresses finds live servers that claim one address. Whom the peer set has
// there stays there.
func (r *roster) contestAddresses(peers []messages.RaftServer) {
	byAddr := map[netip.AddrPort][]*resident{}
	for _, id := range slices.Sorted(maps.Keys(r.byID)) {
		if s := r.byID[id]; s.alive() {
			byAddr[s.Addr] = append(byAddr[s.Addr], s)
		}
	}
	addrs := slices.SortedFunc(maps.Keys(byAddr), netip.AddrPort.Compare)
	for _, addr := range addrs {
		rivals := byAddr[addr]
		if len(rivals) < 2 {
			continue
		}
		var sides []string
		verdict := "the peer set is left as it is"
		for _, s := range rivals {
			sides = append(sides, fmt.Sprintf("%q (ID %q)", s.Name, s.ID))
			if s.contested = s.contested || !at(addressOf(peers, s.ID), addr); !s.contested {
				verdict = fmt.Sprintf("the peer set keeps %q there", s.Name)
			}
		}
		r.problems = append(r.problems, fmt.Sprintf("address %s is claimed by the servers %s; %s; give each an address or a server port of its own",
			addr, strings.Join(sides, " and "), verdict))
	}
}

// addressOf returns where the peer set has a server; "" when it is not in it.
func addressOf(peers []messages.RaftServer, id string) string {
	for _, p := range peers {
		if p.ID == id {
			return p.Address
		}
	}
	return ""
}

// at reports whether an address of the peer set is that one.
func at(known string, addr netip.AddrPort) bool {
	if known == addr.String() {
		return true
	}
	k, err := netip.ParseAddrPort(known)
	return err == nil && k.Port() == addr.Port() && k.Addr().Unmap() == addr.Addr().Unmap()
}
