package autopilot

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// situation is all that counts for what to do about the peer set, at one moment.
type situation struct {
	self   string // node ID of the leader
	expect int    // bootstrap_expect
	conf   wire.AutopilotConfig
	peers  []messages.RaftServer // by ID
	roster roster
	memory *memory
	health map[string]health
	own    map[string]allegiance // what newcomers said; nil: nobody is asked
	now    time.Time
}

// A change is one change of the peer set, and the line that tells of it.
type change struct {
	peer   messages.RaftServer
	remove bool // the peer; otherwise it is put as it is here
	news   string
}

// changes returns what is due, the most urgent first. They are worked out as if each
// were the only one: who makes one looks again before the next.
func (s *situation) changes() []change {
	return slices.Concat(s.goodbyes(), s.moves(), s.removals(), s.newcomers(), s.promotions())
}

// fate is what has become of a server of the peer set.
type fate int

const (
	lives     fate = iota
	unsettled      // it is leaving, or was not seen for a while only
	dead           // it has failed, or nobody knows of it
	gone           // it has left
)

func (s *situation) fateOf(id string) fate {
	r, known := s.roster.byID[id]
	switch {
	case id == s.self || r.alive():
		return lives
	case !known:
		if since, ok := s.memory.missing[id]; ok && s.now.Sub(since) >= missingGrace {
			return dead
		}
		return unsettled
	case r.Status == messages.MemberFailed:
		return dead
	case r.Status == messages.MemberLeft:
		return gone
	default:
		return unsettled
	}
}

// describe names a server as well as can be.
func (s *situation) describe(p messages.RaftServer) string {
	if r, ok := s.roster.byID[p.ID]; ok {
		return r.describe()
	}
	return fmt.Sprintf("server %q (%s)", p.ID, p.Address)
}

// goodbyes removes who has left. It said so itself, or an operator has for it, so
// this waits for nobody; and a voter that is not there only makes a quorum dearer.
func (s *situation) goodbyes() (all []change) {
	for _, p := range s.peers {
		if s.fateOf(p.ID) == gone {
			all = append(all, change{peer: p, remove: true, news: s.describe(p) + " has left, removing it from the peer set"})
		}
	}
	return all
}

// moves notes where the servers are. Two servers of the peer set cannot have one
// address, so where another holds it that is not there any more, that one gets a
// placeholder first: it keeps its vote, and an address when it is seen again.
func (s *situation) moves() (all []change) {
	var blocked []change
	for _, p := range s.peers {
		r := s.roster.byID[p.ID]
		if !r.settled() || at(p.Address, r.Addr) {
			continue
		}
		if holder, held := s.holder(r); held {
			if s.mayMoveAway(holder) {
				blocked = append(blocked, s.park(holder, r))
			}
			continue
		}
		moved := messages.RaftServer{ID: p.ID, Address: r.Addr.String(), Voter: p.Voter}
		all = append(all, change{peer: moved, news: fmt.Sprintf("%s has moved, noting its address in the peer set instead of %s", r.describe(), p.Address)})
	}
	if len(all) > 0 {
		return all // who moves may make room for the others
	}
	return blocked
}

// holder returns who has the address of a server in the peer set, if another has.
func (s *situation) holder(r *resident) (messages.RaftServer, bool) {
	for _, p := range s.peers {
		if p.ID != r.ID && at(p.Address, r.Addr) {
			return p, true
		}
	}
	return messages.RaftServer{}, false
}

// mayMoveAway reports whether the holder of an address may lose it. The leader does
// not: when it is in another's way it has moved too, and whoever is in its way makes
// room.
func (s *situation) mayMoveAway(holder messages.RaftServer) bool {
	r := s.roster.byID[holder.ID]
	return holder.ID != s.self && (r == nil || !r.contested)
}

// placeholder is the address of a server of which it is known only where it is not.
// Nobody can dial it, and no two servers have the same.
func placeholder(id string) string { return "unknown:" + id }

func (s *situation) park(holder messages.RaftServer, newcomer *resident) change {
	return change{
		peer: messages.RaftServer{ID: holder.ID, Address: placeholder(holder.ID), Voter: holder.Voter},
		news: fmt.Sprintf("%s is where the peer set has server %q, which is not there any more and keeps its place without an address", newcomer.describe(), holder.ID),
	}
}

// removals removes who has failed for good, if cleanup_dead_servers allows: servers
// without a vote at once, and a voter when another has taken its place.
func (s *situation) removals() (all []change) {
	if !s.conf.CleanupDeadServers {
		return nil
	}
	var voters []messages.RaftServer
	for _, p := range s.peers {
		switch {
		case s.fateOf(p.ID) != dead:
		case p.Voter:
			voters = append(voters, p)
		default:
			all = append(all, change{peer: p, remove: true, news: s.describe(p) + " has failed, removing it from the peer set"})
		}
	}
	if len(voters) > 0 && s.replaced() {
		p := voters[0]
		all = append(all, change{peer: p, remove: true, news: s.describe(p) + " has failed and been replaced, removing it from the peer set"})
	}
	return all
}

// replaced reports whether the peer set can do with one voter less.
//
// A replacement has joined when the number of voters is even: an odd number survives
// as many losses with one less, so the last to join is a spare for any that is lost.
// Thus three voters of which one restarts stay three, however long it takes, and the
// one that comes back is a voter when it does (consul#8118). What remains must be a
// quorum by the healthy alone, and never fewer than fewVoters or min_quorum.
func (s *situation) replaced() bool {
	voters, healthy := s.voters()
	remain := voters - 1
	return voters%2 == 0 && remain >= fewVoters && uint(remain) >= s.conf.MinQuorum && healthy >= quorum(remain)
}

// voters counts the voters, and those of them that are healthy.
func (s *situation) voters() (all, healthy int) {
	for _, p := range s.peers {
		if !p.Voter {
			continue
		}
		all++
		if s.health[p.ID].healthy {
			healthy++
		}
	}
	return all, healthy
}

// quorum is how many of so many voters must agree.
func quorum(voters int) int { return voters/2 + 1 }

// newcomers takes in who has joined, without a vote at first, so that it gets the
// log before it counts for a quorum.
func (s *situation) newcomers() (all []change) {
	for _, id := range slices.Sorted(maps.Keys(s.roster.byID)) {
		r := s.roster.byID[id]
		if !s.newcomer(r) || !s.welcome(id) {
			continue
		}
		if holder, held := s.holder(r); held {
			if s.mayMoveAway(holder) && !s.moving(holder) {
				all = append(all, s.park(holder, r))
			}
			continue
		}
		all = append(all, change{
			peer: messages.RaftServer{ID: id, Address: r.Addr.String()},
			news: r.describe() + " has joined, taking it into the peer set without a vote",
		})
	}
	return all
}

// moving reports whether a server of the peer set is known to be elsewhere, so that
// moves will see to it.
func (s *situation) moving(p messages.RaftServer) bool {
	r := s.roster.byID[p.ID]
	return r.settled() && !at(p.Address, r.Addr)
}

// promotions gives a vote to who has deserved it.
func (s *situation) promotions() (all []change) {
	for _, p := range s.peers {
		r := s.roster.byID[p.ID]
		if !s.candidate(p) || !s.health[p.ID].healthy {
			continue
		}
		if why := s.merit(p.ID); why != "" {
			p.Voter = true
			all = append(all, change{peer: p, news: fmt.Sprintf("promoting %s to voter: %s", r.describe(), why)})
		}
	}
	return all
}

// candidate reports whether a server of the peer set is to become a voter some time.
func (s *situation) candidate(p messages.RaftServer) bool {
	r := s.roster.byID[p.ID]
	return !p.Voter && r.settled() && !r.NonVoter && at(p.Address, r.Addr)
}

// merit says why a healthy server may have a vote now, or "".
func (s *situation) merit(id string) string {
	if why := s.atOnce(id); why != "" {
		return why
	}
	if s.now.Sub(s.health[id].since) >= s.conf.ServerStabilizationTime {
		return fmt.Sprintf("it has been healthy for %v", s.conf.ServerStabilizationTime)
	}
	return ""
}

// atOnce says why a server need not be healthy for long, or "".
func (s *situation) atOnce(id string) string {
	voters, _ := s.voters()
	switch {
	case s.memory.wasVoter(id):
		return "it was a voter before"
	case voters < max(fewVoters, s.expect):
		return "the datacenter is forming"
	default:
		return ""
	}
}

// wait returns how long to wait, without news, until everything is looked at again.
func (s *situation) wait() time.Duration {
	d := lookInterval
	for _, p := range s.peers {
		h := s.health[p.ID]
		switch {
		case !s.candidate(p):
		case h.healthy:
			d = min(d, s.conf.ServerStabilizationTime-s.now.Sub(h.since))
		case s.atOnce(p.ID) != "":
			d = min(d, eagerInterval)
		}
	}
	return max(d, eagerInterval)
}
