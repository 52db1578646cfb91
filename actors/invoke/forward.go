package invoke

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// ErrNoServers is returned by a client agent that knows no server of its
// datacenter. Clients match the text.
var ErrNoServers = errors.New("No known Consul servers")

// An Unsent error says that a call did not reach its server, so that nothing has
// been done and another may be asked. Config.Call returns it.
type Unsent struct{ Err error }

// Error implements error.
func (u *Unsent) Error() string { return u.Err.Error() }

// Unwrap returns why.
func (u *Unsent) Unwrap() error { return u.Err }

// otherLeader returns where the leader is reached, if it has to answer and is
// somebody else. A stale read is for this server, unless that has nothing yet.
func (inv *Invoker) otherLeader(args wire.Request) string {
	s := inv.cfg.Status.Load()
	if inv.cfg.Call == nil || s == nil || s.Leads() {
		return ""
	}
	if args.AllowStaleRead() && inv.cfg.View().LastIndex() > 0 {
		return ""
	}
	return s.LeaderAddr
}

// throughServer has any server of this datacenter carry out a method.
func (inv *Invoker) throughServer(ctx context.Context, method string, args wire.Request, reply any) error {
	return inv.hold(ctx, func() error {
		servers := inv.servers(inv.cfg.Datacenter)
		if len(servers) == 0 {
			return ErrNoServers
		}
		_, err := inv.oneOf(ctx, servers, method, args, reply)
		return err
	})
}

// elsewhere has a server of another datacenter carry out a method.
func (inv *Invoker) elsewhere(ctx context.Context, dc, method string, args wire.Request, reply any) error {
	servers := inv.servers(dc)
	if inv.cfg.Client && len(servers) == 0 {
		return inv.throughServer(ctx, method, args, reply) // who knows the way
	}
	if len(servers) == 0 {
		return ErrNoPath
	}
	tried, err := inv.oneOf(ctx, servers, method, args, reply)
	if errors.Is(err, messages.ErrNotLeader) { // none could be reached
		return fmt.Errorf("%w: %s", ErrNoPath, strings.Join(tried, "; "))
	}
	return err
}

// oneOf asks one server after the other until one has taken the call. It returns
// what went wrong with those before; ErrNotLeader when nobody has done anything.
func (inv *Invoker) oneOf(ctx context.Context, servers []messages.Server, method string, args wire.Request, reply any) (tried []string, err error) {
	for _, s := range servers {
		err := inv.call(ctx, s.Datacenter, s.Addr.String(), method, args, reply)
		var unsent *Unsent
		if !errors.As(err, &unsent) {
			return tried, err
		}
		tried = append(tried, fmt.Sprintf("%s (%s): %v", s.Name, s.Addr, unsent))
	}
	return tried, messages.ErrNotLeader
}

// call carries a method to a server and makes the error what it was there. A call
// that did not arrive is worth another try: it wraps ErrNotLeader.
func (inv *Invoker) call(ctx context.Context, dc, address, method string, args wire.Request, reply any) error {
	err := inv.cfg.Call(ctx, address, method, args, reply)
	if err == nil {
		return nil
	}
	var unsent *Unsent
	if errors.As(err, &unsent) {
		inv.cfg.Failed.Tell(&messages.ServerFailed{Datacenter: dc, Address: address})
		return errors.Join(err, messages.ErrNotLeader)
	}
	return known(err)
}

// known returns the error of ours that a server's text stands for.
func known(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, messages.ErrNotLeader.Error()), strings.Contains(text, messages.ErrLeaving.Error()):
		return messages.ErrNotLeader // it did nothing; another will
	case strings.Contains(text, messages.ErrNoLeader.Error()):
		return messages.ErrNoLeader
	default:
		return err
	}
}

func (inv *Invoker) servers(dc string) []messages.Server {
	if inv.cfg.Routes == nil {
		return nil
	}
	r := inv.cfg.Routes.Load()
	if r == nil {
		return nil
	}
	return r.Servers[dc]
}
