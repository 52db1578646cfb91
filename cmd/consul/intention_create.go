package main

import (
	"errors"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// intentionCreateCommand says whether a service may connect to another.
type intentionCreateCommand struct {
	httpCommand
	allow, deny, replace bool
}

func newIntentionCreateCommand(ui cli.Ui) cli.Command {
	c := &intentionCreateCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "intention create",
		operands: "SOURCE DESTINATION",
		synopsis: "Create intentions for service connections.",
		about: `
Allows or denies connections from SOURCE to DESTINATION. Of several intentions that
fit, that counts which names more; of equals the destination goes before the source.`,
		example: `
$ consul intention create -allow web db
Created: web => db (allow)`,
	})}
	c.serverFlags()
	c.flags.BoolVar(&c.allow, "allow", false, "allow the connection, as without a flag")
	c.flags.BoolVar(&c.deny, "deny", false, "deny the connection")
	c.flags.BoolVar(&c.replace, "replace", false, "replace the intention for this pair, if there is one")
	return c
}

// Run implements cli.Command.
func (c *intentionCreateCommand) Run(args []string) int {
	agent, operands, ok := c.open(args, 2, 2)
	switch {
	case !ok:
		return 1
	case c.allow && c.deny:
		return c.misused(errors.New("takes -allow or -deny, not both"))
	}
	i := &api.Intention{
		SourceName: operands[0], DestinationName: operands[1],
		SourceType: api.IntentionSourceConsul, Action: api.IntentionActionAllow,
	}
	if c.deny {
		i.Action = api.IntentionActionDeny
	}
	connect := agent.Connect()
	was, _, err := connect.IntentionGetExact(i.SourceName, i.DestinationName, nil)
	switch {
	case err != nil:
		return c.refused("looking for the intention", err)
	case was != nil && !c.replace:
		return c.failed("Error creating intention: there is one already, %s; -replace replaces it", printable(was.String()))
	}
	if _, err := connect.IntentionUpsert(i, nil); err != nil {
		return c.refused("creating intention "+i.String(), err)
	}
	c.ui.Output("Created: " + printable(i.String()))
	return 0
}
