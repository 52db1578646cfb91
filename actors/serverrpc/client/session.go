package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/actor-consul/consul/actors/serverrpc/frame"
)

// maxIdleStreams is how many streams of a connection are kept for the next call.
const maxIdleStreams = 64

// session is a connection to a server, or the attempt to make one.
type session struct {
	pool    *Pool
	address string

	made chan struct{} // closed when what follows is set
	mux  *frame.Mux
	err  error

	ours atomic.Bool // the end, since the connection was whole when it was closed

	// What the lock of the pool protects.
	users int
	idle  *time.Timer // runs while there are no users

	mu   sync.Mutex
	free []*stream // at rest
}

// dial makes the connection, for all who wait for it.
func (s *session) dial() {
	defer close(s.made)
	ctx, cancel := context.WithTimeout(s.pool.ctx, s.pool.cfg.DialTimeout)
	defer cancel()
	if s.mux, s.err = s.connect(ctx); s.err != nil {
		s.err = fmt.Errorf("connect to the server at %s: %w", s.address, s.err)
		s.pool.drop(s)
		return
	}
	go s.watch()
}

// watch tells of the end of the connection when it is not ours. It ends with it.
func (s *session) watch() {
	<-s.mux.Done()
	if lost := s.pool.cfg.Lost; lost != nil && !s.ours.Load() {
		lost(s.address)
	}
}

func (s *session) connect(ctx context.Context) (*frame.Mux, error) {
	conn, err := s.pool.cfg.Dial(ctx, s.address)
	if err != nil {
		return nil, err
	}
	if err := begin(ctx, conn, frame.MultiplexV2); err != nil {
		_ = conn.Close()
		return nil, err
	}
	mux := frame.NewClient(conn, s.pool.log)
	if _, secure := conn.(*tls.Conn); !secure {
		return mux, nil
	}
	if err := knock(ctx, mux); err != nil {
		if cause := mux.Cause(); cause != nil {
			err = cause
		}
		_ = mux.Close()
		return nil, fmt.Errorf("the server does not go on with TLS, perhaps since it does not trust our certificate: %w", err)
	}
	return mux, nil
}

// knock waits until the other side has answered. In TLS 1.3 it may refuse our
// certificate when we have long begun; what is sent until then would be neither done
// nor known not to be.
func knock(ctx context.Context, mux *frame.Mux) error {
	answered := make(chan error, 1)
	go func() { answered <- mux.Ping() }()
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// broken says whether the connection is made and is gone again.
func (s *session) broken() bool {
	select {
	case <-s.made:
		return s.err != nil || s.mux.Broken()
	default:
		return false
	}
}

// stopIdle is called with the lock of the pool.
func (s *session) stopIdle() {
	if s.idle != nil {
		s.idle.Stop()
		s.idle = nil
	}
}

// close waits for the attempt to connect to end, which the end of the pool hastens.
func (s *session) close() {
	<-s.made
	if s.mux != nil {
		if s.mux.Cause() == nil { // it has one once it is closed, whoever did that
			s.ours.Store(true)
		}
		_ = s.mux.Close()
	}
}

// stream takes a stream that is at rest, or opens one.
func (s *session) stream(ctx context.Context) (*stream, error) {
	if s.mux.Broken() {
		return nil, net.ErrClosed
	}
	s.mu.Lock()
	if n := len(s.free); n > 0 {
		st := s.free[n-1]
		s.free = s.free[:n-1]
		s.mu.Unlock()
		return st, nil
	}
	s.mu.Unlock()
	return s.open(ctx)
}

// open opens a stream. The library does that without a context: it waits for a
// server that has not acknowledged the last few hundred.
func (s *session) open(ctx context.Context) (*stream, error) {
	type opened struct {
		conn *frame.Stream
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		conn, err := s.mux.Open()
		done <- opened{conn, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, o.err
		}
		return &stream{session: s, conn: o.conn, in: frame.NewReader(o.conn, frame.ReplyLimits(s.pool.cfg.MaxReply))}, nil
	case <-ctx.Done():
		go func() {
			if o := <-done; o.err == nil {
				_ = o.conn.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// rest keeps a stream for the next call.
func (s *session) rest(st *stream) {
	s.mu.Lock()
	full := len(s.free) >= maxIdleStreams
	if !full {
		s.free = append(s.free, st)
	}
	s.mu.Unlock()
	if full {
		_ = st.conn.Close()
	}
}
