//go:build !linux

package network

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"testing"
)

// Host is a machine on the network.
type Host struct{ IP string }

// New says that there are no network namespaces here.
func New(testing.TB, int) (*Network, error) {
	return nil, errors.New("no network of its own for a test: network namespaces are Linux's")
}

// Start starts a command.
func (h *Host) Start(cmd *exec.Cmd) error { return cmd.Start() }

// Dial connects to an address.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}

func (h *Host) deliver([]byte) {}
