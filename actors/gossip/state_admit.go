package gossip

import (
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/actor-consul/consul/messages"
)

// maxNameLen is how long the name of a node may be, in bytes. Serf's own limit.
const maxNameLen = 128

// checkName says what is wrong with the name of a node.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("node name is empty")
	case len(name) > maxNameLen:
		return fmt.Errorf("node name %q... is %d bytes long, the limit is %d", name[:20], len(name), maxNameLen)
	case !utf8.ValidString(name):
		return fmt.Errorf("node name %q is not UTF-8", name)
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return fmt.Errorf("node name %q has a control character in it", name)
		}
	}
	return nil
}

// admission decides who may be a member of the pool.
type admission struct {
	pool       messages.Pool
	datacenter string
}

// holders are the members that hold a name and an ID at the moment. Who has failed
// or left holds nothing: a node may always come back, under a new name or with a
// new ID.
type holders struct {
	self  messages.Member
	names map[string]messages.Member
	ids   map[string]messages.Member
}

// newHolders returns the holders among members; self is one of them whatever its
// status.
func newHolders(self messages.Member, members []messages.Member) *holders {
	h := &holders{self: self, names: map[string]messages.Member{}, ids: map[string]messages.Member{}}
	h.add(self)
	for _, m := range members {
		if m.Name != self.Name && told(m.Status) == messages.MemberAlive {
			h.add(m)
		}
	}
	return h
}

func (h *holders) add(m messages.Member) {
	h.names[m.Name] = m
	if id := m.Tags["id"]; id != "" {
		if _, taken := h.ids[id]; !taken {
			h.ids[id] = m
		}
	}
}

// admit says why the newcomer may not be a member, or nil.
//
// Names and IDs are each held by one node. A node that comes back at the address
// of the old holder is no rival: two processes cannot have one port, so the old
// one is gone, only not yet missed.
//
// To an agent that joins a pool everybody in it is new. While joining says that it
// asks to be let in, and it knows nobody yet, the newcomer is itself.
func (a admission) admit(newcomer messages.Member, known *holders, joining bool) error {
	if err := checkName(newcomer.Name); err != nil {
		return fmt.Errorf("refused the agent at %s: %w", address(newcomer), err)
	}
	if err := a.admitRole(newcomer); err != nil {
		return err
	}
	id := newcomer.Tags["id"]
	holder, taken := known.names[newcomer.Name]
	if taken && id != "" {
		if theirs := holder.Tags["id"]; theirs != "" && theirs != id && !samePlace(holder, newcomer) {
			held, claimed := known.sides(holder, newcomer, joining)
			return fmt.Errorf("node name %q is held by %s and claimed by %s; give the latter another name, or wait until the former is seen as failed",
				newcomer.Name, held, claimed)
		}
		if holder.Tags["id"] == id {
			return nil // no newcomer at all
		}
	}
	if holder, taken := known.ids[id]; taken && holder.Name != newcomer.Name && !samePlace(holder, newcomer) {
		held, claimed := known.sides(holder, newcomer, joining)
		return fmt.Errorf("node ID %s is held by %s and claimed by %s; remove the file node-id from the data directory of the latter and start it again, or wait until the former is seen as failed",
			printable(id), held, claimed)
	}
	return nil
}

// sides describes the two of a conflict, and says which of them is this agent: first
// the one that was there before, then the one that is to give way.
func (h *holders) sides(holder, newcomer messages.Member, joining bool) (held, claimed string) {
	alone := len(h.names) == 1
	switch {
	case holder.Name != h.self.Name:
		return describe(holder), describe(newcomer)
	case joining && alone:
		return describe(newcomer), "this agent, " + identify(holder)
	default:
		return "this agent, " + identify(holder) + ",", describe(newcomer)
	}
}

// admitRole keeps the pools apart: a LAN pool is one datacenter's, and in the WAN
// pool are servers only. What is no agent of ours at all, such as a plain Serf,
// may watch the LAN pool, as with Consul.
func (a admission) admitRole(m messages.Member) error {
	role := m.Tags["role"]
	if a.pool == messages.WAN {
		if role != "consul" {
			return fmt.Errorf("%s is not a server; only servers are members of the WAN pool, and others join by -join", describe(m))
		}
		return nil
	}
	if (role == "consul" || role == "node") && m.Tags["dc"] != a.datacenter {
		return fmt.Errorf("%s is of datacenter %q and this LAN pool of %q; agents of two datacenters meet when their servers join by -join-wan",
			describe(m), m.Tags["dc"], a.datacenter)
	}
	return nil
}

func samePlace(a, b messages.Member) bool { return a.Addr == b.Addr && a.Port == b.Port }

func describe(m messages.Member) string { return "agent " + identify(m) }

func identify(m messages.Member) string {
	id := m.Tags["id"]
	if id == "" {
		id = "none"
	}
	return fmt.Sprintf("%q (ID %s, %s)", m.Name, printable(id), address(m))
}

// printable keeps what a stranger says from doing things to a terminal.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}
