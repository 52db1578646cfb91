package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/agentrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// stage is an RPC listener on a real socket, with probes for the actors that it
// speaks to.
type stage struct {
	sys    *actor.ActorSystem
	at     ask.Address
	parent *actortest.Probe
	bound  *messages.Published[[]net.Addr]
	logged chan string // each line of the actor's own log

	lan, wan, leave, logs, super *actortest.Probe

	subscriptions chan *messages.LogSubscription // what logs answers with, one after the other
	progress      chan messages.LeaveProgress    // of the leave
	heard         chan struct{}
}

// newStage sets the stage, with a configuration that tweak may change.
func newStage(t *testing.T, tweak func(*Config)) *stage {
	t.Helper()
	s := &stage{
		sys:           actortest.System(t),
		bound:         new(messages.Published[[]net.Addr]),
		logged:        make(chan string, 1000),
		subscriptions: make(chan *messages.LogSubscription, 10),
		progress:      make(chan messages.LeaveProgress, 10),
		heard:         make(chan struct{}, 1),
	}
	s.lan = actortest.NewProbeFunc(t, s.sys, "lan", gossip(2, nil))
	s.wan = actortest.NewProbeFunc(t, s.sys, "wan", gossip(0, errors.New("nobody there")))
	s.super = actortest.NewProbeFunc(t, s.sys, "super", super)
	s.leave = actortest.NewProbeFunc(t, s.sys, "leave", s.playLeave)
	s.logs = actortest.NewProbeFunc(t, s.sys, "logs", s.playLogs)

	cfg := s.config()
	if tweak != nil {
		tweak(&cfg)
	}
	s.at, s.parent = actortest.Parent(t, s.sys, brittle(New(cfg)), Name)
	return s
}

func (s *stage) config() Config {
	lan, wan := new(messages.Published[messages.PoolView]), new(messages.Published[messages.PoolView])
	lan.Publish(&messages.PoolView{Pool: messages.LAN, Members: []messages.Member{{
		Name: "n", Addr: netip.MustParseAddr("127.0.0.1"), Port: 8301,
		Tags: map[string]string{"role": "consul"}, Status: messages.MemberAlive,
		ProtocolMin: 1, ProtocolMax: 5, ProtocolCur: 2, DelegateMin: 2, DelegateMax: 5, DelegateCur: 4,
	}}})
	wan.Publish(&messages.PoolView{Pool: messages.WAN, Members: []messages.Member{{Name: "n.dc1"}}})
	log := zap.New(zapcore.NewNopCore(), zap.WrapCore(func(zapcore.Core) zapcore.Core { return &tap{s.logged} }))
	return Config{
		Logger:     log,
		Listeners:  []Listener{{"tcp", "127.0.0.1:0"}},
		Server:     true,
		Datacenter: "dc1",
		LAN:        s.lan.Address(s.sys), WAN: s.wan.Address(s.sys),
		Leave: s.leave.Address(s.sys), Supervisor: s.super.Address(s.sys), Logs: s.logs.Address(s.sys),
		LANView: lan, WANView: wan,
		Stats: func(context.Context) map[string]map[string]string {
			return map[string]map[string]string{"agent": {"checks": "0"}}
		},
		Format: func(dst []byte, e messages.LogEntry) []byte {
			return fmt.Appendf(dst, "2015/01/01 00:00:00 [%s] %s: %s", strings.ToUpper(e.Level.String()), e.Logger, e.Text)
		},
		FormatJSON: func(dst []byte, e messages.LogEntry) []byte { return fmt.Appendf(dst, `{"@message":%q}`, e.Text) },
		ParseLevel: zapcore.ParseLevel,
		Bound:      s.bound,
	}
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
		if err, ok := f.Interface.(error); ok {
			text += " error=" + err.Error()
		}
	}
	select {
	case c.to <- text:
	default:
	}
	return nil
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

// gossip plays a pool that answers all there is, and keeps what it is asked. A
// join of "later" is not answered.
func gossip(joined int, err error) func(actor.Context) bool {
	return func(ctx actor.Context) bool {
		switch m := ctx.Message().(type) {
		case *messages.JoinPool:
			if !slices.Contains(m.Addresses, "later") {
				m.Settle(joined, err)
			}
		case *messages.ForceLeave:
			m.Settle(struct{}{}, nil)
		case *messages.ChangeKeyring:
			m.Settle(messages.KeyringChanged{NumNodes: joined, Keys: map[string]int{"k": joined}}, err)
		}
		return false
	}
}

// super plays the supervisor.
func super(ctx actor.Context) bool {
	switch m := ctx.Message().(type) {
	case *messages.ListActors:
		m.Answer([]messages.ActorInfo{{Name: "raft", State: messages.ActorRunning}})
	case *messages.Reload:
		m.Answer(messages.ReloadReport{Applied: []string{"log_level"}, Unchanged: 3})
	}
	return false
}

func (s *stage) playLeave(ctx actor.Context) bool {
	if m, ok := ctx.Message().(*messages.BeginLeave); ok {
		m.Answer(messages.LeaveBegun{Progress: s.progress, Heard: s.hear})
	}
	return false
}

func (s *stage) hear() {
	select {
	case s.heard <- struct{}{}:
	default:
	}
}

func (s *stage) playLogs(ctx actor.Context) bool {
	if m, ok := ctx.Message().(*messages.SubscribeLogs); ok {
		select {
		case sub := <-s.subscriptions:
			m.Answer(sub)
		default:
			m.Refuse(messages.ErrUnavailable)
		}
	}
	return false
}

// client is a raw connection to the stage.
type client struct {
	net.Conn
	t   *testing.T
	dec *agentrpc.Decoder
	enc *agentrpc.Encoder
	seq uint64
}

// connect opens a connection. It is closed when the test ends.
func (s *stage) connect(t *testing.T) *client {
	t.Helper()
	return dial(t, s.addr(t))
}

func (s *stage) addr(t *testing.T) string {
	t.Helper()
	bound := s.bound.Load()
	if bound == nil || len(*bound) == 0 {
		t.Fatal("the listener is not bound")
	}
	return (*bound)[0].String()
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	return &client{Conn: nc, t: t, dec: agentrpc.NewDecoder(nc, agentrpc.MaxResponse), enc: agentrpc.NewEncoder(nc)}
}

// shake opens a connection and shakes hands.
func (s *stage) shake(t *testing.T) *client {
	t.Helper()
	c := s.connect(t)
	c.send(agentrpc.Handshake, &agentrpc.HandshakeRequest{Version: 1})
	c.header("")
	return c
}

// send makes a request, of which only the header is needed.
func (c *client) send(cmd agentrpc.Command, body ...any) {
	c.t.Helper()
	c.seq++
	if err := c.enc.Encode(append([]any{&agentrpc.RequestHeader{Command: cmd, Seq: c.seq}}, body...)...); err != nil {
		c.t.Fatal(err)
	}
	if err := c.enc.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

// header reads a header of the newest request and compares its error.
func (c *client) header(want string) {
	c.t.Helper()
	c.headerOf(c.seq, want)
}

func (c *client) headerOf(seq uint64, want string) {
	c.t.Helper()
	var h agentrpc.ResponseHeader
	c.read(&h)
	if h.Seq != seq || h.Error != want {
		c.t.Fatalf("header %+v, want %d with %q", h, seq, want)
	}
}

func (c *client) read(v any) {
	c.t.Helper()
	if err := c.dec.Decode(v); err != nil {
		c.t.Fatal(err)
	}
}

// line reads a record of a log.
func (c *client) line(seq uint64) string {
	c.t.Helper()
	var r agentrpc.LogRecord
	c.headerOf(seq, "")
	c.read(&r)
	return r.Log
}

// closed fails unless the server has closed the connection and said no more.
func (c *client) closed() {
	c.t.Helper()
	if b, err := c.dec.Next(); err == nil {
		c.t.Errorf("the connection goes on with %q", bytes.Clone(b))
	} else if errors.Is(err, io.ErrUnexpectedEOF) {
		c.t.Errorf("the connection ends in a value: %v", err)
	}
}

// await waits for a line of the actor's log that begins so.
func (s *stage) await(t *testing.T, begin string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case got := <-s.logged:
			if strings.HasPrefix(got, begin) {
				return got
			}
		case <-deadline:
			t.Fatalf("no log line %q", begin)
		}
	}
}
