package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hashicorp/cli"
	"github.com/posener/complete"

	"github.com/actor-consul/consul/cmd/consul/nearest"
)

// words is what a command says of itself.
type words struct {
	name     string // as it is typed after the program's name
	operands string // what follows the options in the usage line; empty for nothing
	synopsis string // one line for the list of commands
	about    string // what it does, in lines that fit a terminal
	example  string // one or more uses, with what they print
}

// command is what all commands have: words, flags, and the terminal they speak to.
// A command embeds it and adds Run. It writes the help from the words and the
// flags, so that no flag can be missing there.
type command struct {
	words
	ui    cli.Ui
	flags *flag.FlagSet

	// passes is set where the operands are somebody else's words, such as a command
	// line to run: from the first one on nothing is a flag of this command.
	passes bool

	// excuse explains why a flag that people expect does not exist here. It may be
	// nil, and returns "" for a flag that it does not know.
	excuse func(flag string) string
}

func newCommand(ui cli.Ui, w words) command {
	flags := flag.NewFlagSet(w.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // parse tells what is wrong
	return command{words: w, ui: ui, flags: flags}
}

// Synopsis implements cli.Command.
func (c *command) Synopsis() string { return c.synopsis }

// Help implements cli.Command.
func (c *command) Help() string {
	var b strings.Builder
	b.WriteString("Usage: consul " + c.name)
	options := c.options()
	if len(options) > 0 {
		b.WriteString(" [options]")
	}
	if c.operands != "" {
		b.WriteString(" " + c.operands)
	}
	b.WriteString("\n\n" + indent(c.about) + "\n")
	if len(options) > 0 {
		b.WriteString("\nOptions:\n\n" + indent(align(options)) + "\n")
	}
	b.WriteString("\nExample:\n\n" + indent(c.example))
	return b.String()
}

// options returns a row for each flag: how it is written, and what it does.
func (c *command) options() [][]string {
	var rows [][]string
	c.flags.VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		name := "-" + f.Name
		if value != "" {
			name += "=" + value
		}
		if !slices.Contains([]string{"", "false", "0"}, f.DefValue) {
			usage += " (default " + f.DefValue + ")"
		}
		rows = append(rows, []string{name, usage})
	})
	return rows
}

// AutocompleteFlags implements cli.CommandAutocomplete.
func (c *command) AutocompleteFlags() complete.Flags {
	predictors := complete.Flags{}
	c.flags.VisitAll(func(f *flag.Flag) {
		predictors["-"+f.Name] = predictor(f.Value)
	})
	return predictors
}

// AutocompleteArgs implements cli.CommandAutocomplete.
func (c *command) AutocompleteArgs() complete.Predictor { return complete.PredictNothing }

// predictor says what may follow a flag on the command line. After a switch comes
// whatever may come without it.
func predictor(v flag.Value) complete.Predictor {
	if b, ok := v.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
		return nil
	}
	if c, ok := v.(*choice); ok {
		return complete.PredictSet(c.options...)
	}
	return complete.PredictAnything
}

// parse reads the flags, which may stand before, between and after the operands
// unless it passes those on, and returns the operands. Their number is at least least and at most most;
// a negative most is no limit. Where ok is false the user has been told what is
// wrong, and the command is to return 1.
func (c *command) parse(args []string, least, most int) (operands []string, ok bool) {
	operands, err := c.split(args)
	switch {
	case err != nil:
	case len(operands) < least:
		err = fmt.Errorf("needs %s", c.operands)
	case most == 0 && len(operands) > 0:
		err = fmt.Errorf("takes no arguments, but was given %q", operands[0])
	case most > 0 && len(operands) > most && c.passes && strings.HasPrefix(operands[most], "-"):
		err = fmt.Errorf("takes only %s, but was given %q as well: its flags go before them", c.operands, operands[most])
	case most > 0 && len(operands) > most:
		err = fmt.Errorf("takes only %s, but was given %q as well", c.operands, operands[most])
	}
	if err != nil {
		c.misused(err)
		return nil, false
	}
	return operands, true
}

// misused tells the user that the command line makes no sense, and returns the
// exit status for that.
func (c *command) misused(err error) int {
	c.ui.Error(fmt.Sprintf("consul %s: %s", c.name, err))
	c.ui.Error(fmt.Sprintf("Run `consul %s -h` for its usage.", c.name))
	return 1
}

// split separates flags from operands. Everything after "--" is an operand.
func (c *command) split(args []string) (operands []string, err error) {
	for {
		if err := c.flags.Parse(args); err != nil {
			return nil, c.explain(err)
		}
		rest := c.flags.Args()
		if len(rest) == 0 || c.passes {
			return append(operands, rest...), nil
		}
		if n := len(args) - len(rest); n > 0 && args[n-1] == "--" {
			return append(operands, rest...), nil
		}
		operands, args = append(operands, rest[0]), rest[1:]
	}
}

// explain adds to the error about an unknown flag what the user may have meant.
func (c *command) explain(err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err
	}
	if c.excuse != nil {
		if why := c.excuse(name); why != "" {
			return errors.New(why)
		}
	}
	var names []string
	c.flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	if near := nearest.Word(name, names); near != "" {
		return fmt.Errorf("unknown flag -%s; did you mean -%s?", name, near)
	}
	return fmt.Errorf("unknown flag -%s", name)
}

// failed tells the user that the command could not do its work, and returns the
// exit status for that.
func (c *command) failed(format string, args ...any) int {
	c.ui.Error(fmt.Sprintf(format, args...))
	return 1
}
