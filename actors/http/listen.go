package http

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"github.com/actor-consul/consul/actors/socket"
)

// openAll opens every socket, or none.
func openAll(cfg Config, strangers *strangers) ([]net.Listener, error) {
	var listeners []net.Listener
	open := func(addr string, secure bool) error {
		l, err := openOne(cfg, addr)
		if err != nil {
			return cannotListen(addr, secure, err)
		}
		if secure {
			l = tls.NewListener(l, cfg.TLS)
		} else {
			l = plain{l, strangers}
		}
		listeners = append(listeners, l)
		return nil
	}
	var err error
	for _, addr := range cfg.Addrs {
		if err == nil {
			err = open(addr, false)
		}
	}
	for _, addr := range cfg.TLSAddrs {
		if err == nil {
			err = open(addr, true)
		}
	}
	if err != nil {
		for _, l := range listeners {
			l.Close()
		}
		return nil, err
	}
	return listeners, nil
}

// openOne opens the socket of an address.
func openOne(cfg Config, addr string) (net.Listener, error) {
	path, isPath := socket.Path(addr)
	switch {
	case cfg.Listen != nil:
		return cfg.Listen("tcp", addr)
	case isPath:
		return socket.Listen(path, cfg.Socket)
	default:
		return net.Listen("tcp", addr)
	}
}

// cannotListen says what to do about a socket that cannot be opened.
func cannotListen(addr string, secure bool, err error) error {
	api, keys, flag := "HTTP", "http", "-http-port"
	if secure {
		api, keys, flag = "HTTPS", "https", "-https-port"
	}
	_, isPath := socket.Path(addr)
	advice := fmt.Sprintf("set ports.%s or addresses.%[1]s to what this machine has", keys)
	switch {
	case taken(err) && isPath:
		advice = fmt.Sprintf("something else is there, perhaps another agent; remove it, or choose another path with addresses.%s", keys)
	case isPath:
		advice = fmt.Sprintf("choose another path with addresses.%s, or see unix_sockets", keys)
	case taken(err):
		advice = fmt.Sprintf("another program has that port, perhaps another agent; stop it, or choose another port with ports.%s or %s", keys, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = fmt.Sprintf("this machine does not have that address; set addresses.%s or client_addr to one that it has", keys)
	case errors.Is(err, syscall.EACCES):
		advice = fmt.Sprintf("ports below 1024 need a privilege; choose another with ports.%s or %s", keys, flag)
	}
	return fmt.Errorf("the %s API cannot listen on %s: %w; %s", api, addr, err, advice)
}

// taken reports whether a socket could not be opened because somebody has it.
func taken(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// closedByUs reports whether a socket ended because it was closed here.
func closedByUs(err error) bool {
	return errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed)
}

// newServer returns a server for the api whose requests end when base does.
func newServer(base context.Context, cfg Config, strangers *strangers, a *api) *http.Server {
	return &http.Server{
		Handler:           a,
		ErrorLog:          strangers.complaints(),
		MaxHeaderBytes:    cfg.Limits.MaxHeaderBytes,
		ReadHeaderTimeout: cfg.Limits.ReadHeaderTimeout,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       a.conns.opened,
		ConnState:         a.conns.changed,
	}
}
