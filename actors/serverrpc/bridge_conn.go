package serverrpc

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/hashicorp/yamux"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/serverrpc/frame"
)

// maxStreams is how many streams a multiplexed connection may have open; one
// stream is one request at a time of a client agent, blocking queries included.
const maxStreams = 4096

// serve is the goroutine of a connection. It owns the connection until that is
// closed, or raft's.
func (s *server) serve(raw net.Conn) {
	ctx, end := context.WithCancel(s.ctx)
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer end()
	defer s.caught(raw)

	_ = raw.SetDeadline(time.Now().Add(s.cfg.HandshakeTimeout))
	nc, kind, state, err := s.handshake(raw)
	if err != nil {
		s.noteHandshake(nc, err)
		return
	}
	_ = nc.SetDeadline(time.Time{})

	p := &peer{server: s.cfg.Security.AuthorizeServer(state), requests: make(gate, maxRequests)}
	if text, why := s.objection(kind, state, p); text != "" {
		s.turnAway(nc, text, why)
		return
	}
	switch kind {
	case frame.Raft:
		if stop() {
			s.handToRaft(nc)
		}
	case frame.RPC:
		s.newStream(ctx, nc, nc, p).serve()
	case frame.Multiplex, frame.MultiplexV2:
		s.multiplexed(ctx, nc, p)
	case frame.Snapshot:
		s.snapshot(ctx, nc)
	case frame.GRPC:
		s.serveGRPC(ctx, nc)
	default:
		s.remark(nc, "closed a connection for something else than this server has", zap.Stringer("kind", kind))
	}
}

// objection says why a connection is not safe enough for what it is for; empty: it is.
func (s *server) objection(kind frame.Kind, state *tls.ConnectionState, p *peer) (text string, why zap.Field) {
	isTLS := kind == frame.TLS || kind == frame.TLSInsecure || kind == frame.NativeTLS
	switch {
	case isTLS && s.cfg.Security.Incoming() == nil:
		return "closed a connection that wants TLS, which is not configured here", zap.Skip()
	case isTLS:
		return "closed a connection that wants another kind of TLS than there is here", zap.Skip()
	case state == nil && !s.cfg.Security.AllowsPlain():
		return "closed a connection without TLS: verify_incoming is set", zap.Skip()
	case kind == frame.Raft && p.server != nil:
		return "closed a connection that wants raft from one that is no server", zap.Error(p.server)
	}
	return "", zap.Skip()
}

// peer is what is known of who is at the other end of a connection.
type peer struct {
	server   error // why it must not act as a server; nil: it may
	requests gate  // those that are carried out
}

// handshake reads the first byte of a connection, below TLS if that is what it asks
// for. The state is that of TLS; nil: there is none.
func (s *server) handshake(nc net.Conn) (net.Conn, frame.Kind, *tls.ConnectionState, error) {
	kind, err := firstByte(nc)
	conf := s.cfg.Security.Incoming()
	if err != nil || kind != frame.TLS || conf == nil {
		return nc, kind, nil, err
	}
	secure := tls.Server(nc, conf)
	if err := secure.Handshake(); err != nil {
		s.linger(nc)
		return nc, kind, nil, err
	}
	state := secure.ConnectionState()
	kind, err = firstByte(secure)
	return secure, kind, &state, err
}

const (
	// lingering is for how long, and farewell for how many bytes, one that is refused
	// is listened to, so that it hears why: closing with something unread would reset
	// the connection, and with it what was last said.
	lingering = 500 * time.Millisecond
	farewell  = 16 << 10
)

func (s *server) linger(nc net.Conn) {
	_ = nc.SetReadDeadline(time.Now().Add(lingering))
	_, _ = io.CopyN(io.Discard, nc, farewell)
}

// firstByte takes one byte and no more: what follows may be raft's.
func firstByte(nc net.Conn) (frame.Kind, error) {
	var b [1]byte
	_, err := io.ReadFull(nc, b[:])
	return frame.Kind(b[0]), err
}

func (s *server) noteHandshake(nc net.Conn, err error) {
	switch {
	case gone(err) || s.ctx.Err() != nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.remark(nc, "closed a connection that did not say in time what it is for")
	default:
		s.turnAway(nc, "closed a connection that could not be secured", zap.Error(err))
	}
}

// multiplexed serves the streams of a connection.
func (s *server) multiplexed(ctx context.Context, nc net.Conn, p *peer) {
	mux := frame.NewServer(nc, s.log)
	defer mux.Close()
	streams := make(gate, maxStreams)
	for {
		sub, err := mux.Accept()
		if err != nil {
			s.noteSession(nc, err)
			return
		}
		if !streams.enter() {
			s.remark(nc, "closed a stream: its connection has too many", zap.Int("limit", maxStreams))
			_ = sub.Close()
			continue
		}
		go func() {
			defer streams.leave()
			s.stream(ctx, sub, p)
		}()
	}
}

// stream is the goroutine of a stream.
func (s *server) stream(ctx context.Context, sub net.Conn, p *peer) {
	defer sub.Close()
	defer s.caught(sub)
	r := bufio.NewReader(sub)
	first, err := r.Peek(1)
	switch {
	case err != nil:
		return
	case first[0] == byte(frame.RPC): // some say again what it is for
		_, _ = r.Discard(1)
	case !frame.BeginsRequest(first[0]):
		s.remark(sub, "closed a stream for something else than this server has", zap.Stringer("kind", frame.Kind(first[0])))
		return
	}
	s.newStream(ctx, sub, r, p).serve()
}

func (s *server) noteSession(nc net.Conn, err error) {
	if gone(err) || s.ctx.Err() != nil {
		return
	}
	s.remark(nc, "closed a multiplexed connection", zap.Error(err))
}

// caught is deferred by every goroutine of a connection: a panic there costs that
// connection alone.
func (s *server) caught(nc net.Conn) {
	if reason := recover(); reason != nil {
		s.failed("a connection failed", reason, from(nc))
		_ = nc.Close()
	}
}

// failed logs a panic: a line for people, and the stack for who looks for it.
func (s *server) failed(what string, reason any, fields ...zap.Field) {
	s.log.Error(fmt.Sprintf("%s: %v", what, reason), fields...)
	s.log.Debug("the stack of a failure", zap.ByteString("stack", debug.Stack()))
}

// gone says whether an error is only the end of a connection.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, yamux.ErrSessionShutdown) || errors.Is(err, yamux.ErrConnectionReset) ||
		errors.Is(err, yamux.ErrStreamClosed)
}
