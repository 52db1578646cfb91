package main

import "github.com/hashicorp/cli"

func newCatalogCommand(ui cli.Ui) cli.Command {
	return newGroupCommand(ui, words{
		name:     "catalog",
		synopsis: "Interact with the catalog",
		about: `
Lists what the servers know of: datacenters, nodes and services.`,
		example: `
$ consul catalog services -tags
consul
web         blue,v1`,
	}, "datacenters", "nodes", "services")
}

// nothingMatches tells the user that a list is empty, which is no failure.
func (c *httpCommand) nothingMatches(what string) int {
	c.ui.Error("No " + what + " match the given query - try expanding your search.")
	return 0
}
