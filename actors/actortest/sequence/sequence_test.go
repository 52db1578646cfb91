package sequence

import (
	"reflect"
	"testing"
)

func TestNew(t *testing.T) {
	acts := map[Act]int{}
	for seed := range uint64(300) {
		steps := New(seed, 3, 12)
		if again := New(seed, 3, 12); !reflect.DeepEqual(steps, again) {
			t.Fatalf("seed %d: %v and %v", seed, steps, again)
		}
		up := Of(0, 1, 2)
		for i, s := range steps {
			if up.Has(s.Server) == (s.Act == Start) {
				t.Fatalf("seed %d: step %d is %v, and %v are up", seed, i, s, up.Servers())
			}
			up ^= Of(s.Server)
			acts[s.Act]++
		}
	}
	for _, a := range []Act{Kill, Stop, Leave, Start} {
		if acts[a] < 300 {
			t.Errorf("%s happens %d times in 300 sequences", a, acts[a])
		}
	}
}

func TestModel(t *testing.T) {
	kill := func(i int) Step { return Step{Server: i, Act: Kill} }
	leave := func(i int) Step { return Step{Server: i, Act: Leave} }
	start := func(i int) Step { return Step{Server: i, Act: Start} }
	tests := []struct {
		name  string
		steps []Step
		saw   map[int]Set // after the step of that number
		must  []bool
		want  string
	}{
		{name: "one_dies", steps: []Step{kill(0), start(0)}, must: []bool{true, true}, want: "up [0 1 2], peers [0 1 2]"},
		{name: "two_die", steps: []Step{kill(0), kill(1), start(0)}, must: []bool{true, false, true}, want: "up [0 2], peers [0 1 2]"},
		{name: "one_leaves_and_one_dies", steps: []Step{leave(0), kill(1)}, must: []bool{true, false}, want: "up [2], peers [1 2] or [0 1 2]"},
		{name: "seen_to_have_left", steps: []Step{leave(0), kill(1), start(0), start(1)}, saw: map[int]Set{0: Of(1, 2)},
			must: []bool{true, false, false, true}, want: "up [0 1 2], peers [1 2] or [0 1 2]"},
		{name: "all_leave", steps: []Step{leave(0), leave(1), leave(2), start(0), start(1), start(2)}, saw: map[int]Set{0: Of(1, 2), 1: Of(2)},
			must: []bool{true, false, false, false, false, true}, want: "up [0 1 2], peers [2] or [0 2] or [1 2] or [0 1 2]"},
		{name: "leaves_without_a_leader", steps: []Step{kill(0), kill(1), leave(2), start(2), start(0)},
			must: []bool{true, false, false, false, true}, want: "up [0 2], peers [0 1 2]"},
		{name: "removed_afterwards", steps: []Step{kill(0), kill(1), leave(2), start(0), start(1)}, saw: map[int]Set{4: Of(0, 1)},
			must: []bool{true, false, false, false, true}, want: "up [0 1], peers [0 1]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := NewModel(3)
			for i, s := range tt.steps {
				m.Do(s)
				if got := m.MustLead(); got != tt.must[i] {
					t.Errorf("after step %d (%s): must lead is %t, want %t; %s", i, s, got, tt.must[i], m)
				}
				if saw, ok := tt.saw[i]; ok {
					m.Observed(saw)
				}
			}
			if m.String() != tt.want {
				t.Errorf("at the end: %s, want %s", m, tt.want)
			}
		})
	}
}
