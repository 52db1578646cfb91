package serverrpc

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// explainListen says why the address could not be bound, and what to do.
func explainListen(addr string, err error) error {
	advice := "choose another with -bind or ports.server"
	switch {
	case taken(err):
		advice = "another program has that port, perhaps another agent: stop it, or choose another port with ports.server or another address with -bind"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "this machine does not have that address: choose one that it has with -bind"
	case errors.Is(err, os.ErrPermission):
		advice = "ports below 1024 need a privilege: choose another with ports.server"
	}
	return fmt.Errorf("the server RPC cannot listen on %s: %w; %s", addr, err, advice)
}

// taken reports whether an address could not be bound because somebody has it.
func taken(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
