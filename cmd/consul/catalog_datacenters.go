package main

import "github.com/hashicorp/cli"

// catalogDatacentersCommand lists datacenters.
type catalogDatacentersCommand struct{ httpCommand }

func newCatalogDatacentersCommand(ui cli.Ui) cli.Command {
	c := &catalogDatacentersCommand{newHTTPCommand(ui, words{
		name:     "catalog datacenters",
		synopsis: "Lists all known datacenters",
		about: `
Lists the datacenters whose servers are known to the agent's, one a line, the
nearest first.`,
		example: `
$ consul catalog datacenters
dc1
dc2`,
	})}
	c.serverFlags()
	return c
}

// Run implements cli.Command.
func (c *catalogDatacentersCommand) Run(args []string) int {
	agent, _, ok := c.open(args, 0, 0)
	if !ok {
		return 1
	}
	names, err := agent.Catalog().Datacenters()
	if err != nil {
		return c.refused("listing datacenters", err)
	}
	for _, name := range names {
		c.ui.Output(printable(name))
	}
	return 0
}
