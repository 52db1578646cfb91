package main

import (
	"fmt"
	"strings"

	"github.com/hashicorp/cli"

	"github.com/actor-consul/consul/cmd/consul/nearest"
)

// groupCommand is the word that the names of some commands begin with. It does
// nothing itself; its help has the list of them, which package cli adds.
type groupCommand struct {
	command
	members []string // their second words
}

func newGroupCommand(ui cli.Ui, w words, members ...string) cli.Command {
	w.operands = "COMMAND"
	return &groupCommand{newCommand(ui, w), members}
}

// Run implements cli.Command. It is called when no member was named, or one that
// does not exist.
func (c *groupCommand) Run(args []string) int {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return cli.RunResultHelp
	}
	if near := nearest.Word(args[0], c.members); near != "" {
		return c.misused(fmt.Errorf("unknown command %q; did you mean %q?", args[0], near))
	}
	return c.misused(fmt.Errorf("unknown command %q", args[0]))
}
