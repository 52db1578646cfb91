package main

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/cli"

	"github.com/actor-consul/consul/messages"
)

// recoverCommand has a server go on without those that are lost.
type recoverCommand struct {
	httpCommand
	dryRun, confirm bool
}

func newRecoverCommand(ui cli.Ui) cli.Command {
	c := &recoverCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "operator raft recover",
		synopsis: "Go on with the servers that are left when the quorum is lost",
		about: `
When more than half of the voting servers are gone for good, those that are left
cannot elect a leader. This makes them a peer set of their own, while they run. It
shows what it would do, and does it with -confirm.

Run it on the server with the newest log of those that are left; on another it says
which that is. Nothing is done while a quorum is there.

What only the lost servers had is lost: writes that they had acknowledged, and this
server has not got. What this server has counts as committed, also what was never
acknowledged. Never start a lost server again with its old data unless this
has been done: a majority of the old servers would go on by itself.`,
		example: `
$ consul operator raft recover
Node  ID                                    Address        Voter  Status  Last Term  Last Index  In the new peer set
s1    7d3a16c4-9a33-4b0e-9a1c-1c1c5a2a7f0e  10.0.0.1:8300  true   alive   4          1167        yes (asked)
s2    0c3e4e0f-0f4d-4f2c-8a54-0a3b6f0e6e11  10.0.0.2:8300  true   failed  -          -           no
s3    b1a8b4d2-5c09-4f7f-9d0c-3f2f5b1f7c55  10.0.0.3:8300  true   failed  -          -           no

1 of 3 voters is there, 2 are a quorum.
What the others had after term 4, index 1167 is lost.
Nothing was done. To do it: consul operator raft recover -confirm`,
	})}
	c.flags.BoolVar(&c.dryRun, "dry-run", false, "show what would be done, and do nothing; so without -confirm, too")
	c.flags.BoolVar(&c.confirm, "confirm", false, "do it")
	return c
}

const recoveryPath = "/v1/operator/raft/recovery"

// Run implements cli.Command.
func (c *recoverCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	if c.confirm && c.dryRun {
		return c.misused(errors.New("needs at most one of -dry-run and -confirm"))
	}
	agent, ok := c.client()
	if !ok {
		return 1
	}
	var plan messages.RecoveryPlan
	if _, err := agent.Raw().Query(recoveryPath, &plan, nil); err != nil {
		return c.refused("planning a recovery", err)
	}
	c.ui.Output(recoveryTable(plan))
	if plan.Objection != "" {
		return c.failed("Error recovering the peer set: %s", printable(plan.Objection))
	}
	c.ui.Output(recoveryText(plan))
	if !c.confirm {
		c.ui.Output("Nothing was done. To do it: consul operator raft recover -confirm")
		return 0
	}
	if _, err := agent.Raw().Write(recoveryPath, nil, &plan, nil); err != nil {
		return c.refused("recovering the peer set", err)
	}
	c.ui.Output("Recovered the peer set. Servers that are started from now on are taken in by themselves.")
	return 0
}

// recoveryTable has a line for each server of the old peer set.
func recoveryTable(plan messages.RecoveryPlan) string {
	rows := [][]string{{"Node", "ID", "Address", "Voter", "Status", "Last Term", "Last Index", "In the new peer set"}}
	for _, s := range plan.Servers {
		term, index, keep := "-", "-", "no"
		if s.Problem == "" {
			term, index, keep = strconv.FormatUint(s.LastTerm, 10), strconv.FormatUint(s.LastIndex, 10), "yes"
		}
		if s.Self {
			keep += " (asked)"
		}
		rows = append(rows, []string{
			printable(cmp.Or(s.Node, "(unknown)")), printable(s.ID), printable(s.Address), strconv.FormatBool(s.Voter), printable(string(s.Status)), term, index, keep,
		})
	}
	return align(rows)
}

func recoveryText(plan messages.RecoveryPlan) string {
	are := "are"
	if plan.Present == 1 {
		are = "is"
	}
	lines := []string{"", fmt.Sprintf("%d of %d voters %s there, %d are a quorum.", plan.Present, plan.Voters, are, plan.Quorum)}
	for _, s := range plan.Servers {
		if s.Self {
			lines = append(lines, fmt.Sprintf("What the others had after term %d, index %d is lost.", s.LastTerm, s.LastIndex))
		}
	}
	return strings.Join(lines, "\n")
}
