package answers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/actor-consul/consul/actors/answers"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages/wire"
)

// bench is a table over a store that the test writes to.
type bench struct {
	*answers.Table
	state    atomic.Pointer[state.Store]
	index    uint64
	followed []*answers.Query
}

func newBench(cfg answers.Config) *bench {
	b := &bench{index: 10}
	b.state.Store(state.NewStore())
	cfg.View = func() *state.View { return b.state.Load().View() }
	cfg.Follow = func(q *answers.Query) { b.followed = append(b.followed, q) }
	b.Table = answers.New(cfg)
	return b
}

func (b *bench) put(t *testing.T, key, value string) {
	t.Helper()
	b.index++
	err := b.state.Load().Update(b.index, time.Time{}, func(tx *state.Tx) error {
		tx.KVSSet(&wire.DirEntry{Key: key, Value: []byte(value)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// key returns the query of a key.
func (b *bench) key(name string) *answers.Query {
	return b.Query(&endpoint.KVGet, &wire.KeyRequest{Key: name})
}

func value(a *answers.Answer) string {
	entries := a.Reply.(*wire.IndexedDirEntries).Entries
	if len(entries) == 0 {
		return "none"
	}
	return string(entries[0].Value)
}

func TestAnswerIsKeptWhileItIsTrue(t *testing.T) {
	b := newBench(answers.Config{})
	b.put(t, "a", "1")
	first := b.key("a").Answer(0)
	for i := range 1000 {
		b.put(t, fmt.Sprint("other/", i), "x")
	}
	if again := b.key("a").Answer(0); again != first || b.Stats().Evaluated != 1 {
		t.Errorf("evaluated %d times though nothing has changed", b.Stats().Evaluated)
	}
	b.put(t, "a", "2")
	if first.True() {
		t.Error("what was overwritten is true")
	}
	if a := b.key("a").Answer(0); value(a) != "2" || a.Index != b.index || b.Stats().Evaluated != 2 {
		t.Errorf("answered %s at %d after %d evaluations", value(a), a.Index, b.Stats().Evaluated)
	}
}

// TestAnswerIsSharedByThoseWhoAskTheSame: who differs in nothing but how he asks.
func TestAnswerIsSharedByThoseWhoAskTheSame(t *testing.T) {
	b := newBench(answers.Config{})
	args := func(change func(*wire.ServiceSpecificRequest)) *wire.ServiceSpecificRequest {
		a := &wire.ServiceSpecificRequest{ServiceName: "web", NodeMetaFilters: map[string]string{"a": "1", "b": "2"}}
		change(a)
		return a
	}
	q := b.Query(&endpoint.HealthServiceNodes, args(func(*wire.ServiceSpecificRequest) {}))
	for name, c := range map[string]struct {
		change func(*wire.ServiceSpecificRequest)
		same   bool
	}{
		"waits":      {func(a *wire.ServiceSpecificRequest) { a.MinQueryIndex, a.MaxQueryTime = 7, time.Minute }, true},
		"stale":      {func(a *wire.ServiceSpecificRequest) { a.AllowStale, a.MaxStaleDuration = true, time.Second }, true},
		"address":    {func(a *wire.ServiceSpecificRequest) { a.Source.Ip = "10.0.0.1" }, true},
		"filter":     {func(a *wire.ServiceSpecificRequest) { a.Filter = "Node.Node == x" }, false},
		"name":       {func(a *wire.ServiceSpecificRequest) { a.ServiceName = "db" }, false},
		"meta":       {func(a *wire.ServiceSpecificRequest) { a.NodeMetaFilters["a"] = "3" }, false},
		"token":      {func(a *wire.ServiceSpecificRequest) { a.Token = "t" }, false},
		"datacenter": {func(a *wire.ServiceSpecificRequest) { a.Datacenter = "dc2" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := b.Query(&endpoint.HealthServiceNodes, args(c.change)) == q; got != c.same {
				t.Errorf("the same query: %v, want %v", got, c.same)
			}
		})
	}
	if b.Query(&endpoint.ServiceNodes, args(func(*wire.ServiceSpecificRequest) {})) == q {
		t.Error("two methods have one query")
	}
}

// TestQueryThatCannotBeShared: the answer depends on more than what is watched.
func TestQueryThatCannotBeShared(t *testing.T) {
	b := newBench(answers.Config{})
	for name, q := range map[string]*answers.Query{
		"near":         b.Query(&endpoint.ServiceNodes, &wire.ServiceSpecificRequest{ServiceName: "web", Source: wire.QuerySource{Node: "n"}}),
		"since":        b.Query(&endpoint.ReplicaChanges, &wire.ReplicaChangesRequest{}),
		"not_modified": b.Query(&endpoint.KVGet, &wire.KeyRequest{Key: "a", QueryOptions: wire.QueryOptions{AllowNotModifiedResponse: true}}),
	} {
		if q != nil {
			t.Errorf("%s is shared", name)
		}
	}
}

// TestIndexDoesNotGoBack: the index of a key that is not there moves with all keys,
// and nobody is told less than he has seen.
func TestIndexDoesNotGoBack(t *testing.T) {
	b := newBench(answers.Config{})
	b.put(t, "a", "1")
	if a := b.key("none").Answer(0); a.Index != 11 || !errors.Is(a.Err, endpoint.ErrNotFound) {
		t.Fatalf("index %d, %v", a.Index, a.Err)
	}
	b.put(t, "a", "2")
	if a := b.key("none").Answer(12); a.Index != 12 {
		t.Errorf("index %d for who has seen 12", a.Index)
	}
	if a := b.key("none").Answer(0); a.Index != 12 {
		t.Errorf("index %d after 12", a.Index)
	}
	was := b.Stats().Evaluated
	b.key("none").Answer(1000)
	if n := b.Stats().Evaluated; n != was {
		t.Errorf("evaluated again for an index that nothing can have")
	}
}

// TestManyAskAtOnce: they share an evaluation and an encoding.
func TestManyAskAtOnce(t *testing.T) {
	b := newBench(answers.Config{})
	b.put(t, "a", "1")
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			a := b.key("a").Answer(0)
			a.Form("text", func() (any, int) { return value(a), 1 })
		})
	}
	all.Wait()
	if s := b.Stats(); s.Evaluated != 1 || s.Encoded != 1 || s.Queries != 1 {
		t.Errorf("%+v", s)
	}
}

func TestSubscribersAreWokenByNewsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(answers.Config{})
		b.put(t, "a/b", "1")
		var near, far atomic.Int64 // woken
		for name, n := range map[string]*atomic.Int64{"a/b": &near, "c/d": &far} {
			sub := b.key(name).Subscribe(func() { n.Add(1) })
			defer sub.Cancel()
		}
		if len(b.followed) != 2 || len(b.Waited()) != 2 {
			t.Fatalf("%d queries are to be followed, %d are waited for", len(b.followed), len(b.Waited()))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, q := range b.followed {
			go q.Follow(ctx)
		}
		synctest.Wait()
		near.Store(0) // the first answer is one, too
		far.Store(0)

		for i := range 1000 {
			b.put(t, fmt.Sprint("other/", i), "x")
		}
		synctest.Wait()
		if near.Load()+far.Load() > 0 {
			t.Errorf("%d and %d were woken by what is none of their business", near.Load(), far.Load())
		}
		b.put(t, "a/b", "2")
		synctest.Wait()
		if near.Load() != 1 || far.Load() != 0 {
			t.Errorf("%d and %d were woken by a change for the first", near.Load(), far.Load())
		}
	})
}

func TestFollowEndsWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(answers.Config{})
		b.put(t, "a", "1")
		sub := b.key("a").Subscribe(func() {})
		done := make(chan struct{})
		go func() { b.key("a").Follow(t.Context()); close(done) }()
		synctest.Wait()
		sub.Cancel()
		b.put(t, "a", "2")
		<-done
		if n := b.Stats().Evaluated; n != 1 {
			t.Errorf("%d evaluations, one of them for nobody", n)
		}
	})
}

func TestRestoreWakesEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(answers.Config{})
		woken := 0
		sub := b.key("a").Subscribe(func() { woken++ })
		defer sub.Cancel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go b.key("a").Follow(ctx)
		synctest.Wait()
		was := b.key("a").Answer(0)
		woken = 0
		b.state.Swap(state.NewStore()).Abandon()
		synctest.Wait()
		if woken == 0 || !was.Abandoned() {
			t.Errorf("woken %d times", woken)
		}
	})
}

func TestBounds(t *testing.T) {
	b := newBench(answers.Config{MaxQueries: 8})
	sub := b.key("waited").Subscribe(func() {})
	defer sub.Cancel()
	for i := range 100 {
		b.key(fmt.Sprint(i)).Answer(0)
		b.key("often").Answer(0)
	}
	if n := b.Stats().Queries; n > 8 {
		t.Errorf("%d queries", n)
	}
	if !b.key("waited").Waited() {
		t.Error("a query that is waited for was forgotten")
	}
	was := b.Stats().Evaluated
	b.key("often").Answer(0)
	if b.Stats().Evaluated != was {
		t.Error("what is used all the time was forgotten")
	}
}

func TestBoundOnBytes(t *testing.T) {
	b := newBench(answers.Config{MaxBytes: 1 << 20})
	for i := range 100 {
		a := b.key(fmt.Sprint(i)).Answer(0)
		a.Form("large", func() (any, int) { return nil, 100 << 10 })
	}
	if s := b.Stats(); s.Bytes > 1<<20 || s.Queries < 2 {
		t.Errorf("%+v", s)
	}
	b.put(t, "99", "x") // its answer goes, with its forms
	was := b.Stats().Bytes
	b.key("99").Answer(0)
	if is := b.Stats().Bytes; is > was-90<<10 {
		t.Errorf("%d bytes with an answer that is gone, %d without", was, is)
	}
}

// TestBoundOnWhatIsAskedFor: a question takes room, too, even one whose answer is empty.
func TestBoundOnWhatIsAskedFor(t *testing.T) {
	b := newBench(answers.Config{MaxBytes: 1 << 20})
	for i := range 100 {
		b.key(strings.Repeat("x", 100<<10) + fmt.Sprint(i)).Answer(0)
	}
	if n := b.Stats().Queries; n > 10 {
		t.Errorf("%d questions of 100 KiB are kept", n)
	}
}

// TestFullOfWaiters: who comes too late is told so.
func TestFullOfWaiters(t *testing.T) {
	b := newBench(answers.Config{MaxQueries: 2})
	for _, name := range []string{"a", "b"} {
		defer b.key(name).Subscribe(func() {}).Cancel()
	}
	if b.key("c") != nil {
		t.Error("there is room for a third")
	}
}

// TestForgottenQueryTakesNobody: who waited on it would wait for ever.
func TestForgottenQueryTakesNobody(t *testing.T) {
	b := newBench(answers.Config{MaxQueries: 1})
	old := b.key("a")
	b.key("b")
	if old.Subscribe(func() {}) != nil {
		t.Error("a query that nobody knows takes subscribers")
	}
	old.Answer(0)
	if n := b.Stats().Bytes; n != 0 {
		t.Errorf("%d bytes are counted of what is gone", n)
	}
}

func TestFailures(t *testing.T) {
	b := newBench(answers.Config{})
	broken := endpoint.Read[wire.KeyRequest, wire.IndexedDirEntries]{Method: "KVS.Get", Eval: func(*endpoint.Env, *wire.KeyRequest, *wire.IndexedDirEntries) error {
		panic("a bug")
	}}
	for name, q := range map[string]*answers.Query{
		"KVS.Get failed: a bug": b.Query(&broken, &wire.KeyRequest{Key: "a"}),
		"Must provide service":  b.Query(&endpoint.ServiceNodes, &wire.ServiceSpecificRequest{}),
	} {
		if a := q.Answer(0); a.Err == nil || !strings.Contains(a.Err.Error(), name) || a.True() {
			t.Errorf("%v, kept: %v; want %q", a.Err, a.True(), name)
		}
		q.Subscribe(func() {})
		q.Follow(t.Context()) // ends
	}
}
