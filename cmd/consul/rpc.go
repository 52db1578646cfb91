package main

import (
	"cmp"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/cli"

	"github.com/actor-consul/consul/cmd/consul/rpcclient"
	"github.com/actor-consul/consul/messages/agentrpc"
)

// dialTimeout is how long an agent may take to be found and to shake hands. What
// it is asked afterwards may take as long as it takes: joining tries many hosts.
const dialTimeout = 10 * time.Second

// rpcCommand is a command that asks a running agent over its RPC.
type rpcCommand struct {
	command
	addr *string // as given; empty for the environment's, or the default
}

func newRPCCommand(ui cli.Ui, w words) rpcCommand {
	c := rpcCommand{command: newCommand(ui, w)}
	c.excuse = httpFlag
	c.addr = c.flags.String("rpc-addr", "", fmt.Sprintf(
		"speak to the agent whose RPC is at `ADDR` (default $%s, else %s)", agentrpc.AddrEnv, agentrpc.DefaultAddr))
	return c
}

// dial connects to the agent; the caller closes the client. Where ok is false the
// user has been told why, and the command is to return 1.
func (c *rpcCommand) dial() (agent *rpcclient.Client, ok bool) {
	addr := cmp.Or(*c.addr, os.Getenv(agentrpc.AddrEnv), agentrpc.DefaultAddr)
	agent, err := rpcclient.Dial(addr, dialTimeout)
	if err != nil {
		c.failed("Error connecting to Consul agent: %s", err)
		return nil, false
	}
	return agent, true
}

// httpFlag is the excuse for the flags that the same commands have in today's
// Consul, where they ask over HTTP.
func httpFlag(name string) string {
	switch name {
	case "http-addr", "token", "token-file", "ca-file", "ca-path", "client-cert", "client-key", "tls-server-name":
		return fmt.Sprintf("no flag -%s: it is for HTTP, and this command speaks the agent's RPC;"+
			" give its address with -rpc-addr or %s", name, agentrpc.AddrEnv)
	default:
		return ""
	}
}
