package main

import (
	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// exitDenied is the exit status of intention check when the connection is not
// allowed.
const exitDenied = 2

// intentionCheckCommand asks whether a service may connect to another.
type intentionCheckCommand struct{ httpCommand }

func newIntentionCheckCommand(ui cli.Ui) cli.Command {
	c := &intentionCheckCommand{newHTTPCommand(ui, words{
		name:     "intention check",
		operands: "SOURCE DESTINATION",
		synopsis: "Check whether a connection between two services is allowed.",
		about: `
Says whether SOURCE may connect to DESTINATION. Exits with 2 when it may not.`,
		example: `
$ consul intention check web db
Allowed`,
	})}
	c.serverFlags()
	return c
}

// Run implements cli.Command.
func (c *intentionCheckCommand) Run(args []string) int {
	agent, operands, ok := c.open(args, 2, 2)
	if !ok {
		return 1
	}
	allowed, _, err := agent.Connect().IntentionCheck(&api.IntentionCheck{
		Source: operands[0], Destination: operands[1], SourceType: api.IntentionSourceConsul,
	}, c.query())
	switch {
	case err != nil:
		return c.refused("checking the connection", err)
	case !allowed:
		c.ui.Output("Denied")
		return exitDenied
	}
	c.ui.Output("Allowed")
	return 0
}
