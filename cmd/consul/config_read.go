package main

import (
	"encoding/json"
	"errors"

	"github.com/hashicorp/cli"
)

// errEntryName is told when the flags name no config entry.
var errEntryName = errors.New("needs -kind and -name")

// configReadCommand shows a config entry.
type configReadCommand struct {
	httpCommand
	entry entryName
}

func newConfigReadCommand(ui cli.Ui) cli.Command {
	c := &configReadCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "config read",
		synopsis: "Read a centralized config entry",
		about: `
Prints a config entry as JSON, which "consul config write" reads.`,
		example: `
$ consul config read -kind=service-defaults -name=web
{
	"Kind": "service-defaults",
	"Name": "web",
	...
}`,
	})}
	c.serverFlags()
	c.entry.flags(&c.httpCommand)
	return c
}

// Run implements cli.Command.
func (c *configReadCommand) Run(args []string) int {
	agent, _, ok := c.open(args, 0, 0)
	switch {
	case !ok:
		return 1
	case c.entry.kind == "" || c.entry.name == "":
		return c.misused(errEntryName)
	}
	entry, _, err := agent.ConfigEntries().Get(c.entry.kind, c.entry.name, c.query())
	if err != nil {
		return c.refused("reading config entry "+c.entry.String(), err)
	}
	text, err := json.MarshalIndent(entry, "", "\t")
	if err != nil {
		return c.failed("Error showing config entry %s: %s", &c.entry, err)
	}
	c.ui.Output(string(text))
	return 0
}
