package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/serf/coordinate"
)

// rttCommand estimates the round-trip time between two nodes.
type rttCommand struct {
	httpCommand
	wan bool
}

func newRTTCommand(ui cli.Ui) cli.Command {
	c := &rttCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "rtt",
		synopsis: "Estimates network round trip time between nodes",
		operands: "NODE1 [NODE2]",
		about: `
Estimates the round-trip time between two nodes from the network coordinates that
the agents have found. NODE2 is the agent's own node unless it is given. With -wan
the nodes are servers, each NAME.DATACENTER.`,
		example: `
$ consul rtt n1 n2
Estimated n1 <-> n2 rtt: 0.610 ms (using LAN coordinates)

$ consul rtt -wan s1.dc1 s2.dc2`,
	})}
	c.flags.BoolVar(&c.wan, "wan", false, "between servers, by the coordinates of the WAN pool")
	return c
}

// Run implements cli.Command.
func (c *rttCommand) Run(args []string) int {
	const any = 1 << 10 // so that what is wrong is said in Consul's words
	nodes, ok := c.parse(args, 0, any)
	if !ok {
		return 1
	}
	if n := len(nodes); n < 1 || n > 2 {
		return c.misused(errors.New("One or two node names must be specified"))
	}
	agent, ok := c.client()
	if !ok {
		return 1
	}
	if len(nodes) == 1 {
		own, err := c.own(agent)
		if err != nil {
			return c.failed("Unable to look up agent info: %s", c.http.explain(err))
		}
		nodes = append(nodes, own)
	}
	find, source := lanCoordinates, "LAN"
	if c.wan {
		find, source = wanCoordinates, "WAN"
		for _, n := range nodes {
			if len(strings.Split(n, ".")) != 2 {
				return c.failed("Node names must be specified as <node name>.<datacenter> with -wan")
			}
		}
	}
	known, err := find(agent)
	if err != nil {
		return c.failed("Error getting coordinates: %s", c.http.explain(err))
	}
	here, there := known[strings.ToLower(nodes[0])], known[strings.ToLower(nodes[1])]
	from, to := here.shared(there)
	for i, coord := range []*coordinate.Coordinate{from, to} {
		if coord == nil {
			return c.failed("Could not find a coordinate for node %q", nodes[i])
		}
	}
	if !from.IsCompatibleWith(to) {
		return c.failed("The coordinates of %q and %q cannot be compared", nodes[0], nodes[1])
	}
	c.ui.Output(fmt.Sprintf("Estimated %s <-> %s rtt: %.3f ms (using %s coordinates)",
		printable(nodes[0]), printable(nodes[1]), from.DistanceTo(to).Seconds()*1000, source))
	return 0
}

// own returns the name of the agent's own node, with its datacenter for the WAN.
func (c *rttCommand) own(agent *api.Client) (string, error) {
	self, err := agent.Agent().Self()
	if err != nil {
		return "", err
	}
	name, _ := self["Config"]["NodeName"].(string)
	if c.wan {
		dc, _ := self["Config"]["Datacenter"].(string)
		name += "." + dc
	}
	return name, nil
}

// located is where a node is, by the network segment, or the area, that it is in.
type located map[string]*coordinate.Coordinate

// shared returns where both are, of one segment that both are in. Each is nil that is
// in none.
func (l located) shared(with located) (a, b *coordinate.Coordinate) {
	for segment, coord := range l {
		a = coord
		if other := with[segment]; other != nil {
			return coord, other
		}
	}
	return a, nil
}

func (l located) put(segment string, coord *coordinate.Coordinate) located {
	if l == nil {
		l = located{}
	}
	l[segment] = coord
	return l
}

// lanCoordinates returns where the nodes of the datacenter are, by name in lower case.
func lanCoordinates(agent *api.Client) (map[string]located, error) {
	entries, _, err := agent.Coordinate().Nodes(nil)
	known := map[string]located{}
	for _, e := range entries {
		name := strings.ToLower(e.Node)
		known[name] = known[name].put(e.Segment, e.Coord)
	}
	return known, err
}

// wanCoordinates returns where the servers of all datacenters are, by name and
// datacenter.
func wanCoordinates(agent *api.Client) (map[string]located, error) {
	dcs, err := agent.Coordinate().Datacenters()
	known := map[string]located{}
	for _, dc := range dcs {
		for _, e := range dc.Coordinates {
			name := strings.ToLower(e.Node + "." + dc.Datacenter)
			known[name] = known[name].put(dc.AreaID, e.Coord)
		}
	}
	return known, err
}
