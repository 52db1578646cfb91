package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/raft"
	"github.com/hashicorp/serf/coordinate"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages/wire"
)

// applied is an FSM that is given entries with ascending indexes, from 1.
type applied struct {
	t testing.TB
	*FSM
	idx uint64
}

func newApplied(t testing.TB) *applied { return &applied{t: t, FSM: NewFSM()} }

func (a *applied) apply(typ wire.MessageType, req any) any {
	a.t.Helper()
	entry, err := wire.Encode(typ, req)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.applyBytes(entry)
}

func (a *applied) applyBytes(entry []byte) any {
	a.idx++
	return a.Apply(&raft.Log{Index: a.idx, Term: 1, Type: raft.LogCommand, Data: entry})
}

// filled has something in every table.
func filled(t testing.TB) *applied {
	a := newApplied(t)
	for _, step := range []struct {
		typ wire.MessageType
		req any
	}{
		{wire.RegisterRequestType, &wire.RegisterRequest{
			Datacenter: "dc1", ID: "aaaaaaaa-0000-0000-0000-000000000000", Node: "n1", Address: "10.0.0.1", NodeMeta: map[string]string{"rack": "r1"},
			Locality: &wire.Locality{Region: "r", Zone: "z"},
			Service: &wire.NodeService{
				ID: "w", Service: "web", Tags: []string{"a"}, Port: 80, Meta: map[string]string{"k": "v"},
				Proxy: wire.ConnectProxyConfig{Config: map[string]any{"n": int64(1), "s": "x"}},
			},
			Check:  &wire.HealthCheck{Node: "n1", CheckID: "serfHealth", Status: "passing"},
			Checks: wire.HealthChecks{{Node: "n1", CheckID: "c", ServiceID: "w", Status: "warning", Output: "hm", Definition: wire.HealthCheckDefinition{TTL: 1e9}}},
		}},
		{wire.RegisterRequestType, &wire.RegisterRequest{Node: "n2", Address: "10.0.0.2", Service: &wire.NodeService{ID: "d", Service: "db"}}},
		{wire.DeregisterRequestType, &wire.DeregisterRequest{Node: "n2", ServiceID: "d"}},
		{wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVSet, DirEnt: wire.DirEntry{Key: "a/1", Value: []byte{0, 1, 2}, Flags: 7}}},
		{wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVSet, DirEnt: wire.DirEntry{Key: "a/2"}}},
		{wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVDelete, DirEnt: wire.DirEntry{Key: "a/2"}}},
		{wire.SessionRequestType, &wire.SessionRequest{Op: wire.SessionCreate, Session: wire.Session{ID: "s", Node: "n1", TTL: "10s", NodeChecks: []string{"serfHealth"}}}},
		{wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVLock, DirEnt: wire.DirEntry{Key: "lock", Session: "s"}}},
		{wire.CoordinateBatchUpdateType, &wire.Coordinates{{Node: "n1", Coord: coordinate.NewCoordinate(coordinate.DefaultConfig())}}},
		{wire.PreparedQueryRequestType, &wire.PreparedQueryRequest{Op: wire.PreparedQueryCreate, Query: &wire.PreparedQuery{
			ID: "q", Name: "geo-", Template: wire.QueryTemplateOptions{Type: wire.QueryTemplateNamePrefixMatch, Regexp: "x"},
			Service: wire.ServiceQuery{Service: "${name.suffix}", Tags: []string{"a"}, Failover: wire.QueryFailoverOptions{Datacenters: []string{"dc2"}}},
		}}},
		{wire.AutopilotRequestType, &wire.AutopilotSetConfigRequest{Config: wire.AutopilotConfig{CleanupDeadServers: true, MaxTrailingLogs: 250}}},
		{wire.ConnectCARequestType, &wire.CARequest{Op: wire.CASetProviderState, ProviderState: &wire.CAConsulProviderState{ID: "p", PrivateKey: "k", RootCert: "c"}}},
		{wire.ConnectCARequestType, &wire.CARequest{
			Op: wire.CASetRootsAndConfig, Config: &wire.CAConfiguration{ClusterID: "c", Provider: "consul", Config: map[string]any{"LeafCertTTL": "72h"}},
			Roots: []*wire.CARoot{{ID: "r", Active: true, RootCert: "c", NotBefore: time.Unix(1, 0).UTC(), NotAfter: time.Unix(2, 0).UTC()}},
		}},
	} {
		if err, failed := a.apply(step.typ, step.req).(error); failed {
			t.Fatalf("%s: %v", step.typ, err)
		}
	}
	return a
}

// TestResults has what the proposer of an entry is told.
func TestResults(t *testing.T) {
	kvs := func(op wire.KVOp, e wire.DirEntry) *wire.KVSRequest { return &wire.KVSRequest{Op: op, DirEnt: e} }
	at := func(i uint64) wire.RaftIndex { return wire.RaftIndex{ModifyIndex: i} }
	tests := []struct {
		name string
		typ  wire.MessageType
		req  any
		want any // an error is compared as text
	}{
		{"register", wire.RegisterRequestType, &wire.RegisterRequest{Node: "n3", Address: "a"}, nil},
		{"register_badly", wire.RegisterRequestType, &wire.RegisterRequest{Node: "n1", SkipNodeUpdate: true, Check: &wire.HealthCheck{Node: "n1", CheckID: "x", ServiceID: "none"}},
			errors.New(`failed inserting check on node "n1": Missing service registration`)},
		{"deregister_node", wire.DeregisterRequestType, &wire.DeregisterRequest{Node: "n1"}, nil},
		{"deregister_check", wire.DeregisterRequestType, &wire.DeregisterRequest{Node: "n1", CheckID: "c"}, nil},
		{"deregister_nothing", wire.DeregisterRequestType, &wire.DeregisterRequest{Node: "nope"}, nil},
		{"set", wire.KVSRequestType, kvs(wire.KVSet, wire.DirEntry{Key: "k"}), true},
		{"delete", wire.KVSRequestType, kvs(wire.KVDelete, wire.DirEntry{Key: "k"}), true},
		{"delete_tree", wire.KVSRequestType, kvs(wire.KVDeleteTree, wire.DirEntry{Key: "k"}), true},
		{"cas", wire.KVSRequestType, kvs(wire.KVCAS, wire.DirEntry{Key: "k"}), true},
		{"stale_cas", wire.KVSRequestType, kvs(wire.KVCAS, wire.DirEntry{Key: "a/1"}), false},
		{"delete_cas", wire.KVSRequestType, kvs(wire.KVDeleteCAS, wire.DirEntry{Key: "a/1", RaftIndex: at(4)}), true},
		{"stale_delete_cas", wire.KVSRequestType, kvs(wire.KVDeleteCAS, wire.DirEntry{Key: "a/1", RaftIndex: at(3)}), false},
		{"lock", wire.KVSRequestType, kvs(wire.KVLock, wire.DirEntry{Key: "k", Session: "s"}), true},
		{"lock_badly", wire.KVSRequestType, kvs(wire.KVLock, wire.DirEntry{Key: "k", Session: "x"}), errors.New(`invalid session "x"`)},
		{"unlock", wire.KVSRequestType, kvs(wire.KVUnlock, wire.DirEntry{Key: "lock", Session: "s"}), true},
		{"unlock_what_is_not_locked", wire.KVSRequestType, kvs(wire.KVUnlock, wire.DirEntry{Key: "a/1", Session: "s"}), false},
		{"odd_key_operation", wire.KVSRequestType, kvs("odd", wire.DirEntry{Key: "k"}), errors.New("Invalid KVS operation 'odd'")},
		{"new_session", wire.SessionRequestType, &wire.SessionRequest{Op: wire.SessionCreate, Session: wire.Session{ID: "t", Node: "n1"}}, "t"},
		{"new_session_badly", wire.SessionRequestType, &wire.SessionRequest{Op: wire.SessionCreate, Session: wire.Session{ID: "t", Node: "x"}}, errors.New("Missing node registration")},
		{"new_query", wire.PreparedQueryRequestType, &wire.PreparedQueryRequest{Op: wire.PreparedQueryCreate, Query: &wire.PreparedQuery{ID: "r", Name: "r"}}, nil},
		{"new_query_badly", wire.PreparedQueryRequestType, &wire.PreparedQueryRequest{Op: wire.PreparedQueryUpdate, Query: &wire.PreparedQuery{ID: "r", Name: "GEO-"}},
			errors.New("name 'GEO-' aliases an existing query name")},
		{"no_query", wire.PreparedQueryRequestType, &wire.PreparedQueryRequest{Op: wire.PreparedQueryCreate}, errors.New("Missing Query ID")},
		{"delete_query", wire.PreparedQueryRequestType, &wire.PreparedQueryRequest{Op: wire.PreparedQueryDelete, Query: &wire.PreparedQuery{ID: "q"}}, nil},
		{"delete_no_query", wire.PreparedQueryRequestType, &wire.PreparedQueryRequest{Op: wire.PreparedQueryDelete}, nil},
		{"odd_query_operation", wire.PreparedQueryRequestType, &wire.PreparedQueryRequest{Op: "odd"}, errors.New("Invalid PreparedQuery operation 'odd'")},
		{"end_session", wire.SessionRequestType, &wire.SessionRequest{Op: wire.SessionDestroy, Session: wire.Session{ID: "s"}}, nil},
		{"odd_session_operation", wire.SessionRequestType, &wire.SessionRequest{Op: "odd"}, errors.New("Invalid session operation 'odd'")},
		{"reap", wire.TombstoneRequestType, &wire.TombstoneRequest{Op: wire.TombstoneReap, ReapIndex: 9}, nil},
		{"odd_tombstone_operation", wire.TombstoneRequestType, &wire.TombstoneRequest{Op: "odd"}, errors.New("Invalid Tombstone operation 'odd'")},
		{"coordinates", wire.CoordinateBatchUpdateType | wire.IgnoreUnknownTypeFlag, &wire.Coordinates{}, nil},
		{"autopilot", wire.AutopilotRequestType, &wire.AutopilotSetConfigRequest{}, true},
		{"autopilot_stale_cas", wire.AutopilotRequestType, &wire.AutopilotSetConfigRequest{CAS: true}, false},
		{"txn", wire.TxnRequestType, &wire.TxnRequest{Ops: wire.TxnOps{{KV: &wire.TxnKVOp{Verb: wire.KVDelete, DirEnt: wire.DirEntry{Key: "k"}}}}},
			wire.TxnResponse{Results: wire.TxnResults{}}},
		{"txn_badly", wire.TxnRequestType, &wire.TxnRequest{Ops: wire.TxnOps{{KV: &wire.TxnKVOp{Verb: wire.KVGet, DirEnt: wire.DirEntry{Key: "k"}}}}},
			wire.TxnResponse{Errors: wire.TxnErrors{{What: `key "k" doesn't exist`}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := filled(t)
			got := a.apply(tt.typ, tt.req)
			if err, ok := got.(error); ok {
				got = err.Error()
			}
			want := tt.want
			if err, ok := want.(error); ok {
				want = err.Error()
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("result = %#v, want %#v", got, want)
			}
			if last := a.View().LastIndex(); last != a.idx {
				t.Errorf("LastIndex = %d, want %d", last, a.idx)
			}
		})
	}
}

func TestTxnWithErrorsWritesNothing(t *testing.T) {
	a := filled(t)
	before := dump(t, a.View())
	a.apply(wire.TxnRequestType, &wire.TxnRequest{Ops: wire.TxnOps{
		{KV: &wire.TxnKVOp{Verb: wire.KVSet, DirEnt: wire.DirEntry{Key: "new"}}},
		{KV: &wire.TxnKVOp{Verb: wire.KVGet, DirEnt: wire.DirEntry{Key: "none"}}},
	}})
	same(t, "state", dump(t, a.View()), before)
}

// TestStrangeEntries are those that cannot be applied: they change nothing, and
// what comes after them is applied.
func TestStrangeEntries(t *testing.T) {
	tests := []struct {
		name string
		log  raft.Log
		want string // part of the error, empty for none
	}{
		{"empty", raft.Log{}, "message is empty"},
		{"unknown_type", raft.Log{Data: []byte{120, 0x80}}, "(Unknown(120)) was skipped: its type is unknown"},
		{"unknown_type_that_may_be_ignored", raft.Log{Data: []byte{120 | 128, 0x80}}, ""},
		{"body_that_is_not_msgpack", raft.Log{Data: []byte{0, 0xc1}}, "(Register): decode"},
		{"body_that_is_cut_off", raft.Log{Data: []byte{2, 0x82}}, "(KVS): decode"},
		{"no_body", raft.Log{Data: []byte{2}}, "(KVS): decode"},
		{"part_of_an_entry", raft.Log{Data: []byte{2, 0x80}, Extensions: []byte("x")}, "(ChunkingState): it does not say which part of an entry it is"},
		{"checkpoint_of_the_log", raft.Log{Data: []byte{41 | 128, 0xc0}, Extensions: binary.LittleEndian.AppendUint64(nil, checkpointMagic)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := filled(t)
			before := dump(t, a.View())
			tt.log.Index = a.idx + 1
			err, _ := a.Apply(&tt.log).(error)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
			same(t, "state", dump(t, a.View()), before)
			if last := a.View().LastIndex(); last != a.idx+1 {
				t.Errorf("LastIndex = %d, want %d", last, a.idx+1)
			}
			a.idx++
			if got := a.apply(wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVSet, DirEnt: wire.DirEntry{Key: "after"}}); got != true {
				t.Errorf("the next entry: %v", got)
			}
		})
	}
}

// failing makes entries of a type panic for the time of a test, after they have
// written.
func failing(t *testing.T) wire.MessageType {
	const typ wire.MessageType = 77
	appliers[typ] = applying(func(e *entry, _ *struct{}) (any, error) {
		return nil, e.update(func(tx *state.Tx) error {
			tx.KVSSet(&wire.DirEntry{Key: "half"})
			panic("boom")
		})
	})
	t.Cleanup(func() { delete(appliers, typ) })
	return typ
}

func TestPanicEndsAllWrites(t *testing.T) {
	a := filled(t)
	before := dump(t, a.View())
	broken := a.idx + 1
	if got := a.apply(failing(t), struct{}{}); got == nil {
		t.Fatal("the entry was acknowledged")
	}
	want := fmt.Sprintf("the state machine failed on log entry %d", broken)
	got := a.apply(wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVSet, DirEnt: wire.DirEntry{Key: "k"}})
	if err, ok := got.(error); !ok || !strings.Contains(err.Error(), want) {
		t.Errorf("the next entry: %v, want %q", got, want)
	}
	if _, err := a.Snapshot(); err == nil {
		t.Error("a snapshot of the broken state was taken")
	}
	same(t, "state", dump(t, a.View()), before)
	if last := a.View().LastIndex(); last != broken-1 {
		t.Errorf("LastIndex = %d, want %d", last, broken-1)
	}
}

// An entry may allocate so many bytes for each of its own, and so many beside: a byte
// of msgpack may stand for a large struct.
const (
	entryFactor = 2000
	entryBase   = 1 << 20
)

// FuzzApply gives the FSM whatever may be in the log. It must not panic, and comes to
// the same state twice; an entry that is refused changes nothing, and what is
// allocated is bounded by the length of the entry.
func FuzzApply(f *testing.F) {
	seed := func(typ wire.MessageType, req any) {
		entry, err := wire.Encode(typ, req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(entry)
	}
	for typ, record := range filled(f).View().Records() {
		seed(typ, record)
	}
	for _, e := range everyEntry {
		seed(e.typ, e.req)
	}
	f.Add([]byte{byte(wire.ConfigEntryRequestType), 0xc0}) // no request, so no entry
	f.Fuzz(func(t *testing.T, entry []byte) {
		one, two := filled(t), filled(t)
		before := dump(t, one.View())
		var result any
		if n := actortest.Allocated(func() { result = one.applyBytes(entry) }); n > entryBase+entryFactor*uint64(len(entry)) {
			t.Errorf("an entry of %d bytes allocates %d", len(entry), n)
		}
		if err := one.Err(); err != nil {
			t.Fatalf("%v: %s", err, one.broken.Load().Stack)
		}
		again := two.applyBytes(entry)
		after := dump(t, one.View())
		same(t, "the same log again", dump(t, two.View()), after)
		if fmt.Sprint(result) != fmt.Sprint(again) && !reflect.DeepEqual(result, again) {
			t.Errorf("the same entry is answered with %v, and then with %v", result, again)
		}
		reply, _ := result.(wire.TxnResponse)
		if _, refused := result.(error); refused || len(reply.Errors) > 0 {
			same(t, fmt.Sprintf("after an entry that was refused (%v)", result), after, before)
		}
		snap := NewFSM()
		if err := restoreBytes(snap, persist(t, one.FSM)); err != nil {
			t.Fatalf("a snapshot of the state cannot be restored: %v", err)
		}
		same(t, "a snapshot", dump(t, snap.View()), after)
	})
}

// everyEntry has entries of each type that can be in the log.
var everyEntry = []struct {
	typ wire.MessageType
	req any
}{
	{wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVSet, DirEnt: wire.DirEntry{Key: "k", Value: []byte("v")}}},
	{wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVLock, DirEnt: wire.DirEntry{Key: "k", Session: "s"}}},
	{wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVUnlock, DirEnt: wire.DirEntry{Key: "lock", Session: "s"}}},
	{wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVDeleteTree, DirEnt: wire.DirEntry{Key: "a/"}}},
	{wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVCAS, DirEnt: wire.DirEntry{Key: "a/1", RaftIndex: wire.RaftIndex{ModifyIndex: 4}}}},
	{wire.SessionRequestType, &wire.SessionRequest{Op: wire.SessionCreate, Session: wire.Session{ID: "t", Node: "n1", LockDelay: 1e9, Behavior: wire.SessionKeysDelete, ServiceChecks: []wire.ServiceCheck{{ID: "c"}}}}},
	{wire.SessionRequestType, &wire.SessionRequest{Op: wire.SessionDestroy, Session: wire.Session{ID: "s"}}},
	{wire.TombstoneRequestType, &wire.TombstoneRequest{Op: wire.TombstoneReap, ReapIndex: 9}},
	{wire.DeregisterRequestType, &wire.DeregisterRequest{Node: "n1"}},
	{wire.DeregisterRequestType, &wire.DeregisterRequest{Node: "n1", CheckID: "c"}},
	{wire.CoordinateBatchUpdateType, &wire.Coordinates{nil, {Node: "n1", Segment: "x", Coord: &coordinate.Coordinate{}}, {Node: "n2"}}},
	{wire.PreparedQueryRequestType, &wire.PreparedQueryRequest{Op: wire.PreparedQueryCreate, Query: &wire.PreparedQuery{ID: "p", Name: "name", Service: wire.ServiceQuery{Service: "web"}}}},
	{wire.PreparedQueryRequestType, &wire.PreparedQueryRequest{Op: wire.PreparedQueryDelete, Query: &wire.PreparedQuery{ID: "q"}}},
	{wire.TxnRequestType, &wire.TxnRequest{Ops: wire.TxnOps{nil, {}, {Node: &wire.TxnNodeOp{Verb: wire.CatalogSet}}}}},
	{wire.TxnRequestType, &wire.TxnRequest{Ops: wire.TxnOps{
		{KV: &wire.TxnKVOp{Verb: wire.KVSet, DirEnt: wire.DirEntry{Key: "k"}}}, {KV: &wire.TxnKVOp{Verb: wire.KVGetTree, DirEnt: wire.DirEntry{Key: "a"}}},
		{Node: &wire.TxnNodeOp{Verb: wire.CatalogCAS, Node: wire.Node{Node: "n1", RaftIndex: wire.RaftIndex{ModifyIndex: 1}}}},
		{Service: &wire.TxnServiceOp{Verb: wire.CatalogSet, Node: "n1", Service: wire.NodeService{ID: "x", Service: "x"}}},
		{Check: &wire.TxnCheckOp{Verb: wire.CatalogDelete, Check: wire.HealthCheck{Node: "n1", CheckID: "c"}}},
	}}},
	{wire.AutopilotRequestType, &wire.AutopilotSetConfigRequest{CAS: true, Config: wire.AutopilotConfig{LastContactThreshold: 1e9}}},
	{wire.ConfigEntryRequestType, &wire.ConfigEntryRequest{Op: wire.ConfigEntryUpsertCAS, Entry: &api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "web", Protocol: "http"}}},
	{wire.ConfigEntryRequestType, &wire.ConfigEntryRequest{Op: wire.ConfigEntryDelete, Entry: &api.ServiceIntentionsConfigEntry{Kind: api.ServiceIntentions, Name: "web"}}},
	{wire.ConfigEntryRequestType, &wire.ConfigEntryRequest{Op: wire.ConfigEntryUpsert, Entry: &api.ServiceResolverConfigEntry{
		Kind: api.ServiceResolver, Name: "web", Failover: map[string]api.ServiceResolverFailover{"*": {Datacenters: []string{"dc2"}}},
	}}},
	{wire.ConnectCARequestType, &wire.CARequest{Op: wire.CAIncrementSerialNumber}},
	{wire.ConnectCARequestType, &wire.CARequest{Op: wire.CASetConfig, Config: &wire.CAConfiguration{ClusterID: "c", Provider: "consul"}}},
	{wire.PeeringWriteType | wire.IgnoreUnknownTypeFlag, map[string]any{"x": 1}},
}

// TestLockDelaysAfterAStart: what is read from the log again begins no delay that was
// over long ago, and every one that may be running. What a leader sends does, whatever
// its clock.
func TestLockDelaysAfterAStart(t *testing.T) {
	tests := []struct {
		name    string
		age     time.Duration // of the entries; negative: of a clock that is ahead
		written uint64        // entries that were there at the start
		delayed bool
	}{
		{"new", 0, 10, true},
		{"a_little_old", wire.MaxLockDelay, 10, true},
		{"old", time.Hour, 10, false},
		{"from_the_future", -time.Hour, 10, true},
		{"of_a_leader_that_is_behind", time.Hour, 0, true},
		{"after_the_start", time.Hour, 3, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, index := NewFSM(), uint64(0)
			f.Written(tt.written)
			apply := func(kind wire.MessageType, body any) {
				t.Helper()
				data, err := wire.Encode(kind, body)
				if err != nil {
					t.Fatal(err)
				}
				index++
				if err, ok := f.Apply(&raft.Log{Index: index, Data: data, AppendedAt: time.Now().Add(-tt.age)}).(error); ok {
					t.Fatal(err)
				}
			}
			sess := wire.Session{ID: "s", Node: "n", LockDelay: 15 * time.Second}
			apply(wire.RegisterRequestType, &wire.RegisterRequest{Node: "n", Address: "10.0.0.1"})
			apply(wire.SessionRequestType, &wire.SessionRequest{Op: wire.SessionCreate, Session: sess})
			apply(wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVLock, DirEnt: wire.DirEntry{Key: "k", Session: "s"}})
			apply(wire.SessionRequestType, &wire.SessionRequest{Op: wire.SessionDestroy, Session: sess})
			if got := f.View().LockDelay("k").After(time.Now()); got != tt.delayed {
				t.Errorf("the key is delayed: %v, want %v", got, tt.delayed)
			}
		})
	}
}
