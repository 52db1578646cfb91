package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/socket"
)

// server has the sockets of one life of the actor, and a goroutine on each. Its
// methods are the actor's, except for those that say otherwise; the goroutines
// read its fields, which then do not change.
type server struct {
	cfg  Config
	log  *zap.Logger
	do   commands
	root *actor.RootContext
	self *actor.PID

	ctx      context.Context // ends with the server, and everything with it
	end      context.CancelFunc
	slots    chan struct{} // one for each connection
	draining context.Context
	refuse   context.CancelFunc // begins the drain

	listeners []net.Listener
}

func newServer(cfg Config, log *zap.Logger, root *actor.RootContext, self *actor.PID) *server {
	s := &server{
		cfg: cfg, log: log, do: commands{cfg}, root: root, self: self,
		slots: make(chan struct{}, cfg.MaxConns),
	}
	s.ctx, s.end = context.WithCancel(context.Background())
	s.draining, s.refuse = context.WithCancel(context.Background())
	return s
}

// listen binds an address and begins to accept there.
func (s *server) listen(l Listener) error {
	var ln net.Listener
	var err error
	if l.Network == "unix" {
		ln, err = socket.Listen(l.Address, s.cfg.Socket)
	} else {
		ln, err = net.Listen(l.Network, l.Address)
	}
	if err != nil {
		return err
	}
	s.listeners = append(s.listeners, ln)
	go s.accept(ln)
	return nil
}

// explainListen says why an address could not be bound, and what to do.
func explainListen(l Listener, err error) error {
	const elsewhere = "choose another with -rpc-addr, or with ports.rpc and addresses.rpc in the configuration"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("RPC address %s is taken, perhaps by another agent; %s: %w", l.Address, elsewhere, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("RPC address %s is not one of this machine; %s: %w", l.Address, elsewhere, err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("no permission to listen at RPC address %s; %s: %w", l.Address, elsewhere, err)
	default:
		return fmt.Errorf("listen at RPC address %s; %s: %w", l.Address, elsewhere, err)
	}
}

// addrs returns where the server listens.
func (s *server) addrs() []net.Addr {
	var all []net.Addr
	for _, ln := range s.listeners {
		all = append(all, ln.Addr())
	}
	return all
}

// drain closes the sockets and has the connections refuse new commands.
func (s *server) drain() {
	for _, ln := range s.listeners {
		_ = ln.Close()
	}
	s.listeners = nil
	s.refuse()
}

// close ends everything. It does not wait for the goroutines, which hold nothing
// that a successor needs.
func (s *server) close() {
	s.drain()
	s.end()
}

// accept is the goroutine of a socket.
func (s *server) accept(ln net.Listener) {
	const longest = time.Second
	pause := 5 * time.Millisecond
	full := false
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 5 * time.Millisecond
			full = !s.admit(nc, full)
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of files, mostly: it passes
			if pause < longest {
				s.log.Warn("no connection could be accepted", zap.Error(err))
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

// admit serves a connection, unless there are too many, which is said once: full
// tells that the one before was too many already. It runs on the goroutine of the
// socket.
func (s *server) admit(nc net.Conn, full bool) bool {
	select {
	case s.slots <- struct{}{}:
	default:
		if !full {
			s.log.Warn("too many RPC connections; new ones are closed", zap.Int("limit", s.cfg.MaxConns), from(nc))
		}
		_ = nc.Close()
		return false
	}
	s.log.Info("accepted client", from(nc))
	go func() {
		defer func() { <-s.slots }()
		newConn(s, nc).serve()
	}()
	return true
}

// tell sends the actor a message, while it is there. It is for the goroutines of
// connections.
func (s *server) tell(msg any) {
	if s.ctx.Err() == nil {
		s.root.Send(s.self, msg)
	}
}

func from(nc net.Conn) zap.Field { return zap.Stringer("from", nc.RemoteAddr()) }
