package http

import (
	"cmp"
	"net/http"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/operator/raft:
// https://developer.hashicorp.com/consul/api-docs/operator/raft.
var (
	raftConfiguration = duty[wire.DCSpecificRequest, wire.RaftConfigurationResponse]{
		do: invoke.RaftGetConfiguration, args: inDatacenter, alone: true,
		show: func(r *request, reply *wire.RaftConfigurationResponse) (*answer, error) {
			introduce(r, reply.Servers)
			return with(reply), nil
		},
	}.handle

	raftTransferLeader = duty[wire.TransferLeaderRequest, struct{}]{
		do: invoke.TransferLeader,
		args: func(r *request, args *wire.TransferLeaderRequest) error {
			args.Datacenter, args.ID = r.datacenter(), r.param("id")
			return nil
		},
		show: func(*request, *struct{}) (*answer, error) { return with(struct{ Success bool }{true}), nil },
	}.handle

	raftRemoveByID = duty[wire.RaftRemovePeerRequest, struct{}]{
		do: invoke.RaftRemovePeerByID, args: peerToRemove, show: removed,
	}.handle
	raftRemoveByAddress = duty[wire.RaftRemovePeerRequest, struct{}]{
		do: invoke.RaftRemovePeerByAddress, args: peerToRemove, show: removed,
	}.handle
)

// raftRemovePeer takes a server out of the peer set. Clients match the texts.
func raftRemovePeer(r *request) (*answer, error) {
	id, address := r.param("id") != "", r.param("address") != ""
	switch {
	case id && address:
		return nil, refusal(http.StatusBadRequest, "Must specify only one of ?id or ?address")
	case id:
		return raftRemoveByID(r)
	case address:
		return raftRemoveByAddress(r)
	default:
		return nil, refusal(http.StatusBadRequest, "Must specify either ?id with the server's ID or ?address with IP:port of peer to remove")
	}
}

func peerToRemove(r *request, args *wire.RaftRemovePeerRequest) error {
	args.Datacenter, args.ID, args.Address = r.datacenter(), r.param("id"), r.param("address")
	return nil
}

func removed(*request, *struct{}) (*answer, error) { return nothing, nil }

// raftRecovery answers with what this server could do when its peer set has lost its
// quorum for good, or does it. It is ours, and not Consul's.
func raftRecovery(confirm bool) handler {
	return func(r *request) (*answer, error) {
		if !r.api.cfg.Facts.Server {
			return nil, refusal(http.StatusBadRequest, "This agent is a client and has no peer set; ask one of the servers that are left")
		}
		plan, err := ask.Do(r.Context(), r.api.cfg.Raft, &messages.RecoverPeers{Confirm: confirm})
		if err != nil {
			return nil, err
		}
		return with(plan), nil
	}
}

// introduce names the servers that whoever answered does not know and this agent
// does, such as those that have failed.
func introduce(r *request, servers []*wire.RaftServer) {
	view := load(r.api.cfg.LANView)
	if view == nil {
		return
	}
	for _, s := range servers {
		if s.Node != invoke.Unknown {
			continue
		}
		for _, m := range view.Members {
			if m.Tags["role"] == "consul" && m.Tags["id"] == s.ID {
				s.Node, s.ProtocolVersion = m.Name, cmp.Or(m.Tags["raft_vsn"], s.ProtocolVersion)
			}
		}
	}
}
