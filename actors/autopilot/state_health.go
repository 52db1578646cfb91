package autopilot

import (
	"fmt"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// stats is what a server says of its log.
type stats struct {
	term    uint64 // of the last entry
	index   uint64 // of the last entry
	contact time.Duration
	err     error // why it said nothing
}

// A reading is what came of asking all servers once.
type reading struct {
	// term and index are those of the leader's own last entry, read before anybody
	// was asked: who is not behind them is not behind.
	term, index uint64
	stats       map[string]stats      // by ID
	own         map[string]allegiance // of those that are not in the peer set; nil: nobody was asked
}

// health is what the leader thinks of a server.
type health struct {
	stats
	healthy bool
	since   time.Time // when healthy became what it is
	why     string    // it is not healthy
}

// assess judges every server of the peer set by the last reading. What a server
// said before it failed counts no more: it is forgotten.
func assess(before map[string]health, peers []messages.RaftServer, r roster, last reading, conf wire.AutopilotConfig, now time.Time) map[string]health {
	after := make(map[string]health, len(peers))
	for _, p := range peers {
		s := r.byID[p.ID]
		if !s.alive() {
			delete(last.stats, p.ID)
		}
		said, asked := last.stats[p.ID]
		h := health{stats: said, since: now}
		switch {
		case !s.alive():
			h.why = "it is not alive in the LAN pool"
			h.stats = before[p.ID].stats
		case !asked:
			h.why = "it was not asked yet"
		default:
			h.why = said.complaint(last, conf)
		}
		h.healthy = h.why == ""
		if was, ok := before[p.ID]; ok && was.healthy == h.healthy {
			h.since = was.since
		}
		after[p.ID] = h
	}
	return after
}

// complaint says why a server is not healthy, or "".
func (s stats) complaint(leader reading, conf wire.AutopilotConfig) string {
	switch {
	case s.err != nil:
		return "it does not say how it is: " + s.err.Error()
	case s.contact < 0:
		return "it has never heard of the leader"
	case s.contact > conf.LastContactThreshold:
		return fmt.Sprintf("it last heard of the leader %v ago (last_contact_threshold is %v)", s.contact, conf.LastContactThreshold)
	case s.term != leader.term:
		return fmt.Sprintf("its log ends in term %d, the leader's in %d", s.term, leader.term)
	case s.index < leader.index && leader.index-s.index > conf.MaxTrailingLogs:
		return fmt.Sprintf("its log is %d entries behind (max_trailing_logs is %d)", leader.index-s.index, conf.MaxTrailingLogs)
	default:
		return ""
	}
}
