package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/cli"
)

// monitorCommand shows the agent's log as it is written.
type monitorCommand struct {
	eitherCommand
	level choice
	json  bool
}

func newMonitorCommand(ui cli.Ui) cli.Command {
	c := &monitorCommand{
		eitherCommand: newEitherCommand(ui, words{
			name:     "monitor",
			synopsis: "Stream logs from a Consul agent",
			about: `
Shows the recent lines of the agent's log and then each as it is written, until
Ctrl-C. The level is independent of the one that the agent itself logs at. Where
this program is too slow the agent leaves lines out, and says how many.`,
			example: `
$ consul monitor -log-level=debug
2026-03-04T05:06:07.890Z [INFO]  serf: EventMemberJoin: web-3 10.0.0.7
...`,
		}),
		level: choice{word: "info", options: []string{"trace", "debug", "info", "warn", "warning", "err", "error"}},
	}
	c.flags.BoolVar(&c.json, "log-json", false, "show each line as a JSON object")
	c.flags.Var(&c.level, "log-level", "show lines of `LEVEL` and above: trace, debug, info, warn or err")
	return c
}

// Run implements cli.Command.
func (c *monitorCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	agent, ok := c.dial()
	if !ok {
		return 1
	}
	defer agent.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := agent.Monitor(ctx, c.level.word, c.json, c.show); err != nil {
		return c.refused("monitoring the agent", err)
	}
	return 0
}

// show prints a line of the log. JSON is for programs and stays as it is.
func (c *monitorCommand) show(line string) {
	if !c.json {
		line = printable(line)
	}
	c.ui.Output(line)
}
