package autopilot

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

func TestComplaint(t *testing.T) {
	leader := reading{term: 5, index: 1000}
	tests := []struct {
		name string
		said stats
		want string
	}{
		{name: "in_step", said: stats{term: 5, index: 1000, contact: 50 * time.Millisecond}},
		{name: "ahead_by_now", said: stats{term: 5, index: 1010}},
		{name: "just_good_enough", said: stats{term: 5, index: 750, contact: 200 * time.Millisecond}},
		{name: "silent", said: stats{err: errors.New("connection refused")}, want: "it does not say how it is: connection refused"},
		{name: "never_in_contact", said: stats{term: 5, index: 1000, contact: -1}, want: "it has never heard of the leader"},
		{name: "out_of_contact", said: stats{term: 5, index: 1000, contact: 201 * time.Millisecond}, want: "it last heard of the leader 201ms ago (last_contact_threshold is 200ms)"},
		{name: "other_term", said: stats{term: 4, index: 1000}, want: "its log ends in term 4, the leader's in 5"},
		{name: "behind", said: stats{term: 5, index: 749}, want: "its log is 251 entries behind (max_trailing_logs is 250)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.said.complaint(leader, defaults); got != tt.want {
				t.Errorf("complaint = %q, want %q", got, tt.want)
			}
		})
	}
}

// TestAssess follows a server through its life.
func TestAssess(t *testing.T) {
	set := peers("a b")
	fine := stats{term: 1, index: 10}
	both := func() map[string]stats { return map[string]stats{"aa": fine, "bb": fine} }
	steps := []struct {
		name    string
		members string // "ab" when both live
		said    map[string]stats
		healthy bool
		since   int // at which step it became so
	}{
		{name: "not_asked_yet", members: "ab", said: map[string]stats{"aa": fine}, since: 0},
		{name: "is_fine", members: "ab", said: both(), healthy: true, since: 1},
		{name: "is_still_fine", members: "ab", said: both(), healthy: true, since: 1},
		{name: "falls_behind", members: "ab", said: map[string]stats{"aa": fine, "bb": {}}, since: 3},
		{name: "fails", members: "a", said: both(), since: 3},
		{name: "what_it_said_before_counts_no_more", members: "ab", said: nil, since: 3},
		{name: "is_back", members: "ab", said: both(), healthy: true, since: 6},
	}
	var before map[string]health
	var last reading
	for i, step := range steps {
		now := begin.Add(time.Duration(i) * time.Second)
		if step.said != nil {
			last = reading{term: 1, index: 10, stats: step.said}
		}
		members := live(step.members)
		if step.members == "a" {
			members = with("a", server("b", failed))
		}
		before = assess(before, set, readRoster(members, "dc1", set), last, wire.AutopilotConfig{MaxTrailingLogs: 5}, now)
		got, since := before["bb"], begin.Add(time.Duration(step.since)*time.Second)
		if got.healthy != step.healthy || !got.since.Equal(since) || (got.why == "") != step.healthy {
			t.Errorf("%s: healthy %v since %v (%q), want %v since %v", step.name, got.healthy, got.since, got.why, step.healthy, since)
		}
		if !before["aa"].healthy {
			t.Errorf("%s: the leader is not healthy: %s", step.name, before["aa"].why)
		}
	}
}

func TestReport(t *testing.T) {
	sit := scene{peers: "b c d- a e", members: with("ab", server("c", failed), server("d", alive, tagged("read_replica", "1"))), after: time.Minute}.situation()
	sit.health["bb"] = health{stats: stats{term: 2, index: 9, contact: time.Millisecond}, healthy: true, since: begin}
	got := sit.report(func(id string) map[string]string { return map[string]string{"of": id} })

	if got.Healthy || got.Leader != "aa" || got.FailureTolerance != 0 || !slices.Equal(got.Voters, []string{"aa", "bb", "cc", "ee"}) {
		t.Errorf("the state is %+v", got)
	}
	want := map[string]wire.AutopilotServerState{
		"bb": {
			Server: wire.AutopilotServer{ID: "bb", Name: "b", Address: home("b").String(), NodeStatus: "alive", Version: "1.19.2", RaftVersion: 3, NodeType: "voter", Meta: map[string]string{"of": "bb"}},
			State:  wire.RaftVoter,
			Stats:  wire.AutopilotServerStats{LastContact: time.Millisecond, LastTerm: 2, LastIndex: 9},
			Health: wire.AutopilotServerHealth{Healthy: true, StableSince: begin},
		},
		"cc": {
			Server: wire.AutopilotServer{ID: "cc", Name: "c", Address: home("c").String(), NodeStatus: "failed", Version: "1.19.2", RaftVersion: 3, NodeType: "voter", Meta: map[string]string{"of": "cc"}},
			State:  wire.RaftVoter,
			Health: wire.AutopilotServerHealth{StableSince: begin},
		},
		"ee": {
			Server: wire.AutopilotServer{ID: "ee", Address: home("e").String(), NodeStatus: "none", NodeType: "voter", Meta: map[string]string{"of": "ee"}},
			State:  wire.RaftVoter,
			Health: wire.AutopilotServerHealth{StableSince: begin},
		},
	}
	for id, w := range want {
		if g := got.Servers[id]; !reflect.DeepEqual(*g, w) {
			t.Errorf("%s is\n%+v, want\n%+v", id, *g, w)
		}
	}
	if a, d := got.Servers["aa"], got.Servers["dd"]; a.State != wire.RaftLeader || !a.Server.IsLeader || d.State != wire.RaftNonVoter || d.Server.NodeType != "read-replica" {
		t.Errorf("the leader is %+v, the replica %+v", *a, *d)
	}
}

func TestFailureTolerance(t *testing.T) {
	tests := []struct {
		name, peers, sick string
		want              int
	}{
		{name: "one", peers: "a", want: 0},
		{name: "two", peers: "a b", want: 0},
		{name: "three", peers: "a b c", want: 1},
		{name: "three_of_which_one_is_sick", peers: "a b c", sick: "c", want: 0},
		{name: "four", peers: "a b c d", want: 1},
		{name: "five", peers: "a b c d e", want: 2},
		{name: "five_of_which_three_are_sick", peers: "a b c d e", sick: "cde", want: 0},
		{name: "who_does_not_vote_does_not_help", peers: "a b c d-", sick: "c", want: 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			state := scene{peers: tt.peers, members: live("abcde"), sick: tt.sick}.situation().report(nil)
			if state.FailureTolerance != tt.want || state.Healthy != (tt.sick == "") {
				t.Errorf("tolerance = %d, healthy = %v; want %d", state.FailureTolerance, state.Healthy, tt.want)
			}
		})
	}
}

func TestTurns(t *testing.T) {
	sit := scene{peers: "a b c", members: live("abc")}.situation()
	before := map[string]health{"aa": {healthy: true}, "bb": {healthy: false}}
	sit.health = map[string]health{"aa": {why: "of this"}, "bb": {healthy: true}, "cc": {healthy: true}}
	want := []string{
		`server "a" (ID "aa", 10.0.0.97:8300) is not healthy: of this`,
		`server "b" (ID "bb", 10.0.0.98:8300) is healthy`,
	}
	if got := sit.turns(before); !slices.Equal(got, want) {
		t.Errorf("turns = %q, want %q", got, want)
	}
}
