package main

import (
	"errors"

	"github.com/hashicorp/cli"
)

// configListCommand lists config entries.
type configListCommand struct {
	httpCommand
	kind string
}

func newConfigListCommand(ui cli.Ui) cli.Command {
	c := &configListCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "config list",
		synopsis: "List centralized config entries of a given kind",
		about: `
Lists the names of the config entries of a kind, one a line.`,
		example: `
$ consul config list -kind=service-defaults
db
web`,
	})}
	c.serverFlags()
	c.flags.StringVar(&c.kind, "kind", "", "of the `KIND`; required")
	return c
}

// Run implements cli.Command.
func (c *configListCommand) Run(args []string) int {
	agent, _, ok := c.open(args, 0, 0)
	switch {
	case !ok:
		return 1
	case c.kind == "":
		return c.misused(errors.New("needs -kind"))
	}
	entries, _, err := agent.ConfigEntries().List(c.kind, c.query())
	if err != nil {
		return c.refused("listing config entries of kind "+c.kind, err)
	}
	for _, e := range entries {
		c.ui.Output(printable(e.GetName()))
	}
	return 0
}
