package main

import (
	"fmt"

	"github.com/hashicorp/cli"
)

// joinCommand makes the agent contact others.
type joinCommand struct {
	eitherCommand
	wan bool
}

func newJoinCommand(ui cli.Ui) cli.Command {
	c := &joinCommand{eitherCommand: newEitherCommand(ui, words{
		name:     "join",
		operands: "ADDRESS...",
		synopsis: "Tell Consul agent to join cluster",
		about: `
Tells the agent to contact the agents at the given addresses, and so to join
their cluster. One that answers is enough: the others become known through it.
An address is a host or host:port; the port is that of gossip, 8301, or 8302
with -wan, unless given.`,
		example: `
$ consul join 10.0.0.1 10.0.0.2
Successfully joined cluster by contacting 2 nodes.`,
	})}
	c.flags.BoolVar(&c.wan, "wan", false, "join servers of other datacenters, in the WAN pool")
	return c
}

// Run implements cli.Command.
func (c *joinCommand) Run(args []string) int {
	addresses, ok := c.parse(args, 1, -1)
	if !ok {
		return 1
	}
	agent, ok := c.dial()
	if !ok {
		return 1
	}
	defer agent.Close()
	n, err := agent.Join(addresses, c.wan)
	if err != nil {
		status := c.refused("joining the cluster", err)
		if n == 0 {
			return status
		}
	}
	c.ui.Output(fmt.Sprintf("Successfully joined cluster by contacting %d nodes.", n))
	return 0
}
