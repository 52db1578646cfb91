package raft

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// words is a state machine that keeps all it is given. The word "bomb" makes it
// panic, and "no" is refused.
type words struct {
	mu   sync.Mutex
	all  []string
	hold chan struct{} // when set, Apply waits for it

	written uint64 // before raft began
}

func (w *words) Apply(log *raft.Log) any {
	if w.hold != nil {
		<-w.hold
	}
	word := string(log.Data)
	switch word {
	case "bomb":
		panic("boom")
	case "no":
		return errors.New("refused")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, word)
	return len(w.all)
}

// Written takes note of what the log had at the start.
func (w *words) Written(index uint64) { w.written = index }

func (w *words) get() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all)
}

func (w *words) Snapshot() (raft.FSMSnapshot, error) { return wordsSnapshot(w.get()), nil }

func (w *words) Restore(r io.ReadCloser) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = nil
	return gob.NewDecoder(r).Decode(&w.all)
}

type wordsSnapshot []string

func (s wordsSnapshot) Persist(sink raft.SnapshotSink) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode([]string(s)); err != nil {
		return err
	}
	_, err := sink.Write(b.Bytes())
	return err
}

func (s wordsSnapshot) Release() {}

// testServer is a raft actor with what it needs around it. It can be stopped and
// started again.
type testServer struct {
	t      testing.TB
	sys    *actor.ActorSystem
	cfg    Config
	words  *words
	status *messages.Published[messages.RaftStatus]
	leader *actortest.Probe // plays the leader actor
	logs   *observer.ObservedLogs
	ln     net.Listener

	up     atomic.Bool
	addr   ask.Address
	parent *actortest.Probe
	stop   func()
}

// newServer returns a server that listens on a free port of the loopback. change
// changes its configuration.
func newServer(t testing.TB, id string, change func(*Config)) *testServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.DebugLevel)
	s := &testServer{t: t, sys: actortest.System(t), logs: logs, ln: ln,
		status: &messages.Published[messages.RaftStatus]{}}
	s.leader = actortest.NewProbe(t, s.sys, "leader")
	s.cfg = Config{
		Logger:    zap.New(core),
		Library:   hclog.NewNullLogger(),
		NodeID:    id,
		Advertise: ln.Addr().String(),
		Status:    s.status,
		Leader:    s.leader.Address(s.sys),

		SegmentSize: 1 << 20,
	}
	if change != nil {
		change(&s.cfg)
	}
	go s.listen()
	t.Cleanup(func() { _ = ln.Close() })
	return s
}

// listen plays serverrpc.
func (s *testServer) listen() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return
		}
		var first [1]byte
		if _, err := io.ReadFull(conn, first[:]); err != nil || first[0] != firstByte || !s.up.Load() {
			_ = conn.Close()
			continue
		}
		s.at().Tell(&messages.RaftConnAccepted{Conn: conn})
	}
}

var addrLock sync.Mutex // the address changes when a server is started again

func (s *testServer) at() ask.Address {
	addrLock.Lock()
	defer addrLock.Unlock()
	return s.addr
}

// spawn starts the actor, with a state machine that is empty.
func (s *testServer) spawn() {
	s.t.Helper()
	s.words = &words{}
	if s.cfg.FSM == nil {
		s.cfg.FSM = s.words
	} else if _, ok := s.cfg.FSM.(*words); ok {
		s.cfg.FSM = s.words
	}
	child := make(chan *actor.PID, 1)
	got := actortest.NewProbe(s.t, s.sys, "supervisor")
	props := actor.PropsFromFunc(func(ctx actor.Context) {
		switch msg := ctx.Message().(type) {
		case *actor.Started:
			pid, err := ctx.SpawnNamed(actor.PropsFromProducer(New(s.cfg)), Name)
			if err != nil {
				panic(err)
			}
			child <- pid
		case *messages.Ready, *messages.StartFailed:
			ctx.Send(got.PID(), msg)
		}
	})
	pid := s.sys.Root.SpawnPrefix(props, "parent")
	addrLock.Lock()
	s.addr = ask.At(s.sys, <-child)
	addrLock.Unlock()
	s.parent = got
	s.up.Store(true)
	s.stop = sync.OnceFunc(func() {
		s.up.Store(false)
		_ = s.sys.Root.StopFuture(pid).Wait()
		_ = s.sys.Root.StopFuture(got.PID()).Wait()
	})
	s.t.Cleanup(s.stop)
}

// start starts the actor and waits until it is ready.
func (s *testServer) start() *testServer {
	s.t.Helper()
	s.spawn()
	actortest.AwaitReady(s.t, s.parent)
	return s
}

// fails starts the actor and returns why it does not start.
func (s *testServer) fails() string {
	s.t.Helper()
	s.spawn()
	msg := actortest.Next[*messages.StartFailed](s.t, s.parent)
	s.stop()
	return msg.Err.Error()
}

// leads waits until the server leads, and plays the leader actor: what earlier
// leaders committed is applied.
func (s *testServer) leads() *testServer {
	s.t.Helper()
	s.gains()
	if err := s.barrier(); err != nil {
		s.t.Fatalf("barrier: %v", err)
	}
	s.addr.Tell(&messages.LeaderReady{Term: s.status.Load().Term})
	await(s.t, "the leader is ready", func() bool { return s.status.Load().Ready })
	return s
}

// gains waits until the server leads.
func (s *testServer) gains() *testServer {
	s.t.Helper()
	await(s.t, s.cfg.NodeID+" leads", func() bool { return s.status.Load().Leads() })
	return s
}

func (s *testServer) barrier() error {
	_, err := do(s, &messages.Barrier{})
	return err
}

func (s *testServer) put(word string) error {
	_, err := do(s, &messages.ApplyEntry{Entry: []byte(word)})
	return err
}

func (s *testServer) mustPut(words ...string) {
	s.t.Helper()
	for _, w := range words {
		if err := s.put(w); err != nil {
			s.t.Fatalf("put %s: %v", w, err)
		}
	}
}

func do[R any](s *testServer, req ask.Request[R]) (R, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return ask.Do(ctx, s.addr, req)
}

// errorLines returns the lines at ERROR that contain text.
func (s *testServer) errorLines(text string) []string {
	var lines []string
	for _, e := range s.logs.FilterLevelExact(zap.ErrorLevel).All() {
		if strings.Contains(e.Message, text) {
			lines = append(lines, e.Message)
		}
	}
	return lines
}

// await waits until what holds, and fails the test when it does not within a
// generous time.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 30s: %s", what)
		}
	}
}

// copyDir copies the files of a directory, for a server that was killed: what it
// has written at that moment is there, and nothing was closed.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// segments returns the paths of the log's files, in order.
func segments(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "raft", "wal", "*.wal"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no segments in %s: %v", dir, err)
	}
	slices.Sort(paths)
	return paths
}
