package session

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

var noon = time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)

// at is a time so many seconds after noon.
func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func sessions(ttls ...string) (all wire.Sessions) {
	for i, ttl := range ttls {
		all = append(all, &wire.Session{ID: string(rune('a' + i)), TTL: ttl})
	}
	return all
}

func want(t *testing.T, what string, got []string, ids ...string) {
	t.Helper()
	if !slices.Equal(got, ids) {
		t.Errorf("%s: %q, want %q", what, got, ids)
	}
}

func TestExpiry(t *testing.T) {
	l := newLeases()
	l.follow(sessions("30s", "10s", "", "0s", "soon"), noon)
	want(t, "after the TTL", l.expire(at(19), 9))
	want(t, "after twice the TTL", l.expire(at(20), 9), "b")
	want(t, "it is told once", l.expire(at(59), 9))
	want(t, "the longer one", l.expire(at(60), 9), "a")
	want(t, "those without a TTL", l.expire(at(1e9), 9))
	if _, some := l.next(); some {
		t.Error("there is something to wait for")
	}
}

func TestRenewal(t *testing.T) {
	l := newLeases()
	l.follow(sessions("10s"), noon)
	if !l.renew("a", 10*time.Second, at(19)) {
		t.Error("a renewal in time is refused")
	}
	l.follow(sessions("10s"), at(25))
	want(t, "looking at the sessions moves no deadline, nor does time before the renewal", l.expire(at(38), 9))
	if next, _ := l.next(); next != at(39) {
		t.Errorf("it is due at %v", next)
	}
	want(t, "twice the TTL after the renewal", l.expire(at(39), 9), "a")
	if l.renew("a", 10*time.Second, at(39)) {
		t.Error("a renewal after the end was decided is granted")
	}
	l.failed("a", at(40))
	if l.renew("a", 10*time.Second, at(40)) {
		t.Error("a renewal is granted because the end could not be written")
	}
	if !l.renew("new", 10*time.Second, at(40)) {
		t.Error("a session that was not seen yet cannot be renewed")
	}
	want(t, "both", l.expire(at(60), 9), "a", "new")
}

func TestBackOff(t *testing.T) {
	l := newLeases()
	l.follow(sessions("10s"), noon)
	now := at(20)
	for i, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		want(t, fmt.Sprintf("try %d", i), l.expire(now, 9), "a")
		l.failed("a", now)
		now = now.Add(wait * time.Second)
		want(t, fmt.Sprintf("before try %d", i+1), l.expire(now.Add(-1), 9))
	}
	l.forget("a")
	l.failed("a", now)
	want(t, "what has ended is not tried again", l.expire(now.Add(time.Hour), 9))
}

func TestFollow(t *testing.T) {
	l := newLeases()
	l.follow(sessions("10s", "10s", "10s"), noon)
	l.follow(sessions("10s", "10s"), at(1))
	l.follow(sessions("10s", "10s", "10s"), at(5))
	want(t, "first those that were there all the time", l.expire(at(24), 9), "a", "b")
	want(t, "then the one that came back", l.expire(at(25), 9), "c")
}

// TestManyAtOnce: what is due comes in portions, and all of it.
func TestManyAtOnce(t *testing.T) {
	l := newLeases()
	for i := range 10_000 {
		l.renew(fmt.Sprint(i), 10*time.Second, noon)
	}
	seen := map[string]bool{}
	for ids := l.expire(at(20), batchSize); len(ids) > 0; ids = l.expire(at(20), batchSize) {
		if len(ids) > batchSize {
			t.Fatalf("%d at once", len(ids))
		}
		for _, id := range ids {
			seen[id] = true
		}
	}
	if len(seen) != 10_000 {
		t.Errorf("%d sessions came up, want all", len(seen))
	}
}

// TestNeverEarly plays renewals, arrivals and ends at random against a plain list of
// promises: none is broken, and nobody lives for ever.
func TestNeverEarly(t *testing.T) {
	for seed := range uint64(50) {
		r, l, now := rand.New(rand.NewPCG(seed, 0)), newLeases(), noon
		promised := map[string]time.Time{} // by ID: not before then
		for range 2000 {
			now = now.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
			id, ttl := fmt.Sprint(r.IntN(50)), time.Duration(10+r.IntN(20))*time.Second
			switch r.IntN(4) {
			case 0:
				l.forget(id)
				delete(promised, id)
			default:
				if l.renew(id, ttl, now) {
					promised[id] = now.Add(2 * ttl)
				}
			}
			for _, id := range l.expire(now, 3) {
				if now.Before(promised[id]) {
					t.Fatalf("seed %d: %s ends %v early", seed, id, promised[id].Sub(now))
				}
				if r.IntN(2) == 0 {
					l.failed(id, now)
				} else {
					l.forget(id)
					delete(promised, id)
				}
			}
		}
		for range 100 {
			now = now.Add(time.Minute)
			for _, id := range l.expire(now, 9) {
				l.forget(id)
			}
		}
		if len(l.byID) > 0 || len(l.queue) > 0 {
			t.Fatalf("seed %d: %d sessions live for ever", seed, len(l.byID))
		}
	}
}
