package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

var noon = time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)

// fixture is a store that is written with ascending indexes, from 1.
type fixture struct {
	t testing.TB
	*Store
	idx uint64
	now time.Time
}

func newFixture(t testing.TB) *fixture {
	return &fixture{t: t, Store: NewStore(), now: noon}
}

// try writes and returns the error.
func (f *fixture) try(fn func(*Tx) error) error {
	f.idx++
	return f.Update(f.idx, f.now, fn)
}

// do writes what cannot fail.
func (f *fixture) do(fn func(*Tx)) *fixture {
	_ = f.try(func(tx *Tx) error { fn(tx); return nil })
	return f
}

// must writes what must not fail.
func (f *fixture) must(fn func(*Tx) error) *fixture {
	f.t.Helper()
	if err := f.try(fn); err != nil {
		f.t.Fatal(err)
	}
	return f
}

// node registers a node; a check "serfHealth" in that status comes along unless it
// is empty.
func (f *fixture) node(name, id, serf string) *fixture {
	f.t.Helper()
	req := &wire.RegisterRequest{ID: id, Node: name, Address: "10.0.0." + fmt.Sprint(len(name)), Datacenter: "dc1"}
	if serf != "" {
		req.Check = &wire.HealthCheck{Node: name, CheckID: wire.SerfCheckID, Status: serf}
	}
	return f.must(func(tx *Tx) error { return tx.EnsureRegistration(req) })
}

// service registers a service on a known node.
func (f *fixture) service(node, id, name string, tags ...string) *fixture {
	f.t.Helper()
	return f.must(func(tx *Tx) error {
		return tx.EnsureService(node, &wire.NodeService{ID: id, Service: name, Tags: tags, Port: 80})
	})
}

// check registers a check on a known node, of a service unless that is empty.
func (f *fixture) check(node, id, service, status string) *fixture {
	f.t.Helper()
	return f.must(func(tx *Tx) error {
		return tx.EnsureCheck(&wire.HealthCheck{Node: node, CheckID: id, ServiceID: service, Status: status})
	})
}

func (f *fixture) set(key, value string) *fixture {
	return f.do(func(tx *Tx) { tx.KVSSet(&wire.DirEntry{Key: key, Value: []byte(value)}) })
}

func (f *fixture) session(id, node string, mend func(*wire.Session)) *fixture {
	f.t.Helper()
	s := &wire.Session{ID: id, Node: node, Behavior: wire.SessionKeysRelease}
	if mend != nil {
		mend(s)
	}
	return f.must(func(tx *Tx) error { return tx.SessionCreate(s) })
}

func (f *fixture) lock(key, session string) bool {
	f.t.Helper()
	var ok bool
	f.must(func(tx *Tx) (err error) {
		ok, err = tx.KVSLock(&wire.DirEntry{Key: key, Session: session})
		return err
	})
	return ok
}

// instances writes the instances of a service as "node/ID".
func instances(nodes wire.CheckServiceNodes) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Node.Node+"/"+n.Service.ID)
	}
	return strings.Join(all, " ")
}

func nodeNames(nodes wire.Nodes) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Node)
	}
	return strings.Join(all, " ")
}

func checkIDs(checks wire.HealthChecks) string {
	var all []string
	for _, c := range checks {
		all = append(all, c.Node+"/"+c.CheckID)
	}
	return strings.Join(all, " ")
}

func keys(entries wire.DirEntries) string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Key)
	}
	return strings.Join(all, " ")
}

// fired says whether a change has reached the watch set.
func fired(ws memdb.WatchSet) bool {
	for ch := range ws {
		select {
		case <-ch:
			return true
		default:
		}
	}
	return false
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func equalSlices[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func errorIs(t *testing.T, err error, want string) {
	t.Helper()
	if got := fmt.Sprint(err); err == nil && want != "" || err != nil && got != want {
		t.Errorf("err = %v, want %q", err, want)
	}
}
