package rpc

import (
	"context"
	"errors"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/agentrpc"
)

// Reasons to refuse a command here, in Consul's words.
var (
	errJoinWANNotServer = errors.New("Must be a server to join WAN cluster")
	errKeyringNotServer = errors.New("keyring operations must run against a server node")
	errNoWAN            = errors.New("this server has no WAN pool: ports.serf_wan is -1")
)

// commands does what the commands ask for. Its methods run on the goroutines of
// connections: they read what is published, and ask.
type commands struct{ cfg Config }

func (d commands) membersLAN(context.Context, none) (agentrpc.MembersResponse, error) {
	view := d.cfg.LANView.Load()
	if view == nil {
		return agentrpc.MembersResponse{}, messages.ErrUnavailable
	}
	return members(view), nil
}

// membersWAN answers with nobody where there is no WAN pool, as Consul does.
func (d commands) membersWAN(context.Context, none) (agentrpc.MembersResponse, error) {
	view := d.wanView()
	if view == nil {
		view = &messages.PoolView{}
	}
	return members(view), nil
}

func (d commands) wanView() *messages.PoolView {
	if d.cfg.WANView == nil {
		return nil
	}
	return d.cfg.WANView.Load()
}

func (d commands) join(ctx context.Context, q agentrpc.JoinRequest) (agentrpc.JoinResponse, error) {
	pool := d.cfg.LAN
	if q.WAN {
		switch pool = d.cfg.WAN; {
		case !d.cfg.Server:
			return agentrpc.JoinResponse{}, errJoinWANNotServer
		case pool.PID() == nil:
			return agentrpc.JoinResponse{}, errNoWAN
		}
	}
	n, err := ask.Do(ctx, pool, &messages.JoinPool{Addresses: q.Existing})
	return agentrpc.JoinResponse{Num: int32(n)}, err
}

// forceLeave asks each pool that knows the member.
func (d commands) forceLeave(ctx context.Context, q agentrpc.ForceLeaveRequest) (none, error) {
	lan, wan := messages.ForceLeaveNames(q.Node, d.cfg.Datacenter, d.cfg.LANView.Load(), d.wanView())
	if lan != "" {
		if _, err := ask.Do(ctx, d.cfg.LAN, &messages.ForceLeave{Node: lan, Prune: q.Prune}); err != nil {
			return none{}, err
		}
	}
	if wan != "" {
		if _, err := ask.Do(ctx, d.cfg.WAN, &messages.ForceLeave{Node: wan, Prune: q.Prune}); err != nil {
			return none{}, err
		}
	}
	return none{}, nil
}

func (d commands) stats(ctx context.Context, _ none) (map[string]map[string]string, error) {
	return d.cfg.Stats(ctx), nil
}

func (d commands) reload(ctx context.Context, _ none) (none, error) {
	_, err := ask.Do(ctx, d.cfg.Supervisor, &messages.Reload{})
	return none{}, err
}

func (d commands) reloadReport(ctx context.Context, _ none) (agentrpc.ReloadResponse, error) {
	report, err := ask.Do(ctx, d.cfg.Supervisor, &messages.Reload{})
	return reloadResponse(report), err
}

func (d commands) actors(ctx context.Context, _ none) (agentrpc.ActorsResponse, error) {
	tree, err := ask.Do(ctx, d.cfg.Supervisor, &messages.ListActors{})
	return actorsResponse(tree), err
}

// keyring returns the command that asks the pools of this server, one after the
// other, to change or to list their keys. What goes wrong in a pool is part of
// the answer.
func (d commands) keyring(verb messages.KeyringVerb) func(context.Context, agentrpc.KeyringRequest) (agentrpc.KeyringResponse, error) {
	return func(ctx context.Context, q agentrpc.KeyringRequest) (agentrpc.KeyringResponse, error) {
		if !d.cfg.Server {
			return agentrpc.KeyringResponse{}, errKeyringNotServer
		}
		var said []poolKeys
		for _, p := range []struct {
			pool messages.Pool
			at   ask.Address
		}{{messages.WAN, d.cfg.WAN}, {messages.LAN, d.cfg.LAN}} {
			if p.at.PID() == nil {
				continue
			}
			changed, err := ask.Do(ctx, p.at, &messages.ChangeKeyring{Verb: verb, Key: q.Key, RelayFactor: q.RelayFactor})
			said = append(said, poolKeys{p.pool, changed, err})
		}
		return keyring(d.cfg.Datacenter, said), nil
	}
}
