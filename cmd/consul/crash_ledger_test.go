package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// absent is the value of what is not there.
const absent = "(absent)"

// ledger has what an agent may say of each thing that was written: exactly one
// value when the last write was acknowledged, and more while nobody knows whether
// a write took effect.
type ledger struct {
	mu    sync.Mutex
	may   map[string][]string // values by thing; the last is the newest
	acked int                 // writes

	index map[string]uint64 // X-Consul-Index by query, as it was last
	seen  map[string]entry  // by thing, as it was last
}

// entry is what an agent has of a thing, and since which index.
type entry struct {
	value    string
	modified uint64
}

func newLedger() *ledger {
	return &ledger{may: map[string][]string{}, index: map[string]uint64{}, seen: map[string]entry{}}
}

// writing notes that the thing may get a value from now on.
func (l *ledger) writing(value string, things ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, thing := range things {
		if l.may[thing] == nil {
			l.may[thing] = []string{absent}
		}
		l.may[thing] = append(l.may[thing], value)
	}
}

// written notes that the write was acknowledged.
func (l *ledger) written(value string, things ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, thing := range things {
		l.may[thing] = []string{value}
	}
	l.acked++
}

// below returns the things whose names begin with prefix and that may be there.
func (l *ledger) below(prefix string) (things []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for thing, may := range l.may {
		if strings.HasPrefix(thing, prefix) && !slices.Equal(may, []string{absent}) {
			things = append(things, thing)
		}
	}
	return things
}

// there returns the things whose names begin with prefix and that are there for
// sure, and have been looked at.
func (l *ledger) there(prefix string) (things []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for thing, e := range l.seen {
		if strings.HasPrefix(thing, prefix) && e.value != absent && slices.Equal(l.may[thing], []string{e.value}) {
			things = append(things, thing)
		}
	}
	return things
}

// writes returns how many writes were acknowledged.
func (l *ledger) writes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked
}

// check compares what the agent has, of the things that begin with prefix, with
// the ledger, and returns what is not as it should be. Nobody is writing. What it
// has from the newest write is settled from now on: it is not to change by itself.
func (l *ledger) check(prefix string, has map[string]entry) (wrong []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	things := maps.Clone(has)
	for thing := range l.may {
		if strings.HasPrefix(thing, prefix) {
			things[thing] = has[thing]
		}
	}
	for _, thing := range slices.Sorted(maps.Keys(things)) {
		e, ok := has[thing]
		if !ok {
			e = entry{value: absent}
		}
		may, known := l.may[thing]
		switch before, ok := l.seen[thing]; {
		case !known:
			wrong = append(wrong, fmt.Sprintf("%s is there, and nobody wrote it", thing))
		case !slices.Contains(may, e.value):
			wrong = append(wrong, fmt.Sprintf("%s is %s, acknowledged was %s", thing, short(e.value), short(may[0])))
		case ok && before.value == e.value && before.modified != e.modified:
			wrong = append(wrong, fmt.Sprintf("%s was written at %d and is now of %d", thing, before.modified, e.modified))
		}
		if known && e.value == may[len(may)-1] {
			l.may[thing] = []string{e.value} // what it waited for has come
		}
		l.seen[thing] = e
	}
	return wrong
}

// forward notes the index of a query, and returns the one it had before when that
// is greater.
func (l *ledger) forward(query string, index uint64) (before uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before = l.index[query]
	l.index[query] = max(before, index)
	return before, index >= before
}

func short(value string) string {
	if len(value) > 40 {
		return fmt.Sprintf("%.40q... of %d bytes", value, len(value))
	}
	return fmt.Sprintf("%q", value)
}

// TestLedger shows that the ledger finds what TestCrash looks for.
func TestLedger(t *testing.T) {
	acknowledged := func(l *ledger) { l.writing("new", "k"); l.written("new", "k") }
	tests := []struct {
		name  string
		write func(*ledger)
		has   []entry // of k, in several checks
		wrong []string
	}{
		{name: "as_it_was", write: acknowledged, has: []entry{{"new", 7}, {"new", 7}}},
		{name: "lost", write: acknowledged, has: []entry{{absent, 0}}, wrong: []string{`k is "(absent)", acknowledged was "new"`}},
		{name: "another", write: acknowledged, has: []entry{{"old", 3}}, wrong: []string{`k is "old", acknowledged was "new"`}},
		{name: "lost_later", write: acknowledged, has: []entry{{"new", 7}, {absent, 0}}, wrong: []string{`k is "(absent)", acknowledged was "new"`}},
		{name: "written_at_another_index", write: acknowledged, has: []entry{{"new", 7}, {"new", 8}}, wrong: []string{"k was written at 7 and is now of 8"}},
		{name: "nobody_wrote_it", write: func(*ledger) {}, has: []entry{{"new", 7}}, wrong: []string{"k is there, and nobody wrote it"}},
		{name: "unknown_and_there", write: func(l *ledger) { l.writing("new", "k") }, has: []entry{{"new", 7}}},
		{name: "unknown_and_not_there", write: func(l *ledger) { l.writing("new", "k") }, has: []entry{{absent, 0}}},
		{name: "unknown_and_late", write: func(l *ledger) { l.writing("new", "k") }, has: []entry{{absent, 0}, {"new", 7}}},
		{name: "settled_and_undone", write: func(l *ledger) { l.writing("new", "k") }, has: []entry{{"new", 7}, {absent, 0}},
			wrong: []string{`k is "(absent)", acknowledged was "new"`}},
		{name: "deleted_and_back", write: func(l *ledger) { acknowledged(l); l.writing(absent, "k"); l.written(absent, "k") },
			has: []entry{{"new", 7}}, wrong: []string{`k is "new", acknowledged was "(absent)"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLedger()
			tt.write(l)
			var wrong []string
			for _, e := range tt.has {
				has := map[string]entry{"k": e}
				if e.value == absent {
					clear(has)
				}
				wrong = append(wrong, l.check("k", has)...)
			}
			if !slices.Equal(wrong, tt.wrong) {
				t.Errorf("found %q, want %q", wrong, tt.wrong)
			}
		})
	}
	l := newLedger()
	for i, index := range []uint64{5, 5, 6, 4} {
		if before, ok := l.forward("q", index); ok != (i < 3) {
			t.Errorf("the index %d after %d is fine: %t", index, before, ok)
		}
	}
}
