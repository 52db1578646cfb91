package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/hashicorp/cli"

	"github.com/actor-consul/consul/messages/wire"
)

// servicesRegisterCommand registers services at the agent.
type servicesRegisterCommand struct {
	httpCommand
	id, name, address, socket, kind string
	port                            int
	tags                            list
	meta, tagged                    pairs
}

func newServicesRegisterCommand(ui cli.Ui) cli.Command {
	c := &servicesRegisterCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "services register",
		operands: "[FILE_OR_DIRECTORY...]",
		synopsis: "Register services with the local agent",
		about: `
Registers the services that files define, as the agent's configuration does, or one
that flags describe. A service with the same ID is replaced. It stays registered
until somebody deregisters it.`,
		example: `
$ consul services register web.hcl
Registered service: web

$ consul services register -name=web -port=80 -tag=v1 -meta=team=shop`,
	})}
	c.flags.StringVar(&c.id, "id", "", "the `ID` of the service at this agent (default its name)")
	c.flags.StringVar(&c.name, "name", "", "register a service called `NAME`")
	c.flags.StringVar(&c.address, "address", "", "it is at `ADDR` (default the node's address)")
	c.flags.IntVar(&c.port, "port", 0, "its port `N`")
	c.flags.StringVar(&c.socket, "socket", "", "the unix socket at `PATH` that it listens on, in place of address and port")
	c.flags.StringVar(&c.kind, "kind", "", "a proxy or gateway of the kind `KIND`")
	c.flags.Var(&c.tags, "tag", "give it the tag `TAG`; may be given several times")
	c.flags.Var(&c.meta, "meta", "give it the metadata `KEY=VALUE`; may be given several times")
	c.flags.Var(&c.tagged, "tagged-address", "an address for a purpose, `TAG=ADDR:PORT`, such as wan=198.18.0.1:80; may be given several times")
	return c
}

// Run implements cli.Command.
func (c *servicesRegisterCommand) Run(args []string) int {
	agent, files, ok := c.open(args, 0, -1)
	if !ok {
		return 1
	}
	services, ok := c.services(files)
	if !ok {
		return 1
	}
	for _, s := range services {
		if _, err := agent.Raw().Write("/v1/agent/service/register", s, nil, nil); err != nil {
			return c.failed("Error registering service %q: %s", s.Name, c.http.explain(err))
		}
		c.ui.Output("Registered service: " + printable(s.Name))
	}
	return 0
}

// services returns what is to be registered. Where ok is false the user has been
// told why not.
func (c *servicesRegisterCommand) services(files []string) (services []*wire.ServiceDefinition, ok bool) {
	described, err := c.described(files)
	if err != nil {
		c.misused(err)
		return nil, false
	}
	if described != nil {
		return []*wire.ServiceDefinition{described}, true
	}
	defined, ok := c.servicesIn(files)
	for i := range defined {
		d, err := serviceDefinition(&defined[i])
		if err != nil {
			c.failed("Error: service %q: %s", defined[i].Name, err)
			return nil, false
		}
		services = append(services, d)
	}
	return services, ok
}

// described returns the service that the flags describe, nil if there are files
// instead.
func (c *servicesRegisterCommand) described(files []string) (*wire.ServiceDefinition, error) {
	switch {
	case len(files) == 0 && c.name == "":
		return nil, errors.New("needs a file with definitions, or -name")
	case len(files) > 0 && (c.name != "" || c.id != ""):
		return nil, errors.New("takes a file with definitions or -name and -id, not both")
	case len(files) > 0:
		return nil, nil
	}
	d := &wire.ServiceDefinition{
		Kind: wire.ServiceKind(c.kind), ID: c.id, Name: c.name, Address: c.address, Port: c.port,
		SocketPath: c.socket, Tags: c.tags, Meta: c.meta,
	}
	for tag, addr := range c.tagged {
		to, err := serviceAddress(addr)
		if err != nil {
			return nil, fmt.Errorf("-tagged-address %s: %w", tag, err)
		}
		if d.TaggedAddresses == nil {
			d.TaggedAddresses = map[string]wire.ServiceAddress{}
		}
		d.TaggedAddresses[tag] = to
	}
	return d, nil
}

// serviceAddress reads a host, with a port or without.
func serviceAddress(text string) (wire.ServiceAddress, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return wire.ServiceAddress{Address: text}, nil //nolint:nilerr // a host without a port
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return wire.ServiceAddress{}, fmt.Errorf("%q is no port, which is a number up to 65535", port)
	}
	return wire.ServiceAddress{Address: host, Port: int(n)}, nil
}
