package gossip

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/actor-consul/consul/messages"
)

// A roster is what the subscribers have been told of the members of the pool.
//
// Serf tells its events in order but drops them when it has more than a thousand
// that wait, and an event that is told may be older than what its own member list
// says by then. So the events alone are not the truth: they give the order of the
// news, and missed makes up for what they left out. After both, a subscriber knows
// what is in the published view.
type roster map[string]messages.Member

// hear takes in an event and returns the members for whom it is news.
func (r roster) hear(change messages.MembershipChange, members []messages.Member) []messages.Member {
	var news []messages.Member
	for _, m := range members {
		old, known := r[m.Name]
		switch change {
		case messages.Reaped:
			if !known {
				continue
			}
			delete(r, m.Name)
		case messages.Updated:
			if !known || sameButStatus(old, m) {
				continue
			}
			r[m.Name] = m
		default:
			if known && told(old.Status) == told(m.Status) {
				continue // if it has changed otherwise, missed says so
			}
			r[m.Name] = m
		}
		news = append(news, m)
	}
	return news
}

// missed compares the roster with the members that Serf has now, and returns the
// news that no event has brought, in order of the names.
func (r roster) missed(now []messages.Member) []*messages.MembersChanged {
	var news []*messages.MembersChanged
	add := func(change messages.MembershipChange, m messages.Member) {
		news = append(news, &messages.MembersChanged{Change: change, Members: []messages.Member{m}})
	}
	here := make(map[string]bool, len(now))
	for _, m := range now {
		here[m.Name] = true
		old, known := r[m.Name]
		switch {
		case !known || told(old.Status) != told(m.Status):
			if change, ok := newsOf(m.Status); ok {
				add(change, m)
				r[m.Name] = m
			}
		case !sameButStatus(old, m):
			add(messages.Updated, m)
			r[m.Name] = m
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if !here[name] {
			add(messages.Reaped, r[name])
			delete(r, name)
		}
	}
	return news
}

// told is the status as far as subscribers are told of it: that a member is about
// to leave is no news, that it has left is.
func told(s messages.MemberStatus) messages.MemberStatus {
	if s == messages.MemberLeaving {
		return messages.MemberAlive
	}
	return s
}

// newsOf names the news that a member of this status is.
func newsOf(s messages.MemberStatus) (messages.MembershipChange, bool) {
	switch s {
	case messages.MemberAlive, messages.MemberLeaving:
		return messages.Joined, true
	case messages.MemberLeft:
		return messages.Left, true
	case messages.MemberFailed:
		return messages.Failed, true
	default:
		return "", false
	}
}

func sameButStatus(a, b messages.Member) bool {
	return a.Addr == b.Addr && a.Port == b.Port && maps.Equal(a.Tags, b.Tags)
}

// byName puts members in the order in which a view has them.
func byName(members []messages.Member) {
	slices.SortFunc(members, func(a, b messages.Member) int { return cmp.Compare(a.Name, b.Name) })
}

// othersAlive returns the members that are up, but for the one named self.
func othersAlive(members []messages.Member, self string) []messages.Member {
	var others []messages.Member
	for _, m := range members {
		if m.Name != self && m.Status == messages.MemberAlive {
			others = append(others, m)
		}
	}
	return others
}

// longestPropagation is how long Consul stays up after its goodbye, whatever the
// size of the pool.
const longestPropagation = 3 * time.Second

// propagation is how long to stay up after the goodbye has left this agent, so
// that those who have it can pass it on and nobody probes in vain: the time in
// which a member retransmits what it has heard, by memberlist's formula. There is
// no reason to stay when nobody is there to hear.
func propagation(others int, interval time.Duration, retransmitMult int) time.Duration {
	if others == 0 {
		return 0
	}
	rounds := retransmitMult * int(math.Ceil(math.Log10(float64(others+2))))
	return min(time.Duration(rounds)*interval, longestPropagation)
}

// farewell is how far the others know of a goodbye.
type farewell struct {
	everybody bool // there is nobody but the members that are synced with
	waiting   int  // syncs that have not ended
	told      int  // syncs that have succeeded
	untold    int  // and that have not
	stayed    bool // the time of propagation has passed
}

// hear notes how a sync has ended.
func (f *farewell) hear(ok bool) {
	f.waiting--
	if ok {
		f.told++
	} else {
		f.untold++
	}
}

// over says whether there is nothing more to stay for: all know by a sync; or the time
// has passed in which they hear of it from each other, and one knows for certain, or
// none can be reached.
func (f *farewell) over() bool {
	if f.stayed {
		return f.told > 0 || f.waiting == 0
	}
	return f.everybody && f.waiting == 0 && f.untold == 0
}

// A retryPlan says when to try again to join, after attempts that reached nobody.
//
// Agents that are started together find each other gone at their first attempt,
// which is why Consul's clusters often take one whole interval, half a minute, to
// form. So the first interval has attempts in between, after 1, 2, 4... seconds.
// They are extra: a limit on attempts counts only those that Consul would make.
type retryPlan struct {
	interval time.Duration
	max      int // attempts; 0 is no limit

	counted int           // attempts so far, without the extra ones
	step    time.Duration // until the next extra attempt
	waited  time.Duration // since the last counted one
}

// firstStep is how long after the first attempt the first extra one is.
const firstStep = time.Second

func newRetryPlan(interval time.Duration, limit int) retryPlan {
	return retryPlan{interval: interval, max: limit, counted: 1, step: firstStep}
}

// next returns how long to wait before the next attempt, or false when there is to
// be none.
func (p *retryPlan) next() (time.Duration, bool) {
	if p.max > 0 && p.counted >= p.max {
		return 0, false
	}
	if p.waited+p.step < p.interval {
		wait := p.step
		p.waited += wait
		p.step *= 2
		return wait, true
	}
	wait := p.interval - p.waited
	p.counted++
	p.waited, p.step = 0, p.interval // no more extra ones
	return wait, true
}

// joinedEnough says whether an attempt to join has reached its aim. Reaching
// somebody is enough for that, unless it was only ourselves: an agent may be in its
// own list, as lists are often the same for all, and must not stop looking for the
// others when it has found itself.
func joinedEnough(reached, asked, others int) bool {
	return reached > 0 && (others > 0 || reached >= asked)
}
