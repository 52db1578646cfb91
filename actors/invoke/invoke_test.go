package invoke_test

import (
	"context"
	"errors"
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

// server is a store with a raft that is played by a probe: entries are applied as
// they come, and leadership is what the test says.
type server struct {
	store    *state.Store
	status   messages.Published[messages.RaftStatus]
	inv      *invoke.Invoker
	index    uint64
	confirms int

	autopilot messages.Published[wire.AutopilotState]

	beforeConfirm func() // what is applied before leadership is confirmed; optional
}

func newServer(t *testing.T) *server {
	s := &server{store: state.NewStore(), index: 1}
	sys := actortest.System(t)
	raft := actortest.NewProbeFunc(t, sys, "raft", func(ctx actor.Context) bool {
		switch msg := ctx.Message().(type) {
		case *messages.ConfirmLeader:
			if s.confirms++; s.beforeConfirm != nil {
				s.beforeConfirm()
			}
			if !s.status.Load().Leads() {
				msg.Refuse(messages.ErrNotLeader)
			} else {
				msg.Answer(messages.ReadIndex{Index: s.index})
			}
		case *messages.ApplyEntry:
			msg.Answer(s.apply(msg.Entry))
		}
		return true
	})
	s.inv = invoke.New(invoke.Config{
		Datacenter: "dc1", View: s.store.View, Status: &s.status, Raft: raft.Address(sys), Autopilot: &s.autopilot,
	})
	return s
}

// apply takes in keys and ends of sessions, which is what these tests write.
func (s *server) apply(entry []byte) messages.Applied {
	kind, body, err := wire.Split(entry)
	if err != nil {
		panic(err)
	}
	if kind == wire.SessionRequestType {
		return s.endSession(body)
	}
	var req wire.KVSRequest
	if err := wire.Decode(body, 1<<20, &req); err != nil {
		panic(err)
	}
	s.index++
	err = s.store.Update(s.index, time.Now(), func(tx *state.Tx) error {
		tx.KVSSet(&req.DirEnt)
		return nil
	})
	if err != nil {
		return messages.Applied{Index: s.index, Result: err}
	}
	return messages.Applied{Index: s.index, Result: true}
}

func (s *server) endSession(body []byte) messages.Applied {
	var req wire.SessionRequest
	if err := wire.Decode(body, 1<<20, &req); err != nil {
		panic(err)
	}
	s.index++
	err := s.store.Update(s.index, time.Now(), func(tx *state.Tx) error { tx.SessionDestroy(req.Session.ID); return nil })
	if err != nil {
		panic(err)
	}
	return messages.Applied{Index: s.index}
}

func (s *server) lead() {
	s.status.Publish(&messages.RaftStatus{State: messages.Leader, LeaderID: "me", Ready: true})
}

func (s *server) follow() { s.status.Publish(&messages.RaftStatus{State: messages.Follower}) }

func (s *server) put(ctx context.Context, key, value string) error {
	var ok bool
	return invoke.Write(ctx, s.inv, endpoint.KVApply, &wire.KVSRequest{
		Op: wire.KVSet, DirEnt: wire.DirEntry{Key: key, Value: []byte(value)},
	}, &ok)
}

// get reads the key k.
func (s *server) get(ctx context.Context, opts wire.QueryOptions) (value string, meta wire.QueryMeta, err error) {
	var reply wire.IndexedDirEntries
	err = invoke.Read(ctx, s.inv, endpoint.KVGet, &wire.KeyRequest{Key: "k", QueryOptions: opts}, &reply)
	if len(reply.Entries) > 0 {
		value = string(reply.Entries[0].Value)
	}
	return value, reply.QueryMeta, err
}

func TestWriteThenRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.lead()
		if err := s.put(t.Context(), "k", "v"); err != nil {
			t.Fatal(err)
		}
		v, meta, err := s.get(t.Context(), wire.QueryOptions{})
		if v != "v" || err != nil || meta.Index != 2 || !meta.KnownLeader || meta.ConsistencyLevel != "leader" {
			t.Errorf("read %q, %+v, %v", v, meta, err)
		}
		if s.confirms != 1 {
			t.Errorf("leadership was confirmed %d times, want once", s.confirms)
		}
	})
}

// TestLeaderThatIsNotReady: what it has may be old, so it looks at no write with it.
func TestLeaderThatIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.status.Publish(&messages.RaftStatus{State: messages.Leader, LeaderID: "me"})
		time.AfterFunc(time.Second, s.lead)
		began := time.Now()
		if err := s.put(t.Context(), "k", "v"); err != nil || time.Since(began) < time.Second {
			t.Errorf("a write after %v: %v, want it held until the leader is ready", time.Since(began), err)
		}
	})
}

func TestStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.follow()
		stale := wire.QueryOptions{AllowStale: true}
		if _, _, err := s.get(t.Context(), stale); !errors.Is(err, messages.ErrNoLeader) {
			t.Errorf("with nothing restored yet: err = %v, want %v", err, messages.ErrNoLeader)
		}
		s.store.Advance(1)
		s.status.Publish(&messages.RaftStatus{State: messages.Follower, Replaying: func() bool { return true }})
		if _, _, err := s.get(t.Context(), stale); !errors.Is(err, messages.ErrNoLeader) {
			t.Errorf("while the log is read: err = %v, want %v", err, messages.ErrNoLeader)
		}
		s.follow()
		if _, meta, err := s.get(t.Context(), stale); !errors.Is(err, endpoint.ErrNotFound) && err != nil || meta.KnownLeader {
			t.Errorf("without a leader: %+v, %v", meta, err)
		}
		if s.confirms != 0 {
			t.Error("a stale read asked for a leader")
		}
	})
}

func TestHold(t *testing.T) {
	tests := []struct {
		name  string
		after time.Duration // a leader is found; 0 is never
		err   error
	}{
		{name: "over_an_election", after: 3 * time.Second},
		{name: "not_for_ever", err: messages.ErrNoLeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				s.follow()
				if tt.after > 0 {
					time.AfterFunc(tt.after, s.lead)
				}
				if err := s.put(t.Context(), "k", "v"); !errors.Is(err, tt.err) {
					t.Errorf("a write: err = %v, want %v", err, tt.err)
				}
				if tt.err == nil {
					return
				}
				if _, _, err := s.get(t.Context(), wire.QueryOptions{}); !errors.Is(err, tt.err) {
					t.Errorf("a read: err = %v, want %v", err, tt.err)
				}
			})
		})
	}
}

func TestBlocking(t *testing.T) {
	tests := []struct {
		name    string
		write   string // the key that is written after a second
		min     uint64
		wait    time.Duration
		want    string
		earlier time.Duration // it has answered by then
		later   time.Duration // and not before
	}{
		{name: "wakes_on_a_change", write: "k", min: 2, wait: time.Minute, want: "new", later: time.Second, earlier: time.Second},
		{name: "sleeps_through_another_key", write: "other", min: 2, wait: time.Minute, want: "old", later: time.Minute, earlier: 64 * time.Second},
		{name: "does_not_wait_for_what_is_there", write: "k", min: 1, wait: time.Minute, want: "old"},
		{name: "wait_is_capped", write: "other", min: 2, wait: time.Hour, want: "old", later: 600 * time.Second, earlier: 638 * time.Second},
		{name: "wait_has_a_default", write: "other", min: 2, want: "old", later: 300 * time.Second, earlier: 319 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				s.lead()
				if err := s.put(t.Context(), "k", "old"); err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(time.Second, func() {
					if err := s.put(t.Context(), tt.write, "new"); err != nil {
						t.Error(err)
					}
				})
				begin := time.Now()
				v, _, err := s.get(t.Context(), wire.QueryOptions{MinQueryIndex: tt.min, MaxQueryTime: tt.wait})
				took := time.Since(begin)
				if v != tt.want || err != nil || took < tt.later || took > tt.earlier {
					t.Errorf("got %q, %v after %v; want %q between %v and %v", v, err, took, tt.want, tt.later, tt.earlier)
				}
				time.Sleep(2 * time.Second) // the write, where the read did not wait for it
			})
		})
	}
}

// TestWriteOnOldState asks a leader that has not yet applied what its predecessor had
// acknowledged to end a session that it does not know yet.
func TestWriteOnOldState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.lead()
		s.beforeConfirm = func() {
			s.index++
			if err := s.store.Update(s.index, time.Now(), func(tx *state.Tx) error {
				if err := tx.EnsureNode(&wire.Node{Node: "n", Address: "10.0.0.1"}); err != nil {
					return err
				}
				return tx.SessionCreate(&wire.Session{ID: "s", Node: "n"})
			}); err != nil {
				t.Error(err)
			}
		}
		var none string
		err := invoke.Write(t.Context(), s.inv, endpoint.SessionApply, &wire.SessionRequest{
			Op: wire.SessionDestroy, Session: wire.Session{ID: "s"},
		}, &none)
		if err != nil {
			t.Fatal(err)
		}
		if _, left := s.store.View().SessionGet(nil, "s"); left != nil {
			t.Error("its end was acknowledged, and the session is there")
		}
	})
}

func TestUnknownDatacenter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.lead()
		var reply wire.IndexedNodes
		err := invoke.Read(t.Context(), s.inv, endpoint.ListNodes, &wire.DCSpecificRequest{Datacenter: "mars"}, &reply)
		if !errors.Is(err, invoke.ErrNoPath) {
			t.Errorf("err = %v, want %v", err, invoke.ErrNoPath)
		}
	})
}
