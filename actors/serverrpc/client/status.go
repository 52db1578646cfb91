package client

import (
	"context"

	"github.com/actor-consul/consul/messages/wire"
)

// AskPeers returns the addresses of the peer set that the server at address has;
// none when it has no peer set yet.
func (p *Pool) AskPeers(ctx context.Context, address string) ([]string, error) {
	var peers []string
	err := p.Call(ctx, address, "Status.Peers", &wire.DCSpecificRequest{}, &peers)
	return peers, err
}

// RaftStats returns how far the server at address is.
func (p *Pool) RaftStats(ctx context.Context, address string) (*wire.RaftStats, error) {
	var stats wire.RaftStats
	if err := p.Call(ctx, address, "Status.RaftStats", &wire.EmptyReadRequest{}, &stats); err != nil {
		return nil, err
	}
	return &stats, nil
}

// RaftConfiguration returns the peer set that the server at address has, whether or
// not somebody leads there.
func (p *Pool) RaftConfiguration(ctx context.Context, address, datacenter string) (*wire.RaftConfigurationResponse, error) {
	args := &wire.DCSpecificRequest{Datacenter: datacenter, QueryOptions: wire.QueryOptions{AllowStale: true}}
	var set wire.RaftConfigurationResponse
	if err := p.Call(ctx, address, "Operator.RaftGetConfiguration", args, &set); err != nil {
		return nil, err
	}
	return &set, nil
}

// RemovePeer has the leader, which is at address, take the server with that ID from
// the peer set.
func (p *Pool) RemovePeer(ctx context.Context, address, id string) error {
	return p.Call(ctx, address, "Peer.Remove", &wire.RemovePeerRequest{ID: id}, &struct{}{})
}

// Ping returns nil when the server at address answers.
func (p *Pool) Ping(ctx context.Context, address string) error {
	return p.Call(ctx, address, "Status.Ping", &wire.EmptyReadRequest{}, &struct{}{})
}
