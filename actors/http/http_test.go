package http

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// sockets opens the listener's sockets on ports of the system's choice, the same
// ones after a restart, and remembers them.
type sockets struct {
	mu    sync.Mutex
	ports map[string]string // by the address that was asked for
	busy  int               // how often the port cannot be had when it is wanted again
	why   syscall.Errno     // and why
	open  []*fragile
}

// fragile is a listener that a test can break.
type fragile struct {
	net.Listener
	broken atomic.Bool
}

func (f *fragile) Accept() (net.Conn, error) {
	c, err := f.Listener.Accept()
	if err != nil && f.broken.Load() {
		err = errors.New("the card was pulled")
	}
	return c, err
}

// breakDown makes every open listener fail.
func (s *sockets) breakDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.open {
		l.broken.Store(true)
		l.Close()
	}
	s.open = nil
}

func (s *sockets) listen(network, address string) (net.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ports == nil {
		s.ports = map[string]string{}
	}
	want := address
	if had := s.ports[address]; had != "" {
		want = had
		if s.busy > 0 {
			s.busy--
			return nil, &net.OpError{Op: "listen", Net: network, Err: s.why}
		}
	}
	l, err := net.Listen(network, want)
	if err != nil {
		return nil, err
	}
	s.ports[address] = l.Addr().String()
	f := &fragile{Listener: l}
	s.open = append(s.open, f)
	return f, nil
}

func (s *sockets) url(address, path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "http://" + s.ports[address] + path
}

const somewhere = "127.0.0.1:0"

// listening starts the actor on a socket of its own and waits until it is ready.
func (s *stage) listening(t *testing.T) (ask.Address, *actortest.Probe, *sockets) {
	t.Helper()
	socks := &sockets{}
	s.cfg.Addrs, s.cfg.Listen = []string{somewhere}, socks.listen
	addr, parent := actortest.Parent(t, s.sys, New(s.cfg), Name)
	actortest.AwaitReady(t, parent)
	return addr, parent, socks
}

// client returns an HTTP client that leaves no connection behind.
func client(t *testing.T) *http.Client {
	c := &http.Client{Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// do makes a request and returns the answer, read whole.
func do(c *http.Client, method, url, body string) (*http.Response, string, error) {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	got, err := c.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	return got, string(text), err
}

func mustDo(t *testing.T, c *http.Client, method, url, body string) (*http.Response, string) {
	t.Helper()
	got, text, err := do(c, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return got, text
}

func TestServes(t *testing.T) {
	_, _, socks := newStage(t).listening(t)
	c := client(t)
	mustDo(t, c, "PUT", socks.url(somewhere, "/v1/kv/a"), "value")
	got, text := mustDo(t, c, "GET", socks.url(somewhere, "/v1/kv/a?raw"), "")
	if text != "value" || got.Header.Get("Content-Type") != "text/plain" || got.Header.Get("Content-Security-Policy") != "sandbox" {
		t.Errorf("%q %v", text, got.Header)
	}
}

func TestSeveralAddresses(t *testing.T) {
	s := newStage(t)
	socks := &sockets{}
	s.cfg.Addrs, s.cfg.Listen = []string{"127.0.0.1:0", "127.0.0.2:0"}, socks.listen
	_, parent := actortest.Parent(t, s.sys, New(s.cfg), Name)
	actortest.AwaitReady(t, parent)
	for _, address := range s.cfg.Addrs {
		if got, _ := mustDo(t, client(t), "GET", socks.url(address, "/"), ""); got.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", address, got.Status)
		}
	}
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", somewhere)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newStage(t)
	free := &sockets{}
	s.cfg.Addrs = []string{somewhere, l.Addr().String()}
	s.cfg.Listen = free.listen
	_, parent := actortest.Parent(t, s.sys, New(s.cfg), Name)
	failed := actortest.Next[*messages.StartFailed](t, parent)
	for _, want := range []string{l.Addr().String(), "address already in use", "ports.http", "-http-port"} {
		if !strings.Contains(failed.Err.Error(), want) {
			t.Errorf("%q does not say %q", failed.Err, want)
		}
	}
	if again, err := net.Listen("tcp", strings.TrimPrefix(free.url(somewhere, ""), "http://")); err != nil {
		t.Errorf("the socket that could be opened was kept: %v", err)
	} else {
		again.Close()
	}
}

func TestAddressNotHere(t *testing.T) {
	s := newStage(t)
	s.cfg.Addrs = []string{"192.0.2.1:0"}
	_, parent := actortest.Parent(t, s.sys, New(s.cfg), Name)
	failed := actortest.Next[*messages.StartFailed](t, parent)
	if !strings.Contains(failed.Err.Error(), "client_addr") {
		t.Errorf("%q does not say what to do", failed.Err)
	}
}

// TestRestart wants the actor to come back on its port, with what was reconfigured,
// when it fails, even when the port is not free at once.
func TestRestart(t *testing.T) {
	s := newStage(t)
	addr, parent, socks := s.listening(t)
	addr.Tell(&messages.Reconfigure{HTTP: messages.HTTPConfig{ResponseHeaders: map[string]string{"X-New": "yes"}, MaxConnsPerClient: 9}})
	c := client(t)
	mustDo(t, c, "PUT", socks.url(somewhere, "/v1/kv/a"), "v")

	socks.mu.Lock()
	socks.busy, socks.why = 2, syscall.EADDRINUSE // its own socket lingers
	socks.mu.Unlock()
	addr.Tell(&ended{server: &http.Server{}, err: errors.New("late news of an earlier start")})
	socks.breakDown()
	actortest.AwaitReady(t, parent)
	got, text := mustDo(t, c, "GET", socks.url(somewhere, "/v1/kv/a?raw"), "")
	if text != "v" || got.Header.Get("X-New") != "yes" {
		t.Errorf("after the restart: %q %v", text, got.Header)
	}
}

// TestRestartFails wants an actor that cannot have its address back to say so.
func TestRestartFails(t *testing.T) {
	s := newStage(t)
	_, parent, socks := s.listening(t)
	socks.mu.Lock()
	socks.busy, socks.why = 1, syscall.EADDRNOTAVAIL // the address has left the machine
	socks.mu.Unlock()
	socks.breakDown()
	if failed := actortest.Next[*messages.StartFailed](t, parent); !strings.Contains(failed.Err.Error(), "client_addr") {
		t.Errorf("%v", failed.Err)
	}
}

// drained asks for a drain and returns its report.
func drained(t *testing.T, s *stage, addr ask.Address, leave *actortest.Probe, budget time.Duration) *messages.StepDone {
	t.Helper()
	s.sys.Root.RequestWithCustomSender(addr.PID(), &messages.Drain{Step: 7, Budget: budget}, leave.PID())
	done := actortest.Next[*messages.StepDone](t, leave)
	if done.Step != 7 {
		t.Errorf("the report is of step %d, want 7", done.Step)
	}
	return done
}

// TestDrain wants a drain to answer who is in flight, and to wait neither for a
// stream nor for the request to leave itself.
func TestDrain(t *testing.T) {
	s := newStage(t)
	progress := make(chan messages.LeaveProgress)
	asked := make(chan struct{}, 8)
	s.answers["leave"] = func(ctx actor.Context) bool {
		if msg, ok := ctx.Message().(*messages.BeginLeave); ok {
			msg.Answer(messages.LeaveBegun{Progress: progress, Heard: func() { asked <- struct{}{} }})
			asked <- struct{}{}
		}
		return true
	}
	logs := newLogbook(&messages.LogSubscription{ID: 1, Recent: []messages.LogEntry{entry(1)}, Entries: make(chan messages.LogUpdate)})
	s.answers["logs"] = logs.answer
	joining := make(chan struct{})
	s.answers["gossip-lan"] = func(ctx actor.Context) bool {
		if msg, ok := ctx.Message().(*messages.JoinPool); ok {
			asked <- struct{}{}
			<-joining
			msg.Answer(1)
		}
		return true
	}
	addr, _, socks := s.listening(t)
	c := client(t)
	mustDo(t, c, "PUT", socks.url(somewhere, "/v1/kv/a"), "v")

	type outcome struct {
		what, text string
		status     int
		err        error
	}
	outcomes := make(chan outcome, 8)
	start := func(what, method, path string) {
		go func() {
			got, text, err := do(c, method, socks.url(somewhere, path), "")
			o := outcome{what: what, text: text, err: err}
			if err == nil {
				o.status = got.StatusCode
			}
			outcomes <- o
		}()
	}
	start("leave", "PUT", "/v1/agent/leave")
	<-asked
	start("join", "PUT", "/v1/agent/join/x")
	<-asked
	stream, err := c.Get(socks.url(somewhere, "/v1/agent/monitor"))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if line, err := bufio.NewReader(stream.Body).ReadString('\n'); line != "[INFO] line 1\n" {
		t.Fatalf("the stream begins with %q, %v", line, err)
	}
	start("query", "GET", "/v1/kv/a?raw&index=99")

	leave := actortest.NewProbe(t, s.sys, "coordinator")
	s.sys.Root.RequestWithCustomSender(addr.PID(), &messages.Drain{Step: 7, Budget: time.Minute}, leave.PID())
	// The query may come too late to be served at all; the join does not.
	if o := <-outcomes; o.what != "query" || o.err == nil && (o.status != http.StatusOK || o.text != "v") {
		t.Errorf("first to be answered: %+v, want the query with what there is", o)
	}
	close(joining)
	if o := <-outcomes; o.what != "join" || o.status != http.StatusOK {
		t.Errorf("then: %+v, want the join", o)
	}
	done := actortest.Next[*messages.StepDone](t, leave)
	if done.Err != nil || !strings.HasPrefix(done.Note, "answered ") {
		t.Errorf("report: %+v", done)
	}
	if _, _, err := do(client(t), "GET", socks.url(somewhere, "/"), ""); err == nil {
		t.Error("a new connection was accepted")
	}
	close(progress)
	if o := <-outcomes; o.what != "leave" || o.status != http.StatusOK {
		t.Errorf("at last: %+v, want the leave", o)
	}
	<-asked // it was heard
	if again := drained(t, s, addr, leave, time.Minute); again.Err != nil || again.Note != "answered 0 requests in flight" {
		t.Errorf("asked again: %+v", again)
	}
}

// TestDrainOverdue wants a drain to end in time, whatever does not.
func TestDrainOverdue(t *testing.T) {
	s := newStage(t)
	asked, never := make(chan struct{}), make(chan struct{})
	s.answers["gossip-lan"] = func(ctx actor.Context) bool {
		if _, ok := ctx.Message().(*messages.JoinPool); ok {
			close(asked)
			<-never
		}
		return true
	}
	addr, _, socks := s.listening(t)
	go do(client(t), "PUT", socks.url(somewhere, "/v1/agent/join/x"), "") //nolint:errcheck // it fails when the listener is closed
	<-asked
	done := drained(t, s, addr, actortest.NewProbe(t, s.sys, "coordinator"), 10*time.Millisecond)
	if done.Err == nil || done.Err.Error() != "1 of 1 requests were still in flight" || done.Note != "answered 0 requests in flight" {
		t.Errorf("report: %+v", done)
	}
	close(never)
}

// TestDrainedStaysSo wants a listener that has said goodbye not to open again when
// it is restarted.
func TestDrainedStaysSo(t *testing.T) {
	s := newStage(t)
	addr, parent, socks := s.listening(t)
	leave := actortest.NewProbe(t, s.sys, "coordinator")
	drained(t, s, addr, leave, time.Minute)
	addr.Tell(&settled{}) // has no asker, so it makes the actor fail
	actortest.AwaitReady(t, parent)
	if _, _, err := do(client(t), "GET", socks.url(somewhere, "/"), ""); err == nil {
		t.Error("it listens again")
	}
	if done := drained(t, s, addr, leave, time.Minute); done.Note != "was not listening" || done.Err != nil {
		t.Errorf("report: %+v", done)
	}
}

// TestTooManyConnections wants a client to be told, in so many words, that it has
// too many connections, and to be served again when it has fewer.
func TestTooManyConnections(t *testing.T) {
	s := newStage(t)
	s.cfg.Limits.MaxConnsPerClient = 2
	_, _, socks := s.listening(t)
	address := strings.TrimPrefix(socks.url(somewhere, ""), "http://")
	speak := func(c net.Conn) string {
		t.Helper()
		fmt.Fprint(c, "GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n\r\n")
		got, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(got.StatusCode, " ", got.Close, " ", string(text))
	}
	var held []net.Conn
	for range 2 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := speak(c); got != `200 false "127.0.0.1:8300"` {
			t.Errorf("within the limit: %s", got)
		}
		held = append(held, c)
	}
	third, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	if got := speak(third); got != "429 true Your IP is issuing too many concurrent connections, please rate limit your calls\n" {
		t.Errorf("beyond it: %q", got)
	}
	if got := speak(held[0]); got != `200 false "127.0.0.1:8300"` {
		t.Errorf("who was there before: %s", got)
	}
	other, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}}).Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if got := speak(other); got != `200 false "127.0.0.1:8300"` {
		t.Errorf("somebody else: %s", got)
	}
}

// TestSlowHeaders wants a client that does not finish its request to be dropped.
func TestSlowHeaders(t *testing.T) {
	s := newStage(t)
	s.cfg.Limits.ReadHeaderTimeout = 20 * time.Millisecond
	_, _, socks := s.listening(t)
	c, err := net.Dial("tcp", strings.TrimPrefix(socks.url(somewhere, ""), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost:")
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("the connection was not closed in order: %v", err)
	}
}

// TestHugeHeaders wants headers beyond the limit to be refused.
func TestHugeHeaders(t *testing.T) {
	_, _, socks := newStage(t).listening(t)
	r, err := http.NewRequest("GET", socks.url(somewhere, "/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Huge", strings.Repeat("x", 128<<10))
	got, err := client(t).Do(r)
	if err != nil {
		return // the connection was closed while the headers were still on their way
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s", got.Status)
	}
}

// TestCutOff wants an answer that fails half-way to end with the connection, so that
// nobody takes it for the whole.
func TestCutOff(t *testing.T) {
	s := newStage(t)
	s.cfg.Metrics = figures{prometheus: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "consul_x 1\n")
		panic("boom")
	})}
	_, _, socks := s.listening(t)
	if _, text, err := do(client(t), "GET", socks.url(somewhere, "/v1/agent/metrics?format=prometheus"), ""); err == nil {
		t.Errorf("a whole answer: %q", text)
	}
	if got, _ := mustDo(t, client(t), "GET", socks.url(somewhere, "/"), ""); got.StatusCode != http.StatusOK {
		t.Errorf("the next request: %s", got.Status)
	}
}
