package autopilot

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/actor-consul/consul/messages"
)

// allegiance is the peer set that a newcomer says it has, or why it said nothing.
type allegiance struct {
	peers []messages.RaftServer
	err   error
}

// newcomer reports whether a server would be taken into the peer set, if it has none
// of its own.
func (s *situation) newcomer(r *resident) bool {
	return r.settled() && addressOf(s.peers, r.ID) == "" && !s.memory.isDismissed(r.ID)
}

// unasked reports whether there is a newcomer that was not asked for its peer set.
func (s *situation) unasked() bool {
	if s.own == nil {
		return false
	}
	for id, r := range s.roster.byID {
		if _, asked := s.own[id]; !asked && s.newcomer(r) {
			return true
		}
	}
	return false
}

// welcome reports whether a newcomer may be taken in: it has said that it has no peer
// set, or one that has somebody of ours in it. One that has begun a peer set of its
// own, as -bootstrap does, has a log that is not ours; both would be led by whoever
// has the greater term, and one of the two states would be lost.
func (s *situation) welcome(id string) bool {
	if s.own == nil {
		return true
	}
	said, asked := s.own[id]
	return asked && said.err == nil && !s.foreign(said.peers)
}

func (s *situation) foreign(theirs []messages.RaftServer) bool {
	for _, p := range theirs {
		if addressOf(s.peers, p.ID) != "" || s.memory.wasVoter(p.ID) {
			return false
		}
	}
	return len(theirs) > 0
}

// outnumbered reports whether a newcomer has a peer set of its own that is larger than
// ours: we are the strangers then.
func (s *situation) outnumbered() bool {
	for id, said := range s.own {
		if r := s.roster.byID[id]; r != nil && s.newcomer(r) && s.foreign(said.peers) && len(said.peers) > len(s.peers) {
			return true
		}
	}
	return false
}

// strangers tells of the newcomers that are kept out, naming both sides.
func (s *situation) strangers() (problems []string) {
	for _, id := range slices.Sorted(maps.Keys(s.roster.byID)) {
		r, said := s.roster.byID[id], s.own[id]
		switch {
		case !s.newcomer(r):
			continue
		case said.err != nil:
			problems = append(problems, fmt.Sprintf("%s does not say which peer set it has and is not taken into this one yet: %s", r.describe(), said.err))
			continue
		case !s.foreign(said.peers):
			continue
		}
		problems = append(problems, fmt.Sprintf("%s has a peer set of its own (%s) and is not taken into this one (%s): one of the two was begun with -bootstrap, or with another -bootstrap-expect, "+
			"or belongs to another cluster; %s",
			r.describe(), addresses(said.peers), addresses(s.peers), giveUp(r, len(s.peers), len(said.peers))))
	}
	return problems
}

// giveUp says which side is to be given up: the smaller, whichever of them is ours.
// Both leaders say so, and an operator who does as one of them says must not wipe the
// cluster because of a stray server. Where both are of one size nobody here can know.
func giveUp(r *resident, ours, theirs int) string {
	switch {
	case theirs < ours:
		return fmt.Sprintf("this one is the larger: stop %q, move its data directory away and start it without -bootstrap", r.Name)
	case theirs == ours:
		return "both are of one size: decide whose data is to be kept, stop the others, move their data directories away and start them without -bootstrap"
	case ours == 1:
		return "that one is the larger: stop this server, move its data directory away and start it without -bootstrap"
	default:
		return "that one is the larger: stop the servers of this one, move their data directories away and start them without -bootstrap"
	}
}

func addresses(peers []messages.RaftServer) string {
	var all []string
	for _, p := range peers {
		all = append(all, p.Address)
	}
	return strings.Join(all, ", ")
}
