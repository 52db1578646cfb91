package main

import (
	"errors"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// eventCommand fires a user event.
type eventCommand struct {
	httpCommand
	name               string
	node, service, tag pattern
}

func newEventCommand(ui cli.Ui) cli.Command {
	c := &eventCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "event",
		operands: "[PAYLOAD]",
		synopsis: "Fire a new event",
		about: `
Tells all agents of the datacenter that something has happened, by gossip: it needs
no leader, comes to nearly all of them within a second, and to some perhaps never.
What an agent does about it is up to its watches. A payload is small: some 100
bytes.`,
		example: `
$ consul event -name=deploy 1609030
Event ID: 8e01d8a0-2a1b-3a3c-9a4d-5e6f70819293

$ consul event -name=restart -service=web -tag=v1`,
	})}
	c.datacenterFlag()
	c.flags.StringVar(&c.name, "name", "", "the event's `NAME`; required")
	c.flags.Var(&c.node, "node", "only for nodes whose name matches `REGEXP`")
	c.flags.Var(&c.service, "service", "only for nodes with a service whose name matches `REGEXP`")
	c.flags.Var(&c.tag, "tag", "and a tag of it matches `REGEXP`; with -service")
	return c
}

// Run implements cli.Command.
func (c *eventCommand) Run(args []string) int {
	agent, operands, ok := c.open(args, 0, 1)
	switch {
	case !ok:
		return 1
	case c.name == "":
		return c.misused(errors.New("needs -name, what has happened"))
	case c.tag.re != nil && c.service.re == nil:
		return c.misused(errors.New("Cannot provide tag filter without service filter."))
	}
	e := &api.UserEvent{
		Name: c.name, NodeFilter: c.node.String(), ServiceFilter: c.service.String(), TagFilter: c.tag.String(),
	}
	if len(operands) > 0 {
		e.Payload = []byte(operands[0])
	}
	id, _, err := agent.Event().Fire(e, nil)
	if err != nil {
		return c.refused("firing event", err)
	}
	c.ui.Output("Event ID: " + id)
	return 0
}
