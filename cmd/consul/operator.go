package main

import "github.com/hashicorp/cli"

func newOperatorCommand(ui cli.Ui) cli.Command {
	return newGroupCommand(ui, words{
		name:     "operator",
		synopsis: "Provides cluster-level tools for Consul operators",
		about: `
Shows and changes what the servers of a datacenter are to each other: who is in
the peer set, who votes, who leads, and what the leader does about that by itself.`,
		example: `
$ consul operator raft list-peers

$ consul operator autopilot state`,
	}, "autopilot", "raft")
}

func newOperatorRaftCommand(ui cli.Ui) cli.Command {
	return newGroupCommand(ui, words{
		name:     "operator raft",
		synopsis: "Provides tools for the servers' peer set",
		about: `
Lists the servers that keep the log, takes one out, has the leader hand over, and
goes on with those that are left when too many are lost.`,
		example: `
$ consul operator raft list-peers

$ consul operator raft transfer-leader
Success`,
	}, "list-peers", "recover", "remove-peer", "transfer-leader")
}

func newOperatorAutopilotCommand(ui cli.Ui) cli.Command {
	return newGroupCommand(ui, words{
		name:     "operator autopilot",
		synopsis: "Provides tools for what the leader does about servers by itself",
		about: `
Shows how the servers are, and shows and changes when the leader gives a server a
vote or removes one that has failed.`,
		example: `
$ consul operator autopilot state

$ consul operator autopilot set-config -server-stabilization-time=30s
Configuration updated!`,
	}, "get-config", "set-config", "state")
}
