package main

import (
	"errors"

	"github.com/hashicorp/cli"

	"github.com/actor-consul/consul/cmd/consul/config"
)

func newServicesCommand(ui cli.Ui) cli.Command {
	return newGroupCommand(ui, words{
		name:     "services",
		synopsis: "Interact with services",
		about: `
Registers and deregisters services at the agent, from definitions in files or from
flags. The agent keeps them over a restart, and runs their checks.`,
		example: `
$ consul services register -name=web -port=80
Registered service: web

$ consul services deregister -id=web
Deregistered service: web`,
	}, "deregister", "register")
}

// servicesIn returns the services that files define. Where ok is false the user has
// been told what is wrong with them.
func (c *httpCommand) servicesIn(paths []string) (services []config.Service, ok bool) {
	services, warnings, err := config.LoadServices(paths)
	for _, w := range warnings {
		c.ui.Warn("WARNING: " + printableLines(w.String()))
	}
	if err == nil && len(services) == 0 {
		err = errors.New("there is no service in these files; a definition looks like: service { name = \"web\" port = 80 }")
	}
	if err != nil {
		c.failed("Error: %s", printableLines(err.Error()))
		return nil, false
	}
	return services, true
}
