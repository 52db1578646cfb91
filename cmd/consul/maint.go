package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// The IDs of the checks that stand for maintenance; the second is followed by the
// ID of a service.
const (
	nodeMaintenance    = "_node_maintenance"
	serviceMaintenance = "_service_maintenance:"
)

// maintCommand puts the node, or a service, under maintenance.
type maintCommand struct {
	httpCommand
	enable, disable bool
	reason, service string
}

func newMaintCommand(ui cli.Ui) cli.Command {
	c := &maintCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "maint",
		synopsis: "Controls node or service maintenance mode",
		about: `
Puts this agent's node, or one of its services, under maintenance, and ends that.
Meanwhile a check of it is critical, so that nobody is sent there; it lasts over a
restart. Without flags it shows what is under maintenance.`,
		example: `
$ consul maint -enable -service=web -reason="new disks"
Service maintenance is now enabled for "web"

$ consul maint
Service:
  ID:     web
  Reason: new disks`,
	})}
	c.flags.BoolVar(&c.enable, "enable", false, "begin maintenance")
	c.flags.BoolVar(&c.disable, "disable", false, "end maintenance")
	c.flags.StringVar(&c.reason, "reason", "", "with -enable, `TEXT` for people who wonder")
	c.flags.StringVar(&c.service, "service", "", "of the service with the `ID` only")
	return c
}

// Run implements cli.Command.
func (c *maintCommand) Run(args []string) int {
	client, _, ok := c.open(args, 0, 0)
	switch {
	case !ok:
		return 1
	case c.enable && c.disable:
		return c.misused(errors.New("Only one of -enable or -disable may be provided"))
	case !c.enable && c.reason != "":
		return c.misused(errors.New("Reason may only be provided with -enable"))
	case !c.enable && !c.disable && c.service != "":
		return c.misused(errors.New("Service requires either -enable or -disable"))
	}
	agent := client.Agent()
	switch {
	case c.enable && c.service != "":
		return c.done(agent.EnableServiceMaintenance(c.service, c.reason), "Service", "enabled")
	case c.enable:
		return c.done(agent.EnableNodeMaintenance(c.reason), "Node", "enabled")
	case c.disable && c.service != "":
		return c.done(agent.DisableServiceMaintenance(c.service), "Service", "disabled")
	case c.disable:
		return c.done(agent.DisableNodeMaintenance(), "Node", "disabled")
	default:
		return c.show(agent)
	}
}

// done tells how it went.
func (c *maintCommand) done(err error, what, state string) int {
	if err != nil {
		return c.refused("changing "+strings.ToLower(what)+" maintenance", err)
	}
	said := what + " maintenance is now " + state
	if c.service != "" {
		said += fmt.Sprintf(" for %q", c.service)
	}
	c.ui.Output(said)
	return 0
}

// show prints what is under maintenance.
func (c *maintCommand) show(agent *api.Agent) int {
	name, err := agent.NodeName()
	if err != nil {
		return c.refused("querying Consul agent", err)
	}
	checks, err := agent.Checks()
	if err != nil {
		return c.refused("getting checks", err)
	}
	for _, id := range slices.Sorted(maps.Keys(checks)) {
		check := checks[id]
		switch {
		case check.CheckID == nodeMaintenance:
			c.ui.Output("Node:\n  Name:   " + printable(name) + "\n  Reason: " + printable(check.Notes) + "\n")
		case strings.HasPrefix(check.CheckID, serviceMaintenance):
			c.ui.Output("Service:\n  ID:     " + printable(check.ServiceID) + "\n  Reason: " + printable(check.Notes) + "\n")
		}
	}
	return 0
}
