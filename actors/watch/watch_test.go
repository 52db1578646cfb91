package watch_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/answers"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/watch"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// site is a state with those who wait for its changes.
type site struct {
	t     *testing.T
	store *state.Store
	table *answers.Table
	inv   *invoke.Invoker
	watch ask.Address
	index uint64
	told  chan wire.IndexedDirEntries // to those who waited
}

func newSite(t *testing.T) *site {
	s := &site{t: t, store: state.NewStore(), index: 1, told: make(chan wire.IndexedDirEntries, 10000)}
	sys := actortest.System(t)
	s.table = answers.New(answers.Config{View: s.store.View, Follow: func(q *answers.Query) {
		s.watch.Tell(&messages.FollowQuery{Query: q})
	}})
	s.inv = invoke.New(invoke.Config{Datacenter: "dc1", View: s.store.View, Answers: s.table, Status: &messages.Published[messages.RaftStatus]{}})
	s.watch = actortest.Spawn(t, sys, watch.New(watch.Config{Logger: zap.NewNop(), Waited: func() []messages.Followed {
		var waited []messages.Followed
		for _, q := range s.table.Waited() {
			waited = append(waited, q)
		}
		return waited
	}}), watch.Name)
	s.put("k", "0")
	return s
}

func (s *site) put(key, value string) {
	s.index++
	err := s.store.Update(s.index, time.Time{}, func(tx *state.Tx) error {
		tx.KVSSet(&wire.DirEntry{Key: key, Value: []byte(value)})
		return nil
	})
	if err != nil {
		s.t.Error(err)
	}
}

// wait has some wait for the key k to change after index.
func (s *site) wait(ctx context.Context, n int, index uint64) {
	for range n {
		go func() {
			var reply wire.IndexedDirEntries
			err := invoke.Read(ctx, s.inv, endpoint.KVGet, &wire.KeyRequest{
				Key: "k", QueryOptions: wire.QueryOptions{MinQueryIndex: index, AllowStale: true, MaxQueryTime: time.Minute},
			}, &reply)
			if err != nil {
				s.t.Error(err)
			}
			s.told <- reply
		}()
	}
	synctest.Wait()
}

// heard returns what those who waited have been told, by value.
func (s *site) heard() map[string]int {
	synctest.Wait()
	heard := map[string]int{}
	for {
		select {
		case r := <-s.told:
			heard[fmt.Sprintf("%s at %d", r.Entries[0].Value, r.Index)]++
		default:
			return heard
		}
	}
}

func (s *site) want(what string, want map[string]int) {
	s.t.Helper()
	if got := s.heard(); fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("%s: told %v, want %v", what, got, want)
	}
}

func TestOneEvaluationForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.wait(t.Context(), 1000, 2)
		for i := range 1000 {
			s.put(fmt.Sprint("other/", i), "x")
		}
		s.want("unrelated writes", map[string]int{})
		if st := s.table.Stats(); st.Evaluated != 1 || st.Woken > 1000 {
			t.Errorf("before the change: %+v", st)
		}
		was := s.table.Stats()
		s.put("k", "1")
		s.want("a change", map[string]int{"1 at 1003": 1000})
		// What is watched is closed just before the new view is published: who is as
		// fast as that evaluates once in vain.
		if st := s.table.Stats(); st.Evaluated < was.Evaluated+1 || st.Evaluated > was.Evaluated+2 || st.Woken != was.Woken+1000 {
			t.Errorf("a change: %+v, before %+v", st, was)
		}
	})
}

// poison is a query that the actor cannot keep: it fails on it.
type poison []int

func (poison) Follow(context.Context) {}
func (poison) Waited() bool           { return false }

// TestRestart: who waits notices nothing, and hears also of what has happened
// meanwhile.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.wait(t.Context(), 10, 2)
		s.watch.Tell(&messages.FollowQuery{Query: poison{}})
		s.put("k", "1")
		s.want("a change after a restart", map[string]int{"1 at 3": 10})
		s.wait(t.Context(), 10, 3)
		s.put("k", "2")
		s.want("the next change", map[string]int{"2 at 4": 10})
	})
}

// TestWaitingEnds: with the time that was asked for and a little, with what there is.
func TestWaitingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.wait(t.Context(), 100, 2)
		time.Sleep(time.Minute - 1)
		s.want("before the time is up", map[string]int{})
		time.Sleep(time.Minute/16 + 1)
		s.want("after it is up", map[string]int{"0 at 2": 100})
		ctx, cancel := context.WithCancel(t.Context())
		s.wait(ctx, 100, 2)
		cancel()
		s.want("after those who waited have gone", map[string]int{"0 at 2": 100})
		if len(s.table.Waited()) > 0 {
			t.Error("somebody is thought to wait")
		}
	})
}

// TestIdleQueryIsFollowedNoMore, and is again when somebody waits for it.
func TestIdleQueryIsFollowedNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		ctx, cancel := context.WithCancel(t.Context())
		s.wait(ctx, 1, 2)
		cancel()
		time.Sleep(time.Minute)
		s.heard()
		was := s.table.Stats().Evaluated
		s.put("k", "1")
		synctest.Wait()
		if n := s.table.Stats().Evaluated; n != was {
			t.Errorf("%d evaluations for nobody", n-was)
		}
		s.wait(t.Context(), 1, 3)
		s.put("k", "2")
		s.want("a change", map[string]int{"2 at 4": 1})
	})
}

// TestIndexOfMissingKey: other keys move it, which is no news for who waits, and
// nobody is told less than he knows.
func TestIndexOfMissingKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		got := make(chan uint64, 1)
		read := func(index uint64) {
			var reply wire.IndexedDirEntries
			err := invoke.Read(t.Context(), s.inv, endpoint.KVGet, &wire.KeyRequest{
				Key: "missing", QueryOptions: wire.QueryOptions{MinQueryIndex: index, AllowStale: true, MaxQueryTime: time.Minute},
			}, &reply)
			if err != nil {
				t.Error(err)
			}
			got <- reply.Index
		}
		go read(2)
		synctest.Wait()
		s.put("m", "1")
		s.put("missing/not", "1")
		synctest.Wait()
		read(0)
		seen := <-got
		go read(seen)
		synctest.Wait()
		time.Sleep(2 * time.Minute)
		for range 2 {
			if index := <-got; index < 2 || index > seen {
				t.Errorf("told %d, the newest is %d", index, seen)
			}
		}
		go read(seen)
		synctest.Wait()
		s.put("missing", "1")
		if index := <-got; index != s.index {
			t.Errorf("told %d of a key that was written at %d", index, s.index)
		}
	})
}
