package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// autopilotStateCommand shows what the leader thinks of the servers.
type autopilotStateCommand struct {
	httpCommand
	format choice
}

func newAutopilotStateCommand(ui cli.Ui) cli.Command {
	c := &autopilotStateCommand{
		httpCommand: newHTTPCommand(ui, words{
			name:     "operator autopilot state",
			synopsis: "Display the current Autopilot state",
			about: `
Shows what the leader thinks of the servers of the peer set: whether each is
healthy and since when, how far its log is, and how many may be lost before nobody
can lead.`,
			example: `
$ consul operator autopilot state

$ consul operator autopilot state -format=json`,
		}),
		format: choice{word: "pretty", options: []string{"pretty", "json"}},
	}
	c.datacenterFlag()
	c.staleFlag()
	c.flags.Var(&c.format, "format", "print as `FORMAT`: pretty or json")
	return c
}

// Run implements cli.Command.
func (c *autopilotStateCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	agent, ok := c.client()
	if !ok {
		return 1
	}
	state, err := agent.Operator().AutopilotState(&api.QueryOptions{AllowStale: c.http.stale})
	if err != nil {
		return c.failed("Error querying Autopilot state: %s", c.http.explain(err))
	}
	if c.format.word == "json" {
		c.ui.Output(toJSON(state))
	} else {
		c.ui.Output(autopilotStateText(state))
	}
	return 0
}

// autopilotStateText is laid out as Consul's.
func autopilotStateText(state *api.AutopilotState) string {
	lines := []string{
		fmt.Sprintf("Healthy:                      %v", state.Healthy),
		fmt.Sprintf("Failure Tolerance:            %d", state.FailureTolerance),
		fmt.Sprintf("Optimistic Failure Tolerance: %d", state.OptimisticFailureTolerance),
		"Leader:                       " + printable(state.Leader),
		"Voters:",
	}
	for _, id := range state.Voters {
		lines = append(lines, "   "+printable(id))
	}
	lines = append(lines, "Servers:")
	for _, id := range slices.Sorted(maps.Keys(state.Servers)) {
		lines = append(lines, autopilotServerLines(id, state.Servers[id])...)
	}
	return strings.Join(lines, "\n")
}

func autopilotServerLines(id string, s api.AutopilotServer) []string {
	lines := []string{
		"   " + printable(id),
		"      Name:         " + printable(s.Name),
		"      Address:      " + printable(s.Address),
		"      Version:      " + printable(s.Version),
		"      Status:       " + printable(string(s.Status)),
		"      Node Type:    " + printable(string(s.NodeType)),
		"      Node Status:  " + printable(s.NodeStatus),
		fmt.Sprintf("      Healthy:      %v", s.Healthy),
		"      Stable Since: " + s.StableSince.UTC().Format("2006-01-02T15:04:05Z"),
		"      Last Contact: " + s.LastContact.String(),
		fmt.Sprintf("      Last Term:    %d", s.LastTerm),
		fmt.Sprintf("      Last Index:   %d", s.LastIndex),
	}
	if len(s.Meta) > 0 {
		lines = append(lines, "      Meta")
	}
	for _, key := range slices.Sorted(maps.Keys(s.Meta)) {
		lines = append(lines, fmt.Sprintf("         %q: %q", key, s.Meta[key]))
	}
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return lines
}
