package raft

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/messages"
)

func bootstrap(c *Config) { c.Bootstrap = true }

func TestAloneInMemory(t *testing.T) {
	s := newServer(t, "a", bootstrap).start()
	if got := actortest.Next[*messages.LeadershipChanged](t, s.leader); !got.Leading || got.Term == 0 {
		t.Errorf("told %+v, want leadership of a term", got)
	}
	if st := s.status.Load(); !st.Leads() || st.LeaderID != "a" || st.LeaderAddr != s.cfg.Advertise {
		t.Errorf("when it is told, the status is %+v", st)
	}
	a, err := do(s, &messages.ApplyEntry{Entry: []byte("x")})
	if err != nil || a.Result != 1 || a.Index == 0 {
		t.Fatalf("apply = %+v, %v", a, err)
	}
	if a, err := do(s, &messages.ApplyEntry{Entry: []byte("no")}); err != nil || fmt.Sprint(a.Result) != "refused" {
		t.Errorf("what the state machine refuses: %+v, %v; want an answer with its error", a, err)
	}
	st := s.status.Load()
	if got := st.AppliedIndex(); got < a.Index {
		t.Errorf("AppliedIndex = %d after %d was answered", got, a.Index)
	}
	if st.Stats()["state"] != "Leader" || st.Stats()["num_peers"] != "0" {
		t.Errorf("stats = %v", st.Stats())
	}
	if time.Since(st.LastContact()) > time.Minute {
		t.Error("a leader's last contact is now")
	}
	conf, err := do(s, &messages.GetRaftConfiguration{})
	if err != nil || len(conf.Servers) != 1 || !conf.Servers[0].Voter || conf.Servers[0].ID != "a" || conf.Index != 1 {
		t.Errorf("configuration = %+v, %v", conf, err)
	}
	if _, err := do(s, &messages.TakeSnapshot{}); err != nil {
		t.Errorf("snapshot: %v", err)
	}
}

// heldBack is a state machine that the kit does not replace by another.
type heldBack struct{ *words }

func TestReplaying(t *testing.T) {
	s := newServer(t, "a", func(c *Config) { c.Bootstrap, c.DataDir = true, t.TempDir() }).start().leads()
	if s.status.Load().CatchesUp() {
		t.Error("a server that begins has nothing to read")
	}
	s.mustPut("x", "y")
	s.stop()

	fsm := heldBack{&words{hold: make(chan struct{})}}
	s.cfg.FSM = fsm
	s.start()
	if !s.status.Load().CatchesUp() {
		t.Error("a server that has started anew knows what its log has before it has read it")
	}
	close(fsm.hold)
	await(t, "the log is read", func() bool { return !s.status.Load().CatchesUp() })
	if got := fsm.get(); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("when the log was read, the state machine had %v", got)
	}
}

func TestReadIndexWaitsForTheLeaderToBeReady(t *testing.T) {
	s := newServer(t, "a", bootstrap).start().gains()
	if _, ok := s.status.Load().LoneReadIndex(); ok {
		t.Error("a read index before the leader is ready")
	}
	held := &messages.ConfirmLeader{}
	box := held.Expect()
	s.addr.Tell(held)
	s.addr.Tell(&messages.LeaderReady{Term: s.status.Load().Term - 1}) // of another term
	s.mustPut("x")                                                     // whatever came before is handled
	select {
	case r := <-box:
		t.Fatalf("answered too early: %+v", r)
	default:
	}
	s.leads()
	r := <-box
	if r.Err != nil || r.Value.Index > s.status.Load().AppliedIndex() {
		t.Errorf("read index = %+v, applied %d", r, s.status.Load().AppliedIndex())
	}
	s.mustPut("y")
	now, ok := s.status.Load().LoneReadIndex()
	if !ok || now.Index <= r.Value.Index {
		t.Errorf("lone read index = %+v, %v, want more than %d", now, ok, r.Value.Index)
	}
	if asked, err := do(s, &messages.ConfirmLeader{}); err != nil || asked != now {
		t.Errorf("asked: %+v, %v; want %+v", asked, err, now)
	}
	if err := s.status.Load().AwaitApplied(t.Context(), now.Index); err != nil {
		t.Errorf("await: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.status.Load().AwaitApplied(ctx, now.Index+100); !errors.Is(err, context.Canceled) {
		t.Errorf("await of the future = %v", err)
	}
}

func TestNotBootstrapped(t *testing.T) {
	s := newServer(t, "a", nil).start()
	if err := s.put("x"); !errors.Is(err, messages.ErrNotLeader) {
		t.Errorf("apply = %v, want %v", err, messages.ErrNotLeader)
	}
	if _, err := do(s, &messages.ConfirmLeader{}); !errors.Is(err, messages.ErrNotLeader) {
		t.Errorf("confirm = %v, want %v", err, messages.ErrNotLeader)
	}
	if _, err := do(s, &messages.RemovePeer{ID: "b"}); !errors.Is(err, messages.ErrNotLeader) {
		t.Errorf("remove = %v, want %v", err, messages.ErrNotLeader)
	}
	if _, err := do(s, &messages.TransferLeadership{}); !errors.Is(err, messages.ErrNotLeader) {
		t.Errorf("transfer = %v, want %v", err, messages.ErrNotLeader)
	}
}

func TestTooMuch(t *testing.T) {
	s := newServer(t, "a", bootstrap)
	s.start().leads()
	if err := s.put(string(make([]byte, maxEntry+1))); err == nil {
		t.Error("an entry that is too long was taken on")
	}
	s.mustPut("x")

	hold := make(chan struct{})
	s.words.hold = hold // raft's goroutine reads it after the next write, which orders the two
	var boxes []<-chan messages.Result[messages.Applied]
	for range maxInFlight + 10 {
		m := &messages.ApplyEntry{Entry: []byte("y")}
		boxes = append(boxes, m.Expect())
		s.addr.Tell(m)
	}
	overloaded := 0
	for _, box := range boxes[maxInFlight:] {
		if r := <-box; errors.Is(r.Err, messages.ErrOverloaded) {
			overloaded++
		}
	}
	close(hold)
	for i, box := range boxes[:maxInFlight] {
		if r := <-box; r.Err != nil {
			t.Fatalf("entry %d: %v", i, r.Err)
		}
	}
	if overloaded != 10 {
		t.Errorf("%d were refused, want 10", overloaded)
	}
	s.mustPut("z")
}

func TestTakeCountsWhatItRefuses(t *testing.T) {
	n := newNode(Config{Logger: zap.NewNop()}, nil)
	for range maxBytesInFlight / maxEntry {
		if !n.take(&messages.ApplyEntry{}, maxEntry) {
			t.Fatal("refused, and there is room")
		}
	}
	for range 2 * maxInFlight {
		if n.take(&messages.ApplyEntry{}, maxEntry) {
			t.Fatal("taken on, and there is no room")
		}
	}
	for range maxBytesInFlight / maxEntry {
		n.release(maxEntry)
	}
	for range maxInFlight {
		if !n.take(&messages.Barrier{}, 0) && n.inFlight.Load() < maxInFlight {
			t.Fatal("refused, and there is room")
		}
		<-n.requests
	}
	if n.take(&messages.Barrier{}, 0) {
		t.Error("one too many is taken on")
	}
	if n.bytes.Load() != 0 {
		t.Errorf("%d bytes are in flight, want none", n.bytes.Load())
	}
}

func TestMachineFails(t *testing.T) {
	s := newServer(t, "a", bootstrap).start().leads()
	s.mustPut("x")
	if err := s.put("bomb"); !errors.Is(err, messages.ErrCrashed) {
		t.Errorf("the entry it fails on: %v, want %v", err, messages.ErrCrashed)
	}
	if err := s.put("y"); !errors.Is(err, messages.ErrCrashed) {
		t.Errorf("the entry after that: %v, want %v", err, messages.ErrCrashed)
	}
	if _, err := do(s, &messages.TakeSnapshot{}); err == nil {
		t.Error("a snapshot was taken of a state that lacks an entry")
	}
	msg := actortest.Next[*messages.StartFailed](t, s.parent)
	if want := "raft: entries 5 to 5: the state machine failed to apply the log: boom"; msg.Err.Error() != want {
		t.Errorf("told %q, want %q", msg.Err, want)
	}
	if len(s.errorLines("the state machine has failed")) != 1 {
		t.Error("no line says that the state machine has failed")
	}
	if got := s.words.get(); !slices.Equal(got, []string{"x"}) {
		t.Errorf("the state is %v", got)
	}
}

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	s := newServer(t, "a", func(c *Config) { c.Bootstrap = true; c.DataDir = dir; c.TrailingLogs = 1 }).start().leads()
	var want []string
	put := func(n int) {
		for range n {
			word := fmt.Sprint("w", len(want))
			s.mustPut(word)
			want = append(want, word)
		}
	}
	put(20)
	again := func(what string) {
		t.Helper()
		s.stop()
		if st := s.status.Load(); st.State != messages.Shutdown || st.Leads() {
			t.Errorf("%s: the status after the stop is %+v", what, st)
		}
		s.start().leads()
		if s.words.written < uint64(len(want)) {
			t.Errorf("%s: the state machine was told of %d entries, want %d and those of the elections", what, s.words.written, len(want))
		}
		if got := s.words.get(); !slices.Equal(got, want) {
			t.Fatalf("%s: %d words %v, want %d", what, len(got), got, len(want))
		}
	}
	again("from the log")
	if _, err := do(s, &messages.TakeSnapshot{}); err != nil {
		t.Fatal(err)
	}
	again("from a snapshot")
	put(5)
	again("from a snapshot and the log")

	before := copyDir(t, dir) // as if killed here
	put(3)
	s.stop()
	killed := newServer(t, "a", func(c *Config) { c.Advertise = s.cfg.Advertise; c.DataDir = before }).start().leads()
	if got := killed.words.get(); !slices.Equal(got, want[:len(want)-3]) {
		t.Errorf("after a kill: %d words, want %d", len(got), len(want)-3)
	}
}

func TestAppliedIndexAfterASnapshot(t *testing.T) {
	dir := t.TempDir()
	s := newServer(t, "a", func(c *Config) { c.Bootstrap = true; c.DataDir = dir }).start().leads()
	s.mustPut("a", "b", "c")
	if _, err := do(s, &messages.TakeSnapshot{}); err != nil {
		t.Fatal(err)
	}
	index := s.status.Load().AppliedIndex()
	s.stop()
	s.cfg.Bootstrap = false
	s.start()
	if got := s.status.Load().AppliedIndex(); got < index-1 { // less a barrier that no snapshot counts
		t.Errorf("AppliedIndex = %d when the snapshot of %d is restored", got, index)
	}
}

func TestStopWhileOpening(t *testing.T) {
	dir := t.TempDir()
	s := newServer(t, "a", func(c *Config) { c.Bootstrap = true; c.DataDir = dir })
	s.spawn()
	s.stop()
	s.start().leads() // the log is free
	s.mustPut("x")
}

func TestRequestsWhileOpening(t *testing.T) {
	a := &raftActor{log: newServer(t, "a", nil).cfg.Logger}
	m := &messages.ApplyEntry{}
	box := m.Expect()
	a.turnAway(m)
	if r := <-box; !errors.Is(r.Err, messages.ErrUnavailable) {
		t.Errorf("err = %v, want %v", r.Err, messages.ErrUnavailable)
	}
}
