package state

import (
	"errors"
	"reflect"
	"sync"
	"testing"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// watched is a state with two of everything.
func watched(t *testing.T) *fixture {
	f := newFixture(t).node("n1", idA, "passing").node("n2", idB, "passing")
	f.service("n1", "w", "web", "tag").service("n2", "d", "db")
	f.check("n1", "c", "w", "passing").check("n2", "c", "d", "passing")
	f.set("a/1", "").set("b/1", "")
	f.session("s1", "n1", nil).session("s2", "n2", nil)
	return f
}

// TestUnrelatedWriteWakesNobody watches queries, writes something else, which must
// neither wake the watcher nor move the index, and then something related, which
// must do both.
func TestUnrelatedWriteWakesNobody(t *testing.T) {
	type query func(*View, memdb.WatchSet) (uint64, any)
	setService := func(node, id, name, tag string) func(*fixture) {
		return func(f *fixture) { f.service(node, id, name, tag) }
	}
	setCheck := func(node, id, service string) func(*fixture) {
		return func(f *fixture) { f.check(node, id, service, "warning") }
	}
	setKey := func(key string) func(*fixture) {
		return func(f *fixture) { f.set(key, "new") }
	}
	all := func(writes ...func(*fixture)) func(*fixture) {
		return func(f *fixture) {
			for _, w := range writes {
				w(f)
			}
		}
	}
	elsewhere := all(setService("n2", "d", "db", "new"), setService("n2", "d2", "db", ""), setCheck("n2", "c", "d"),
		setCheck("n2", "node", ""), setKey("b/1"), setKey("b/2"),
		func(f *fixture) { f.session("s3", "n2", nil).do(func(tx *Tx) { tx.SessionDestroy("s2") }) },
		func(f *fixture) { f.node("n22", "", "passing") },
		func(f *fixture) {
			f.must(func(tx *Tx) error { return tx.EnsureNode(&wire.Node{Node: "n2", Address: "new"}) })
		})
	onlyServices := all(setService("n2", "d", "db", "new"), setCheck("n2", "c", "d"), setKey("b/1"))

	tests := []struct {
		name               string
		query              query
		unrelated, related func(*fixture)
	}{
		{
			name:      "nodes",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.Nodes(ws, nil); return i, r },
			unrelated: onlyServices, related: func(f *fixture) { f.node("n3", "", "") },
		},
		{
			name:      "node",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.Node(ws, "n1"); return i, r },
			unrelated: elsewhere,
			related: func(f *fixture) {
				f.must(func(tx *Tx) error { return tx.EnsureNode(&wire.Node{Node: "n1", Address: "new"}) })
			},
		},
		{
			name:      "services",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.Services(ws, nil); return i, r },
			unrelated: all(setCheck("n2", "c", "d"), setCheck("n2", "node", ""), setKey("b/1"), func(f *fixture) { f.node("n3", "", "") }),
			related:   setService("n1", "w", "web", "new"),
		},
		{
			name:      "service_nodes",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.ServiceNodes(ws, "web", nil); return i, r },
			unrelated: elsewhere, related: setService("n1", "w", "web", "new"),
		},
		{
			name:      "health_of_a_service",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.CheckServiceNodes(ws, "web"); return i, r },
			unrelated: elsewhere, related: setCheck("n1", "c", "w"),
		},
		{
			name:      "health_of_a_service_when_its_node_ails",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.CheckServiceNodes(ws, "web"); return i, r },
			unrelated: elsewhere, related: setCheck("n1", "serfHealth", ""),
		},
		{
			name:      "health_of_a_service_that_gets_an_instance",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.CheckServiceNodes(ws, "web"); return i, r },
			unrelated: elsewhere, related: setService("n2", "w9", "web", ""),
		},
		{
			name:      "health_of_a_service_that_goes",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.CheckServiceNodes(ws, "web"); return i, r },
			unrelated: elsewhere, related: func(f *fixture) { f.do(func(tx *Tx) { tx.DeleteService("n1", "w") }) },
		},
		{
			name: "health_by_tag",
			query: func(v *View, ws memdb.WatchSet) (uint64, any) {
				i, r := v.CheckServiceTagNodes(ws, "web", []string{"tag"})
				return i, r
			},
			unrelated: elsewhere, related: setService("n1", "w", "web", "other"),
		},
		{
			name:      "services_of_a_node",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.NodeServices(ws, "n1"); return i, r },
			unrelated: elsewhere, related: setService("n1", "x", "x", ""),
		},
		{
			name:      "checks_of_a_node",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.NodeChecks(ws, "n1"); return i, r },
			unrelated: elsewhere, related: setCheck("n1", "c", "w"),
		},
		{
			name:      "checks_of_a_service",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.ServiceChecks(ws, "web", nil); return i, r },
			unrelated: elsewhere, related: setCheck("n1", "c", "w"),
		},
		{
			name:      "key",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.KVSGet(ws, "a/1"); return i, r },
			unrelated: all(elsewhere, setKey("a/2"), setKey("a/11"), setKey("a/")), related: setKey("a/1"),
		},
		{
			name:      "key_that_goes",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.KVSGet(ws, "a/1"); return i, r },
			unrelated: elsewhere, related: func(f *fixture) { f.do(func(tx *Tx) { tx.KVSDeleteTree("a") }) },
		},
		{
			name:      "prefix",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.KVSList(ws, "a/"); return i, r },
			unrelated: elsewhere, related: setKey("a/2"),
		},
		{
			name:      "prefix_that_loses_a_key",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.KVSList(ws, "a/"); return i, r },
			unrelated: elsewhere, related: func(f *fixture) { f.do(func(tx *Tx) { tx.KVSDelete("a/1") }) },
		},
		{
			name:      "session",
			query:     func(v *View, ws memdb.WatchSet) (uint64, any) { i, r := v.SessionGet(ws, "s1"); return i, r },
			unrelated: elsewhere, related: func(f *fixture) { f.do(func(tx *Tx) { tx.SessionDestroy("s1") }) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := watched(t)
			ws := memdb.NewWatchSet()
			idx, was := tt.query(f.View(), ws)
			if idx == 0 || len(ws) == 0 {
				t.Fatalf("index %d, %d channels", idx, len(ws))
			}
			tt.unrelated(f)
			if fired(ws) {
				t.Error("an unrelated write woke the watcher")
			}
			got, is := tt.query(f.View(), nil)
			equal(t, "index after an unrelated write", got, idx)
			if !reflect.DeepEqual(is, was) {
				t.Errorf("unrelated write changed the answer from %+v to %+v", was, is)
			}
			tt.related(f)
			if !fired(ws) {
				t.Error("a related write woke nobody")
			}
			got, _ = tt.query(f.View(), nil)
			equal(t, "index after a related write", got, f.idx)
		})
	}
}

func TestServiceThatAppears(t *testing.T) {
	f := watched(t)
	ws := memdb.NewWatchSet()
	_, none := f.View().CheckServiceNodes(ws, "new")
	equal(t, "instances", len(none), 0)
	f.service("n2", "new", "new")
	equal(t, "woken", fired(ws), true)
	idx, found := f.View().CheckServiceNodes(nil, "NEW")
	equal(t, "instances", instances(found), "n2/new")
	equal(t, "index", idx, f.idx)
}

func TestViewsAreImmutable(t *testing.T) {
	f := newFixture(t).set("a", "1")
	old := f.View()
	f.set("a", "2").set("b", "")
	_, entries := old.KVSList(nil, "")
	equal(t, "keys of the old view", keys(entries), "a")
	equal(t, "value in the old view", string(entries[0].Value), "1")
	equal(t, "LastIndex of the old view", old.LastIndex(), 1)
	equal(t, "LastIndex of the new view", f.View().LastIndex(), 3)
}

// TestReadersBesideTheWriter is for the race detector.
func TestReadersBesideTheWriter(t *testing.T) {
	f := watched(t)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				v := f.View()
				ws := memdb.NewWatchSet()
				idx, nodes := v.CheckServiceNodes(ws, "web")
				if idx > v.LastIndex() || len(nodes) == 0 {
					t.Errorf("index %d of a view at %d, %d instances", idx, v.LastIndex(), len(nodes))
					return
				}
				v.KVSList(ws, "a/")
				v.Services(ws, nil)
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for i := range 60 {
		f.set("a/"+string(rune('a'+i%26)), string(rune(i)))
		f.service("n2", "w2", "web", string(rune('a'+i%26)))
		f.check("n1", "c", "w", []string{"passing", "critical"}[i%2])
	}
	close(stop)
	readers.Wait()
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	f := watched(t)
	ws := memdb.NewWatchSet()
	idx, _ := f.View().KVSList(ws, "")
	boom := errors.New("boom")
	err := f.try(func(tx *Tx) error {
		tx.KVSSet(&wire.DirEntry{Key: "x"})
		_, e := tx.KVSGet(nil, "x")
		equal(t, "key within the write", e.Key, "x")
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("err = %v", err)
	}
	got, entries := f.View().KVSList(nil, "")
	equal(t, "index", got, idx)
	equal(t, "keys", keys(entries), "a/1 b/1")
	equal(t, "woken", fired(ws), false)
	equal(t, "LastIndex", f.View().LastIndex(), f.idx)
}

func TestPanickingWriteLeavesNothing(t *testing.T) {
	f := newFixture(t).set("a", "")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is lost")
			}
		}()
		f.do(func(tx *Tx) { tx.KVSSet(&wire.DirEntry{Key: "x"}); panic("boom") })
	}()
	_, entries := f.View().KVSList(nil, "")
	equal(t, "keys", keys(entries), "a")
	f.set("b", "") // the store can still be written
	_, entries = f.View().KVSList(nil, "")
	equal(t, "keys after another write", keys(entries), "a b")
}

func TestAbandon(t *testing.T) {
	f := newFixture(t)
	v := f.View()
	select {
	case <-v.Abandoned():
		t.Fatal("abandoned from the start")
	default:
	}
	f.Abandon()
	<-v.Abandoned()
}
