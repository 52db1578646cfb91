package raft

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// firstByte is what a connection to port 8300 begins with when raft is meant.
const firstByte = 1

// acceptQueue is how many connections may wait for raft, which takes them at once.
const acceptQueue = 64

// stream gives raft its connections: those that come in are handed over by the
// actor, those that go out are dialled. When it is closed, so are all of them: the
// library would wait for peers that do not answer.
type stream struct {
	addr     net.Addr
	dial     func(context.Context, string) (net.Conn, error)
	accepted chan net.Conn

	done context.Context // ends when the stream is closed
	end  context.CancelFunc

	mu   sync.Mutex // used by the goroutines of the transport
	open map[*tracked]struct{}
}

var _ raft.StreamLayer = (*stream)(nil)

func newStream(advertise string, dial func(context.Context, string) (net.Conn, error)) *stream {
	s := &stream{
		addr:     advertised(advertise),
		dial:     dial,
		accepted: make(chan net.Conn, acceptQueue),
		open:     map[*tracked]struct{}{},
	}
	s.done, s.end = context.WithCancel(context.Background())
	return s
}

// hand gives raft a connection that came in. It never blocks: what is too much is
// closed, and the peer tries again.
func (s *stream) hand(conn net.Conn) {
	conn, err := s.track(conn)
	if err != nil {
		return
	}
	select {
	case s.accepted <- conn:
	default:
		_ = conn.Close()
	}
}

// Accept implements net.Listener.
func (s *stream) Accept() (net.Conn, error) {
	select {
	case conn := <-s.accepted:
		return conn, nil
	case <-s.done.Done():
		return nil, net.ErrClosed
	}
}

// Dial implements raft.StreamLayer.
func (s *stream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.done, timeout)
	defer cancel()
	conn, err := s.dial(ctx, string(address))
	if err != nil {
		return nil, err
	}
	return s.track(conn)
}

// Close implements net.Listener.
func (s *stream) Close() error {
	s.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		_ = conn.Conn.Close()
	}
	clear(s.open)
	return nil
}

// tracked is a connection that its stream can close.
type tracked struct {
	net.Conn
	of *stream
}

// track takes note of a connection, or closes it if it comes too late.
func (s *stream) track(conn net.Conn) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done.Err() != nil {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	t := &tracked{conn, s}
	s.open[t] = struct{}{}
	return t, nil
}

// Close implements net.Conn.
func (t *tracked) Close() error {
	t.of.mu.Lock()
	delete(t.of.open, t)
	t.of.mu.Unlock()
	return t.Conn.Close()
}

// Addr implements net.Listener. The library takes it for our address as a peer.
func (s *stream) Addr() net.Addr { return s.addr }

// advertised is an address that is not to be resolved.
type advertised string

// Network implements net.Addr.
func (advertised) Network() string { return "tcp" }

// String implements net.Addr.
func (a advertised) String() string { return string(a) }

// dialTCP opens a connection to a peer's port 8300 and asks for raft.
func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte{firstByte}); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("ask %s for raft: %w", address, err)
	}
	return conn, nil
}
