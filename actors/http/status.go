package http

import (
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/status: https://developer.hashicorp.com/consul/api-docs/status.
// They are answered from what this server sees, or one that a client agent asks,
// leader or not: they are how one finds out that there is none.
var (
	// statusLeader answers with the address of the leader, "" when none is known.
	statusLeader = duty[wire.DCSpecificRequest, string]{
		do: invoke.StatusLeader, args: inDatacenter,
		show: func(_ *request, reply *string) (*answer, error) { return with(*reply), nil },
	}.handle

	// statusPeers answers with the addresses of the peer set.
	statusPeers = duty[wire.DCSpecificRequest, []string]{
		do: invoke.StatusPeers, args: inDatacenter,
		show: func(_ *request, reply *[]string) (*answer, error) { return with(orEmpty(*reply)), nil },
	}.handle
)

// servers returns the members of a pool that are alive and servers.
func servers(view *messages.PoolView) []messages.Member {
	if view == nil {
		return nil
	}
	var found []messages.Member
	for _, m := range view.Members {
		if m.Tags["role"] == "consul" && m.Status == messages.MemberAlive {
			found = append(found, m)
		}
	}
	return found
}
