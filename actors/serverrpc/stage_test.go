package serverrpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/serverrpc/client"
	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// stage is a server: a listener on a real socket, over a store and a raft that is
// played by a probe.
type stage struct {
	sys    *actor.ActorSystem
	at     ask.Address
	parent *actortest.Probe
	raft   *actortest.Probe
	logged chan string // each line of the actor's own log
	pool   *client.Pool

	store  *state.Store
	status messages.Published[messages.RaftStatus]
	routes messages.Published[messages.Routes]
	bound  messages.Published[net.Addr]
	index  uint64      // the probe's
	silent atomic.Bool // the probe confirms nothing

	saved    []byte        // the archive that the probe saves
	asked    chan struct{} // it was asked to restore one
	restored chan restored // what it was given then
}

// newStage sets the stage, with a configuration that tweak may change.
func newStage(t *testing.T, tweak func(*Config)) *stage { return newStageIn(t, "dc1", tweak) }

// newStageIn is newStage, in a datacenter.
func newStageIn(t *testing.T, datacenter string, tweak func(*Config)) *stage {
	t.Helper()
	s := bareStage(t)
	cfg := s.config(datacenter)
	if tweak != nil {
		tweak(&cfg)
	}
	s.play(t, cfg)
	return s
}

// bareStage is a stage without the server.
func bareStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{sys: actortest.System(t), logged: make(chan string, 1000), store: state.NewStore(), index: 1, asked: make(chan struct{}, 20), restored: make(chan restored, 20)}
	s.raft = actortest.NewProbeFunc(t, s.sys, "raft", s.playRaft)
	s.pool = client.NewPool(client.Config{Logger: zap.NewNop()})
	t.Cleanup(s.pool.Close)
	s.lead("127.0.0.1:1")
	return s
}

// play starts the server.
func (s *stage) play(t *testing.T, cfg Config) {
	s.at, s.parent = actortest.Parent(t, s.sys, brittle(New(cfg)), Name)
}

// open sets the stage and waits until it can be reached.
func open(t *testing.T, tweak func(*Config)) *stage { return openIn(t, "dc1", tweak) }

// openIn is open, in a datacenter.
func openIn(t *testing.T, datacenter string, tweak func(*Config)) *stage {
	t.Helper()
	s := newStageIn(t, datacenter, tweak)
	actortest.AwaitReady(t, s.parent)
	return s
}

func (s *stage) config(datacenter string) Config {
	return Config{
		Logger:     zap.New(zapcore.NewNopCore(), zap.WrapCore(func(zapcore.Core) zapcore.Core { return &tap{s.logged} })),
		Addr:       "127.0.0.1:0",
		Raft:       s.raft.Address(s.sys),
		Status:     &s.status,
		Datacenter: datacenter,
		Bound:      &s.bound,
		Invoker:    invoke.New(s.invoked(datacenter)),
	}
}

func (s *stage) invoked(datacenter string) invoke.Config {
	return invoke.Config{
		Datacenter: datacenter, View: s.store.View, Status: &s.status, Raft: s.raft.Address(s.sys),
		Routes: &s.routes, Call: s.pool.Call, Snapshot: s.pool.Snapshot, Failed: s.raft.Address(s.sys),
	}
}

func (s *stage) addr() string { return (*s.bound.Load()).String() }

func (s *stage) lead(addr string) {
	s.status.Publish(&messages.RaftStatus{State: messages.Leader, Ready: true, LeaderID: "me", LeaderAddr: addr, Stats: func() map[string]string {
		return map[string]string{"last_contact": "0", "last_log_term": "3", "last_log_index": "42"}
	}})
}

func (s *stage) follow(leader string) {
	s.status.Publish(&messages.RaftStatus{State: messages.Follower, LeaderID: "other", LeaderAddr: leader})
}

// restored is an archive that has come, and how its reading ended.
type restored struct {
	content []byte
	err     error
}

// playRaft applies entries of keys as they come, and keeps the connections it gets.
func (s *stage) playRaft(ctx actor.Context) bool {
	leads := s.status.Load().Leads()
	switch msg := ctx.Message().(type) {
	case *messages.ConfirmLeader:
		switch {
		case s.silent.Load():
			return false
		case !leads:
			msg.Refuse(messages.ErrNotLeader)
		default:
			msg.Answer(messages.ReadIndex{Index: s.index})
		}
	case *messages.ApplyEntry:
		msg.Answer(s.apply(msg.Entry))
	case *messages.GetRaftConfiguration:
		msg.Answer(messages.RaftConfiguration{Servers: []messages.RaftServer{{ID: "a", Address: "10.0.0.1:8300"}, {ID: "b", Address: "10.0.0.2:8300"}}})
	case *messages.SaveSnapshot:
		msg.Answer(&messages.SnapshotSaved{Index: 9, Size: int64(len(s.saved)), Archive: io.NopCloser(bytes.NewReader(s.saved))})
	case *messages.RestoreSnapshot:
		s.asked <- struct{}{}
		go func() {
			content, err := io.ReadAll(msg.Archive)
			s.restored <- restored{content, err}
			msg.Settle(messages.SnapshotRestored{Index: 9}, err)
		}()
	case *messages.RemovePeer:
		if !leads {
			msg.Refuse(messages.ErrNotLeader)
		}
		msg.Answer(messages.Unit{})
		return false
	default:
		return false
	}
	return true
}

func (s *stage) apply(entry []byte) messages.Applied {
	_, body, err := wire.Split(entry)
	if err != nil {
		panic(err)
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

// put, which sets k, and get go through the pool to the server at addr.
func (s *stage) put(ctx context.Context, addr, value string) error {
	return s.pool.Call(ctx, addr, "KVS.Apply", &wire.KVSRequest{
		Datacenter: "dc1", Op: wire.KVSet, DirEnt: wire.DirEntry{Key: "k", Value: []byte(value)},
	}, new(bool))
}

func (s *stage) get(ctx context.Context, addr, key string, opts wire.QueryOptions) (string, error) {
	var reply wire.IndexedDirEntries
	err := s.pool.Call(ctx, addr, "KVS.Get", &wire.KeyRequest{Datacenter: "dc1", Key: key, QueryOptions: opts}, &reply)
	if err != nil || len(reply.Entries) == 0 {
		return "", err
	}
	return string(reply.Entries[0].Value), nil
}

// tap is a zap core that passes messages on.
type tap struct{ to chan<- string }

func (c *tap) Enabled(zapcore.Level) bool        { return true }
func (c *tap) With([]zapcore.Field) zapcore.Core { return c }
func (c *tap) Sync() error                       { return nil }

func (c *tap) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return ce.AddCore(e, c)
}

func (c *tap) Write(e zapcore.Entry, fields []zapcore.Field) error {
	text := e.Level.CapitalString() + " " + e.LoggerName + ": " + e.Message
	for _, f := range fields {
		switch v := f.Interface.(type) {
		case error:
			text += " error=" + v.Error()
		case fmt.Stringer:
			text += " " + f.Key + "=" + v.String()
		}
	}
	select {
	case c.to <- text:
	default:
	}
	return nil
}

// await waits for a line of the actor's log that has the text.
func (s *stage) await(t *testing.T, text string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case got := <-s.logged:
			if strings.Contains(got, text) {
				return got
			}
		case <-deadline:
			t.Fatalf("no log line with %q", text)
		}
	}
}

// lines returns the lines of the log so far that are no DEBUG.
func (s *stage) lines() (all []string) {
	for {
		select {
		case got := <-s.logged:
			if !strings.HasPrefix(got, "DEBUG") {
				all = append(all, got)
			}
		default:
			return all
		}
	}
}

// fail makes a brittle actor panic.
type fail struct{}

func brittle(produce actor.Producer) actor.Producer {
	return func() actor.Actor {
		inner := produce()
		return actor.ReceiveFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*fail); ok {
				panic("as the test wants")
			}
			inner.Receive(ctx)
		})
	}
}

// dial opens a connection of a kind, or a bare one. It is closed when the test ends.
func (s *stage) dial(t testing.TB, first ...byte) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", s.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	write(t, nc, string(first))
	return nc
}

// mux opens a multiplexed connection.
func (s *stage) mux(t testing.TB, kind frame.Kind) *frame.Mux {
	t.Helper()
	mux := frame.NewClient(s.dial(t, byte(kind)), zap.NewNop())
	t.Cleanup(func() { _ = mux.Close() })
	return mux
}

// stream opens a stream of a multiplexed connection.
func (s *stage) stream(t testing.TB, kind frame.Kind) net.Conn {
	t.Helper()
	nc, err := s.mux(t, kind).Open()
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.SetDeadline(time.Now().Add(patience))
	return nc
}

func write(t testing.TB, nc net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(nc, text); err != nil {
		t.Fatal(err)
	}
}

// closed fails unless the server has closed the connection and said no more.
func closed(t testing.TB, nc net.Conn) {
	t.Helper()
	var b [100]byte
	n, err := nc.Read(b[:])
	var timeout net.Error
	if n > 0 || err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("the connection goes on with %q, %v", b[:n], err)
	}
}

// request returns the bytes of a request.
func request(t testing.TB, seq uint64, method string, args any) string {
	t.Helper()
	b, err := frame.Marshal(&frame.Request{ServiceMethod: method, Seq: seq}, args)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// answer reads an answer.
func answer(t testing.TB, r *frame.Reader, reply any) frame.Response {
	t.Helper()
	var resp frame.Response
	if err := r.Header(&resp); err != nil {
		t.Fatal(err)
	}
	body, err := r.Body()
	if err == nil && resp.Error == "" {
		err = r.Decode(body, reply)
	}
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func reader(nc net.Conn) *frame.Reader { return frame.NewReader(nc, frame.ReplyLimits(1<<20)) }

func count(lines []string, text string) int {
	return len(slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.Contains(l, text) }))
}
