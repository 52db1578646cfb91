package invoke

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-metrics"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// The reasons for which nobody was asked. Clients match the texts.
var (
	// ErrNoServers is returned by a client agent that knows no server of its
	// datacenter.
	ErrNoServers = wire.ErrNoServers
	// ErrNoPath is returned for a datacenter that is not known.
	ErrNoPath = wire.ErrNoDCPath
	// ErrUnavailable is returned for a datacenter none of whose servers was reached.
	// What wraps it says which they are, and what was wrong with each.
	ErrUnavailable = wire.ErrDCNotAvailable
)

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
	if args.AllowStaleRead() && inv.knows() {
		return ""
	}
	return s.LeaderAddr
}

// throughServer has any server of this datacenter carry out a method. Nothing is
// waited for when at once says so.
func (inv *Invoker) throughServer(ctx context.Context, m endpoint.Method, args wire.Request, reply any) error {
	try := func() error {
		metrics.IncrCounter([]string{"client", "rpc"}, 1)
		servers := inv.servers(inv.cfg.Datacenter)
		if len(servers) == 0 {
			metrics.IncrCounter([]string{"client", "rpc", "failed"}, 1)
			return ErrNoServers
		}
		return inv.oneOf(ctx, servers, m.Name(), args, reply)
	}
	if anywhere(m) {
		return try()
	}
	return inv.hold(ctx, try)
}

// elsewhere has a server of another datacenter carry out a method.
func (inv *Invoker) elsewhere(ctx context.Context, dc string, m endpoint.Method, args wire.Request, reply any) error {
	servers, err := inv.serversOf(dc)
	if err != nil {
		return err
	}
	if len(servers) == 0 {
		return inv.throughServer(ctx, m, args, reply) // who knows the way
	}
	metrics.IncrCounterWithLabels([]string{"rpc", "cross-dc"}, 1, []metrics.Label{{Name: "datacenter", Value: dc}})
	return unavailable(inv.oneOf(ctx, servers, m.Name(), args, reply))
}

// serversOf returns the servers of another datacenter that can be asked. On a client
// agent, which is in no WAN pool, there are none, and its own servers know the way.
// Elsewhere the error says that nobody knows the datacenter, or who was there.
func (inv *Invoker) serversOf(dc string) ([]messages.Server, error) {
	routes := inv.routes()
	servers, lost := routes.Servers[dc], routes.Failed[dc]
	switch {
	case len(servers) > 0 || inv.cfg.Client:
		return servers, nil
	case len(lost) == 0:
		return nil, ErrNoPath
	}
	gone := &unreached{}
	for _, s := range lost {
		gone.add(s, errGossipFailed)
	}
	return nil, unavailable(gone)
}

// errGossipFailed is why a server is not asked that the WAN pool has given up.
var errGossipFailed = errors.New("the WAN pool regards it as failed")

// unavailable makes the error of a datacenter of which no server was reached.
func unavailable(err error) error {
	var none *unreached
	if errors.As(err, &none) {
		return fmt.Errorf("%w: %w", ErrUnavailable, none)
	}
	return err
}

// unreached is the error of a request that no server has taken: nothing was done.
type unreached struct{ tried []string }

func (u *unreached) add(s messages.Server, why error) {
	u.tried = append(u.tried, fmt.Sprintf("%s (%s): %v", s.Name, s.Addr, why))
}

// Error implements error.
func (u *unreached) Error() string { return strings.Join(u.tried, "; ") }

// oneOf asks one server after the other until one has taken the call. When none has,
// the error is an *unreached, which says whom it asked.
//
// A server that has waited in vain for a leader may be cut off from the others, or be a
// stranger. Those after it are asked if they know one; if none does, nobody leads.
func (inv *Invoker) oneOf(ctx context.Context, servers []messages.Server, method string, args wire.Request, reply any) error {
	none := &unreached{}
	var leaderless error
	for i, s := range servers {
		if leaderless != nil && !inv.knowsLeader(ctx, s) {
			continue
		}
		attempt, end := share(ctx, len(servers)-i, args)
		err := inv.callWhile(attempt, func() time.Duration { return inv.lost(s) }, s.Datacenter, s.Addr.String(), method, args, reply)
		late := attempt.Err() != nil && ctx.Err() == nil
		end()
		switch {
		case late && err != nil: // it had its share of the time
			inv.failed(s)
		case errors.Is(err, messages.ErrNotLeader): // nothing was done
		case errors.Is(err, messages.ErrNoLeader) && leaderless == nil && args.RequestDatacenter() == s.Datacenter:
			inv.failed(s)
			leaderless = err
		default: // it has answered
			return err
		}
		none.add(s, err)
	}
	if leaderless != nil {
		return leaderless
	}
	if inv.cfg.Client {
		metrics.IncrCounter([]string{"client", "rpc", "failed"}, 1)
	}
	return none
}

// failed has a server be asked after the others from now on.
func (inv *Invoker) failed(s messages.Server) {
	inv.cfg.Failed.Tell(&messages.ServerFailed{Datacenter: s.Datacenter, Address: s.Addr.String()})
}

// leaderTimeout is how long a server may take to say who leads. It knows, or does not.
const leaderTimeout = time.Second

// knowsLeader reports whether a server says that somebody leads.
func (inv *Invoker) knowsLeader(ctx context.Context, s messages.Server) bool {
	ctx, cancel := context.WithTimeout(ctx, leaderTimeout)
	defer cancel()
	var leader string
	err := inv.call(ctx, s.Datacenter, s.Addr.String(), StatusLeader.Name(), &wire.DCSpecificRequest{Datacenter: s.Datacenter}, &leader)
	return err == nil && leader != ""
}

// share returns the part of the asker's time that one of so many servers has, so that
// one that is silent does not use up all of it. Only reads, which may be asked again,
// are cut short, and only those that do not wait for news.
func share(ctx context.Context, servers int, args wire.Request) (context.Context, context.CancelFunc) {
	deadline, limited := ctx.Deadline()
	r, read := args.(wire.Read)
	if !limited || !read || servers < 2 || r.Options().MinQueryIndex > 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(servers))
}

// call carries a method to a server and makes the error what it was there. A call
// that did not arrive, or that a server has no time for, is worth another try: it
// wraps ErrNotLeader.
func (inv *Invoker) call(ctx context.Context, dc, address, method string, args wire.Request, reply any) error {
	err := inv.cfg.Call(ctx, address, method, args, reply)
	if err == nil {
		return nil
	}
	var unsent *Unsent
	if errors.As(err, &unsent) {
		inv.cfg.Failed.Tell(&messages.ServerFailed{Datacenter: dc, Address: address})
		return retriable{err}
	}
	return known(err)
}

// retriable is an error after which nothing was done, and another server may be asked.
type retriable struct{ error }

// Unwrap returns what happened, and what to do about it.
func (r retriable) Unwrap() []error { return []error{r.error, messages.ErrNotLeader} }

// worded is an error in a server's own words that stands for one of ours.
type worded struct {
	error error
	is    error
}

// Error implements error.
func (w worded) Error() string { return w.error.Error() }

// Unwrap returns both.
func (w worded) Unwrap() []error { return []error{w.error, w.is} }

// known returns the error of ours that a server's text stands for.
func known(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, messages.ErrNotLeader.Error()), strings.Contains(text, messages.ErrLeaving.Error()):
		return retriable{err} // it did nothing; another will
	case strings.Contains(text, ErrUnavailable.Error()):
		return worded{err, ErrUnavailable}
	case strings.Contains(text, ErrNoPath.Error()):
		return worded{err, ErrNoPath}
	case strings.Contains(text, messages.ErrNoLeader.Error()):
		return worded{err, messages.ErrNoLeader}
	default:
		return err
	}
}

func (inv *Invoker) servers(dc string) []messages.Server { return inv.routes().Servers[dc] }

// routes returns the newest routes; empty ones before there are any.
func (inv *Invoker) routes() *messages.Routes {
	if inv.cfg.Routes != nil {
		if r := inv.cfg.Routes.Load(); r != nil {
			return r
		}
	}
	return &messages.Routes{}
}
