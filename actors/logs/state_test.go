package logs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/actor-consul/consul/messages"
)

const (
	trace = messages.TraceLevel
	debug = messages.TraceLevel + 1
	info  = messages.TraceLevel + 2
	warn  = messages.TraceLevel + 3
)

func TestRing(t *testing.T) {
	tests := []struct {
		name    string
		pushes  int
		want    []uint64
		dropped []uint64
	}{
		{name: "empty"},
		{name: "not_full", pushes: 2, want: []uint64{1, 2}},
		{name: "full", pushes: 3, want: []uint64{1, 2, 3}},
		{name: "over", pushes: 5, want: []uint64{3, 4, 5}, dropped: []uint64{1, 2}},
		{name: "round", pushes: 7, want: []uint64{5, 6, 7}, dropped: []uint64{1, 2, 3, 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ring{size: 3}
			for range 2 { // a drained ring is as good as new
				var dropped []uint64
				for i := range tt.pushes {
					if e, full := r.push(messages.LogEntry{Seq: uint64(i + 1)}); full {
						dropped = append(dropped, e.Seq)
					}
				}
				if got := seqs(slices.Collect(r.all())); !slices.Equal(got, tt.want) || !slices.Equal(dropped, tt.dropped) {
					t.Errorf("holds %v and dropped %v, want %v and %v", got, dropped, tt.want, tt.dropped)
				}
				for range r.all() { // one may stop early
					break
				}
				if got := seqs(r.drain(nil)); !slices.Equal(got, tt.want) {
					t.Errorf("drains %v, want %v", got, tt.want)
				}
			}
		})
	}
}

func TestTally(t *testing.T) {
	var got tally
	for _, l := range []messages.LogLevel{trace - 1, trace, debug, info, warn, warn + 1, warn + 4} {
		got.add(l)
	}
	if want := (tally{2, 1, 1, 1, 2}); got != want {
		t.Errorf("tally is %v, want %v", got, want)
	}
	for l, want := range map[messages.LogLevel]int{trace: 7, debug: 5, info: 4, warn: 3, warn + 1: 2} {
		if n := got.atLeast(l); n != want {
			t.Errorf("atLeast(%d) = %d, want %d", l, n, want)
		}
	}
}

// TestReaders plays what happens between entries and readers, one step a word:
// a level letter (t d i w) logs an entry, "full" and "room" say whether readers
// take what they are offered, "lost" loses an entry of each level on its way.
func TestReaders(t *testing.T) {
	tests := []struct {
		name  string
		level messages.LogLevel
		steps string
		want  string // what the reader got: the level, and what it had lost before
	}{
		{name: "its_level_and_above", level: info, steps: "t d i w", want: "i w"},
		{name: "trace_too", level: trace, steps: "t d i w", want: "t d i w"},
		{name: "lost_is_told_once", level: info, steps: "i full i w i room i i", want: "i i+3 i"},
		{name: "below_its_level_is_no_loss", level: warn, steps: "full t d i room w", want: "w"},
		{name: "lost_on_the_way", level: info, steps: "lost d i i", want: "i+3 i"},
		{name: "lost_on_both_sides", level: warn, steps: "full w lost w room w", want: "w+4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, room := newState(), true
			var got []string
			if _, err := s.subscribe(1, tt.level); err != nil {
				t.Fatal(err)
			}
			names := map[messages.LogLevel]string{trace: "t", debug: "d", info: "i", warn: "w"}
			offer := func(_ uint64, u messages.LogUpdate) bool {
				if room {
					word := names[u.Entry.Level]
					if u.Lost > 0 {
						word += fmt.Sprintf("+%d", u.Lost)
					}
					got = append(got, word)
				}
				return room
			}
			for step := range strings.FieldsSeq(tt.steps) {
				switch step {
				case "full", "room":
					room = step == "room"
				case "lost":
					s.addLost(tally{1, 1, 1, 1, 1})
				default:
					for l, name := range names {
						if name == step {
							s.add(messages.LogEntry{Level: l}, offer)
						}
					}
				}
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("the reader got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRecentIsWhatTheReaderWants(t *testing.T) {
	s := newState()
	for i, l := range []messages.LogLevel{trace, debug, info, warn, trace} {
		s.add(messages.LogEntry{Seq: uint64(i + 1), Level: l}, nil)
	}
	for l, want := range map[messages.LogLevel][]uint64{trace: {2, 3, 4}, debug: {2, 3, 4}, info: {3, 4}, warn: {4}, warn + 1: nil} {
		recent, err := s.subscribe(uint64(l+10), l)
		if got := seqs(recent); err != nil || !slices.Equal(got, want) {
			t.Errorf("recent at %d: %v, %v; want %v", l, got, err, want)
		}
	}
}

func TestLowest(t *testing.T) {
	s := newState()
	check := func(want messages.LogLevel, readers bool) {
		t.Helper()
		if got, some := s.lowest(); some != readers || some && got != want {
			t.Errorf("lowest = %d, %v; want %d, %v", got, some, want, readers)
		}
	}
	check(0, false)
	s.subscribe(1, warn)
	check(warn, true)
	s.subscribe(2, trace)
	s.subscribe(3, info)
	check(trace, true)
	s.unsubscribe(2)
	s.unsubscribe(2)
	check(info, true)
	s.unsubscribe(1)
	s.unsubscribe(3)
	check(0, false)
}

func TestReadersAreBounded(t *testing.T) {
	s := newState()
	for i := range maxReaders {
		if _, err := s.subscribe(uint64(i), info); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.subscribe(maxReaders, info); !errors.Is(err, messages.ErrOverloaded) {
		t.Errorf("one more: %v, want %v", err, messages.ErrOverloaded)
	}
	s.unsubscribe(7)
	if _, err := s.subscribe(maxReaders, info); err != nil {
		t.Errorf("after one went: %v", err)
	}
}

func TestReaderThatTakesNothingIsGivenUp(t *testing.T) {
	s := newState()
	s.subscribe(1, info) // takes nothing
	s.subscribe(2, info) // takes everything
	s.subscribe(3, warn) // wants nothing of this
	offer := func(id uint64, _ messages.LogUpdate) bool { return id == 2 }
	for i := range patience {
		if gone := s.add(messages.LogEntry{Level: info}, offer); gone != nil {
			t.Fatalf("%v given up after %d entries", gone, i+1)
		}
	}
	if gone := s.add(messages.LogEntry{Level: info}, offer); !slices.Equal(gone, []uint64{1}) {
		t.Errorf("given up: %v, want [1]", gone)
	}
	if gone := s.add(messages.LogEntry{Level: info}, offer); gone != nil {
		t.Errorf("given up again: %v", gone)
	}
}

func seqs(entries []messages.LogEntry) (all []uint64) {
	for _, e := range entries {
		all = append(all, e.Seq)
	}
	return all
}
