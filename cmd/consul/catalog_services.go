package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// catalogServicesCommand lists services.
type catalogServicesCommand struct {
	httpCommand
	node string
	meta pairs
	tags bool
}

func newCatalogServicesCommand(ui cli.Ui) cli.Command {
	c := &catalogServicesCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "catalog services",
		synopsis: "Lists all registered services in a datacenter",
		about: `
Lists the names of the services in the catalog, by name: all, or those that are on
a node, or on nodes with some metadata.`,
		example: `
$ consul catalog services
consul
web

$ consul catalog services -node=web-1 -tags
web      blue,v1`,
	})}
	c.serverFlags()
	c.flags.StringVar(&c.node, "node", "", "only services on the node `NAME_OR_ID`")
	c.flags.Var(&c.meta, "node-meta", "only services on nodes with the metadata `KEY=VALUE`; may be given several times")
	c.flags.BoolVar(&c.tags, "tags", false, "show the tags of each service beside it")
	return c
}

// Run implements cli.Command.
func (c *catalogServicesCommand) Run(args []string) int {
	agent, _, ok := c.open(args, 0, 0)
	if !ok {
		return 1
	}
	services, err := c.services(agent.Catalog())
	if err != nil {
		return c.refused("listing services", err)
	}
	if len(services) == 0 {
		return c.nothingMatches("services")
	}
	c.ui.Output(serviceLines(services, c.tags))
	return 0
}

// services returns the tags of services by name.
func (c *catalogServicesCommand) services(catalog *api.Catalog) (map[string][]string, error) {
	options := c.query()
	options.NodeMeta = c.meta
	if c.node == "" {
		services, _, err := catalog.Services(options)
		return services, err
	}
	node, _, err := catalog.Node(c.node, options)
	if err != nil || node == nil {
		return nil, err
	}
	services := map[string][]string{}
	for _, s := range node.Services {
		tags := slices.Concat(services[s.Service], s.Tags)
		slices.Sort(tags)
		services[s.Service] = slices.Compact(tags)
	}
	return services, nil
}

func serviceLines(services map[string][]string, tags bool) string {
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(services)) {
		row := []string{printable(name)}
		if tags {
			row = append(row, printable(strings.Join(services[name], ",")))
		}
		rows = append(rows, row)
	}
	return alignWith(wideGap, rows)
}
