package main

import (
	"strings"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// catalogNodesCommand lists nodes.
type catalogNodesCommand struct {
	httpCommand
	detailed              bool
	filter, near, service string
	meta                  pairs
}

func newCatalogNodesCommand(ui cli.Ui) cli.Command {
	c := &catalogNodesCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "catalog nodes",
		synopsis: "Lists all nodes in the given datacenter",
		about: `
Lists the nodes of the catalog: all, those with some metadata, or those that a
service is on; by name, or by the round-trip time from one of them.`,
		example: `
$ consul catalog nodes
Node   ID        Address   DC
web-1  1b662d97  10.4.5.3  dc1

$ consul catalog nodes -service=web -near=_agent -detailed`,
	})}
	c.serverFlags()
	c.flags.BoolVar(&c.detailed, "detailed", false, "show whole IDs, all addresses and the metadata")
	c.flags.StringVar(&c.filter, "filter", "", "only nodes that `EXPRESSION` is true of, such as 'Meta.rack == r1'")
	c.flags.StringVar(&c.near, "near", "", "sort by the round-trip time from the node `NAME`; _agent is the agent's own")
	c.flags.Var(&c.meta, "node-meta", "only nodes with the metadata `KEY=VALUE`; may be given several times")
	c.flags.StringVar(&c.service, "service", "", "only nodes that the service `NAME` is on")
	return c
}

// Run implements cli.Command.
func (c *catalogNodesCommand) Run(args []string) int {
	agent, _, ok := c.open(args, 0, 0)
	if !ok {
		return 1
	}
	nodes, err := c.nodes(agent.Catalog())
	if err != nil {
		return c.refused("listing nodes", err)
	}
	if len(nodes) == 0 {
		return c.nothingMatches("nodes")
	}
	c.ui.Output(nodeTable(nodes, c.detailed))
	return 0
}

func (c *catalogNodesCommand) nodes(catalog *api.Catalog) ([]*api.Node, error) {
	options := c.query()
	options.Near, options.NodeMeta, options.Filter = c.near, c.meta, c.filter
	if c.service == "" {
		nodes, _, err := catalog.Nodes(options)
		return nodes, err
	}
	instances, _, err := catalog.Service(c.service, "", options)
	return nodesOf(instances), err
}

// nodesOf returns the nodes that instances are on, each once, in the same order.
func nodesOf(instances []*api.CatalogService) []*api.Node {
	var nodes []*api.Node
	seen := map[string]bool{}
	for _, s := range instances {
		if seen[s.Node] {
			continue
		}
		seen[s.Node] = true
		nodes = append(nodes, &api.Node{
			ID: s.ID, Node: s.Node, Address: s.Address, Datacenter: s.Datacenter,
			TaggedAddresses: s.TaggedAddresses, Meta: s.NodeMeta,
		})
	}
	return nodes
}

// nodeTable has a line for each node.
func nodeTable(nodes []*api.Node, detailed bool) string {
	rows := [][]string{{"Node", "ID", "Address", "DC"}}
	if detailed {
		rows[0] = append(rows[0], "TaggedAddresses", "Meta")
	}
	for _, n := range nodes {
		id, _, _ := strings.Cut(n.ID, "-")
		row := []string{n.Node, id, n.Address, n.Datacenter}
		if detailed {
			row[1] = n.ID
			row = append(row, joinPairs(n.TaggedAddresses, ", "), joinPairs(n.Meta, ", "))
		}
		for i := range row {
			row[i] = printable(row[i])
		}
		rows = append(rows, row)
	}
	return align(rows)
}
