package autopilot

import (
	"fmt"
	"maps"
	"slices"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// report returns the state as the world is told. Who meta is asked about, it
// returns the metadata of; it may be nil.
func (s *situation) report(meta func(nodeID string) map[string]string) *wire.AutopilotState {
	state := &wire.AutopilotState{Healthy: true, Leader: s.self, Outnumbered: s.outnumbered(), Servers: make(map[string]*wire.AutopilotServerState, len(s.peers))}
	for _, p := range s.peers {
		one := s.reportOn(p)
		if meta != nil {
			one.Server.Meta = meta(p.ID)
		}
		state.Servers[p.ID] = one
		state.Healthy = state.Healthy && one.Health.Healthy
		switch {
		case p.ID == s.self:
			state.Voters = slices.Insert(state.Voters, 0, p.ID)
		case p.Voter:
			state.Voters = append(state.Voters, p.ID)
		}
	}
	voters, healthy := s.voters()
	state.FailureTolerance = max(healthy-quorum(voters), 0)
	return state
}

func (s *situation) reportOn(p messages.RaftServer) *wire.AutopilotServerState {
	h := s.health[p.ID]
	one := &wire.AutopilotServerState{
		Server: wire.AutopilotServer{
			ID: p.ID, Address: p.Address, NodeStatus: string(messages.MemberNone), NodeType: "voter", IsLeader: p.ID == s.self,
		},
		State:  suffrage(p, s.self),
		Stats:  wire.AutopilotServerStats{LastContact: h.contact, LastTerm: h.term, LastIndex: h.index},
		Health: wire.AutopilotServerHealth{Healthy: h.healthy, StableSince: h.since},
	}
	if r, ok := s.roster.byID[p.ID]; ok {
		one.Server.Name, one.Server.Version = r.Name, r.Version
		one.Server.NodeStatus, one.Server.RaftVersion = string(r.Status), r.RaftVsn
		if r.NonVoter {
			one.Server.NodeType = "read-replica"
		}
	}
	return one
}

func suffrage(p messages.RaftServer, leader string) wire.RaftSuffrage {
	switch {
	case p.ID == leader:
		return wire.RaftLeader
	case p.Voter:
		return wire.RaftVoter
	default:
		return wire.RaftNonVoter
	}
}

// turns returns what to say about servers whose health has changed.
func (s *situation) turns(before map[string]health) (news []string) {
	for _, id := range slices.Sorted(maps.Keys(s.health)) {
		was, known := before[id]
		is := s.health[id]
		if !known || was.healthy == is.healthy {
			continue
		}
		who := s.describe(messages.RaftServer{ID: id, Address: addressOf(s.peers, id)})
		if is.healthy {
			news = append(news, who+" is healthy")
		} else {
			news = append(news, fmt.Sprintf("%s is not healthy: %s", who, is.why))
		}
	}
	return news
}
