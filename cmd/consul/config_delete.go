package main

import "github.com/hashicorp/cli"

// configDeleteCommand deletes a config entry.
type configDeleteCommand struct {
	httpCommand
	entry entryName
}

func newConfigDeleteCommand(ui cli.Ui) cli.Command {
	c := &configDeleteCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "config delete",
		synopsis: "Delete a centralized config entry",
		about: `
Deletes a config entry; one that does not exist is no error.`,
		example: `
$ consul config delete -kind=service-defaults -name=web
Config entry deleted: service-defaults/web`,
	})}
	c.serverFlags()
	c.entry.flags(&c.httpCommand)
	return c
}

// Run implements cli.Command.
func (c *configDeleteCommand) Run(args []string) int {
	agent, _, ok := c.open(args, 0, 0)
	switch {
	case !ok:
		return 1
	case c.entry.kind == "" || c.entry.name == "":
		return c.misused(errEntryName)
	}
	if _, err := agent.ConfigEntries().Delete(c.entry.kind, c.entry.name, nil); err != nil {
		return c.refused("deleting config entry "+c.entry.String(), err)
	}
	c.ui.Output("Config entry deleted: " + printable(c.entry.String()))
	return 0
}
