package http

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/limits"
	"github.com/actor-consul/consul/messages"
)

// conns counts the open connections of each client. Connections beyond the limit
// are accepted and answered with 429, over TLS too: a connection that is just
// closed leaves nobody the wiser.
//
// It is called on the goroutines of net/http, hence the lock; nothing is done
// under it but counting.
type conns struct {
	settings *messages.Published[messages.HTTPConfig]
	limits   *limits.Refusals

	mu   sync.Mutex
	open map[netip.Addr]int
	held map[net.Conn]bool // not net/http's for now, but open
}

func newConns(settings *messages.Published[messages.HTTPConfig], refusals *limits.Refusals) *conns {
	return &conns{settings: settings, limits: refusals, open: map[netip.Addr]int{}, held: map[net.Conn]bool{}}
}

// refusedKey marks the context of a connection whose requests are refused.
type refusedKey struct{}

// refused reports whether a request came over a connection too many.
func refused(ctx context.Context) bool { return ctx.Value(refusedKey{}) != nil }

// opened counts a new connection; it is net/http's ConnContext.
func (c *conns) opened(ctx context.Context, conn net.Conn) context.Context {
	client, ok := clientOf(conn)
	if !ok {
		return ctx
	}
	limit := c.settings.Load().MaxConnsPerClient
	c.mu.Lock()
	if c.held[conn] { // it comes back, and has been counted all the time
		delete(c.held, conn)
		c.mu.Unlock()
		return ctx
	}
	c.open[client]++
	open := c.open[client]
	c.mu.Unlock()

	switch judge(open, limit) {
	case refuse:
		ctx = context.WithValue(ctx, refusedKey{}, true)
		c.complainOf(client, limit)
	case drop:
		conn.Close()
		c.complainOf(client, limit)
	}
	return ctx
}

// changed forgets a connection that is gone; it is net/http's ConnState.
func (c *conns) changed(conn net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	client, ok := clientOf(conn)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone(client)
}

func (c *conns) gone(client netip.Addr) {
	if c.open[client]--; c.open[client] <= 0 {
		delete(c.open, client)
	}
}

// again counts a connection that was taken from net/http, as long as it is open.
func (c *conns) again(conn net.Conn) {
	if client, ok := clientOf(conn); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.open[client]++
		c.held[conn] = true
	}
}

// rename says that a connection which was taken comes back as another.
func (c *conns) rename(old, conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[old] {
		delete(c.held, old)
		c.held[conn] = true
	}
}

// release closes a connection that was taken and does not come back.
func (c *conns) release(conn net.Conn) {
	conn.Close()
	if client, ok := clientOf(conn); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.held, conn)
		c.gone(client)
	}
}

func (c *conns) complainOf(client netip.Addr, limit int) {
	metrics.IncrCounter([]string{"api", "http", "connections_refused"}, 1)
	c.limits.Refused("http_max_conns_per_client", "refusing connections of a client that has too many; see http_max_conns_per_client",
		zap.Stringer("client", client), zap.Int("most", limit))
}

// clientOf returns whose connection it is. One that is not TCP has no address and
// no limit.
func clientOf(conn net.Conn) (netip.Addr, bool) {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	return tcp.AddrPort().Addr().Unmap(), true
}
