package http

import (
	"net"
	"net/http"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/actor-consul/consul/actors/limits"
	"github.com/actor-consul/consul/messages"
)

// caller is a connection of which only the other end's address is known.
type caller struct {
	net.Conn
	from   net.Addr
	closed bool
}

func (c *caller) RemoteAddr() net.Addr { return c.from }
func (c *caller) Close() error         { c.closed = true; return nil }

func TestConns(t *testing.T) {
	var settings messages.Published[messages.HTTPConfig]
	settings.Publish(&messages.HTTPConfig{MaxConnsPerClient: 1})
	core, logs := observer.New(zap.WarnLevel)
	c := newConns(&settings, limits.New(zap.New(core)))

	// The same client, by its two names.
	names := []net.IP{net.IPv4(10, 0, 0, 1).To4(), net.ParseIP("::ffff:10.0.0.1")}
	var open []*caller
	for i := range 3 + refusable {
		conn := &caller{from: &net.TCPAddr{IP: names[i%2], Port: i}}
		over := refused(c.opened(t.Context(), conn))
		if want := i >= 1 && i < 1+refusable; over != want || conn.closed != (i > refusable) {
			t.Errorf("connection %d: refused %t, closed %t", i, over, conn.closed)
		}
		open = append(open, conn)
	}
	if n := logs.Len(); n != 1 {
		t.Errorf("%d complaints in the log, want one", n)
	}
	for _, conn := range open {
		c.changed(conn, http.StateActive)
		c.changed(conn, http.StateClosed)
	}
	if len(c.open) != 0 {
		t.Errorf("counted after the end: %v", c.open)
	}
	if local := (&caller{from: &net.UnixAddr{}}); refused(c.opened(t.Context(), local)) {
		t.Error("a connection without an address was refused")
	}
}
