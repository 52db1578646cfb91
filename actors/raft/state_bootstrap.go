package raft

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/actor-consul/consul/messages"
)

// expectation is what a server that was started with bootstrap_expect waits for.
type expectation struct {
	servers    int    // bootstrap_expect
	self       string // our node ID
	datacenter string // empty: whatever the members say
}

// A verdict is what the pool means for an expectation. With neither peers nor a
// problem there is nothing to do but to wait for more members.
type verdict struct {
	peers   []messages.RaftServer // the first peer set, by ID
	problem string                // why there can be none, for a person to mend
}

// judge returns the peer set to begin with, once as many voting servers are alive
// in the LAN pool as all of them expect. What the tags mean is Consul's: see
// https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file/bootstrap.
func (e expectation) judge(pool *messages.PoolView) verdict {
	if pool == nil {
		return verdict{}
	}
	var peers []messages.RaftServer
	voters, weAreHere := 0, false
	for _, m := range pool.Members {
		if !e.counts(m) {
			continue
		}
		if problem := e.conflict(m); problem != "" {
			return verdict{problem: problem}
		}
		s, err := serverOf(m)
		if err != nil {
			return verdict{problem: err.Error()}
		}
		peers = append(peers, s)
		weAreHere = weAreHere || s.ID == e.self
		if s.Voter {
			voters++
		}
	}
	if voters < e.servers || !weAreHere {
		return verdict{}
	}
	slices.SortFunc(peers, func(a, b messages.RaftServer) int { return cmp.Compare(a.ID, b.ID) })
	return verdict{peers: peers}
}

// counts reports whether m is a live server of our datacenter.
func (e expectation) counts(m messages.Member) bool {
	return m.Status == messages.MemberAlive && isServer(m) &&
		(e.datacenter == "" || m.Tags["dc"] == e.datacenter)
}

// conflict returns why m and we cannot begin a peer set together.
func (e expectation) conflict(m messages.Member) string {
	if _, ok := m.Tags["bootstrap"]; ok {
		return fmt.Sprintf("member %s has bootstrap set, so it begins a peer set of its own and will take this server in; "+
			"unset bootstrap_expect here, or bootstrap there", m.Name)
	}
	if expect := m.Tags["expect"]; expect != "" && expect != strconv.Itoa(e.servers) {
		return fmt.Sprintf("member %s expects %s servers and this one %d; give bootstrap_expect the same value on all of them",
			m.Name, expect, e.servers)
	}
	return ""
}

func isServer(m messages.Member) bool { return m.Tags["role"] == "consul" }

// serverOf returns the peer that a member's tags describe.
func serverOf(m messages.Member) (messages.RaftServer, error) {
	port, err := strconv.ParseUint(m.Tags["port"], 10, 16)
	if err != nil || port == 0 || m.Tags["id"] == "" {
		return messages.RaftServer{}, fmt.Errorf("member %s says that it is a server, but its tags have no node ID and server port that make sense (id %q, port %q)",
			m.Name, m.Tags["id"], m.Tags["port"])
	}
	_, nonvoter := m.Tags["nonvoter"]
	_, replica := m.Tags["read_replica"]
	return messages.RaftServer{
		ID:      m.Tags["id"],
		Address: netip.AddrPortFrom(m.Addr, uint16(port)).String(),
		Voter:   !nonvoter && !replica,
	}, nil
}

// addressOf returns where the pool says that a server is. An address changes more
// often than the peer set hears of it.
func addressOf(pool *messages.PoolView, id string) (string, bool) {
	if pool == nil {
		return "", false
	}
	for _, m := range pool.Members {
		if isServer(m) && m.Tags["id"] == id && m.Status == messages.MemberAlive {
			s, err := serverOf(m)
			return s.Address, err == nil
		}
	}
	return "", false
}
