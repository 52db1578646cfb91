package main

import (
	"flag"
	"strings"

	"github.com/hashicorp/cli"
	"github.com/posener/complete"

	"github.com/actor-consul/consul/cmd/consul/config"
)

// validateCommand tells whether an agent could start with some configuration.
type validateCommand struct {
	command
	format choice
	quiet  bool
}

func newValidateCommand(ui cli.Ui) cli.Command {
	c := &validateCommand{
		command: newCommand(ui, words{
			name:     "validate",
			operands: "FILE_OR_DIRECTORY...",
			synopsis: "Validate config files/directories",
			about: `
Reads configuration files, and those in directories, as the agent would, and
tells every mistake that would keep it from starting. They have to be whole: an
agent that is given more on its command line may start where this fails.`,
			example: `
$ consul validate /etc/consul.d
Configuration is valid!`,
		}),
		format: choice{options: []string{"hcl", "json"}},
	}
	c.flags.Var(&c.format, "config-format", "read every file as `FORMAT`, hcl or json, whatever its name")
	c.flags.BoolVar(&c.quiet, "quiet", false, "print errors only")
	return c
}

// AutocompleteArgs implements cli.CommandAutocomplete.
func (c *validateCommand) AutocompleteArgs() complete.Predictor { return complete.PredictFiles("*") }

// Run implements cli.Command.
func (c *validateCommand) Run(args []string) int {
	paths, ok := c.parse(args, 1, -1)
	if !ok {
		return 1
	}
	agent := config.Flags(flag.NewFlagSet("agent", flag.ContinueOnError))
	agent.Paths, agent.Format = paths, c.format.word
	_, warnings, err := config.Load(config.Args{Flags: agent, Host: config.ThisHost()})
	if !c.quiet {
		for _, w := range warnings {
			c.ui.Warn("WARNING: " + printableLines(w.String()))
		}
	}
	if err != nil {
		return c.failed("Config validation failed:\n%s", indent(printableLines(err.Error())))
	}
	if !c.quiet {
		c.ui.Output("Configuration is valid!")
	}
	return 0
}

// printableLines is printable for text that may have several lines.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}
