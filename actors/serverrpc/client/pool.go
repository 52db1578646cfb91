package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
)

// What a Config that says nothing means.
const (
	DefaultIdleTimeout = 2 * time.Minute // Consul's
	DefaultDialTimeout = 5 * time.Second
	DefaultMaxReply    = 64 << 20 // bytes; some 100,000 instances of a service

	DefaultStallTimeout = 30 * time.Second
)

// ErrClosed is returned by a pool that is closed.
var ErrClosed = errors.New("the pool of connections to servers is closed")

// Config is what a Pool needs.
type Config struct {
	Logger *zap.Logger // required

	// Dial opens a connection to the port 8300 of a server; the pool writes the
	// first byte. It is where TLS comes in. Default: TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)

	// Lost is told, on a goroutine of the pool's, that a connection has ended that the
	// pool has not closed. Optional.
	Lost func(address string)

	// Zero means the default.
	IdleTimeout time.Duration // after which a connection that nobody uses is closed
	DialTimeout time.Duration // for a connection to be made
	MaxReply    int           // bytes of a reply; a longer one is an error

	// Dir is where the archives of snapshots are kept while they are looked through;
	// empty: where the system has such files.
	Dir string
	// StallTimeout is for each part of an archive to come or go; 0: the default.
	StallTimeout time.Duration
}

// Pool keeps connections to servers. It is safe for use by several goroutines.
type Pool struct {
	cfg Config
	log *zap.Logger

	ctx context.Context // ends with the pool
	end context.CancelFunc

	mu       sync.Mutex
	sessions map[string]*session // by address
}

// NewPool returns a pool without connections; each is made when it is needed first.
func NewPool(cfg Config) *Pool {
	cfg.IdleTimeout = cmp.Or(cfg.IdleTimeout, DefaultIdleTimeout)
	cfg.DialTimeout = cmp.Or(cfg.DialTimeout, DefaultDialTimeout)
	cfg.MaxReply = cmp.Or(cfg.MaxReply, DefaultMaxReply)
	cfg.StallTimeout = cmp.Or(cfg.StallTimeout, DefaultStallTimeout)
	if cfg.Dial == nil {
		cfg.Dial = dialTCP
	}
	p := &Pool{cfg: cfg, log: cfg.Logger.Named("consul").Named("rpc"), sessions: map[string]*session{}}
	p.ctx, p.end = context.WithCancel(context.Background())
	return p
}

// Close closes all connections. Calls under way fail, and so does every later one.
func (p *Pool) Close() {
	p.end()
	p.mu.Lock()
	all := p.sessions
	p.sessions = map[string]*session{}
	p.mu.Unlock()
	for _, s := range all {
		s.close()
	}
}

// stream returns a stream to address that nobody else uses, and leaves its session
// to the caller to leave. A connection that was there before may have died
// unnoticed; then another is made.
func (p *Pool) stream(ctx context.Context, address string) (*stream, error) {
	for {
		s, old, err := p.session(ctx, address)
		if err != nil {
			return nil, err
		}
		st, err := s.stream(ctx)
		if err == nil {
			return st, nil
		}
		if ctx.Err() == nil {
			p.drop(s)
		}
		p.leave(s)
		if !old || ctx.Err() != nil { // a new connection that is of no use: another would be no better
			return nil, fmt.Errorf("open a stream to %s: %w", address, err)
		}
	}
}

// session returns the connection to address, which is made if there is none. Who
// gets it leaves it.
func (p *Pool) session(ctx context.Context, address string) (s *session, old bool, err error) {
	p.mu.Lock()
	if p.ctx.Err() != nil {
		p.mu.Unlock()
		return nil, false, ErrClosed
	}
	s, old = p.sessions[address]
	if old && s.broken() {
		delete(p.sessions, address)
		go s.close()
		old = false
	}
	if !old {
		s = &session{pool: p, address: address, made: make(chan struct{})}
		p.sessions[address] = s
		go s.dial()
	}
	s.users++
	s.stopIdle()
	p.mu.Unlock()

	select {
	case <-s.made:
	case <-ctx.Done():
		p.leave(s)
		return nil, old, context.Cause(ctx)
	}
	if s.err != nil {
		p.leave(s)
		return nil, old, s.err
	}
	return s, old, nil
}

// leave ends the use of a session. When nobody uses it any more, it is closed after
// a while.
func (p *Pool) leave(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.users--
	if s.users == 0 && p.sessions[s.address] == s {
		s.idle = time.AfterFunc(p.cfg.IdleTimeout, func() { p.expire(s) })
	}
	if s.users == 0 && p.sessions[s.address] != s {
		go s.close()
	}
}

// expire closes a session that nobody has used for a while.
func (p *Pool) expire(s *session) {
	p.mu.Lock()
	if s.users > 0 || p.sessions[s.address] != s {
		p.mu.Unlock()
		return
	}
	delete(p.sessions, s.address)
	p.mu.Unlock()
	s.close()
}

// drop forgets a session that is of no use; those who use it still leave it.
func (p *Pool) drop(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sessions[s.address] == s {
		delete(p.sessions, s.address)
	}
}
