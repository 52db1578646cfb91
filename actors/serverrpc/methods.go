package serverrpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// method is something that can be asked. args and reply of run come from newArgs
// and newReply.
type method struct {
	name     string
	newArgs  func() wire.Request
	newReply func() any
	run      func(ctx context.Context, args wire.Request, reply any) error
	servers  bool // nobody but servers needs it, so nobody else gets it
}

// methods returns what can be asked: every endpoint, the duties of the leader, what
// each server reports, and what is only for other servers.
func methods(cfg Config) map[string]method {
	h := &here{cfg}
	all := map[string]method{}
	for _, m := range slices.Concat(endpoint.Methods, invoke.Duties, invoke.Reports) {
		all[m.Name()] = method{name: m.Name(), newArgs: m.NewArgs, newReply: m.NewReply, run: func(ctx context.Context, args wire.Request, reply any) error {
			return cfg.Invoker.InvokeFor(ctx, m, args, reply)
		}}
	}
	for _, m := range []method{
		own(h, "Status.Ping", h.ping),
		forServers(own(h, "Status.RaftStats", h.raftStats)),
		forServers(own(h, "Peer.Remove", h.removePeer)),
	} {
		all[m.name] = m
	}
	return all
}

// here carries out what is about this server.
type here struct{ cfg Config }

// pointer is a pointer to arguments.
type pointer[A any] interface {
	*A
	wire.Request
}

// own makes a method of ours. One that is for another datacenter goes there.
func own[A, R any, P pointer[A]](h *here, name string, run func(context.Context, *A, *R) error) method {
	m := method{name: name, newArgs: func() wire.Request { return P(new(A)) }, newReply: func() any { return new(R) }}
	m.run = func(ctx context.Context, args wire.Request, reply any) error {
		if dc := args.RequestDatacenter(); dc != "" && dc != h.cfg.Datacenter {
			return h.cfg.Invoker.Invoke(ctx, elsewhere{m}, args, reply)
		}
		return run(ctx, (*A)(args.(P)), reply.(*R))
	}
	return m
}

func forServers(m method) method {
	m.servers = true
	return m
}

// elsewhere is a method of ours for an Invoker, which only carries it to another
// datacenter.
type elsewhere struct{ method }

var _ endpoint.Method = elsewhere{}

// Name implements endpoint.Method.
func (e elsewhere) Name() string { return e.name }

// NewArgs implements endpoint.Method.
func (e elsewhere) NewArgs() wire.Request { return e.newArgs() }

// NewReply implements endpoint.Method.
func (e elsewhere) NewReply() any { return e.newReply() }

// ping shows that the server is there.
func (h *here) ping(context.Context, *wire.EmptyReadRequest, *struct{}) error { return nil }

// raftStats answers how far this server is, for the leader's autopilot.
func (h *here) raftStats(_ context.Context, _ *wire.EmptyReadRequest, reply *wire.RaftStats) error {
	s := h.cfg.Status.Load()
	if s == nil || s.Stats == nil {
		return messages.ErrUnavailable
	}
	stats := s.Stats()
	var err error
	number := func(name string) uint64 {
		n, parseErr := strconv.ParseUint(stats[name], 10, 64)
		if parseErr != nil && err == nil {
			err = fmt.Errorf("raft's %s is %q: %w", name, stats[name], parseErr)
		}
		return n
	}
	*reply = wire.RaftStats{
		LastContact: stats["last_contact"],
		LastTerm:    number("last_log_term"),
		LastIndex:   number("last_log_index"),
	}
	return err
}

// removePeer takes a server from the peer set, if this one leads.
func (h *here) removePeer(ctx context.Context, args *wire.RemovePeerRequest, _ *struct{}) error {
	if args.ID == "" {
		return errors.New("Peer.Remove needs the ID of a server")
	}
	_, err := ask.Do(ctx, h.cfg.Raft, &messages.RemovePeer{ID: args.ID})
	return err
}
