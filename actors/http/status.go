package http

import (
	"net"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/status: https://developer.hashicorp.com/consul/api-docs/status.
// They are answered from what this agent sees, leader or not: they are how one finds
// out that there is none.

// statusLeader answers with the address of the leader, "" when none is known.
func statusLeader(r *request) (*answer, error) {
	if err := r.here(); err != nil {
		return nil, err
	}
	if s := load(r.api.cfg.RaftStatus); s != nil {
		return with(s.LeaderAddr), nil
	}
	return with(""), nil
}

// statusPeers answers with the addresses of the servers: on a server, the peer set,
// on a client, those in its pool.
func statusPeers(r *request) (*answer, error) {
	if err := r.here(); err != nil {
		return nil, err
	}
	peers := []string{}
	if !r.api.cfg.Facts.Server {
		for _, m := range servers(load(r.api.cfg.LANView)) {
			peers = append(peers, rpcAddress(m))
		}
		return with(peers), nil
	}
	config, err := ask.Do(r.Context(), r.api.cfg.Raft, &messages.GetRaftConfiguration{})
	if err != nil {
		return nil, err
	}
	for _, s := range config.Servers {
		peers = append(peers, s.Address)
	}
	return with(peers), nil
}

// here reads the options of a request that only this agent can answer, and refuses
// one that is for another datacenter.
func (r *request) here() error {
	var opts wire.QueryOptions
	if err := r.options(&opts); err != nil {
		return err
	}
	if r.datacenter() != r.api.cfg.Facts.Datacenter {
		return invoke.ErrNoPath
	}
	return nil
}

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

// rpcAddress returns where a server is reached by other agents.
func rpcAddress(m messages.Member) string {
	return net.JoinHostPort(m.Addr.String(), m.Tags["port"])
}
