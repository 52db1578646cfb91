package main

import "github.com/hashicorp/cli"

func newConfigCommand(ui cli.Ui) cli.Command {
	return newGroupCommand(ui, words{
		name:     "config",
		synopsis: "Interact with Consul's Centralized Configurations",
		about: `
Writes, shows and deletes config entries: what a service mesh is told about its
services. This agent keeps them, and acts upon intentions only.`,
		example: `
$ consul config write web.hcl
Config entry written: service-defaults/web

$ consul config list -kind=service-defaults
web`,
	}, "delete", "list", "read", "write")
}

// entryName are the flags that name a config entry.
type entryName struct{ kind, name string }

func (e *entryName) flags(c *httpCommand) {
	c.flags.StringVar(&e.kind, "kind", "", "of the `KIND`, such as service-defaults; required")
	c.flags.StringVar(&e.name, "name", "", "called `NAME`; required")
}

func (e *entryName) String() string { return e.kind + "/" + e.name }
