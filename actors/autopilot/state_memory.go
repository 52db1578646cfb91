package autopilot

import (
	"time"

	"github.com/actor-consul/consul/messages"
)

// memory is what a server has seen of the peer set, whoever led meanwhile. It is
// what makes a voter that comes back a voter again, and what keeps out a server that
// is on its way out.
type memory struct {
	voters    map[string]time.Time // when each was last seen as a voter
	inside    map[string]bool      // who was alive and in the peer set at the last look
	dismissed map[string]time.Time // who was taken out, and when
	missing   map[string]time.Time // who is in the peer set and not in the pool, and since when
}

func newMemory() *memory {
	return &memory{
		voters:    map[string]time.Time{},
		inside:    map[string]bool{},
		dismissed: map[string]time.Time{},
		missing:   map[string]time.Time{},
	}
}

// observe takes in the peer set and the roster as they are now.
//
// A server that was in the peer set and is not, and is alive all the same, was taken
// out by somebody: autopilot never does that. An operator has, or the server itself
// has, as a part of leaving. It returns who was.
func (m *memory) observe(peers []messages.RaftServer, r roster, now time.Time) (dismissed []string) {
	inside, missing := map[string]bool{}, map[string]time.Time{}
	for _, p := range peers {
		if p.Voter {
			m.voters[p.ID] = now
		}
		delete(m.dismissed, p.ID)
		s, known := r.byID[p.ID]
		if s.alive() {
			inside[p.ID] = true
		}
		if !known {
			missing[p.ID] = now
			if since, was := m.missing[p.ID]; was {
				missing[p.ID] = since
			}
		}
	}
	for id := range m.inside {
		if addressOf(peers, id) == "" && r.byID[id].alive() {
			m.dismissed[id] = now
			dismissed = append(dismissed, id)
		}
	}
	for id, since := range m.dismissed {
		if !r.byID[id].alive() || now.Sub(since) >= dismissal {
			delete(m.dismissed, id)
		}
	}
	for id, last := range m.voters {
		if now.Sub(last) >= remembered {
			delete(m.voters, id)
		}
	}
	m.inside, m.missing = inside, missing
	return dismissed
}

// made notes a change that autopilot itself has made since the last look.
func (m *memory) made(c change) {
	if c.remove {
		delete(m.inside, c.peer.ID)
	} else {
		m.inside[c.peer.ID] = true
	}
}

// wasVoter reports whether a server was a voter before.
func (m *memory) wasVoter(id string) bool {
	_, was := m.voters[id]
	return was
}

// isDismissed reports whether a server is to stay out of the peer set for now.
func (m *memory) isDismissed(id string) bool {
	_, is := m.dismissed[id]
	return is
}
