package dns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages/wire"
)

// executeTimeout is how long a prepared query may take: resolvers do not wait longer.
const executeTimeout = 5 * time.Second

var errTooManyQueries = errors.New("too many prepared queries are carried out; this one is not")

// execute returns what has prepared queries carried out for a client, or says what they
// found; nil if nobody can. It runs on the goroutine of the client's query, and waits.
func (s *server) execute(low *dns.Msg, client netip.Addr, set *settings) func(name, dc string) (*wire.PreparedQueryExecuteResponse, error) {
	if s.cfg.Execute == nil {
		return nil
	}
	source := sourceOf(low, client)
	return func(name, dc string) (*wire.PreparedQueryExecuteResponse, error) {
		found, err := s.reliable.ask(lookup{kind: kindQuery, name: name, datacenter: dc}, set, func() (word, error) {
			found, err := s.executeNow(&wire.PreparedQueryExecuteRequest{
				Datacenter: dc, QueryIDOrName: name,
				Source:       wire.QuerySource{Ip: source},
				Agent:        wire.QuerySource{Datacenter: s.cfg.Datacenter, Node: s.cfg.NodeName},
				QueryOptions: wire.QueryOptions{AllowStale: set.AllowStale},
			}, set)
			return word{query: found}, err
		})
		return found.query, err
	}
}

// queries returns what lists the names of prepared queries, or nil if nobody can.
func (s *server) queries() func(dc string) ([]string, error) {
	if s.cfg.QueryNames == nil {
		return nil
	}
	return func(dc string) ([]string, error) {
		free, err := s.begin()
		if err != nil {
			return nil, err
		}
		defer free()
		ctx, cancel := context.WithTimeout(s.ctx, rememberAfter)
		defer cancel()
		return s.cfg.QueryNames(ctx, dc)
	}
}

// begin takes one of the places of what servers are asked about prepared queries, and
// returns what gives it back.
func (s *server) begin() (free func(), err error) {
	select {
	case s.executing <- struct{}{}:
		return func() { <-s.executing }, nil
	default:
		return nil, errTooManyQueries
	}
}

// executeNow has a prepared query carried out.
func (s *server) executeNow(args *wire.PreparedQueryExecuteRequest, set *settings) (*wire.PreparedQueryExecuteResponse, error) {
	free, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer free()
	ctx, cancel := context.WithTimeout(s.ctx, executeTimeout)
	defer cancel()
	found, err := s.cfg.Execute(ctx, args)
	if err == nil && set.AllowStale && set.MaxStale > 0 && found.LastContact > set.MaxStale {
		args.AllowStale = false
		found, err = s.cfg.Execute(ctx, args)
	}
	if err != nil {
		s.log.Debug("a prepared query could not be carried out", zap.String("query", args.QueryIDOrName), zap.Error(err))
		return nil, err
	}
	stale(found.LastContact)
	return found, nil
}

// sourceOf returns the address that a query comes from: that of the subnet which a
// resolver asks for, else that of the client.
func sourceOf(low *dns.Msg, client netip.Addr) string {
	if opt := low.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if subnet, ok := o.(*dns.EDNS0_SUBNET); ok {
				return subnet.Address.String()
			}
		}
	}
	if !client.IsValid() {
		return ""
	}
	return client.String()
}

// addressOf returns the address of a client.
func addressOf(client net.Addr) netip.Addr {
	at, _ := netip.ParseAddrPort(client.String())
	return at.Addr().Unmap().WithZone("")
}
