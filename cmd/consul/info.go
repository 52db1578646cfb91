package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/cli"
)

// infoCommand prints the agent's own figures.
type infoCommand struct{ eitherCommand }

func newInfoCommand(ui cli.Ui) cli.Command {
	return &infoCommand{newEitherCommand(ui, words{
		name:     "info",
		synopsis: "Provides debugging information for operators",
		about: `
Prints what the agent counts and knows of itself: its role, the state of raft,
the size of the gossip pools, the runtime. Which groups there are depends on
whether the agent is a server.`,
		example: `
$ consul info
agent:
	check_monitors = 0
	check_ttls = 1
...`,
	})}
}

// Run implements cli.Command.
func (c *infoCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	agent, ok := c.dial()
	if !ok {
		return 1
	}
	defer agent.Close()
	stats, err := agent.Stats()
	if err != nil {
		return c.refused("querying agent", err)
	}
	c.ui.Output(infoText(stats))
	return 0
}

// infoText lists groups and the keys in them by name, as Consul does.
func infoText(stats map[string]map[string]string) string {
	var lines []string
	for _, group := range slices.Sorted(maps.Keys(stats)) {
		lines = append(lines, printable(group)+":")
		for _, key := range slices.Sorted(maps.Keys(stats[group])) {
			lines = append(lines, "\t"+printable(key+" = "+stats[group][key]))
		}
	}
	return strings.Join(lines, "\n")
}
