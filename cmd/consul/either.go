package main

import (
	"cmp"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/rpcclient"
	"github.com/actor-consul/consul/messages/agentrpc"
)

// eitherCommand is a command that both ages of Consul have: it asks a running agent
// over its RPC, as the command line of Consul 0.x did, or over HTTP, as that of
// today does.
type eitherCommand struct {
	httpCommand
	rpcAddr  *string  // as given
	httpOnly []string // the flags that mean HTTP

	// Where an agent is looked for when nobody says where.
	rpcDefault, httpDefault string
}

// aboutEither is what the help of all these commands says in the end.
const aboutEither = `
The agent is asked over its RPC, or over HTTP: over HTTP with an option for it, or
when CONSUL_HTTP_ADDR is set and CONSUL_RPC_ADDR is not, or when no address is
given and only HTTP is served.`

func newEitherCommand(ui cli.Ui, w words) eitherCommand {
	w.about += "\n" + aboutEither
	c := eitherCommand{httpCommand: newHTTPCommand(ui, w), rpcDefault: agentrpc.DefaultAddr, httpDefault: defaultHTTPAddr}
	c.flags.VisitAll(func(f *flag.Flag) { c.onlyHTTP(f.Name) })
	c.rpcAddr = c.flags.String("rpc-addr", "", fmt.Sprintf(
		"speak to the agent whose RPC is at `ADDR` (default $%s, else %s)", agentrpc.AddrEnv, agentrpc.DefaultAddr))
	return c
}

// onlyHTTP says that a flag means HTTP.
func (c *eitherCommand) onlyHTTP(flag string) { c.httpOnly = append(c.httpOnly, flag) }

// bothWays says that the RPC knows what a flag of HTTP means, too.
func (c *eitherCommand) bothWays(flag string) {
	c.httpOnly = slices.DeleteFunc(c.httpOnly, func(name string) bool { return name == flag })
}

// way is how an agent is asked.
type way int

const (
	byRPC    way = iota
	byHTTP       // with the address that the flags, the environment or api have
	byEither     // whichever of the two there is at the default addresses
)

// choose says how the agent is to be asked. What is typed goes before the
// environment, and there the variable that only our commands know before the one
// that may be there for other programs.
func (c *eitherCommand) choose() (way, error) {
	var named string
	c.flags.Visit(func(f *flag.Flag) {
		if slices.Contains(c.httpOnly, f.Name) {
			named = cmp.Or(named, f.Name)
		}
	})
	switch {
	case named != "" && *c.rpcAddr != "":
		return byHTTP, fmt.Errorf("-rpc-addr is for the agent's RPC and -%s for HTTP: leave one of them out", named)
	case named != "":
		return byHTTP, nil
	case *c.rpcAddr != "" || os.Getenv(agentrpc.AddrEnv) != "":
		return byRPC, nil
	case os.Getenv(api.HTTPAddrEnvName) != "":
		return byHTTP, nil
	default:
		return byEither, nil
	}
}

// dial connects to the agent; the caller closes it. Where ok is false the user has
// been told why, and the command is to return 1.
func (c *eitherCommand) dial() (agent askedAgent, ok bool) {
	how, err := c.choose()
	if err != nil {
		c.misused(err)
		return nil, false
	}
	if how == byHTTP {
		return c.dialHTTP()
	}
	addr := cmp.Or(*c.rpcAddr, os.Getenv(agentrpc.AddrEnv), c.rpcDefault)
	asked, err := rpcclient.Dial(addr, dialTimeout)
	switch {
	case err == nil:
		return rpcAgent{asked}, true
	case how == byRPC:
		c.failed("Error connecting to Consul agent: %s", err)
		return nil, false
	case listens(c.httpDefault):
		c.http.addr = c.httpDefault
		return c.dialHTTP()
	default:
		c.failed("Error connecting to Consul agent: %s; nor is there an HTTP API at %s (-http-addr or %s)",
			err, c.httpDefault, api.HTTPAddrEnvName)
		return nil, false
	}
}

func (c *eitherCommand) dialHTTP() (askedAgent, bool) {
	cfg := c.http.config()
	agent, ok := c.connect(cfg)
	return httpAgent{agent, cfg.HttpClient}, ok
}

// listens reports whether somebody is at a TCP address.
func listens(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
