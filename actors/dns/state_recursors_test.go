package dns

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPatience(t *testing.T) {
	for _, tc := range []struct {
		name    string
		timeout time.Duration
		n       int
		want    time.Duration
	}{
		{"one", 2 * time.Second, 1, 2 * time.Second},
		{"two", 2 * time.Second, 2, 4 * time.Second},
		{"no_longer_than_a_resolver_waits", 2 * time.Second, 9, 5 * time.Second},
		{"unless_that_is_wanted", 8 * time.Second, 2, 8 * time.Second},
	} {
		if got := patience(tc.timeout, tc.n); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// TestStanding has recursors fall silent and come back.
func TestStanding(t *testing.T) {
	s, now := standing{}, time.Unix(1000, 0)
	later := func(d time.Duration) { now = now.Add(d) }
	for _, step := range []struct {
		name string
		do   func() (news bool)
		news bool
		want string // the order afterwards
	}{
		{"unknown", func() bool { return false }, false, "a b c"},
		{"silent", func() bool { return s.silent("a", now.Add(-time.Second), now) }, true, "b c a"},
		{"still_silent", func() bool { return s.silent("a", now.Add(-time.Second), now) }, false, "b c a"},
		{"another_one", func() bool { later(time.Second); return s.silent("b", now.Add(-time.Second), now) }, true, "c a b"},
		{"one_is_due", func() bool { later(setAside - time.Second); return false }, false, "a c b"},
		{"for_one_query", func() bool { return false }, false, "c a b"},
		{"answers_again", func() bool { return s.answered("a", now) }, true, "a c b"},
		{"answers", func() bool { return s.answered("a", now) }, false, "a c b"},
		{"slow_question", func() bool { return s.silent("a", now.Add(-time.Second), now) }, false, "a c b"},
		{"all_are_silent", func() bool {
			later(time.Hour)
			s.silent("a", now, now)
			s.silent("b", now, now)
			return s.silent("c", now, now)
		}, true, "a b c"},
		{"other_ones_from_now_on", func() bool { s.forget([]string{"b"}); return len(s) != 1 }, false, "a c b"},
	} {
		if news := step.do(); news != step.news {
			t.Errorf("%s: news %t", step.name, news)
		}
		if got := s.order([]string{"a", "b", "c"}, now); !slices.Equal(got, strings.Fields(step.want)) {
			t.Errorf("%s: order %v, want %s", step.name, got, step.want)
		}
	}
}
