package serverrpc

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestPeersOpen(t *testing.T) {
	a, b, none := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.Addr{}
	p := newPeers(2)
	for i, step := range []struct {
		peer  netip.Addr
		close bool
		want  bool
	}{
		{a, false, true}, {a, false, true}, {a, false, false}, {b, false, true},
		{a, true, true}, {a, false, true}, {a, false, false},
		{none, false, true}, {none, false, true}, {none, false, true}, {none, true, true},
		{a, true, true}, {a, true, true}, {b, true, true},
	} {
		if step.close {
			p.closed(step.peer)
		} else if got := p.opened(step.peer); got != step.want {
			t.Errorf("step %d: %v opens a connection: %v, want %v", i, step.peer, got, step.want)
		}
	}
	if len(p.open) != 0 {
		t.Errorf("remembered of those who are gone: %v", p.open)
	}
}

func TestPeersNews(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	start := time.Unix(1000, 0)
	p := newPeers(1)
	for i, step := range []struct {
		remark
		after time.Duration
		want  bool
	}{
		{remark{a, "x"}, 0, true}, {remark{a, "x"}, 0, false}, {remark{a, "y"}, 0, true}, {remark{b, "x"}, 0, true},
		{remark{a, "x"}, repeatAfter - 1, false}, {remark{a, "x"}, repeatAfter, true}, {remark{a, "x"}, repeatAfter + 1, false},
	} {
		if got := p.news(step.remark, start.Add(step.after)); got != step.want {
			t.Errorf("step %d: %v is news: %v, want %v", i, step.remark, got, step.want)
		}
	}
}

// TestPeersHorde has more peers misbehave than are remembered.
func TestPeersHorde(t *testing.T) {
	p := newPeers(1)
	said := 0
	for i := range 10 * maxRemarks {
		now := time.Unix(1000, int64(i))
		if p.news(remark{netip.MustParseAddr(fmt.Sprintf("10.0.%d.%d", i>>8, i&255)), "x"}, now) {
			said++
		}
	}
	if said != maxRemarks || len(p.remarks) != maxRemarks {
		t.Errorf("%d lines, %d remembered, want %d", said, len(p.remarks), maxRemarks)
	}
	if !p.news(remark{netip.MustParseAddr("10.1.0.1"), "x"}, time.Unix(1001, 0).Add(repeatAfter)) || len(p.remarks) != 1 {
		t.Errorf("afterwards %d are remembered", len(p.remarks))
	}
}

func TestFlight(t *testing.T) {
	var f flight
	var done []int
	note := func(n int) { done = append(done, n) }
	for range 2 {
		if !f.enter() {
			t.Fatal("nobody is let in")
		}
	}
	f.leave()
	f.drain(note)
	f.drain(note) // asked again
	if f.enter() {
		t.Error("let in after the drain has begun")
	}
	if len(done) > 0 {
		t.Errorf("done with one under way: %v", done)
	}
	f.leave()
	f.drain(note)
	if !slices.Equal(done, []int{1, 1, 0}) {
		t.Errorf("done %v, want [1 1 0]", done)
	}
}
