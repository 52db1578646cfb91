package dns

import (
	"slices"
	"time"
)

// setAside is for how long a recursor that gave no answer is asked after the others.
// Then one query tries it again, and the rest wait for what becomes of that.
const setAside = 30 * time.Second

// recursePatience is the most that all recursors together are waited for: a resolver
// asks again after five seconds. A longer recursor_timeout is meant to be.
const recursePatience = 5 * time.Second

// patience is how long one query waits for recursors, of which there are n.
func patience(timeout time.Duration, n int) time.Duration {
	return min(timeout*time.Duration(n), max(timeout, recursePatience))
}

// standing is what is known of the recursors.
type standing map[string]*record

// record is what is known of one recursor.
type record struct {
	answered time.Time // for the last time
	down     bool      // it has given no answer since
	until    time.Time // with down: when it is tried again
}

// order returns recursors in the order in which they are asked: those that are down
// come last. When one of them is due, this query tries it.
func (s standing) order(all []string, now time.Time) []string {
	var up, down []string
	tried := false
	for _, at := range all {
		r := s[at]
		switch {
		case r == nil || !r.down:
			up = append(up, at)
		case !tried && !now.Before(r.until):
			r.until, tried = now.Add(setAside), true
			up = append(up, at)
		default:
			down = append(down, at)
		}
	}
	return append(up, down...)
}

// answered takes note that a recursor has said something, and says whether that is
// news.
func (s standing) answered(at string, now time.Time) (news bool) {
	r := s.of(at)
	news = r.down
	r.answered, r.down = now, false
	return news
}

// silent takes note that a recursor has said nothing since a query was sent, and says
// whether that is news. Who has answered another query meanwhile is there; it is the
// question that takes so long.
func (s standing) silent(at string, began, now time.Time) (news bool) {
	r := s.of(at)
	if r.answered.After(began) {
		return false
	}
	news = !r.down
	r.down, r.until = true, now.Add(setAside)
	return news
}

func (s standing) of(at string) *record {
	if s[at] == nil {
		s[at] = &record{}
	}
	return s[at]
}

// forget drops what is known of all others.
func (s standing) forget(others []string) {
	for at := range s {
		if !slices.Contains(others, at) {
			delete(s, at)
		}
	}
}
