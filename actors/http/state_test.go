package http

import "testing"

func TestJudge(t *testing.T) {
	tests := []struct {
		name        string
		open, limit int
		want        verdict
	}{
		{"first", 1, 200, serve},
		{"last_that_fits", 200, 200, serve},
		{"one_too_many", 201, 200, refuse},
		{"last_that_is_told", 200 + refusable, 200, refuse},
		{"a_flood", 201 + refusable, 200, drop},
		{"no_limit", 1 << 20, 0, serve},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := judge(tt.open, tt.limit); got != tt.want {
				t.Errorf("judge(%d, %d) = %d, want %d", tt.open, tt.limit, got, tt.want)
			}
		})
	}
}

func TestRebinding(t *testing.T) {
	var r rebinding
	if _, again := r.next(false, true); again {
		t.Error("a port that was never ours is waited for")
	}
	if _, again := r.next(true, false); again {
		t.Error("what is wrong for another reason is tried again")
	}
	tries := 0
	for wait, again := r.next(true, true); again; wait, again = r.next(true, true) {
		if wait != rebindEvery {
			t.Fatalf("wait = %v", wait)
		}
		tries++
	}
	if tries != rebindTries {
		t.Errorf("%d tries, want %d", tries, rebindTries)
	}
}
