package autopilot

import (
	"errors"
	"strings"
	"testing"
)

// TestStrangers shows who is taken in of those that have a peer set already.
func TestStrangers(t *testing.T) {
	tests := []struct {
		name    string
		own     map[string]allegiance
		want    string // as outline writes it
		unasked bool
		problem string // the servers that it names
	}{
		{name: "nobody_asks", want: "d-"},
		{name: "not_asked_yet", own: map[string]allegiance{}, unasked: true},
		{name: "gave_no_answer", own: map[string]allegiance{"dd": {err: errors.New("connection refused")}}, problem: "d"},
		{name: "new", own: map[string]allegiance{"dd": {}}, want: "d-"},
		{name: "was_one_of_ours", own: map[string]allegiance{"dd": {peers: peers("b d")}}, want: "d-"},
		{name: "was_with_one_that_is_gone", own: map[string]allegiance{"dd": {peers: peers("d e")}}, want: "d-"},
		{name: "began_on_its_own", own: map[string]allegiance{"dd": {peers: peers("d")}}, problem: "ad"},
		{name: "is_of_another_cluster", own: map[string]allegiance{"dd": {peers: peers("d f g")}}, problem: "ad"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := scene{peers: "a b c", members: live("abcd"), voted: "e"}.situation()
			s.own = tt.own
			if got := outline(s.changes()); got != tt.want {
				t.Errorf("changes = %q, want %q", got, tt.want)
			}
			if got := s.unasked(); got != tt.unasked {
				t.Errorf("unasked = %t, want %t", got, tt.unasked)
			}
			problems := strings.Join(s.strangers(), "\n")
			if (problems != "") != (tt.problem != "") {
				t.Errorf("problems = %q", problems)
			}
			for _, name := range tt.problem {
				if at := home(string(name)).String(); !strings.Contains(problems, at) {
					t.Errorf("problems = %q, which do not name %s", problems, at)
				}
			}
		})
	}
}

// TestGiveUp shows that nobody is told to wipe the larger side.
func TestGiveUp(t *testing.T) {
	tests := []struct {
		name         string
		ours, theirs string
		outnumbered  bool
		want         string
	}{
		{name: "stray_beside_ours", ours: "a b c", theirs: "d", want: `this one is the larger: stop "d", move its data`},
		{name: "stray_is_this_one", ours: "a", theirs: "d e f", outnumbered: true, want: "that one is the larger: stop this server, move its data"},
		{name: "ours_is_smaller", ours: "a b c", theirs: "d e f g h", outnumbered: true, want: "that one is the larger: stop the servers of this one, move their data"},
		{name: "both_alone", ours: "a", theirs: "d", want: "both are of one size: decide whose data"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := scene{peers: tt.ours, members: live("abcd")}.situation()
			s.own = map[string]allegiance{"bb": {}, "cc": {}, "dd": {peers: peers(tt.theirs)}}
			if got := strings.Join(s.strangers(), "\n"); !strings.Contains(got, tt.want) {
				t.Errorf("problems = %q, want %q", got, tt.want)
			}
			if got := s.report(nil).Outnumbered; got != tt.outnumbered {
				t.Errorf("outnumbered = %v", got)
			}
		})
	}
}
