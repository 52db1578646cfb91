package gossip

import (
	"time"

	"github.com/actor-consul/consul/messages"
)

// goodbyePatience is for how long a member may say goodbye before it is asked
// whether it means it. A goodbye takes no longer than that.
const goodbyePatience = longestPropagation

// doubts are the members that are leaving and still there, and when each is to be
// asked about that.
//
// Serf has a member be "leaving" until memberlist misses it. When the word that it
// leaves is an old one, of its life before, or of somebody who forced it, the member
// has to hear of it to deny it; and Serf does not see to that. An agent that learns
// from a third one that a server has left, and meets the server only then, keeps the
// rumour and tells nobody. So does one that forces the only other member to leave.
// That server would be no server for it for ever.
type doubts map[string]time.Time

// review returns whom to ask now, and whether there are doubts left to come back to.
func (d doubts) review(members []messages.Member, self string, now time.Time) (ask []messages.Member, more bool) {
	leaving := map[string]bool{}
	for _, m := range members {
		if m.Status != messages.MemberLeaving || m.Name == self {
			continue
		}
		leaving[m.Name] = true
		switch due, doubted := d[m.Name]; {
		case !doubted:
			d[m.Name] = now.Add(goodbyePatience)
		case !now.Before(due):
			ask = append(ask, m)
			d[m.Name] = now.Add(goodbyePatience)
		}
	}
	for name := range d {
		if !leaving[name] {
			delete(d, name)
		}
	}
	return ask, len(d) > 0
}
