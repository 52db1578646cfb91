package invoke_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// keeper is an agent whose raft is played by a probe, and whose calls of other
// servers are kept.
type keeper struct {
	inv    *invoke.Invoker
	store  *state.Store
	status messages.Published[messages.RaftStatus]
	routes messages.Published[messages.Routes]

	confirms, saves int
	restored        string
	called          []string // addresses
	call            func(address string, in io.Reader, reply *wire.SnapshotResponse) (io.ReadCloser, error)
}

func newKeeper(t *testing.T, client bool) *keeper {
	k := &keeper{store: state.NewStore()}
	sys := actortest.System(t)
	raft := actortest.NewProbeFunc(t, sys, "raft", func(ctx actor.Context) bool {
		switch msg := ctx.Message().(type) {
		case *messages.ConfirmLeader:
			k.confirms++
			msg.Answer(messages.ReadIndex{})
		case *messages.SaveSnapshot:
			k.saves++
			msg.Answer(&messages.SnapshotSaved{Index: 9, Size: 5, Archive: io.NopCloser(strings.NewReader("saved"))})
		case *messages.RestoreSnapshot:
			content, err := io.ReadAll(msg.Archive)
			k.restored = string(content)
			msg.Settle(messages.SnapshotRestored{}, err)
		}
		return true
	})
	k.inv = invoke.New(invoke.Config{
		Datacenter: "dc1", View: k.store.View, Status: &k.status, Raft: raft.Address(sys), Routes: &k.routes, Client: client,
		Snapshot: func(_ context.Context, address string, _ *wire.SnapshotRequest, in io.Reader, reply *wire.SnapshotResponse) (io.ReadCloser, error) {
			k.called = append(k.called, address)
			return k.call(address, in, reply)
		},
	})
	return k
}

func (k *keeper) lead() {
	k.status.Publish(&messages.RaftStatus{State: messages.Leader, Ready: true, LeaderID: "me", LeaderAddr: "10.0.0.1:8300"})
}

func (k *keeper) follow(leader string) {
	k.status.Publish(&messages.RaftStatus{State: messages.Follower, LeaderID: leader, LeaderAddr: leader})
}

func (k *keeper) save(t *testing.T, args wire.SnapshotRequest) (string, *invoke.SavedSnapshot, error) {
	t.Helper()
	saved, err := k.inv.Snapshot(t.Context(), &args, nil)
	if err != nil {
		return "", saved, err
	}
	defer saved.Archive.Close()
	content, err := io.ReadAll(saved.Archive)
	return string(content), saved, err
}

func (k *keeper) restore(t *testing.T, args wire.SnapshotRequest) error {
	t.Helper()
	args.Op = wire.SnapshotRestore
	_, err := k.inv.Snapshot(t.Context(), &args, strings.NewReader("archive"))
	return err
}

// there answers as another server does.
func there(_ string, in io.Reader, reply *wire.SnapshotResponse) (io.ReadCloser, error) {
	reply.Index, reply.KnownLeader = 7, true
	content := []byte("from there")
	if in != nil {
		content, _ = io.ReadAll(in)
	}
	return io.NopCloser(strings.NewReader(string(content))), nil
}

func TestSnapshotOfTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(t, false)
		k.lead()
		content, saved, err := k.save(t, wire.SnapshotRequest{Datacenter: "dc1"})
		if content != "saved" || err != nil || saved.Size != 5 || saved.Index != 9 || !saved.KnownLeader || saved.ConsistencyLevel != "" || k.confirms != 1 {
			t.Errorf("saved %q, %+v, %v after %d confirmations", content, saved, err, k.confirms)
		}
		if err := k.restore(t, wire.SnapshotRequest{}); err != nil || k.restored != "archive" {
			t.Errorf("restored %q, %v", k.restored, err)
		}
		if err := k.restore(t, wire.SnapshotRequest{AllowStale: true}); err == nil || err.Error() != "stale not allowed for restore" {
			t.Errorf("a stale restore: %v", err)
		}
	})
}

func TestSnapshotOfAFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(t, false)
		k.follow("10.0.0.2:8300")
		k.call = there
		content, saved, err := k.save(t, wire.SnapshotRequest{})
		if content != "from there" || err != nil || saved.Size != -1 || saved.Index != 7 || k.saves != 0 {
			t.Errorf("saved %q, %+v, %v", content, saved, err)
		}
		if _, _, err := k.save(t, wire.SnapshotRequest{AllowStale: true}); err != nil || k.saves != 0 {
			t.Errorf("a stale save of a server that has nothing: %v", err)
		}
		k.store.Advance(3)
		if content, _, err := k.save(t, wire.SnapshotRequest{AllowStale: true}); content != "saved" || err != nil || k.confirms != 0 {
			t.Errorf("a stale save: %q, %v", content, err)
		}
		sent := ""
		k.call = func(_ string, in io.Reader, _ *wire.SnapshotResponse) (io.ReadCloser, error) {
			content, err := io.ReadAll(in)
			sent = string(content)
			return io.NopCloser(strings.NewReader("")), err
		}
		if err := k.restore(t, wire.SnapshotRequest{}); err != nil || sent != "archive" || k.restored != "" {
			t.Errorf("sent %q, %v", sent, err)
		}
	})
}

// TestSnapshotHolds waits for a leader before anything of an archive is read.
func TestSnapshotHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(t, false)
		k.follow("")
		time.AfterFunc(3*time.Second, k.lead)
		if err := k.restore(t, wire.SnapshotRequest{}); err != nil || k.restored != "archive" {
			t.Errorf("restored %q, %v", k.restored, err)
		}
		k.follow("")
		if _, _, err := k.save(t, wire.SnapshotRequest{}); !errors.Is(err, messages.ErrNoLeader) {
			t.Errorf("saved without a leader: %v", err)
		}
	})
}

func TestSnapshotElsewhere(t *testing.T) {
	at := func(dc, addr string) messages.Server {
		return messages.Server{Name: addr, Datacenter: dc, Addr: netip.MustParseAddrPort(addr)}
	}
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(t, true)
		if _, _, err := k.save(t, wire.SnapshotRequest{Datacenter: "dc2"}); !errors.Is(err, invoke.ErrNoServers) {
			t.Errorf("a client that knows nobody who knows the way: %v", err)
		}
		if _, _, err := k.save(t, wire.SnapshotRequest{}); !errors.Is(err, invoke.ErrNoServers) {
			t.Errorf("a client that knows no server: %v", err)
		}
		k.routes.Publish(&messages.Routes{Servers: map[string][]messages.Server{
			"dc1": {at("dc1", "10.0.0.1:8300"), at("dc1", "10.0.0.2:8300")},
			"dc2": {at("dc2", "10.2.0.1:8300")},
		}})
		k.call = func(address string, in io.Reader, reply *wire.SnapshotResponse) (io.ReadCloser, error) {
			if address == "10.0.0.1:8300" || address == "10.2.0.1:8300" {
				return nil, &invoke.Unsent{Err: errors.New("connection refused")}
			}
			return there(address, in, reply)
		}
		if content, _, err := k.save(t, wire.SnapshotRequest{}); content != "from there" || err != nil || len(k.called) != 2 {
			t.Errorf("saved %q, %v by asking %v", content, err, k.called)
		}
		_, _, err := k.save(t, wire.SnapshotRequest{Datacenter: "dc2"})
		if !errors.Is(err, invoke.ErrUnavailable) || !strings.Contains(err.Error(), "10.2.0.1:8300 (10.2.0.1:8300): connection refused") {
			t.Errorf("a datacenter that is not reached: %v", err)
		}
		k.called = nil
		k.call = func(string, io.Reader, *wire.SnapshotResponse) (io.ReadCloser, error) {
			return nil, messages.ErrNotLeader // it had begun to read
		}
		if err := k.restore(t, wire.SnapshotRequest{}); !errors.Is(err, messages.ErrLeadershipLost) || len(k.called) != 1 {
			t.Errorf("what was sent once: %v by asking %v", err, k.called)
		}
	})
}

// TestRestoreEndsBlockingQueries: who waits for an index that the restored state is
// not to reach for long is told where it is.
func TestRestoreEndsBlockingQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := filledStore(t, 100, "old")
		var store atomic.Pointer[state.Store]
		store.Store(old)
		inv := invoke.New(invoke.Config{
			Datacenter: "dc1", Status: &messages.Published[messages.RaftStatus]{},
			View: func() *state.View { return store.Load().View() },
		})
		time.AfterFunc(time.Second, func() {
			store.Store(filledStore(t, 10, "restored"))
			old.Abandon()
		})
		began := time.Now()
		var reply wire.IndexedDirEntries
		err := invoke.Read(t.Context(), inv, endpoint.KVGet, &wire.KeyRequest{
			Key: "k", QueryOptions: wire.QueryOptions{MinQueryIndex: 100, AllowStale: true},
		}, &reply)
		if err != nil || len(reply.Entries) != 1 || string(reply.Entries[0].Value) != "restored" || reply.Index != 10 {
			t.Errorf("read %+v, %v", reply, err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it was told after %v, want %v", took, time.Second)
		}
	})
}

func filledStore(t *testing.T, index uint64, value string) *state.Store {
	t.Helper()
	s := state.NewStore()
	err := s.Update(index, time.Now(), func(tx *state.Tx) error {
		tx.KVSSet(&wire.DirEntry{Key: "k", Value: []byte(value)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
