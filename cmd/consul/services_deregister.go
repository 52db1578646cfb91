package main

import (
	"cmp"
	"errors"

	"github.com/hashicorp/cli"
)

// servicesDeregisterCommand takes services from the agent.
type servicesDeregisterCommand struct {
	httpCommand
	id string
}

func newServicesDeregisterCommand(ui cli.Ui) cli.Command {
	c := &servicesDeregisterCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "services deregister",
		operands: "[FILE_OR_DIRECTORY...]",
		synopsis: "Deregister services with the local agent",
		about: `
Takes services and their checks from the agent: the one with an ID, or those that
files define. A service that is defined in the agent's own configuration comes back
with the next reload.`,
		example: `
$ consul services deregister -id=web-1
Deregistered service: web-1

$ consul services deregister web.hcl`,
	})}
	c.flags.StringVar(&c.id, "id", "", "the service with the `ID`")
	return c
}

// Run implements cli.Command.
func (c *servicesDeregisterCommand) Run(args []string) int {
	agent, files, ok := c.open(args, 0, -1)
	if !ok {
		return 1
	}
	if (c.id == "") == (len(files) == 0) {
		return c.misused(errors.New("needs either a file with definitions or -id"))
	}
	ids := []string{c.id}
	if c.id == "" {
		defined, ok := c.servicesIn(files)
		if !ok {
			return 1
		}
		ids = ids[:0]
		for _, s := range defined {
			ids = append(ids, cmp.Or(s.ID, s.Name))
		}
	}
	for _, id := range ids {
		if err := agent.Agent().ServiceDeregister(id); err != nil {
			return c.failed("Error deregistering service %q: %s", id, c.http.explain(err))
		}
		c.ui.Output("Deregistered service: " + printable(id))
	}
	return 0
}
