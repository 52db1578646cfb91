package main

import (
	"fmt"
	"strings"

	"github.com/hashicorp/cli"

	"github.com/actor-consul/consul/cmd/consul/version"
)

// versionCommand says which Consul this is.
type versionCommand struct {
	command
	format choice
}

func newVersionCommand(ui cli.Ui) cli.Command {
	c := &versionCommand{
		command: newCommand(ui, words{
			name:     "version",
			synopsis: "Output Consul version information",
			about: `
Prints the version of Consul whose API this program serves, which is what
clients and scripts compare, and what it was built from. The program's own
version is ` + version.Version + `.`,
			example: `
$ consul version
Consul v1.19.2
Revision 2ec7eef5
Build Date 2026-03-04T05:06:07Z
Protocol 2 spoken by default, understands 2 to 3 (agent will automatically use protocol >2 when speaking to compatible agents)`,
		}),
		format: choice{word: "pretty", options: []string{"pretty", "json"}},
	}
	c.flags.Var(&c.format, "format", "print as `FORMAT`: pretty (lines for people) or json")
	return c
}

// Run implements cli.Command.
func (c *versionCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	if c.format.word == "json" {
		c.ui.Output(versionJSON(version.ReadBuild()))
	} else {
		c.ui.Output(versionText(version.ReadBuild()))
	}
	return 0
}

// versionText is for people, in Consul's lines. A revision that is not known has
// no line.
func versionText(b version.Build) string {
	lines := []string{"Consul v" + version.Compat}
	if b.Revision != "" {
		lines = append(lines, "Revision "+b.Revision)
	}
	lines = append(lines, "Build Date "+b.Date, fmt.Sprintf(
		"Protocol %d spoken by default, understands %d to %d"+
			" (agent will automatically use protocol >%d when speaking to compatible agents)",
		version.ProtocolDefault, version.ProtocolMin, version.ProtocolMax, version.ProtocolDefault))
	return strings.Join(lines, "\n")
}

// versionJSON is for programs, in Consul's fields.
func versionJSON(b version.Build) string {
	type rpc struct{ Default, Min, Max int }
	return toJSON(struct {
		Version    string
		Revision   string
		Prerelease string
		BuildDate  string
		RPC        rpc
	}{
		Version:   version.Compat,
		Revision:  b.Revision,
		BuildDate: b.Date,
		RPC:       rpc{version.ProtocolDefault, version.ProtocolMin, version.ProtocolMax},
	})
}
