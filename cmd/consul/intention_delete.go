package main

import "github.com/hashicorp/cli"

// intentionDeleteCommand deletes an intention.
type intentionDeleteCommand struct{ httpCommand }

func newIntentionDeleteCommand(ui cli.Ui) cli.Command {
	c := &intentionDeleteCommand{newHTTPCommand(ui, words{
		name:     "intention delete",
		operands: "SOURCE DESTINATION",
		synopsis: "Delete an intention.",
		about: `
Deletes the intention for this pair; where there is none, that is no error.`,
		example: `
$ consul intention delete web db
Intention deleted.`,
	})}
	c.serverFlags()
	return c
}

// Run implements cli.Command.
func (c *intentionDeleteCommand) Run(args []string) int {
	agent, operands, ok := c.open(args, 2, 2)
	if !ok {
		return 1
	}
	if _, err := agent.Connect().IntentionDeleteExact(operands[0], operands[1], nil); err != nil {
		return c.refused("deleting the intention", err)
	}
	c.ui.Output("Intention deleted.")
	return 0
}
