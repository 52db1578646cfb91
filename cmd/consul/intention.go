package main

import "github.com/hashicorp/cli"

func newIntentionCommand(ui cli.Ui) cli.Command {
	return newGroupCommand(ui, words{
		name:     "intention",
		synopsis: "Interact with Connect service intentions",
		about: `
Says which service may connect to which, and asks whether one may. A name is that
of a service, or * for all.`,
		example: `
$ consul intention create -deny '*' db
Created: * => db (deny)

$ consul intention check web db
Denied`,
	}, "check", "create", "delete", "list")
}
