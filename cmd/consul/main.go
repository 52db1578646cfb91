// Command consul runs an agent, and talks to one that runs.
//
//	consul agent      ──values──▶ supervisor     the agent itself
//	consul members…   ──8400────▶ a running agent, or over 8500
//	consul kv…        ──8500────▶ a running agent
//
// It owns the command line: one file a command, each with its own help. What
// all commands share is in command.go (words and flags), http.go (asking an agent over
// HTTP) and either.go (over its RPC or HTTP); how they print is in plain functions beside them.
//
// Standard output is for what a command was asked for and for nothing else, so
// that it can be parsed. A command exits with 0 when it did its work and with 1
// when it did not; `members` exits with 2 when nobody matches, and an unknown
// command with 127, as scripts around Consul expect.
//
// Nothing survives a command but a file that it was asked for. It knows no actors:
// what runs inside the agent is the supervisor's business.
package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/cli"

	"github.com/actor-consul/consul/cmd/consul/nearest"
)

// commands is all that can be typed after the program's name.
var commands = map[string]func(cli.Ui) cli.Command{
	"actors":      newActorsCommand,
	"agent":       newAgentCommand,
	"catalog":     newCatalogCommand,
	"config":      newConfigCommand,
	"debug":       newDebugCommand,
	"event":       newEventCommand,
	"force-leave": newForceLeaveCommand,
	"info":        newInfoCommand,
	"intention":   newIntentionCommand,
	"join":        newJoinCommand,
	"keygen":      newKeygenCommand,
	"keyring":     newKeyringCommand,
	"kv":          newKVCommand,
	"leave":       newLeaveCommand,
	"lock":        newLockCommand,
	"maint":       newMaintCommand,
	"members":     newMembersCommand,
	"monitor":     newMonitorCommand,
	"operator":    newOperatorCommand,
	"reload":      newReloadCommand,
	"rtt":         newRTTCommand,
	"services":    newServicesCommand,
	"snapshot":    newSnapshotCommand,
	"tls":         newTLSCommand,
	"validate":    newValidateCommand,
	"version":     newVersionCommand,
	"watch":       newWatchCommand,

	"catalog datacenters": newCatalogDatacentersCommand,
	"catalog nodes":       newCatalogNodesCommand,
	"catalog services":    newCatalogServicesCommand,

	"config delete": newConfigDeleteCommand,
	"config list":   newConfigListCommand,
	"config read":   newConfigReadCommand,
	"config write":  newConfigWriteCommand,

	"intention check":  newIntentionCheckCommand,
	"intention create": newIntentionCreateCommand,
	"intention delete": newIntentionDeleteCommand,
	"intention list":   newIntentionListCommand,

	"kv delete": newKVDeleteCommand,
	"kv export": newKVExportCommand,
	"kv get":    newKVGetCommand,
	"kv import": newKVImportCommand,
	"kv put":    newKVPutCommand,

	"operator autopilot":            newOperatorAutopilotCommand,
	"operator autopilot get-config": newAutopilotGetCommand,
	"operator autopilot set-config": newAutopilotSetCommand,
	"operator autopilot state":      newAutopilotStateCommand,
	"operator raft":                 newOperatorRaftCommand,
	"operator raft list-peers":      newListPeersCommand,
	"operator raft recover":         newRecoverCommand,
	"operator raft remove-peer":     newRemovePeerCommand,
	"operator raft transfer-leader": newTransferLeaderCommand,

	"services deregister": newServicesDeregisterCommand,
	"services register":   newServicesRegisterCommand,

	"snapshot inspect": newSnapshotInspectCommand,
	"snapshot restore": newSnapshotRestoreCommand,
	"snapshot save":    newSnapshotSaveCommand,

	"tls ca":          newTLSCACommand,
	"tls ca create":   newTLSCACreateCommand,
	"tls cert":        newTLSCertCommand,
	"tls cert create": newTLSCertCreateCommand,
}

// globalFlags is all that can be typed instead of a command.
var globalFlags = []string{"-autocomplete-install", "-autocomplete-uninstall", "-help", "-version"}

// exitUnknown is the exit status when there is no such command, as in a shell.
const exitUnknown = 127

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: it returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	ui := &cli.BasicUi{Writer: stdout, ErrorWriter: stderr}
	app := &cli.CLI{
		Name:         "consul",
		Args:         args,
		Commands:     factories(ui),
		Autocomplete: true,
		HelpFunc:     cli.BasicHelpFunc("consul"),
		HelpWriter:   stdout,
		ErrorWriter:  stderr,
	}
	// A shell that completes a line calls the program with words that are not a
	// command line at all.
	if completing := os.Getenv("COMP_LINE") != ""; !completing {
		if app.IsVersion() {
			return newVersionCommand(ui).Run(nil)
		}
		if complaint := unknown(app.Subcommand(), args); complaint != "" {
			fmt.Fprintln(stderr, complaint)
			fmt.Fprintln(stderr, "Run `consul -h` for the list of commands.")
			return exitUnknown
		}
	}
	status, err := app.Run()
	if err != nil {
		fmt.Fprintln(stderr, "consul:", err)
	}
	return status
}

func factories(ui cli.Ui) map[string]cli.CommandFactory {
	made := make(map[string]cli.CommandFactory, len(commands))
	for name, create := range commands {
		made[name] = func() (cli.Command, error) { return create(ui), nil }
	}
	return made
}

// unknown returns what to say about a command, or about a flag in its place, that
// does not exist; "" when all is well.
func unknown(name string, args []string) string {
	if name != "" {
		if _, ok := commands[name]; ok {
			return ""
		}
		return complain("command", name, slices.Sorted(maps.Keys(commands)))
	}
	for _, arg := range args {
		flag := "-" + strings.TrimLeft(arg, "-")
		if !slices.Contains(globalFlags, flag) && flag != "-h" && flag != "-v" {
			return complain("flag", arg, globalFlags)
		}
	}
	return ""
}

func complain(what, word string, known []string) string {
	complaint := fmt.Sprintf("consul: unknown %s %q", what, word)
	if near := nearest.Word(word, known); near != "" {
		complaint += fmt.Sprintf("; did you mean %q?", near)
	}
	return complaint
}
