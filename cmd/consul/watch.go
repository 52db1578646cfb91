package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/consul/api/watch"
	"github.com/hashicorp/go-hclog"
)

// watchTypes are the types of watches that can be run from the command line.
var watchTypes = []string{"key", "keyprefix", "services", "nodes", "service", "checks", "event"}

// watchCommand runs a program whenever something changes.
type watchCommand struct {
	httpCommand
	what                                      choice
	key, prefix, service, state, name, filter string
	passing                                   *bool
	tags                                      list
	shell                                     bool
}

func newWatchCommand(ui cli.Ui) cli.Command {
	c := &watchCommand{
		httpCommand: newHTTPCommand(ui, words{
			name:     "watch",
			operands: "[COMMAND...]",
			synopsis: "Watch for changes in Consul",
			about: `
Runs COMMAND for what there is now, and again each time it changes, until Ctrl-C or
until COMMAND fails. COMMAND has it as JSON on its standard input, and in its
environment CONSUL_INDEX, the index of the change. Without COMMAND it prints the
JSON once, and ends.

COMMAND is a line for the shell unless -shell=false.`,
			example: `
$ consul watch -type=service -service=web ./reload-proxy.sh

$ consul watch -type=key -key=app/port
{
    "Key": "app/port",
    ...
}`,
		}),
		what: choice{options: watchTypes},
	}
	c.passes = true
	c.serverFlags()
	c.flags.Var(&c.what, "type", "watch `TYPE`: "+strings.Join(watchTypes, ", "))
	c.flags.StringVar(&c.key, "key", "", "the `KEY`, for the type key")
	c.flags.StringVar(&c.prefix, "prefix", "", "the `PREFIX` of keys, for the type keyprefix")
	c.flags.StringVar(&c.service, "service", "", "the service `NAME`, for the types service and checks")
	c.flags.Var(&c.tags, "tag", "only instances with the `TAG`, for the type service; may be given several times")
	c.flags.BoolFunc("passingonly", "only instances whose checks pass, for the type service", c.setPassing)
	c.flags.StringVar(&c.state, "state", "", "the checks in `STATE`, for the type checks: any, passing, warning or critical")
	c.flags.StringVar(&c.name, "name", "", "only events called `NAME`, for the type event")
	c.flags.StringVar(&c.filter, "filter", "", "only what `EXPRESSION` is true of, for lists")
	c.flags.BoolVar(&c.shell, "shell", true, "have $SHELL run COMMAND")
	return c
}

func (c *watchCommand) setPassing(text string) error {
	only, err := strconv.ParseBool(text)
	if err != nil {
		return fmt.Errorf("it is true or false")
	}
	c.passing = &only
	return nil
}

// Run implements cli.Command.
func (c *watchCommand) Run(args []string) int {
	agent, run, ok := c.open(args, 0, -1)
	if !ok {
		return 1
	}
	if c.what.word == "" {
		return c.misused(fmt.Errorf("needs -type, one of %s", strings.Join(watchTypes, ", ")))
	}
	plan, err := watch.Parse(c.params())
	if err != nil {
		return c.misused(fmt.Errorf("-type=%s: %w", c.what.word, err))
	}
	if _, err := agent.Status().Leader(); err != nil {
		return c.refused("querying Consul agent", err)
	}
	status := 0 // the plan's, until it has ended
	plan.Handler = func(index uint64, data any) {
		if err := c.handle(run, index, data); err != nil {
			status = c.failed("Error executing handler: %s", err)
		} else if len(run) > 0 {
			return
		}
		plan.Stop()
	}
	if err := c.follow(agent, plan); err != nil {
		return c.refused("querying Consul agent", err)
	}
	return status
}

// follow runs the plan until it ends, by itself or because the user wants to. A
// command that runs at that moment is waited for, until the user insists.
func (c *watchCommand) follow(agent *api.Client, plan *watch.Plan) error {
	ctx, stop := interruptible()
	defer stop()
	defer context.AfterFunc(ctx, func() { stop(); plan.Stop() })()
	return plan.RunWithClientAndHclog(agent, hclog.New(&hclog.LoggerOptions{
		Name: "watch", Level: hclog.Warn, Output: os.Stderr, // tries that have failed
	}))
}

// params is the watch in the words of the client.
func (c *watchCommand) params() map[string]any {
	params := map[string]any{"type": c.what.word}
	for key, value := range map[string]string{
		"datacenter": c.http.datacenter, "key": c.key, "prefix": c.prefix, "service": c.service,
		"state": c.state, "name": c.name, "filter": c.filter,
	} {
		if value != "" {
			params[key] = value
		}
	}
	if len(c.tags) > 0 {
		params["tag"] = []string(c.tags)
	}
	if c.http.stale {
		params["stale"] = true
	}
	if c.passing != nil {
		params["passingonly"] = *c.passing
	}
	return params
}

// handle prints what has changed, or has the command see to it.
func (c *watchCommand) handle(run []string, index uint64, data any) error {
	if len(run) == 0 {
		text, err := json.MarshalIndent(data, "", "    ")
		if err == nil {
			c.ui.Output(string(text))
		}
		return err
	}
	var input bytes.Buffer
	if err := json.NewEncoder(&input).Encode(data); err != nil {
		return err
	}
	cmd := childCommand(run, c.shell)
	apart(cmd) // Ctrl-C is for the watch, and the command may finish
	cmd.Env = append(os.Environ(), "CONSUL_INDEX="+strconv.FormatUint(index, 10))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &input, os.Stdout, os.Stderr
	return cmd.Run()
}
