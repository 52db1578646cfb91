package main

import (
	"fmt"
	"time"

	"github.com/hashicorp/cli"

	"github.com/actor-consul/consul/messages/agentrpc"
)

// leaveCommand makes the agent leave the cluster and end.
type leaveCommand struct {
	eitherCommand
	force bool
}

func newLeaveCommand(ui cli.Ui) cli.Command {
	c := &leaveCommand{eitherCommand: newEitherCommand(ui, words{
		name:     "leave",
		synopsis: "Gracefully leaves the Consul cluster and shuts down",
		about: `
Tells the agent to leave the cluster and to end. Its services leave the catalog,
a server hands over what it leads, and the other agents see it as left and not
as failed. Each step is shown as it ends: what was done, and how long it took;
over HTTP, only that it is done.

An agent whose cluster would lose its quorum with it refuses, and says so.`,
		example: `
$ consul leave
    12ms  take this agent's services and node from the catalog: node 'server-1', services: 3, checks: 4
   310ms  hand over leadership: server-2 leads
...
Graceful leave complete`,
	})}
	c.flags.BoolVar(&c.force, "force", false, "leave although the cluster loses its quorum")
	return c
}

// Run implements cli.Command.
func (c *leaveCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	agent, ok := c.dial()
	if !ok {
		return 1
	}
	defer agent.Close()
	failed := 0
	err := agent.Leave(c.force, func(step agentrpc.LeaveRecord) {
		if step.Done {
			c.ui.Output(leaveLine(step))
			if step.Err != "" {
				failed++
			}
		}
	})
	switch {
	case err != nil:
		return c.refused("leaving", err)
	case failed > 0 && !c.force:
		c.ui.Error(fmt.Sprintf("The agent has left, but could not do all that it should have: %d of the steps above failed. See `consul members` and `consul operator raft list-peers` on another agent.", failed))
		return 1
	}
	c.ui.Output("Graceful leave complete")
	return 0
}

// leaveLine is about a step that has ended. The lines come one by one, so the time
// stands first, where it lines up.
func leaveLine(step agentrpc.LeaveRecord) string {
	line := fmt.Sprintf("%8v  %s", step.Took.Round(time.Millisecond), printable(step.Step))
	switch {
	case step.Err != "":
		return line + ": failed: " + printable(step.Err)
	case step.Note != "":
		return line + ": " + printable(step.Note)
	default:
		return line
	}
}
