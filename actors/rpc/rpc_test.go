package rpc

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/agentrpc"
)

func TestLeave(t *testing.T) {
	s := newStage(t, nil)
	actortest.AwaitReady(t, s.parent)
	c := s.shake(t)
	c.send(agentrpc.Leave)
	if got := actortest.Next[*messages.BeginLeave](t, s.leave); got.Why != "consul leave" || got.Force {
		t.Errorf("%+v", got)
	}

	// Nothing is answered until the plan is done; then the answer is there before
	// the plan hears of it.
	s.progress <- messages.LeaveProgress{Step: "say goodbye"}
	select {
	case <-s.heard:
		t.Error("heard before the end")
	default:
	}
	close(s.progress)
	<-s.heard
	c.header("")
}

func TestLeaveProgress(t *testing.T) {
	s := newStage(t, nil)
	actortest.AwaitReady(t, s.parent)
	c := s.shake(t)
	c.send(agentrpc.LeaveProgress, &agentrpc.LeaveRequest{Force: true})
	if got := actortest.Next[*messages.BeginLeave](t, s.leave); !got.Force {
		t.Errorf("%+v", got)
	}
	c.header("")
	for _, p := range []messages.LeaveProgress{
		{Step: "withdraw", Owner: "local", Budget: time.Second},
		{Step: "withdraw", Owner: "local", Budget: time.Second, Done: true, Note: "1 service", Took: time.Millisecond, Err: "late"},
	} {
		s.progress <- p
		var r agentrpc.LeaveRecord
		c.header("")
		c.read(&r)
		if r != leaveRecord(p) || r.End {
			t.Errorf("%+v, want %+v", r, p)
		}
	}
	close(s.progress)
	var end agentrpc.LeaveRecord
	c.header("")
	c.read(&end)
	if !end.End {
		t.Errorf("%+v", end)
	}
	<-s.heard
}

// TestLeaveGoesOnWithoutClient ends the connection of who asked for the leave.
func TestLeaveGoesOnWithoutClient(t *testing.T) {
	s := newStage(t, nil)
	actortest.AwaitReady(t, s.parent)
	c := s.shake(t)
	c.send(agentrpc.LeaveProgress, &agentrpc.LeaveRequest{})
	c.header("")
	_ = c.Close()
	close(s.progress)
	<-s.heard
}

// TestDrain drains while a join and a leave are under way: the join is answered,
// the leave goes on, and nothing new is taken on.
func TestDrain(t *testing.T) {
	s := newStage(t, nil)
	actortest.AwaitReady(t, s.parent)
	joining, leaving, idle := s.shake(t), s.shake(t), s.shake(t)
	leaving.send(agentrpc.Leave)
	actortest.Next[*messages.BeginLeave](t, s.leave)
	joining.send(agentrpc.Join, &agentrpc.JoinRequest{Existing: []string{"later"}})
	join := actortest.Next[*messages.JoinPool](t, s.lan)

	s.drain(1)
	idle.send(agentrpc.Join, &agentrpc.JoinRequest{Existing: []string{"a"}})
	var none agentrpc.JoinResponse
	for { // the drain may not have reached the listener yet
		var h agentrpc.ResponseHeader
		idle.read(&h)
		idle.read(&none)
		if h.Error == messages.ErrLeaving.Error() {
			break
		}
		idle.send(agentrpc.Join, &agentrpc.JoinRequest{Existing: []string{"a"}})
	}
	if _, err := net.Dial("tcp", s.addr(t)); err == nil {
		t.Error("a new connection is accepted")
	}
	if got := s.leave.Got(); len(got) != 0 {
		t.Errorf("done before the join was: %v", got)
	}

	join.Answer(4)
	var joined agentrpc.JoinResponse
	joining.header("")
	joining.read(&joined)
	if joined.Num != 4 {
		t.Errorf("%+v", joined)
	}
	done := actortest.Next[*messages.StepDone](t, s.leave)
	if done.Step != 1 || done.Err != nil || !strings.HasPrefix(done.Note, "answered ") {
		t.Errorf("%+v", done)
	}
	s.drain(2)
	if done := actortest.Next[*messages.StepDone](t, s.leave); done.Step != 2 || done.Note != "no command was under way" {
		t.Errorf("%+v", done)
	}
	close(s.progress)
	leaving.header("")
}

func (s *stage) drain(step int) {
	s.sys.Root.RequestWithCustomSender(s.at.PID(), &messages.Drain{Step: messages.StepID(step), Budget: time.Second}, s.leave.PID())
}

// TestRestart fails the actor under its connections: they are cut, and the port is
// bound again.
func TestRestart(t *testing.T) {
	addr := freeAddr(t)
	s := newStage(t, func(c *Config) { c.Listeners, c.Explicit = []Listener{{"tcp", addr}}, true })
	actortest.AwaitReady(t, s.parent)
	before := s.shake(t)
	s.at.Tell(&fail{})
	actortest.AwaitReady(t, s.parent)
	before.closed()
	s.shake(t)
}

// freeAddr returns an address where nobody listens, on a loopback address that
// nobody else uses.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.84.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.84.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	listeners := []Listener{{"tcp", addr}, {"tcp", "127.84.0.1:0"}}

	t.Run("explicit", func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Listeners, c.Explicit = listeners, true })
		got := actortest.Next[*messages.StartFailed](t, s.parent).Err.Error()
		want := "RPC address " + addr + " is taken, perhaps by another agent; " +
			"choose another with -rpc-addr, or with ports.rpc and addresses.rpc in the configuration: "
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q...", got, want)
		}
	})
	t.Run("by_default", func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Listeners, c.RetryInterval = listeners, time.Millisecond })
		actortest.AwaitReady(t, s.parent)
		line := s.await(t, "WARN ")
		if want := "WARN agent.rpc: an RPC address could not be bound; going on without it and trying again error=RPC address " + addr + " is taken"; !strings.HasPrefix(line, want) {
			t.Errorf("%q, want %q...", line, want)
		}
		s.shake(t) // the other address is served
		_ = taken.Close()
		s.await(t, "INFO agent.rpc: listening after all")
		c := dial(t, addr)
		c.send(agentrpc.Handshake, &agentrpc.HandshakeRequest{Version: 1})
		c.header("")
	})
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rpc.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close() // as a killed agent does

	tweak := func(c *Config) { c.Listeners, c.Explicit = []Listener{{"unix", path}}, true }
	s := newStage(t, tweak)
	actortest.AwaitReady(t, s.parent)
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()

	t.Run("in_use", func(t *testing.T) {
		other := newStage(t, tweak)
		actortest.Next[*messages.StartFailed](t, other.parent)
	})
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the socket of a living agent is gone: %v", err)
	}
}

func TestTooManyConnections(t *testing.T) {
	s := newStage(t, func(c *Config) { c.MaxConns = 1 })
	actortest.AwaitReady(t, s.parent)
	first := s.shake(t)
	s.connect(t).closed()
	s.connect(t).closed()
	s.await(t, "WARN agent.rpc: too many RPC connections")
	_ = first.Close()
	for { // the place is free a moment after the close
		c := s.connect(t)
		if _, err := io.WriteString(c, hello); err != nil {
			continue
		}
		if b := make([]byte, len(welcome)); readAll(c, b) == nil && string(b) == welcome {
			return
		}
	}
}

func readAll(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	return err
}

func TestSilentConnection(t *testing.T) {
	s := newStage(t, func(c *Config) { c.HandshakeTimeout = time.Millisecond })
	actortest.AwaitReady(t, s.parent)
	s.connect(t).closed()
	if got := s.await(t, "WARN"); !strings.Contains(got, "no handshake within 1ms") {
		t.Errorf("%q", got)
	}
}

// TestHostile sends what no client sends. The connection ends, the listener does
// not.
func TestHostile(t *testing.T) {
	tests := []struct{ name, send string }{
		{"http", "GET /v1/agent/self HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"tls", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
		{"huge_text", hello + "\xdb\xff\xff\xff\xff"},
		{"huge_map_in_a_body", hello + head("join", 2) + "\xdf\xff\xff\xff\xff"},
		{"huge_list_of_addresses", hello + head("join", 2) + "\x81\xa8Existing\xdd\xff\xff\xff\xff"},
		{"long_request", hello + head("join", 2) + "\x81\xa8Existing\xdc\xff\xff" + strings.Repeat("\xa1a", 65535)},
		{"number_for_a_body", hello + head("stop", 2) + "\x07"},
		{"text_for_a_number", hello + head("stop", 2) + "\x81\xa4Stop\xa1x"},
		{"text_for_a_keyring", hello + head("list-keys", 2) + "\xa1x"},
		{"body_without_header", hello + "\x81\xa3Key\xa1k"},
		{"long_name_of_a_command", hello + "\x82\xa3Seq\x02\xa7Command\xda\xf0\x00" + strings.Repeat("x", 0xf000)},
	}
	s := newStage(t, nil)
	actortest.AwaitReady(t, s.parent)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := s.connect(t)
			_, _ = io.WriteString(c, tt.send) // it may be cut short
			_, _ = io.Copy(io.Discard, c)     // until the server closes
			s.shake(t)
		})
	}
}

// TestPanic has a command fail: its connection ends and nothing else.
func TestPanic(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Stats = nil })
	actortest.AwaitReady(t, s.parent)
	other, c := s.shake(t), s.shake(t)
	c.send(agentrpc.Stats)
	c.closed()
	s.await(t, "ERROR agent.rpc: a connection failed: ")
	other.send(agentrpc.MembersLAN)
	other.header("")
	s.drain(1)
	if done := actortest.Next[*messages.StepDone](t, s.leave); done.Step != 1 {
		t.Errorf("%+v", done)
	}
}

// FuzzConn plays whole conversations with a connection. Nothing may panic: a
// panic would be caught, so the log is looked at.
func FuzzConn(f *testing.F) {
	for _, seed := range []string{
		hello, oldie, hello + head("members-lan", 2), hello + head("stats", 2),
		hello + head("join", 2) + "\x82\xa8Existing\x91\xa1a\xa3WAN\xc3",
		hello + head("list-keys", 2) + head("stop", 3) + "\x81\xa4Stop\x01",
		hello + head("monitor", 2) + "\x81\xa8LogLevel\xa4INFO" + head("stop", 3) + "\x81\xa4Stop\x02",
		hello + head("force-leave", 2) + "\x82\xa4Node\xa1n\xa5Prune\xc3",
		hello + head("leave", 2), hello + head("leave-progress", 2) + "\x81\xa5Force\xc3",
	} {
		f.Add([]byte(seed))
	}
	s := &stage{sys: actortest.System(f), logged: make(chan string, 1000), progress: make(chan messages.LeaveProgress)}
	close(s.progress)
	for name, p := range map[string]**actortest.Probe{"lan": &s.lan, "wan": &s.wan} {
		*p = actortest.NewProbeFunc(f, s.sys, name, gossip(1, nil))
	}
	s.super = actortest.NewProbeFunc(f, s.sys, "super", super)
	s.logs = actortest.NewProbeFunc(f, s.sys, "logs", s.playLogs)
	s.leave = actortest.NewProbeFunc(f, s.sys, "leave", s.playLeave)
	cfg := s.config()
	cfg.MaxConns, cfg.HandshakeTimeout = 1, time.Second

	f.Fuzz(func(t *testing.T, stream []byte) {
		if strings.Contains(string(stream), "later") {
			return // the pool keeps that one waiting
		}
		srv := newServer(cfg, cfg.Logger, s.sys.Root, s.super.PID())
		defer srv.close()
		here, there := net.Pipe()
		go func() {
			_, _ = here.Write(stream)
			_ = here.Close()
		}()
		go func() { _, _ = io.Copy(io.Discard, here) }()
		newConn(srv, there).serve()
		for _, p := range []*actortest.Probe{s.lan, s.wan, s.super, s.logs, s.leave} {
			p.Messages()
		}
		for len(s.logged) > 0 {
			if line := <-s.logged; strings.HasPrefix(line, "ERROR") {
				t.Fatal(line, fmt.Sprintf("%q", stream))
			}
		}
	})
}
