package gossip

import (
	"time"

	"github.com/actor-consul/consul/messages"
)

// goodbyePatience is for how long a member may say goodbye before it is asked
// whether it means it. A goodbye takes no longer than that.
const goodbyePatience = longestPropagation

// doubts are the members that are leaving and still there.
//
// Serf has a member be "leaving" until memberlist misses it. When the word that it
// leaves is an old one, of its life before, or of somebody who forced it, the member
// has to hear of it to deny it; and Serf does not see to that. An agent that learns
// from a third one that a server has left, and meets the server only then, keeps the
// rumour and tells nobody. So does one that forces the only other member to leave.
// That server would be no server for it for ever.
type doubts map[string]*doubtful

// doubtful is when a member is to be asked about that, and again after a while.
type doubtful struct {
	due    time.Time
	wait   time.Duration
	silent bool // it could not be reached
}

// review returns whom to ask now, and whether there are doubts left to come back to.
func (d doubts) review(members []messages.Member, self string, now time.Time) (ask []messages.Member, more bool) {
	leaving := map[string]bool{}
	for _, m := range members {
		if m.Status != messages.MemberLeaving || m.Name == self {
			continue
		}
		leaving[m.Name] = true
		switch about, doubted := d[m.Name]; {
		case !doubted:
			d[m.Name] = &doubtful{due: now.Add(goodbyePatience), wait: goodbyePatience}
		case !now.Before(about.due):
			ask = append(ask, m)
			about.due = now.Add(about.wait)
		}
	}
	for name := range d {
		if !leaving[name] {
			delete(d, name)
		}
	}
	return ask, len(d) > 0
}

// unanswered notes that a member could not be reached, and says whether that is news.
// It is asked more seldom from then on: most likely it is gone, and the pool misses it
// by and by.
func (d doubts) unanswered(name string) (news bool) {
	about, doubted := d[name]
	if !doubted {
		return false
	}
	news = !about.silent
	about.silent = true
	about.due = about.due.Add(about.wait)
	about.wait = min(2*about.wait, rejoinInterval)
	return news
}
