package leader

import (
	"testing"
	"time"
)

func TestGraveyard(t *testing.T) {
	begin := time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)
	minute := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Minute) }
	var g graveyard
	want := func(when string, now time.Time, upTo uint64) {
		t.Helper()
		if got := g.ripe(now); got != upTo {
			t.Errorf("%s: up to %d, want %d", when, got, upTo)
		}
	}
	g.note(0, minute(0))
	want("without tombstones", minute(99), 0)
	g.note(7, minute(0))
	g.note(7, minute(1)) // the same, whose time goes on
	g.note(9, minute(2))
	g.note(12, minute(2))
	want("before the time", minute(15).Add(-1), 0)
	want("the first", minute(15), 7)
	want("as long as they are not gone", minute(16), 7)
	want("all that are old enough", minute(17), 12)
	g.reaped(7)
	want("one less", minute(16), 0)
	g.reaped(12)
	want("none is left", minute(99), 0)
	g.note(12, minute(20))
	g.note(3, minute(21)) // a snapshot was restored
	want("what is older in the log is not newer", minute(35), 12)
}
