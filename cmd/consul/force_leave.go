package main

import "github.com/hashicorp/cli"

// forceLeaveCommand makes the cluster regard a failed member as left.
type forceLeaveCommand struct {
	eitherCommand
	prune, wan bool
}

func newForceLeaveCommand(ui cli.Ui) cli.Command {
	c := &forceLeaveCommand{eitherCommand: newEitherCommand(ui, words{
		name:     "force-leave",
		operands: "NODE",
		synopsis: `Forces a member of the cluster to enter the "left" state`,
		about: `
Tells the cluster that a failed member will not come back, so that nobody tries
to reconnect to it. A member that is still alive joins again at once: to make it
leave, run "consul leave" there.`,
		example: `
$ consul force-leave web-3`,
	})}
	c.flags.BoolVar(&c.prune, "prune", false, "also forget the member at once, so that it is not listed any more")
	c.flags.BoolVar(&c.wan, "wan", false, "do so in the WAN pool alone; over HTTP")
	c.onlyHTTP("wan")
	return c
}

// Run implements cli.Command.
func (c *forceLeaveCommand) Run(args []string) int {
	nodes, ok := c.parse(args, 1, 1)
	if !ok {
		return 1
	}
	agent, ok := c.dial()
	if !ok {
		return 1
	}
	defer agent.Close()
	if err := agent.ForceLeave(forceLeave{nodes[0], c.prune, c.wan}); err != nil {
		return c.refused("force leaving", err)
	}
	return 0
}
