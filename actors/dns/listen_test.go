package dns

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/miekg/dns"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages"
)

// TestPortTaken wants a start that fails with a text that a person can act on.
func TestPortTaken(t *testing.T) {
	held, err := open("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.close()
	at := held.addr().String()
	for _, tc := range []struct {
		name string
		free io.Closer
		want string
	}{
		{"both", io.NopCloser(nil), "over TCP"},
		{"udp", held.tcp, "over UDP"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_ = tc.free.Close()
			s := newStage(t, func(cfg *Config) { cfg.Addrs = []string{"127.0.0.1:0", at} })
			s.sys = actortest.System(t)
			s.start(t, New(s.cfg))
			failed := actortest.Next[*messages.StartFailed](t, s.parent)
			for _, want := range []string{at, tc.want, "address already in use", "ports.dns", "-dns-port"} {
				if !strings.Contains(failed.Err.Error(), want) {
					t.Errorf("%q lacks %q", failed.Err, want)
				}
			}
		})
	}
}

func TestCannotListen(t *testing.T) {
	for _, tc := range []struct{ name, addr, want string }{
		{"address_of_another_machine", "192.0.2.1:0", "this machine does not have that address"},
		{"no_port", "127.0.0.1", "ports.dns the port"},
		{"no_address", "nonsense:::1", "addresses.dns has IP addresses"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := open(tc.addr); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	for errno, want := range map[error]string{syscall.EACCES: "need a privilege", syscall.EINVAL: "set ports.dns"} {
		if err := cannotListen("UDP", "127.0.0.1:53", errno); !errors.Is(err, errno) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestListensNowhere(t *testing.T) {
	s := newStage(t, func(cfg *Config) { cfg.Addrs = nil }).open(t)
	if n := len(*s.bound.Load()); n != 0 {
		t.Errorf("bound to %d addresses", n)
	}
}

func TestManyAddresses(t *testing.T) {
	s := newStage(t, func(cfg *Config) { cfg.Addrs = []string{"127.0.0.1:0", "127.0.0.2:0", "[::1]:0"} }).put(t, population()...).open(t)
	for _, at := range *s.bound.Load() {
		for _, h := range []how{{}, {tcp: true}} {
			if m := exchangeWith(t, at.String(), h, "ext.node.consul", "A"); len(m.Answer) != 1 {
				t.Errorf("%s, tcp %t: %s", at, h.tcp, dns.RcodeToString[m.Rcode])
			}
		}
	}
}

// TestRestart crashes the actor, by a message and by taking a socket from it, and
// wants it back at the same port with what was reconfigured.
func TestRestart(t *testing.T) {
	s := newStage(t, nil).put(t, population()...).open(t)
	before := s.at()
	cfg := defaults()
	cfg.NodeTTL = 7 * time.Second
	s.addr.Tell(&messages.Reconfigure{DNS: cfg})
	for name, crash := range map[string]inside{
		"panic":      func(*dnsActor) { panic("as the test wants it") },
		"udp_closed": func(a *dnsActor) { _ = a.server.sockets[0].udp[0].Close() },
		"tcp_closed": func(a *dnsActor) { _ = a.server.sockets[0].tcp.Close() },
	} {
		s.addr.Tell(crash)
		actortest.AwaitReady(t, s.parent)
		if s.at() != before {
			t.Fatalf("%s: listening at %s, want %s", name, s.at(), before)
		}
		s.check(t, []row{
			{name + "_over_udp", "ext.node.consul A", "NOERROR aa | ext.node.consul. 7 IN A 10.1.2.3"},
			{name + "_over_tcp", "ext.node.consul A +tcp", "NOERROR aa | ext.node.consul. 7 IN A 10.1.2.3"},
		})
	}
}

// returning is an actor that comes back after a restart, to ports that it had.
func (s *stage) returning(tries int, bound ...netip.AddrPort) actor.Producer {
	produce := New(s.cfg)
	return func() actor.Actor {
		a := produce().(*dnsActor)
		a.life.bound, a.tries = bound, tries
		return a
	}
}

// TestRebind comes back to a port that somebody still has, and wants it tried again
// until it is free.
func TestRebind(t *testing.T) {
	core, logged := observer.New(zap.WarnLevel)
	s := newStage(t, func(cfg *Config) { cfg.Logger = zap.New(core) }).put(t, population()...)
	held, err := open("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.sys = actortest.System(t)
	s.start(t, s.returning(0, held.addr()))
	s.sync(t)
	if logged.FilterMessage("cannot open the sockets again yet").Len() == 0 {
		t.Error("nothing is said of a port that is taken")
	}
	held.close()
	actortest.AwaitReady(t, s.parent)
	s.check(t, []row{{"answers", "ext.node.consul A", "NOERROR aa | ext.node.consul. 0 IN A 10.1.2.3"}})
}

func TestRebindGivesUp(t *testing.T) {
	s := newStage(t, nil)
	held, err := open("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.close()
	s.sys = actortest.System(t)
	s.start(t, s.returning(rebindTries, held.addr()))
	actortest.Next[*messages.StartFailed](t, s.parent)
}

// TestStop wants the port free once the actor has stopped.
func TestStop(t *testing.T) {
	s := newStage(t, nil).open(t)
	if err := s.sys.Root.StopFuture(s.addr.PID()).Wait(); err != nil {
		t.Fatal(err)
	}
	sock, err := open(s.at())
	if err != nil {
		t.Fatal(err)
	}
	sock.close()
}

// TestDrain drains while a query waits for a recursor.
func TestDrain(t *testing.T) {
	for _, tc := range []struct {
		name    string
		answer  bool // the recursor, in time
		budget  time.Duration
		note    string
		wantErr bool
	}{
		{"in_time", true, time.Minute, "answered 1 queries in flight", false},
		{"too_late", false, time.Millisecond, "answered 0 queries in flight", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			came, release := make(chan struct{}, 1), make(chan struct{})
			o := newOther(t, func(m *dns.Msg) *dns.Msg { came <- struct{}{}; <-release; return m })
			s := newStage(t, func(cfg *Config) {
				cfg.DNS.Recursors, cfg.DNS.RecursorTimeout = []string{o.at}, time.Minute
			}).open(t)
			client, err := dns.Dial("udp", s.at())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if err := client.WriteMsg(new(dns.Msg).SetQuestion("example.com.", dns.TypeA)); err != nil {
				t.Fatal(err)
			}
			<-came

			leave := actortest.NewProbe(t, s.sys, "leave")
			s.sys.Root.RequestWithCustomSender(s.addr.PID(), &messages.Drain{Step: 4, Budget: tc.budget}, leave.PID())
			for dialable(s.at()) { // until the drain has begun
			}
			if tc.answer {
				close(release)
				if m, err := client.ReadMsg(); err != nil || m.Rcode != dns.RcodeSuccess {
					t.Errorf("what was in flight is answered with %v, %v", m, err)
				}
			} else {
				defer close(release)
			}
			done := actortest.Next[*messages.StepDone](t, leave)
			if done.Step != 4 || done.Note != tc.note || (done.Err != nil) != tc.wantErr {
				t.Errorf("got %+v, want note %q, error %t", done, tc.note, tc.wantErr)
			}
			if _, err := dns.Exchange(new(dns.Msg).SetQuestion("x.consul.", dns.TypeA), s.at()); err == nil {
				t.Error("a query is answered after the drain")
			}
		})
	}
}

// TestDrained wants a listener that has said goodbye not to come back.
func TestDrained(t *testing.T) {
	s := newStage(t, nil).open(t)
	leave := actortest.NewProbe(t, s.sys, "leave")
	drain := func(step messages.StepID) *messages.StepDone {
		s.sys.Root.RequestWithCustomSender(s.addr.PID(), &messages.Drain{Step: step, Budget: time.Minute}, leave.PID())
		return actortest.Next[*messages.StepDone](t, leave)
	}
	if done := drain(1); done.Err != nil || done.Note != "answered 0 queries in flight" {
		t.Errorf("got %+v", done)
	}
	s.addr.Tell(inside(func(*dnsActor) { panic("as the test wants it") }))
	actortest.AwaitReady(t, s.parent)
	if dialable(s.at()) {
		t.Error("listening again")
	}
	if done := drain(2); done.Step != 2 || done.Note != "was not listening" {
		t.Errorf("got %+v", done)
	}
}

// TestPanic wants a panic to cost its own query its answer, and nothing else.
func TestPanic(t *testing.T) {
	core, logged := observer.New(zap.ErrorLevel)
	var s *stage
	fail := make(chan struct{}, 3)
	s = newStage(t, func(cfg *Config) {
		cfg.Logger = zap.New(core)
		view := cfg.View
		cfg.View = func() *state.View {
			select {
			case <-fail:
				panic("as the test wants it")
			default:
				return view()
			}
		}
	}).put(t, population()...).open(t)
	fail <- struct{}{}
	s.check(t, []row{{"udp_once", "ext.node.consul A +udp", "NOERROR aa | ext.node.consul. 0 IN A 10.1.2.3"}}) // where packed answers are looked for
	fail <- struct{}{}
	fail <- struct{}{}
	s.check(t, []row{{"udp", "db.service.consul A +udp", "SERVFAIL"}})
	fail <- struct{}{}
	s.check(t, []row{
		{"tcp", "ext.node.consul A +tcp", "SERVFAIL"},
		{"after", "ext.node.consul A", "NOERROR aa | ext.node.consul. 0 IN A 10.1.2.3"},
	})
	if n := logged.FilterMessage("a query made the listener panic").Len(); n != 2 {
		t.Errorf("%d panics of queries are logged, want 2", n)
	}
	if n := logged.FilterMessage("a packed answer made the listener panic").Len(); n != 2 {
		t.Errorf("%d panics of packed answers are logged, want 2", n)
	}
}

// dial opens a connection to the listener.
func (s *stage) dial(t testing.TB) *dns.Conn {
	t.Helper()
	c, err := dns.DialTimeout("tcp", s.at(), 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

// answered says whether a query on a connection is.
func answered(c *dns.Conn) bool {
	_ = c.WriteMsg(new(dns.Msg).SetQuestion("ext.node.consul.", dns.TypeA))
	m, err := c.ReadMsg()
	return err == nil && len(m.Answer) == 1
}

// TestConns covers what a connection may do.
func TestConns(t *testing.T) {
	s := newStage(t, func(cfg *Config) { cfg.Limits.TCPQueries = 3 }).put(t, population()...).open(t)
	c := s.dial(t)
	if !answered(c) {
		t.Fatal("no answer")
	}
	// Queries may come all at once, in one piece or in many.
	raw, err := new(dns.Msg).SetQuestion("ext.node.consul.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	framed := append([]byte{0, byte(len(raw))}, raw...)
	for _, b := range append(framed, framed...) {
		if _, err := c.Conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if m, err := c.ReadMsg(); err != nil || len(m.Answer) != 1 {
			t.Errorf("got %v, %v", m, err)
		}
	}
	if answered(c) {
		t.Error("a fourth query is answered, the limit is 3")
	}
}

// TestBusyConns has as many connections wait for answers as one address may have, and
// wants no more taken on, but a line in the log and a place for the next one when they
// have ended.
func TestBusyConns(t *testing.T) {
	core, logged := observer.New(zap.WarnLevel)
	came, release := make(chan struct{}, 1), make(chan struct{})
	o := newOther(t, func(m *dns.Msg) *dns.Msg { came <- struct{}{}; <-release; return m })
	s := newStage(t, func(cfg *Config) {
		cfg.Logger, cfg.Limits.TCPConns = zap.New(core), 8 // two for each
		cfg.DNS.Recursors, cfg.DNS.RecursorTimeout = []string{o.at}, time.Minute
	}).put(t, population()...).open(t)
	var busy []*dns.Conn
	for range 2 {
		c := s.dial(t)
		if err := c.WriteMsg(new(dns.Msg).SetQuestion("example.com.", dns.TypeA)); err != nil {
			t.Fatal(err)
		}
		<-came
		busy = append(busy, c)
	}
	for range 2 {
		if answered(s.dial(t)) {
			t.Error("a third connection is answered, the limit is 2")
		}
	}
	if n := logged.FilterMessageSnippet("too many DNS connections").Len(); n != 1 {
		t.Errorf("%d lines say that there are too many connections, want 1", n)
	}
	close(release)
	for _, c := range busy {
		if _, err := c.ReadMsg(); err != nil {
			t.Errorf("what waited is answered with %v", err)
		}
	}
	for range 10000 { // they are idle a moment later
		if answered(s.dial(t)) {
			return
		}
	}
	t.Error("no connection is accepted after others have been answered")
}

// TestConnsGiveUpTheirPlace opens more connections than there is room for, and wants
// the one that is idle for the longest to end, and the others to go on.
func TestConnsGiveUpTheirPlace(t *testing.T) {
	s := newStage(t, func(cfg *Config) { cfg.Limits.TCPConns, cfg.Limits.IdleTimeout = 12, time.Minute }).put(t, population()...).open(t)
	var all []*dns.Conn
	for range 4 {
		c := s.dial(t)
		if !answered(c) {
			t.Fatal("no answer")
		}
		all = append(all, c)
	}
	if _, err := all[0].ReadMsg(); !errors.Is(err, io.EOF) {
		t.Errorf("the first connection ends with %v, want EOF", err)
	}
	for i, c := range all[1:] {
		if !answered(c) {
			t.Errorf("connection %d is not answered any more", i+1)
		}
	}
}

func TestIdleConns(t *testing.T) {
	s := newStage(t, func(cfg *Config) { cfg.Limits.ReadTimeout = 10 * time.Millisecond }).open(t)
	c, err := net.Dial("tcp", s.at())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("an idle connection ends with %v, want EOF", err)
	}
}

// TestSlowReader has a client that takes no answer.
func TestSlowReader(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	l := &limited{room: &room{seats: newSeats(1, 1)}, timeout: time.Millisecond}
	c := l.seat(near)
	if _, err := c.Write([]byte("answer")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write ends with %v", err)
	}
	_ = c.Close()
	_ = c.Close()
	if len(l.room.seats.all) != 0 {
		t.Error("the place is not free")
	}
}

// outOfFilesListener cannot accept for a while.
type outOfFilesListener struct {
	net.Listener
	fails int
	conn  net.Conn
}

func (l *outOfFilesListener) Accept() (net.Conn, error) {
	if l.fails--; l.fails >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.conn, nil
}

func TestOutOfFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		l := &limited{Listener: &outOfFilesListener{fails: 3, conn: near}, room: &room{seats: newSeats(1, 1)}}
		begun := time.Now()
		c, err := l.Accept()
		if err != nil || time.Since(begun) != 3*outOfFiles {
			t.Errorf("accepted after %s, %v, want three pauses", time.Since(begun), err)
		}
		_ = c.Close()

		end := make(chan struct{})
		close(end)
		l = &limited{Listener: &outOfFilesListener{fails: 1 << 30}, end: end}
		if _, err := l.Accept(); !errors.Is(err, syscall.EMFILE) {
			t.Errorf("a listener that is closed ends with %v", err)
		}
	})
}
