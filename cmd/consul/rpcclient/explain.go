package rpcclient

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"github.com/actor-consul/consul/messages/agentrpc"
)

// elsewhere is what to do when the address is not the right one.
const elsewhere = "; for another address use -rpc-addr or " + agentrpc.AddrEnv

// explainDial says why there is no connection to addr, and what to do.
func explainDial(addr string, err error) error {
	var dns *net.DNSError
	var badAddr *net.AddrError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("nothing listens at %s: is the agent running there?%s (%w)", addr, elsewhere, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission to connect to %s: run as the user of the agent%s (%w)", addr, elsewhere, err)
	case errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return fmt.Errorf("no answer from %s in time: is the host up and the port open?%s (%w)", addr, elsewhere, err)
	case errors.As(err, &badAddr):
		return fmt.Errorf("%q is no address: write host:port, such as %s (%w)", addr, agentrpc.DefaultAddr, err)
	case errors.As(err, &dns):
		return fmt.Errorf("no such host in %q%s (%w)", addr, elsewhere, err)
	default:
		return fmt.Errorf("connect to the agent at %s: %w", addr, err)
	}
}

// explainHandshake says why what listens at addr is not an agent to speak with.
func explainHandshake(addr string, err error) error {
	var refused RemoteError
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("the agent at %s refused the handshake: %w", addr, err)
	case isTimeout(err):
		return fmt.Errorf("%s took the connection and said nothing in time: it is no agent's RPC port, or the agent is stuck%s (%w)", addr, elsewhere, err)
	default:
		return fmt.Errorf("%s does not speak the agent's RPC: it is the port that the agent shows as \"RPC addr\", not that of HTTP, or the agent has too many connections%s (%w)", addr, elsewhere, err)
	}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
