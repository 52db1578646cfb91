package http

import (
	"net/http"
	"time"

	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/operator/autopilot about the servers:
// https://developer.hashicorp.com/consul/api-docs/operator/autopilot. The leader
// answers.
var (
	autopilotHealth = duty[wire.DCSpecificRequest, wire.AutopilotHealthReply]{
		do: invoke.ServerHealth, args: inDatacenter, show: showHealth,
	}.handle

	autopilotState = duty[wire.DCSpecificRequest, wire.AutopilotState]{
		do: invoke.AutopilotState, args: inDatacenter, show: showState,
	}.handle
)

// serverHealth is the health of a server as the API shows it.
type serverHealth struct {
	ID          string
	Name        string
	Address     string
	SerfStatus  string
	Version     string
	Leader      bool
	LastContact duration
	LastTerm    uint64
	LastIndex   uint64
	Healthy     bool
	Voter       bool
	StableSince time.Time
}

// showHealth shows the health of all servers. The status is there for monitors that
// look at nothing else.
func showHealth(_ *request, reply *wire.AutopilotHealthReply) (*answer, error) {
	shown := struct {
		Healthy          bool
		FailureTolerance int
		Servers          []serverHealth
	}{reply.Healthy, reply.FailureTolerance, []serverHealth{}}
	for _, s := range reply.Servers {
		shown.Servers = append(shown.Servers, serverHealth{
			ID:          s.ID,
			Name:        s.Name,
			Address:     s.Address,
			SerfStatus:  string(messages.MemberStatusOf(s.SerfStatus)),
			Version:     s.Version,
			Leader:      s.Leader,
			LastContact: duration(s.LastContact),
			LastTerm:    s.LastTerm,
			LastIndex:   s.LastIndex,
			Healthy:     s.Healthy,
			Voter:       s.Voter,
			StableSince: s.StableSince,
		})
	}
	ans := with(shown)
	if !shown.Healthy {
		ans.status = http.StatusTooManyRequests
	}
	return ans, nil
}

// serverState is a server of the peer set as the API shows it.
type serverState struct {
	ID          string
	Name        string
	Address     string
	NodeStatus  string
	Version     string
	LastContact duration
	LastTerm    uint64
	LastIndex   uint64
	Healthy     bool
	StableSince time.Time
	ReadReplica bool
	Status      wire.RaftSuffrage
	Meta        map[string]string
	NodeType    string
}

func showState(_ *request, reply *wire.AutopilotState) (*answer, error) {
	servers := make(map[string]serverState, len(reply.Servers))
	for id, s := range reply.Servers {
		servers[id] = serverState{
			ID:          s.Server.ID,
			Name:        s.Server.Name,
			Address:     s.Server.Address,
			NodeStatus:  s.Server.NodeStatus,
			Version:     s.Server.Version,
			LastContact: duration(s.Stats.LastContact),
			LastTerm:    s.Stats.LastTerm,
			LastIndex:   s.Stats.LastIndex,
			Healthy:     s.Health.Healthy,
			StableSince: s.Health.StableSince,
			ReadReplica: s.Server.NodeType == "read-replica",
			Status:      s.State,
			Meta:        s.Server.Meta,
			NodeType:    s.Server.NodeType,
		}
	}
	return with(struct {
		Healthy                    bool
		FailureTolerance           int
		OptimisticFailureTolerance int // with redundancy zones it would be more
		Servers                    map[string]serverState
		Leader                     string
		Voters                     []string
	}{reply.Healthy, reply.FailureTolerance, reply.FailureTolerance, servers, reply.Leader, reply.Voters}), nil
}
