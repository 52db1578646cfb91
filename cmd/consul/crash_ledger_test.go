package main

import (
	"fmt"
	"maps"
	"slices"
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
		if len(thing) > len(prefix) && thing[:len(prefix)] == prefix && !slices.Equal(may, []string{absent}) {
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
// the ledger. Nobody is writing. What it has is settled from now on: it is not to
// change by itself.
func (l *ledger) check(t *testing.T, prefix string, has map[string]entry) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var wrong []string
	things := maps.Clone(has)
	for thing := range l.may {
		if len(thing) >= len(prefix) && thing[:len(prefix)] == prefix {
			things[thing] = has[thing]
		}
	}
	for thing := range things {
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
		l.may[thing] = []string{e.value}
		l.seen[thing] = e
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		t.Errorf("of %d acknowledged writes, %d are not as they were: %q", l.acked, len(wrong), wrong[:min(10, len(wrong))])
	}
}

// forward checks that the index of a query does not go backwards.
func (l *ledger) forward(t *testing.T, query string, index uint64) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if index < l.index[query] {
		t.Errorf("%s: the index was %d, and is now %d", query, l.index[query], index)
	}
	l.index[query] = index
}

func short(value string) string {
	if len(value) > 40 {
		return fmt.Sprintf("%.40q... of %d bytes", value, len(value))
	}
	return fmt.Sprintf("%q", value)
}
