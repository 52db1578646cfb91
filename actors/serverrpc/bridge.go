package serverrpc

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/limits"
	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/messages"
)

// server has the socket of one life of the actor, and the goroutines on it.
// listen, drain and close are the actor's; the goroutines use what is immutable,
// and what is locked.
type server struct {
	cfg     Config
	log     *zap.Logger
	methods map[string]method
	limits  *limits.Refusals

	ctx      context.Context // ends with the server, and everything with it
	end      context.CancelFunc
	draining context.Context
	refuse   context.CancelFunc // begins the drain

	flight    flight
	snapshots gate
	calls     chan net.Conn // connections for gRPC

	mu    sync.Mutex // what is below is used on the goroutines of connections
	peers *peers

	ln net.Listener // the actor's alone; nil: not bound
}

func newServer(cfg Config, log *zap.Logger) *server {
	s := &server{cfg: cfg, log: log, methods: methods(cfg), limits: limits.New(log), snapshots: make(gate, maxSnapshots), calls: make(chan net.Conn), peers: newPeers(cfg.MaxConnsPerClient)}
	s.ctx, s.end = context.WithCancel(context.Background())
	s.draining, s.refuse = context.WithCancel(s.ctx)
	go s.runHTTP2()
	return s
}

// listen binds the address and begins to accept there.
func (s *server) listen(addr string) (net.Addr, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s.ln = ln
	go s.accept(ln)
	return ln.Addr(), nil
}

// drain closes the socket and has done called when no request is under way.
func (s *server) drain(done func(inFlight int)) {
	s.unbind()
	s.flight.drain(done)
	s.refuse()
}

// close ends everything. It does not wait for the goroutines, which hold nothing
// that a successor needs.
func (s *server) close() {
	s.unbind()
	s.end()
}

func (s *server) unbind() {
	if s.ln != nil {
		_ = s.ln.Close()
		s.ln = nil
	}
}

// accept is the goroutine of the socket.
func (s *server) accept(ln net.Listener) {
	const shortest, longest = 5 * time.Millisecond, time.Second
	pause := shortest
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = shortest
			s.admit(nc)
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of files, mostly: it passes
			if pause == shortest {
				s.log.Error("no connection could be accepted, trying again", zap.Error(err))
			}
			select {
			case <-time.After(pause):
			case <-s.ctx.Done():
				return
			}
			pause = min(2*pause, longest)
		}
	}
}

// admit serves a connection, unless its peer has too many.
func (s *server) admit(nc net.Conn) {
	metrics.IncrCounter([]string{"rpc", "accept_conn"}, 1)
	peer := peerOf(nc)
	s.mu.Lock()
	fits := s.peers.opened(peer)
	s.mu.Unlock()
	if !fits {
		s.remark(nc, "closed a connection: its peer has too many; see limits.rpc_max_conns_per_client",
			zap.Int("limit", s.cfg.MaxConnsPerClient))
		_ = nc.Close()
		return
	}
	counted := &counted{Conn: nc, gone: func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.peers.closed(peer)
	}}
	go s.serve(counted)
}

// remark logs something about a peer, if it has not been said lately.
func (s *server) remark(nc net.Conn, text string, fields ...zap.Field) {
	s.mu.Lock()
	news := s.peers.news(remark{peerOf(nc), text}, time.Now())
	s.mu.Unlock()
	if news {
		s.log.Warn(text, append(fields, from(nc))...)
	}
}

// turnAway counts and logs what is refused for the sake of security.
func (s *server) turnAway(nc net.Conn, text string, fields ...zap.Field) {
	metrics.IncrCounter([]string{"rpc", "refused"}, 1)
	s.remark(nc, text, fields...)
}

// handToRaft gives a connection away.
func (s *server) handToRaft(nc net.Conn) {
	metrics.IncrCounter([]string{"rpc", "raft_handoff"}, 1)
	s.cfg.Raft.Tell(&messages.RaftConnAccepted{Conn: nc})
}

// counted is a connection that is counted until it is closed, whoever does it.
type counted struct {
	net.Conn
	once sync.Once
	gone func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.gone)
	return err
}

// CloseWrite says that nothing more will be written, where the connection can say so.
func (c *counted) CloseWrite() error { return frame.CloseWrite(c.Conn) }

// peerOf returns whose connection it is; the zero value when there is no telling.
func peerOf(nc net.Conn) netip.Addr {
	tcp, ok := nc.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap()
}

func from(nc net.Conn) zap.Field { return zap.Stringer("from", nc.RemoteAddr()) }
