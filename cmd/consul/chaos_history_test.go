package main

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// What a client does to a key.
type verb string

const (
	getKey    verb = "get"
	putKey    verb = "put"
	deleteKey verb = "delete"
	casKey    verb = "cas" // put, if the value is still the one that was read
	casDelete verb = "cas-delete"
)

// call is an operation on a key as a client asked for it.
type call struct {
	verb  verb
	value string // what is written
	if_   string // cas: what is replaced; absent: only if there is nothing
	how   string // how it is asked, for people: the agent, the consistency
}

// outcome is what the client has heard of it.
type outcome struct {
	unknown bool   // nothing, or nothing that tells whether it was done
	value   string // get: what is there
	done    bool   // cas
}

// register is a key as it should be: one copy, and every operation happens at one
// moment between its call and its answer. A state is the value. Every value is
// written once in a history, so that it tells which write is seen.
var register = porcupine.Model{
	Init: func() any { return absent },
	Step: func(state, input, output any) (bool, any) {
		in, out := input.(call), output.(outcome)
		switch in.verb {
		case getKey:
			return out.unknown || out.value == state, state
		case putKey:
			return true, in.value
		case deleteKey:
			return true, absent
		}
		done, next := in.if_ == state, in.value
		if in.verb == casDelete { // of what is not there is done
			done, next = done || state == absent, absent
		}
		if !done {
			return out.unknown || !out.done, state
		}
		return out.unknown || out.done, next
	},
	DescribeOperation: func(input, output any) string { return describe(input.(call), output.(outcome)) },
}

func describe(in call, out outcome) string {
	text := string(in.verb)
	switch in.verb {
	case putKey:
		text += " " + in.value
	case casKey:
		text += " " + in.if_ + " to " + in.value
	case casDelete:
		text += " " + in.if_
	}
	switch {
	case out.unknown:
		text += ": unknown"
	case in.verb == getKey:
		text += ": " + out.value
	case in.verb == casKey, in.verb == casDelete:
		text += fmt.Sprintf(": %t", out.done)
	}
	return text + " (" + in.how + ")"
}

// history is what clients have asked and heard, by key. A call that has no outcome
// may happen at any later time, and so is open to the end.
type history struct {
	began time.Time

	mu      sync.Mutex
	keys    map[string][]porcupine.Operation
	unknown map[string]int    // outcomes by key
	indexes map[string]uint64 // ModifyIndex by key and value
	wrong   []string
}

func newHistory() *history {
	return &history{
		began: time.Now(), keys: map[string][]porcupine.Operation{},
		unknown: map[string]int{}, indexes: map[string]uint64{},
	}
}

// now is the time in the history. It is read before a call and after its answer.
func (h *history) now() int64 { return int64(time.Since(h.began)) }

// add notes a call that was made at from and answered at to.
func (h *history) add(key string, client int, in call, from int64, out outcome, to int64) {
	if out.unknown {
		if in.verb == getKey {
			return // it has changed nothing
		}
		to = math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if out.unknown {
		h.unknown[key]++
	}
	h.keys[key] = append(h.keys[key], porcupine.Operation{ClientId: client, Input: in, Call: from, Output: out, Return: to})
}

// size returns how many operations a key has seen, and of how many of them nobody
// knows what became of them.
func (h *history) size(key string) (all, unknown int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.keys[key]), h.unknown[key]
}

// saw notes the index that a value was written at. A value is written once, so it
// has one index: another one means that its write was carried out twice.
func (h *history) saw(key, value string, index uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := key + " " + value
	if before, ok := h.indexes[k]; ok && before != index {
		h.wrong = append(h.wrong, fmt.Sprintf("%s was %s at index %d, and at %d", key, value, before, index))
	}
	h.indexes[k] = index
}

// check returns what cannot have come of keys as they should be, and leaves a
// picture of it for each key in a directory. Nobody adds to the history any more.
func (h *history) check(dir string) (wrong []string) {
	const patience = time.Minute // for one key; mostly it takes no time at all
	wrong = h.wrong
	for _, key := range slices.Sorted(maps.Keys(h.keys)) {
		switch result, info := porcupine.CheckOperationsVerbose(register, h.keys[key], patience); result {
		case porcupine.Ok:
		case porcupine.Unknown:
			wrong = append(wrong, fmt.Sprintf("%s: %d operations are too many to check", key, len(h.keys[key])))
		case porcupine.Illegal:
			file := filepath.Join(dir, strings.ReplaceAll(key, "/", "-")+".html")
			if err := porcupine.VisualizePath(register, info, file); err != nil {
				file = err.Error()
			}
			wrong = append(wrong, fmt.Sprintf("%s is not linearizable: %s", key, file))
		}
	}
	return wrong
}

// count returns how many operations there are, and how many of them are unknown.
func (h *history) count() (all, unknown int) {
	for key, ops := range h.keys {
		all += len(ops)
		unknown += h.unknown[key]
	}
	return all, unknown
}

// TestHistory shows that the checker finds what TestChaos looks for.
func TestHistory(t *testing.T) {
	type op struct {
		in       call
		from, to int64
		out      outcome
	}
	get := func(from, to int64, value string) op { return op{call{verb: getKey}, from, to, outcome{value: value}} }
	put := func(from, to int64, value string) op {
		return op{call{verb: putKey, value: value}, from, to, outcome{}}
	}
	cas := func(from, to int64, old, value string, done bool) op {
		return op{call{verb: casKey, if_: old, value: value}, from, to, outcome{done: done}}
	}
	del := func(from, to int64) op { return op{call{verb: deleteKey}, from, to, outcome{}} }
	lost := func(o op) op { o.out = outcome{unknown: true}; return o }
	casDel := func(from, to int64, old string, done bool) op {
		return op{call{verb: casDelete, if_: old}, from, to, outcome{done: done}}
	}
	tests := []struct {
		name string
		ops  []op
		fine bool
	}{
		{"nothing", nil, true},
		{"absent_at_first", []op{get(1, 2, absent)}, true},
		{"reads_what_was_written", []op{put(1, 2, "a"), get(3, 4, "a")}, true},
		{"stale_read", []op{put(1, 2, "a"), put(3, 4, "b"), get(5, 6, "a")}, false},
		{"stale_read_of_nothing", []op{put(1, 2, "a"), get(3, 4, absent)}, false},
		{"lost_write", []op{put(1, 2, "a"), get(3, 4, "a"), get(5, 6, absent)}, false},
		{"from_nowhere", []op{put(1, 2, "a"), get(3, 4, "b")}, false},
		{"while_it_is_written", []op{put(1, 9, "a"), get(2, 3, absent), get(4, 5, "a")}, true},
		{"forth_and_back", []op{put(1, 9, "a"), get(2, 3, "a"), get(4, 5, absent)}, false},
		{"unknown_and_not_done", []op{lost(put(1, 2, "a")), get(3, 4, absent)}, true},
		{"unknown_and_done_late", []op{lost(put(1, 2, "a")), get(3, 4, absent), get(5, 6, "a")}, true},
		{"unknown_and_done_twice", []op{lost(put(1, 2, "a")), get(3, 4, "a"), put(5, 6, "b"), get(7, 8, "a")}, false},
		{"deleted", []op{put(1, 2, "a"), del(3, 4), get(5, 6, absent)}, true},
		{"deleted_and_back", []op{put(1, 2, "a"), del(3, 4), get(5, 6, "a")}, false},
		{"delete_is_unknown", []op{put(1, 2, "a"), lost(del(3, 4)), get(5, 6, "a"), get(7, 8, absent)}, true},
		{"cas", []op{put(1, 2, "a"), cas(3, 4, "a", "b", true), get(5, 6, "b")}, true},
		{"cas_of_nothing", []op{cas(1, 2, absent, "a", true), cas(3, 4, absent, "b", false)}, true},
		{"cas_is_refused", []op{put(1, 2, "a"), put(3, 4, "b"), cas(5, 6, "a", "c", false), get(7, 8, "b")}, true},
		{"cas_is_refused_for_no_reason", []op{put(1, 2, "a"), cas(3, 4, "a", "b", false)}, false},
		{"cas_wins_twice", []op{put(1, 2, "a"), cas(3, 9, "a", "b", true), cas(4, 8, "a", "c", true)}, false},
		{"cas_says_no_and_is_done", []op{put(1, 2, "a"), cas(3, 4, "a", "b", false), get(5, 6, "b")}, false},
		{"cas_is_unknown_and_done", []op{put(1, 2, "a"), lost(cas(3, 4, "a", "b", false)), get(5, 6, "b")}, true},
		{"cas_is_unknown_and_undone", []op{put(1, 2, "a"), lost(cas(3, 4, "a", "b", false)), put(5, 6, "c"), get(7, 8, "b")}, false},
		{"cas_delete", []op{put(1, 2, "a"), casDel(3, 4, "a", true), get(5, 6, absent)}, true},
		{"cas_delete_of_nothing", []op{casDel(1, 2, "a", true), get(3, 4, absent)}, true},
		{"cas_delete_of_nothing_is_refused", []op{casDel(1, 2, "a", false)}, false},
		{"cas_delete_of_another", []op{put(1, 2, "a"), put(3, 4, "b"), casDel(5, 6, "a", true)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHistory()
			for i, o := range tt.ops {
				h.add("k", i, o.in, o.from, o.out, o.to)
			}
			if wrong := h.check(t.TempDir()); (len(wrong) == 0) != tt.fine {
				t.Errorf("found %q", wrong)
			}
		})
	}
	h := newHistory()
	for _, index := range []uint64{7, 7, 9} {
		h.saw("k", "a", index)
	}
	if want := []string{"k was a at index 7, and at 9"}; !slices.Equal(h.check(""), want) {
		t.Errorf("found %q, want %q", h.check(""), want)
	}
}
