package main

import (
	"fmt"
	"strings"

	"github.com/hashicorp/cli"

	"github.com/actor-consul/consul/messages/agentrpc"
)

// reloadCommand makes the agent read its configuration again.
type reloadCommand struct{ eitherCommand }

func newReloadCommand(ui cli.Ui) cli.Command {
	return &reloadCommand{newEitherCommand(ui, words{
		name:     "reload",
		synopsis: "Triggers the agent to reload configuration files",
		about: `
Tells the agent to read its configuration files again, as the signal HUP does,
and shows what became of each key that has changed: applied, or to count only
after a restart. Files of certificates are read again, too; those are named that
hold others than before.`,
		example: `
$ consul reload
Configuration reload triggered
applied        log_level
needs restart  ports.http
unchanged      112 keys`,
	})}
}

// Run implements cli.Command.
func (c *reloadCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	agent, ok := c.dial()
	if !ok {
		return 1
	}
	defer agent.Close()
	report, err := agent.Reload()
	if err != nil {
		return c.refused("reloading", err)
	}
	c.ui.Output(reloadText(report))
	return 0
}

// reloadText says what became of each key and of the certificates. There is no report from an agent that
// does not make one.
func reloadText(report *agentrpc.ReloadResponse) string {
	text := "Configuration reload triggered"
	if report == nil {
		return text
	}
	var rows [][]string
	for _, key := range report.Applied {
		rows = append(rows, []string{"applied", printable(key)})
	}
	for _, key := range report.NeedsRestart {
		rows = append(rows, []string{"needs restart", printable(key)})
	}
	for _, file := range report.Certificates {
		rows = append(rows, []string{"loaded anew", printable(file)})
	}
	rows = append(rows, []string{"unchanged", fmt.Sprintf("%d keys", report.Unchanged)})
	return strings.Join([]string{text, align(rows)}, "\n")
}
