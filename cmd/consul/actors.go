package main

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/cli"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/agentrpc"
)

// longestFailure is how many characters of a failure the table shows.
const longestFailure = 80

// actorsCommand lists the live tree of the agent.
type actorsCommand struct {
	eitherCommand
	format choice
}

func newActorsCommand(ui cli.Ui) cli.Command {
	c := &actorsCommand{
		eitherCommand: newEitherCommand(ui, words{
			name:     "actors",
			synopsis: "Lists the actors that the agent is made of",
			about: `
Lists the parts of the running agent in the order in which they start: the state
of each, how many messages wait for it and how many it has handled, how often it
was restarted and since when it is up, and what its last failure said. It is the
place to look when one part of an agent behaves oddly.`,
			example: `
$ consul actors
Actor   State    Mailbox  Handled  Restarts  Up since              Last failure
logs    running  0        1382     0         2026-03-04T05:06:07Z  -
gossip  running  2        90211    1         2026-03-04T07:00:01Z  index out of range [4] with length 4`,
		}),
		format: choice{word: "table", options: []string{"table", "json"}},
	}
	c.flags.Var(&c.format, "format", "print as `FORMAT`: table or json (with the whole of the last failure)")
	return c
}

// Run implements cli.Command.
func (c *actorsCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	agent, ok := c.dial()
	if !ok {
		return 1
	}
	defer agent.Close()
	actors, err := agent.Actors()
	if err != nil {
		return c.refused("listing the actors", err)
	}
	if c.format.word == "json" {
		c.ui.Output(actorsJSON(actors))
	} else {
		c.ui.Output(actorsTable(actors))
	}
	return 0
}

// actorsTable is a row for each actor, in the order given.
func actorsTable(actors []agentrpc.Actor) string {
	rows := [][]string{{"Actor", "State", "Mailbox", "Handled", "Restarts", "Up since", "Last failure"}}
	for _, a := range actors {
		rows = append(rows, []string{
			printable(a.Name),
			printable(a.State),
			strconv.FormatInt(a.MailboxDepth, 10),
			strconv.FormatInt(a.Handled, 10),
			strconv.Itoa(a.Restarts),
			upSince(a.Since),
			failureLine(a.LastFailure),
		})
	}
	return align(rows)
}

// upSince writes Unix nanoseconds to the second, in UTC.
func upSince(nanos int64) string {
	if nanos == 0 {
		return "-"
	}
	return moment(nanos).Format(time.RFC3339)
}

// failureLine is what fits a table of what a panic said.
func failureLine(failure string) string {
	if failure == "" {
		return "-"
	}
	line, _, more := strings.Cut(failure, "\n")
	if utf8.RuneCountInString(line) > longestFailure {
		line, more = string([]rune(line)[:longestFailure]), true
	}
	if more {
		line += "..."
	}
	return printable(line)
}

// actorsJSON has the fields of /v1/agent/actors.
func actorsJSON(actors []agentrpc.Actor) string {
	list := make([]messages.ActorInfo, len(actors))
	for i, a := range actors {
		list[i] = messages.ActorInfo{
			Name:          a.Name,
			State:         messages.ActorState(a.State),
			MailboxDepth:  a.MailboxDepth,
			Handled:       a.Handled,
			Restarts:      a.Restarts,
			Since:         moment(a.Since),
			LastFailure:   a.LastFailure,
			LastFailureAt: moment(a.LastFailureAt),
		}
	}
	return toJSON(list)
}

// moment is the time of Unix nanoseconds, where 0 means never.
func moment(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}
