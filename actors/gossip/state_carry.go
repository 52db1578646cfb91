package gossip

import (
	"maps"
	"slices"
	"strings"

	"github.com/actor-consul/consul/messages"
)

// carried are the members from before a restart of the actor that the new Serf has
// not heard of yet. Until it has, they stay in the view: others must not take an
// empty pool for news and clear the catalog because this actor has failed.
type carried map[string]messages.Member

// carry returns all members of a view but this agent itself. There may be no view.
func carry(view *messages.PoolView, self string) carried {
	c := carried{}
	if view != nil {
		for _, m := range view.Members {
			if m.Name != self {
				c[m.Name] = m
			}
		}
	}
	return c
}

// merge returns the members that Serf knows, and those it does not; the former are
// carried no longer.
func (c carried) merge(known []messages.Member) []messages.Member {
	for _, m := range known {
		delete(c, m.Name)
	}
	return slices.AppendSeq(known, maps.Values(c))
}

// miss regards as failed who was up before the restart and is still not known to
// Serf, although it has had the time, or a peer, to learn of it.
func (c carried) miss() {
	for name, m := range c {
		if told(m.Status) == messages.MemberAlive {
			m.Status = messages.MemberFailed
			c[name] = m
		}
	}
}

// forceLeave regards a member as left, or forgets it, and says whether it is
// carried at all.
func (c carried) forceLeave(name string, prune bool) bool {
	m, ok := c[name]
	switch {
	case ok && prune:
		delete(c, name)
	case ok && m.Status == messages.MemberFailed:
		m.Status = messages.MemberLeft
		c[name] = m
	}
	return ok
}

// wanted returns whom to contact: those who are up before those who have failed,
// and nobody who has left.
func (c carried) wanted() []messages.Member {
	var all []messages.Member
	for _, m := range c {
		if m.Status != messages.MemberLeft {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b messages.Member) int {
		return strings.Compare(string(told(a.Status)), string(told(b.Status))) // alive, failed
	})
	return all
}
