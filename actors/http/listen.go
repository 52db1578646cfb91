package http

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"go.uber.org/zap"
)

// openAll opens every socket, or none.
func openAll(cfg Config) ([]net.Listener, error) {
	open := cfg.Listen
	if open == nil {
		open = net.Listen
	}
	var listeners []net.Listener
	for _, addr := range cfg.Addrs {
		l, err := open("tcp", addr)
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, cannotListen(addr, err)
		}
		if cfg.TLS != nil {
			l = tls.NewListener(l, cfg.TLS)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// cannotListen says what to do about a socket that cannot be opened.
func cannotListen(addr string, err error) error {
	advice := "set ports.http or addresses.http to what this machine has"
	switch {
	case taken(err):
		advice = "another program has that port, perhaps another agent; stop it, or choose another port with ports.http or -http-port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "this machine does not have that address; set addresses.http or client_addr to one that it has"
	case errors.Is(err, syscall.EACCES):
		advice = "ports below 1024 need a privilege; choose another with ports.http or -http-port"
	}
	return fmt.Errorf("the HTTP API cannot listen on %s: %w; %s", addr, err, advice)
}

// taken reports whether a socket could not be opened because somebody has it.
func taken(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// closedByUs reports whether a socket ended because it was closed here.
func closedByUs(err error) bool {
	return errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed)
}

// newServer returns a server for the api whose requests end when base does.
func newServer(base context.Context, cfg Config, log *zap.Logger, a *api) *http.Server {
	// What net/http has to say is about connections that clients broke.
	complaints, err := zap.NewStdLogAt(log, zap.DebugLevel)
	if err != nil {
		panic(err) // the level is one of zap's own
	}
	return &http.Server{
		Handler:           a,
		ErrorLog:          complaints,
		MaxHeaderBytes:    cfg.Limits.MaxHeaderBytes,
		ReadHeaderTimeout: cfg.Limits.ReadHeaderTimeout,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       a.conns.opened,
		ConnState:         a.conns.changed,
	}
}
