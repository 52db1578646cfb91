package autopilot

import (
	"slices"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages"
)

// sight is what is seen at one look.
type sight struct {
	after   time.Duration // since begin
	peers   string
	members []messages.Member
}

func TestMemory(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name      string
		sights    []sight
		voters    string // who is known to have been a voter in the end
		dismissed string // who was taken out by hand
		missing   string
	}{
		{name: "voters", sights: []sight{{0, "a b c-", live("abc")}, {s, "a c-", live("ac")}}, voters: "ab"},
		{name: "voters_are_forgotten", sights: []sight{{0, "a b", live("ab")}, {remembered, "a", live("a")}}, voters: "a"},
		{name: "leaves_the_peers_first", sights: []sight{{0, "a b", live("ab")}, {s, "a", live("ab")}}, voters: "ab", dismissed: "b"},
		{name: "has_left_then", sights: []sight{{0, "a b", live("ab")}, {s, "a", live("ab")}, {2 * s, "a", with("a", server("b", left))}}, voters: "ab"},
		{name: "and_is_back", sights: []sight{{0, "a b", live("ab")}, {s, "a", live("ab")}, {2 * s, "a", with("a", server("b", left))}, {3 * s, "a", live("ab")}}, voters: "ab"},
		{name: "taken_out_and_in", sights: []sight{{0, "a b", live("ab")}, {s, "a", live("ab")}, {2 * s, "a b-", live("ab")}}, voters: "ab"},
		{name: "taken_out_long_ago", sights: []sight{{0, "a b", live("ab")}, {s, "a", live("ab")}, {s + dismissal, "a", live("ab")}}, voters: "ab"},
		{name: "removed_since_it_failed", sights: []sight{{0, "a b", live("ab")}, {s, "a b", with("a", server("b", failed))}, {2 * s, "a", with("a", server("b", failed))}, {3 * s, "a", live("ab")}}, voters: "ab"},
		{name: "never_was_inside", sights: []sight{{0, "a", live("a")}, {s, "a", live("ab")}}, voters: "a"},
		{name: "missing", sights: []sight{{0, "a b", live("a")}, {s, "a b", live("a")}}, voters: "ab", missing: "b"},
		{name: "missing_no_more", sights: []sight{{0, "a b", live("a")}, {s, "a b", live("ab")}}, voters: "ab"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory()
			for _, see := range tt.sights {
				set := peers(see.peers)
				m.observe(set, readRoster(see.members, "dc1", set), begin.Add(see.after))
			}
			for _, l := range "abc" {
				id := string([]rune{l, l})
				_, missing := m.missing[id]
				for what, got := range map[string]struct {
					is   bool
					want string
				}{
					"a voter before": {m.wasVoter(id), tt.voters},
					"dismissed":      {m.isDismissed(id), tt.dismissed},
					"missing":        {missing, tt.missing},
				} {
					if want := slices.Contains([]rune(got.want), l); got.is != want {
						t.Errorf("%c is %s: %v, want %v", l, what, got.is, want)
					}
				}
			}
		})
	}
}

// TestMemoryOfOwnChanges has things happen between two looks.
func TestMemoryOfOwnChanges(t *testing.T) {
	b := peers("b")[0]
	tests := []struct {
		name      string
		before    string
		change    change
		dismissed bool
	}{
		{name: "failed_and_removed_and_back", before: "a b", change: change{peer: b, remove: true}},
		{name: "taken_in_and_gone", before: "a", change: change{peer: b}, dismissed: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory()
			set := peers(tt.before)
			m.observe(set, readRoster(live("ab"), "dc1", set), begin)
			m.made(tt.change)
			set = peers("a")
			told := m.observe(set, readRoster(live("ab"), "dc1", set), begin.Add(time.Second))
			if got := m.isDismissed("bb"); got != tt.dismissed || (len(told) == 1) != tt.dismissed {
				t.Errorf("it counts as taken out by hand: %v (%q), want %v", got, told, tt.dismissed)
			}
		})
	}
}

func TestMissingSinceTheFirstLook(t *testing.T) {
	m := newMemory()
	set := peers("a b")
	for i := range 3 {
		m.observe(set, readRoster(live("a"), "dc1", set), begin.Add(time.Duration(i)*time.Second))
	}
	if got := m.missing["bb"]; !got.Equal(begin) {
		t.Errorf("missing since %v, want %v", got, begin)
	}
}
