package main

import (
	"strconv"

	"github.com/hashicorp/cli"
)

// intentionListCommand lists intentions.
type intentionListCommand struct{ httpCommand }

func newIntentionListCommand(ui cli.Ui) cli.Command {
	c := &intentionListCommand{newHTTPCommand(ui, words{
		name:     "intention list",
		synopsis: "List intentions.",
		about: `
Lists all intentions, those first that go before others. The ID is empty for most:
the pair of services is what they are known by.`,
		example: `
$ consul intention list
ID  Source  Action  Destination  Precedence
    web     allow   db           9
    *       deny    db           8`,
	})}
	c.serverFlags()
	return c
}

// Run implements cli.Command.
func (c *intentionListCommand) Run(args []string) int {
	agent, _, ok := c.open(args, 0, 0)
	if !ok {
		return 1
	}
	list, _, err := agent.Connect().Intentions(c.query())
	if err != nil {
		return c.refused("listing intentions", err)
	}
	if len(list) == 0 {
		c.ui.Error("There are no intentions.")
		return 0
	}
	rows := [][]string{{"ID", "Source", "Action", "Destination", "Precedence"}}
	for _, i := range list {
		rows = append(rows, []string{
			printable(i.ID), printable(i.SourceString()), printable(string(i.Action)), printable(i.DestinationString()), strconv.Itoa(i.Precedence),
		})
	}
	c.ui.Output(align(rows))
	return 0
}
