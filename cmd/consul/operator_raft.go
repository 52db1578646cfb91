package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// listPeersCommand shows the peer set.
type listPeersCommand struct{ httpCommand }

func newListPeersCommand(ui cli.Ui) cli.Command {
	c := &listPeersCommand{newHTTPCommand(ui, words{
		name:     "operator raft list-peers",
		synopsis: "Display the current Raft peer configuration",
		about: `
Lists the servers of the peer set: who leads, who votes, and how far the log of
each is, as far as the server that answers knows.

With -stale any server answers with what it has, which helps when nobody leads.`,
		example: `
$ consul operator raft list-peers
Node  ID                                    Address        State   Voter  RaftProtocol  Commit Index  Trails Leader By
s1    7d3a16c4-9a33-4b0e-9a1c-1c1c5a2a7f0e  10.0.0.1:8300  leader  true   3             1167          -`,
	})}
	c.datacenterFlag()
	c.staleFlag()
	return c
}

// Run implements cli.Command.
func (c *listPeersCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	agent, ok := c.client()
	if !ok {
		return 1
	}
	set, err := agent.Operator().RaftGetConfiguration(&api.QueryOptions{AllowStale: c.http.stale})
	if err != nil {
		return c.failed("Error getting peers: %s", c.http.explain(err))
	}
	c.ui.Output(peerList(set.Servers))
	return 0
}

// peerList has a line for each server of the peer set.
func peerList(servers []*api.RaftServer) string {
	var front uint64 // the leader's last index; 0 when it is not known
	for _, s := range servers {
		if s.Leader {
			front = s.LastIndex
		}
	}
	rows := [][]string{{"Node", "ID", "Address", "State", "Voter", "RaftProtocol", "Commit Index", "Trails Leader By"}}
	for _, s := range servers {
		state, index, behind := "follower", "-", "-"
		if s.Leader {
			state = "leader"
		}
		if s.LastIndex > 0 {
			index = strconv.FormatUint(s.LastIndex, 10)
		}
		if !s.Leader && s.LastIndex > 0 && front > 0 {
			behind = commits(front - min(s.LastIndex, front))
		}
		rows = append(rows, []string{
			printable(s.Node), printable(s.ID), printable(s.Address), state, strconv.FormatBool(s.Voter), printable(s.ProtocolVersion), index, behind,
		})
	}
	return align(rows)
}

func commits(n uint64) string {
	if n == 1 {
		return "1 commit"
	}
	return fmt.Sprintf("%d commits", n)
}

// removePeerCommand takes a server out of the peer set.
type removePeerCommand struct {
	httpCommand
	id, address string
}

func newRemovePeerCommand(ui cli.Ui) cli.Command {
	c := &removePeerCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "operator raft remove-peer",
		synopsis: "Remove a Consul server from the Raft configuration",
		about: `
Takes a server out of the peer set, by its ID or its address, as list-peers shows
them. It is for one that will not come back and that the leader does not remove by
itself. One that is alive is taken in again after a minute; have it leave instead
("consul leave" there).

What would cost the quorum is refused.`,
		example: `
$ consul operator raft remove-peer -id=7d3a16c4-9a33-4b0e-9a1c-1c1c5a2a7f0e
Removed peer with id "7d3a16c4-9a33-4b0e-9a1c-1c1c5a2a7f0e"`,
	})}
	c.datacenterFlag()
	c.flags.StringVar(&c.id, "id", "", "the server with the node ID `ID`")
	c.flags.StringVar(&c.address, "address", "", "the server that the peer set has at `ADDR`, host:port")
	return c
}

// Run implements cli.Command.
func (c *removePeerCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	if (c.id == "") == (c.address == "") {
		return c.misused(errors.New("needs exactly one of -id and -address"))
	}
	agent, ok := c.client()
	if !ok {
		return 1
	}
	remove, what, which := agent.Operator().RaftRemovePeerByID, "id", c.id
	if c.address != "" {
		remove, what, which = agent.Operator().RaftRemovePeerByAddress, "address", c.address
	}
	if err := remove(which, nil); err != nil {
		return c.failed("Error removing peer: %s", c.http.explain(err))
	}
	c.ui.Output(fmt.Sprintf("Removed peer with %s %q", what, which))
	return 0
}

// transferLeaderCommand has the leader hand over.
type transferLeaderCommand struct {
	httpCommand
	id string
}

func newTransferLeaderCommand(ui cli.Ui) cli.Command {
	c := &transferLeaderCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "operator raft transfer-leader",
		synopsis: "Transfer raft leadership to another node",
		about: `
Has the leader hand over to another server that votes, and waits until that one
leads. Requests that come meanwhile are held until then.`,
		example: `
$ consul operator raft transfer-leader
Success`,
	})}
	c.datacenterFlag()
	c.flags.StringVar(&c.id, "id", "", "to the server with the node ID `ID` (default whoever is furthest)")
	return c
}

// Run implements cli.Command.
func (c *transferLeaderCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	agent, ok := c.client()
	if !ok {
		return 1
	}
	done, err := agent.Operator().RaftLeaderTransfer(c.id, nil)
	if err == nil && !done.Success {
		err = errors.New("the leader leads on, and its log says why")
	}
	if err != nil {
		return c.failed("Error transferring leadership: %s", c.http.explain(err))
	}
	c.ui.Output("Success")
	return 0
}
