package leader

import (
	"strings"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// absence is what is remembered of nodes that the catalog has by their membership and
// that the pool does not know. Gossip forgets who had failed or stood still when all
// servers are started anew: such a node is critical, and is not taken for one that has
// left until a failed member would be.
type absence struct {
	patience time.Duration
	since    map[string]time.Time // when it was missed first
	reaped   map[string]bool      // the pool itself has given it up
}

func newAbsence(patience time.Duration) *absence {
	return &absence{patience: patience, since: map[string]time.Time{}, reaped: map[string]bool{}}
}

// reap notes that the pool has given up members: they failed too long ago, or an
// operator has said so.
func (a *absence) reap(members []messages.Member) {
	for _, m := range members {
		a.reaped[m.Name] = true
	}
}

// over reports whether a node that is absent now has been so for too long.
func (a *absence) over(node string, now time.Time) bool {
	since, ok := a.since[node]
	if !ok {
		since = now
		a.since[node] = now
	}
	return a.reaped[node] || now.Sub(since) >= a.patience
}

// back forgets a node that the pool knows.
func (a *absence) back(node string) {
	delete(a.since, node)
	delete(a.reaped, node)
}

// strays returns the writes for nodes that the catalog has by their membership,
// and that the pool does not know. stored returns what the catalog has of one.
func (s self) strays(members []messages.Member, monitored []string, stored func(node string) entry, absent *absence, now time.Time) []*change {
	known, alive := make(map[string]bool, len(members)), living(members)
	for _, m := range members {
		known[m.Name] = true
		absent.back(m.Name)
	}
	var all []*change
	for _, node := range monitored {
		if known[node] || node == s.name {
			continue
		}
		if c := s.stray(node, stored(node), alive, absent.over(node, now)); c != nil {
			all = append(all, c)
		}
	}
	return all
}

// stray returns the write for one such node, or nil. alive has the names of the members
// that are, by ID.
func (s self) stray(node string, has entry, alive map[string]string, over bool) *change {
	if has.node == nil || has.serf == nil {
		return nil
	}
	gone := &change{deregister: &wire.DeregisterRequest{Datacenter: s.datacenter, Node: node}}
	now, renamed := alive[strings.ToLower(has.node.ID)]
	switch {
	case renamed && has.node.ID != "":
		gone.news = "member '" + node + "' is called '" + now + "' now, deregistering"
		return gone
	case over:
		gone.news = "member '" + node + "' is not in the pool any more, deregistering"
		return gone
	case has.serf.Status == wire.HealthCritical:
		return nil
	}
	return &change{register: s.critical(has.node), news: "member '" + node + "' is not in the pool, marking health critical"}
}
