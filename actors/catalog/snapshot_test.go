package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages/wire"
)

// dump writes all that is replicated as text.
func dump(t testing.TB, v *state.View) string {
	t.Helper()
	var all strings.Builder
	for typ, record := range v.Records() {
		text, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %s\n", typ, text)
	}
	return all.String()
}

// same fails unless two dumps are equal, and shows where they begin to differ.
func same(t testing.TB, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Errorf("%s: record %d is\n%s, want\n%s", what, i, g[i], w[i])
			return
		}
	}
	t.Errorf("%s: %d records, want %d", what, len(g), len(w))
}

// sink keeps a snapshot in memory.
type sink struct {
	bytes.Buffer
	err              error // of every Write
	closed, canceled bool
}

func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	return s.Buffer.Write(p)
}
func (s *sink) ID() string    { return "test" }
func (s *sink) Close() error  { s.closed = true; return nil }
func (s *sink) Cancel() error { s.canceled = true; return nil }

func persist(t testing.TB, f *FSM) []byte {
	t.Helper()
	snap, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	s := &sink{}
	if err := snap.Persist(s); err != nil {
		t.Fatal(err)
	}
	if !s.closed || s.canceled {
		t.Error("the sink was not closed")
	}
	return s.Bytes()
}

func restoreBytes(f *FSM, b []byte) error { return f.Restore(io.NopCloser(bytes.NewReader(b))) }

func TestSnapshotRoundTrip(t *testing.T) {
	a := filled(t)
	first := persist(t, a.FSM)
	b := NewFSM()
	if err := restoreBytes(b, first); err != nil {
		t.Fatal(err)
	}
	same(t, "restored", dump(t, b.View()), dump(t, a.View()))
	if got, want := b.View().LastIndex(), a.View().LastIndex(); got != want {
		t.Errorf("LastIndex = %d, want %d", got, want)
	}
	_, web := b.View().CheckServiceNodes(nil, "web")
	if len(web) != 1 || len(web[0].Checks) != 2 {
		t.Errorf("web = %+v", web)
	}
	if again := persist(t, b); !bytes.Equal(again, first) {
		t.Error("a snapshot of the restored state differs from the one it was restored from")
	}
}

// TestSnapshotOfConfigEntries keeps the entries, and leaves out those of a kind that
// only another version of Consul knows.
func TestSnapshotOfConfigEntries(t *testing.T) {
	a := filled(t)
	entry, err := wire.DecodeConfigEntry([]byte(`{"Kind":"service-resolver","Name":"web","ConnectTimeout":"5s"}`))
	if err != nil {
		t.Fatal(err)
	}
	a.apply(wire.ConfigEntryRequestType, &wire.ConfigEntryRequest{Op: wire.ConfigEntryUpsert, Entry: entry})
	first := persist(t, a.FSM)
	b := NewFSM()
	if err := restoreBytes(b, first); err != nil {
		t.Fatal(err)
	}
	same(t, "restored", dump(t, b.View()), dump(t, a.View()))
	if again := persist(t, b); !bytes.Equal(again, first) {
		t.Error("a snapshot of the restored state differs from the one it was restored from")
	}
	odd := bytes.ReplaceAll(first, []byte("service-resolver"), []byte("service-unheard!"))
	if err := restoreBytes(b, odd); err != nil {
		t.Fatal(err)
	}
	if _, e := b.View().ConfigEntry(nil, "service-resolver", "web"); e != nil {
		t.Errorf("what is of an unknown kind: %+v", e)
	}
	if _, web := b.View().CheckServiceNodes(nil, "web"); len(web) != 1 {
		t.Errorf("web = %+v", web)
	}
}

func TestSnapshotIsOfItsMoment(t *testing.T) {
	a := filled(t)
	want := persist(t, a.FSM)
	snap, err := a.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	a.apply(wire.DeregisterRequestType, &wire.DeregisterRequest{Node: "n1"})
	s := &sink{}
	if err := snap.Persist(s); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Bytes(), want) {
		t.Error("a write after the snapshot is in it")
	}
}

func TestSnapshotThatCannotBeWritten(t *testing.T) {
	snap, err := filled(t).Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	s := &sink{err: full}
	if err := snap.Persist(s); !errors.Is(err, full) {
		t.Errorf("err = %v", err)
	}
	if !s.canceled || s.closed {
		t.Error("the sink was not cancelled")
	}
}

func TestRestoreTakesThePlace(t *testing.T) {
	other := newApplied(t)
	other.apply(wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVSet, DirEnt: wire.DirEntry{Key: "other"}})
	snap := persist(t, other.FSM)

	a := filled(t)
	old := a.View()
	if err := restoreBytes(a.FSM, snap); err != nil {
		t.Fatal(err)
	}
	<-old.Abandoned()
	select {
	case <-a.View().Abandoned():
		t.Error("the new view is abandoned")
	default:
	}
	same(t, "restored", dump(t, a.View()), dump(t, other.View()))
	a.idx = 1
	if got := a.apply(wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVSet, DirEnt: wire.DirEntry{Key: "new"}}); got != true {
		t.Errorf("the next entry: %v", got)
	}
}

// encoded makes a snapshot of hand-made records.
func encoded(t testing.TB, header any, records ...any) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc := wire.NewEncoder(&buf)
	if err := enc.Encode(header); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(records); i += 2 {
		buf.WriteByte(byte(records[i].(wire.MessageType)))
		if err := enc.Encode(records[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

// TestRestoreFromConsul has what Consul puts into a snapshot and we do not.
func TestRestoreFromConsul(t *testing.T) {
	type row struct {
		Key   string
		Value uint64
	}
	snap := encoded(t, map[string]any{"LastIndex": 50, "Later": "field"},
		wire.ServiceVirtualIPRequestType, map[string]any{"Service": map[string]any{"Name": "x"}, "IP": []byte{1, 2, 3, 4}},
		wire.RegisterRequestType, map[string]any{"Node": "old", "Address": "a", "Unknown": []any{1, "x", nil}}, // before 1.9 nodes had no indexes
		wire.RegisterRequestType, &wire.RegisterRequest{Node: "n1", Address: "a", RaftIndex: wire.RaftIndex{CreateIndex: 3, ModifyIndex: 4},
			Service: &wire.NodeService{ID: "w", Service: "web", RaftIndex: wire.RaftIndex{CreateIndex: 5, ModifyIndex: 6}}},
		wire.RegisterRequestType, &wire.RegisterRequest{Node: "n1", Address: "peer", PeerName: "p"},
		wire.ACLTokenSetRequestType, map[string]any{"SecretID": "x"},
		wire.ACLTokenSetRequestType, map[string]any{"SecretID": "y"},
		wire.ConfigEntryRequestType, []byte("opaque"),
		wire.IndexRequestType, row{"peer.~:nodes", 40},
		wire.IndexRequestType, row{"peer.~:service.web", 41},
		wire.IndexRequestType, row{"services", 42},
		wire.MessageType(200), []any{},
	)
	store, told, err := readState(bytes.NewReader(snap))
	if err != nil {
		t.Fatal(err)
	}
	v := store.View()
	if idx, nodes := v.Nodes(nil, nil); idx != 50 || len(nodes) != 2 || nodes[1].CreateIndex != 50 {
		t.Errorf("nodes at %d: %+v", idx, nodes)
	}
	idx, web := v.CheckServiceNodes(nil, "web")
	if idx != 41 || len(web) != 1 || web[0].Service.ModifyIndex != 6 || web[0].Node.CreateIndex != 3 {
		t.Errorf("web at %d: %+v", idx, web)
	}
	if idx, _ := v.Services(nil, nil); idx != 42 {
		t.Errorf("services at %d, want 42", idx)
	}
	if got, want := fmt.Sprint(told.Skipped), "map[ACLToken:2 ConfigEntry:1 ServiceVirtualIP:1 Unknown(200):1]"; got != want {
		t.Errorf("skipped %s, want %s", got, want)
	}
}

func TestRestoreRefuses(t *testing.T) {
	good := persist(t, filled(t).FSM)
	tests := []struct {
		name string
		snap []byte
	}{
		{"nothing", nil},
		{"no_header", []byte("hello")},
		{"cut_off", good[:len(good)-1]},
		{"cut_off_in_the_header", good[:3]},
		{"type_without_a_value", encoded(t, snapshotHeader{1})[:12]},
		{"wrong_value", encoded(t, snapshotHeader{1}, wire.KVSRequestType, "text")},
		{"check_without_its_service", encoded(t, snapshotHeader{1}, wire.RegisterRequestType,
			&wire.RegisterRequest{Node: "n", Check: &wire.HealthCheck{Node: "n", CheckID: "c", ServiceID: "none"}})},
		{"index_without_a_key", encoded(t, snapshotHeader{1}, wire.IndexRequestType, map[string]any{})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "type_without_a_value" {
				tt.snap = append(tt.snap, byte(wire.KVSRequestType))
			}
			a := filled(t)
			before, view := dump(t, a.View()), a.View()
			if err := restoreBytes(a.FSM, tt.snap); err == nil {
				t.Fatal("it was restored")
			}
			if after := dump(t, a.View()); after != before || a.View() != view {
				t.Error("the state has changed")
			}
		})
	}
}

// random makes entries that fit one another: few names, so that they meet.
func random(r *rand.Rand) (wire.MessageType, any) {
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	node, key := pick("n1", "n2", "N2", "n3"), pick("a", "a/1", "a/2", "b")
	id := pick("", "11111111-0000-0000-0000-000000000000", "22222222-0000-0000-0000-000000000000")
	service := pick("web", "db")
	status := pick("passing", "warning", "critical")
	switch r.IntN(9) {
	case 0:
		return wire.RegisterRequestType, &wire.RegisterRequest{Node: node, ID: id, Address: pick("x", "y"), Check: &wire.HealthCheck{Node: node, CheckID: "serfHealth", Status: status}}
	case 1:
		return wire.RegisterRequestType, &wire.RegisterRequest{Node: node, SkipNodeUpdate: true, Service: &wire.NodeService{ID: pick("1", "2"), Service: service, Tags: []string{pick("x", "y")}}}
	case 2:
		return wire.RegisterRequestType, &wire.RegisterRequest{Node: node, SkipNodeUpdate: true, Check: &wire.HealthCheck{Node: node, CheckID: pick("c", "d"), ServiceID: pick("", "1"), Status: status}}
	case 3:
		return wire.DeregisterRequestType, &wire.DeregisterRequest{Node: node, ServiceID: pick("", "1", "2", "1"), CheckID: pick("", "c", "c")}
	case 4:
		return wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVSet, DirEnt: wire.DirEntry{Key: key, Value: []byte(pick("1", "2"))}}
	case 5:
		return wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVOp(pick("delete", "delete-tree", "cas", "delete-cas")), DirEnt: wire.DirEntry{Key: key, RaftIndex: wire.RaftIndex{ModifyIndex: r.Uint64N(20)}}}
	case 6:
		return wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVOp(pick("lock", "unlock", "lock")), DirEnt: wire.DirEntry{Key: key, Session: pick("s1", "s2")}}
	case 7:
		return wire.SessionRequestType, &wire.SessionRequest{Op: wire.SessionOp(pick("create", "create", "destroy")), Session: wire.Session{
			ID: pick("s1", "s2"), Node: node, Behavior: wire.SessionBehavior(pick("release", "delete")), NodeChecks: []string{"serfHealth"},
		}}
	default:
		return wire.TombstoneRequestType, &wire.TombstoneRequest{Op: wire.TombstoneReap, ReapIndex: r.Uint64N(100)}
	}
}

// TestSameLogSameState applies random logs to two servers, and to a third that is
// given a snapshot half-way. All must end with the same bytes.
func TestSameLogSameState(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed_%d", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			one, two, late := newApplied(t), newApplied(t), newApplied(t)
			for i := range 200 {
				typ, req := random(r)
				x, y := one.apply(typ, req), two.apply(typ, req)
				if fmt.Sprint(x) != fmt.Sprint(y) {
					t.Fatalf("entry %d: %v and %v", i+1, x, y)
				}
				if i == 100 {
					if err := restoreBytes(late.FSM, persist(t, one.FSM)); err != nil {
						t.Fatal(err)
					}
					late.idx = one.idx
				} else if i > 100 {
					if z := late.apply(typ, req); fmt.Sprint(z) != fmt.Sprint(x) {
						t.Fatalf("entry %d: %v, and %v where a snapshot was restored", i+1, x, z)
					}
				}
			}
			want := persist(t, one.FSM)
			same(t, "another server", dump(t, two.View()), dump(t, one.View()))
			same(t, "a server that was given a snapshot", dump(t, late.View()), dump(t, one.View()))
			wellJoined(t, one.View())
			wellJoined(t, late.View())
			if !bytes.Equal(persist(t, two.FSM), want) || !bytes.Equal(persist(t, late.FSM), want) {
				t.Error("the snapshots differ")
			}
		})
	}
}

// wellJoined fails unless the instances that queries about health return are what
// the tables of nodes, services and checks have.
func wellJoined(t *testing.T, v *state.View) {
	t.Helper()
	want := map[string][]string{} // by service
	_, nodes := v.NodeDump(nil)
	for _, n := range nodes {
		for _, s := range n.Services {
			var checks []*wire.HealthCheck
			for _, of := range []string{"", s.ID} {
				for _, c := range n.Checks {
					if c.ServiceID == of {
						checks = append(checks, c)
					}
				}
			}
			_, node := v.Node(nil, n.Node)
			want[s.Service] = append(want[s.Service], fmt.Sprintf("%p %p %v", node, s, checks))
		}
	}
	for _, name := range []string{"web", "db"} {
		_, found := v.CheckServiceNodes(nil, name)
		var got []string
		for _, n := range found {
			got = append(got, fmt.Sprintf("%p %p %v", n.Node, n.Service, []*wire.HealthCheck(n.Checks)))
		}
		if !slices.Equal(got, want[name]) {
			t.Errorf("instances of %s:\n%s, want\n%s", name, got, want[name])
		}
	}
}

// TestChecksKeepTheirTags: a check shows the tags that its service had when it was
// registered, also on a server that has it from a snapshot.
func TestChecksKeepTheirTags(t *testing.T) {
	a := filled(t)
	a.apply(wire.RegisterRequestType, &wire.RegisterRequest{Node: "n1", Address: "10.0.0.1", Service: &wire.NodeService{ID: "w", Service: "web", Tags: []string{"b"}}})
	b := NewFSM()
	if err := restoreBytes(b, persist(t, a.FSM)); err != nil {
		t.Fatal(err)
	}
	same(t, "a snapshot", dump(t, b.View()), dump(t, a.View()))
}

// FuzzRestore gives the FSM whatever may be in a snapshot. It must not panic, and
// what it takes it must give back.
func FuzzRestore(f *testing.F) {
	f.Add(persist(f, filled(f).FSM))
	f.Add(encoded(f, snapshotHeader{1}, wire.ACLTokenSetRequestType, map[string]any{"x": []any{1, "y"}}))
	f.Add([]byte{0x80, 2, 0xdf, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, snap []byte) {
		a := NewFSM()
		empty := dump(t, a.View())
		var err error
		if n := actortest.Allocated(func() { err = restoreBytes(a, snap) }); n > entryBase+entryFactor*uint64(len(snap)) {
			t.Errorf("a snapshot of %d bytes allocates %d", len(snap), n)
		}
		if err != nil {
			same(t, "after a snapshot that was refused", dump(t, a.View()), empty)
			return
		}
		b := NewFSM()
		if err := restoreBytes(b, persist(t, a)); err != nil {
			t.Fatalf("a snapshot of what was restored cannot be: %v", err)
		}
		same(t, "what was restored", dump(t, b.View()), dump(t, a.View()))
		a.Apply(&raft.Log{Index: 1 << 40, Data: []byte{byte(wire.DeregisterRequestType), 0x81, 0xa4, 'N', 'o', 'd', 'e', 0xa2, 'n', '1'}})
		if err := a.Err(); err != nil {
			t.Fatalf("%v: %s", err, a.broken.Load().Stack)
		}
	})
}
