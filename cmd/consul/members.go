package main

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/messages/agentrpc"
)

// exitNobody is the exit status of members when nobody matches.
const exitNobody = 2

// mainTags are the tags that members prints unless it is asked for all, in the
// order in which Consul's documentation has them.
var mainTags = []string{"role", "dc", "vsn", "vsn_min", "vsn_max", "port", "bootstrap", "expect"}

// membersCommand lists the members of a gossip pool.
type membersCommand struct {
	eitherCommand
	detailed, wan               bool
	datacenter, filter, segment string
	format                      choice
	status, role                pattern
}

func newMembersCommand(ui cli.Ui) cli.Command {
	c := &membersCommand{
		eitherCommand: newEitherCommand(ui, words{
			name:     "members",
			synopsis: "Lists the members of a Consul cluster",
			about: `
Lists the agents that gossip with this one, as this one sees them, with what
they say of themselves. Members that have failed or left are shown until they
are forgotten. Asked over the RPC, each is a line with its tags, and over HTTP a
row of today's table, unless -format says otherwise.

Exits with 2 when there are members and none of them matches.`,
			example: `
$ consul members
Armons-MacBook-Air  10.1.10.38:8301  alive  role=consul,dc=dc1,vsn=2,vsn_min=2,vsn_max=3,port=8300,bootstrap=1

$ consul members -status=failed -format=json`,
		}),
		format: choice{options: []string{"line", "table", "json"}},
	}
	c.flags.BoolVar(&c.detailed, "detailed", false, "show all tags, not only the usual ones")
	c.flags.StringVar(&c.datacenter, "datacenter", "", "only members of the datacenter `NAME`")
	c.flags.StringVar(&c.filter, "filter", "", "only members that match `EXPRESSION`; over HTTP")
	c.onlyHTTP("filter")
	c.flags.Var(&c.format, "format", "print as `FORMAT`: line (with tags; default over RPC), table (over HTTP) or json")
	c.flags.Var(&c.role, "role", "only members whose tag role matches `REGEXP`; consul is a server, node a client")
	c.flags.StringVar(&c.segment, "segment", "", "only servers and members of the network segment `NAME`")
	c.flags.Var(&c.status, "status", "only members whose status matches `REGEXP`: alive, leaving, left or failed")
	c.flags.BoolVar(&c.wan, "wan", false, "list the servers of all datacenters, from the WAN pool")
	return c
}

// Run implements cli.Command.
func (c *membersCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	agent, ok := c.dial()
	if !ok {
		return 1
	}
	defer agent.Close()
	members, err := agent.Members(membersQuery{wan: c.wan, filter: c.filter})
	if err != nil {
		return c.refused("retrieving members", err)
	}
	members = slices.DeleteFunc(members, func(m agentrpc.Member) bool { return !c.wanted(m) })
	if len(members) == 0 {
		c.failed("No members match")
		return exitNobody
	}
	slices.SortFunc(members, func(a, b agentrpc.Member) int { return cmp.Compare(a.Name, b.Name) })
	format := c.format.word
	if _, web := agent.(httpAgent); format == "" && web {
		format = "table"
	}
	c.ui.Output(c.list(members, format))
	return 0
}

// wanted says whether a member is one of those that were asked for.
func (c *membersCommand) wanted(m agentrpc.Member) bool {
	return c.status.matches(m.Status) && c.role.matches(m.Tags["role"]) &&
		(c.datacenter == "" || m.Tags["dc"] == c.datacenter) &&
		(c.segment == "" || c.segment == api.AllSegments || m.Tags["role"] == "consul" || m.Tags["segment"] == c.segment)
}

func (c *membersCommand) list(members []agentrpc.Member, format string) string {
	switch format {
	case "json":
		return membersJSON(members)
	case "table":
		return membersTable(members, c.detailed)
	default:
		return membersLines(members, c.detailed)
	}
}

// membersLines is a line for each member: name, address, status and tags.
func membersLines(members []agentrpc.Member, detailed bool) string {
	rows := make([][]string, len(members))
	for i, m := range members {
		rows[i] = []string{printable(m.Name), memberAddr(m), m.Status, tagList(m.Tags, detailed)}
	}
	return align(rows)
}

// tagList writes the main tags in their order and then, where all are wanted, the
// others by name.
func tagList(tags map[string]string, all bool) string {
	names := slices.Clone(mainTags)
	if all {
		for _, name := range slices.Sorted(maps.Keys(tags)) {
			if !slices.Contains(mainTags, name) {
				names = append(names, name)
			}
		}
	}
	var list []string
	for _, name := range names {
		if value, ok := tags[name]; ok {
			list = append(list, printable(name+"="+value))
		}
	}
	return strings.Join(list, ",")
}

// membersTable has the columns of Consul 1.x.
func membersTable(members []agentrpc.Member, detailed bool) string {
	rows := [][]string{{"Node", "Address", "Status", "Type", "Build", "Protocol", "DC", "Partition", "Segment"}}
	if detailed {
		rows = [][]string{{"Node", "Address", "Status", "Tags"}}
	}
	for _, m := range members {
		row := []string{m.Name, memberAddr(m), m.Status}
		if detailed {
			row = append(row, tagList(m.Tags, true))
		} else {
			row = append(row, memberColumns(m.Tags)...)
		}
		for i := range row {
			row[i] = printable(row[i])
		}
		rows = append(rows, row)
	}
	return align(rows)
}

// memberColumns is the part of a row that comes from tags: Type, Build, Protocol,
// DC, Partition and Segment.
func memberColumns(tags map[string]string) []string {
	kind, segment := "unknown", ""
	switch tags["role"] {
	case "consul":
		kind, segment = "server", "<all>"
	case "node":
		kind, segment = "client", cmp.Or(tags["segment"], "<default>")
	}
	build, _, _ := strings.Cut(tags["build"], ":") // 1.19.2:0123abcd
	return []string{kind, cmp.Or(build, "< 0.3"), tags["vsn"], tags["dc"], cmp.Or(tags["ap"], "default"), segment}
}

func memberAddr(m agentrpc.Member) string {
	return net.JoinHostPort(m.Addr.String(), strconv.Itoa(int(m.Port)))
}

// membersJSON has the fields of the HTTP API's members, with the status in words.
func membersJSON(members []agentrpc.Member) string {
	type member struct {
		Name                                  string
		Addr                                  string
		Port                                  uint16
		Tags                                  map[string]string
		Status                                string
		ProtocolMin, ProtocolMax, ProtocolCur uint8
		DelegateMin, DelegateMax, DelegateCur uint8
	}
	list := make([]member, len(members))
	for i, m := range members {
		list[i] = member{
			Name: m.Name, Addr: m.Addr.String(), Port: m.Port, Tags: m.Tags, Status: m.Status,
			ProtocolMin: m.ProtocolMin, ProtocolMax: m.ProtocolMax, ProtocolCur: m.ProtocolCur,
			DelegateMin: m.DelegateMin, DelegateMax: m.DelegateMax, DelegateCur: m.DelegateCur,
		}
	}
	return toJSON(list)
}
