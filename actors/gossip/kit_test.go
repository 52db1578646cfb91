package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// TestMain fails when a goroutine is left. A call of Serf's that waits for a
// broadcast may outlive the agent by its timeout of five seconds.
func TestMain(m *testing.M) {
	code := m.Run()
	var left error
	for range 30 {
		if left = goleak.Find(); left == nil { // waits a second or so itself
			os.Exit(code)
		}
	}
	fmt.Fprintln(os.Stderr, left)
	os.Exit(1)
}

// An agent is a gossip actor under test, with the actors around it.
type agent struct {
	sys    *actor.ActorSystem
	addr   ask.Address
	parent *actortest.Probe
	news   *actortest.Probe // is told MembersChanged and UserEventReceived
	view   *messages.Published[messages.PoolView]
	log    *lines
	left   int // how often
}

// config returns a server of dc1 named name at a port of the system's, with fast
// timings.
func config(name string) Config {
	return Config{
		Logger:                zap.NewNop(),
		Pool:                  messages.LAN,
		NodeName:              name,
		NodeID:                "id-" + name,
		Datacenter:            "dc1",
		Tags:                  map[string]string{"role": "consul", "dc": "dc1", "id": "id-" + name},
		Bind:                  netip.MustParseAddrPort("127.0.0.1:0"),
		EncryptVerifyIncoming: true,
		EncryptVerifyOutgoing: true,
		Profile:               ProfileLocal,
		Gossip: messages.GossipConfig{
			GossipInterval: 20 * time.Millisecond,
			ProbeInterval:  300 * time.Millisecond,
			ProbeTimeout:   200 * time.Millisecond,
			RetransmitMult: 4,
		},
	}
}

// spawn starts an agent and does not wait for it.
func spawn(t *testing.T, cfg Config) *agent {
	t.Helper()
	sys := actortest.System(t)
	a := &agent{sys: sys, view: &messages.Published[messages.PoolView]{}, log: &lines{}}
	a.news = actortest.NewProbeFunc(t, sys, "news", func(ctx actor.Context) bool {
		a.checkView(t, ctx.Message())
		return false
	})
	cfg.View, cfg.LogOutput = a.view, a.log
	cfg.Subscribers = []ask.Address{{}, a.news.Address(sys)}
	cfg.Events = a.news.Address(sys)
	a.addr, a.parent = actortest.Parent(t, sys, New(cfg), "gossip")
	return a
}

// checkView wants a newcomer to be in the view by the time that it is told of.
func (a *agent) checkView(t *testing.T, msg any) {
	if news, ok := msg.(*messages.MembersChanged); ok && news.Change == messages.Joined {
		for _, m := range news.Members {
			if _, known := a.view.Load().Member(m.Name); !known {
				t.Errorf("told that %s has joined before the view had it", m.Name)
			}
		}
	}
}

// start starts an agent and waits until it is ready.
func start(t *testing.T, cfg Config) *agent {
	t.Helper()
	a := spawn(t, cfg)
	actortest.AwaitReady(t, a.parent)
	return a
}

// startFailure starts an agent that cannot start, and returns what it says.
func startFailure(t *testing.T, cfg Config) string {
	t.Helper()
	a := spawn(t, cfg)
	err := actortest.Next[*messages.StartFailed](t, a.parent).Err
	if _, refused := do(t, a, &messages.JoinPool{}); !errors.Is(refused, messages.ErrUnavailable) {
		t.Errorf("a request to it: err = %v, want %v", refused, messages.ErrUnavailable)
	}
	return err.Error()
}

func do[R any](t *testing.T, a *agent, req ask.Request[R]) (R, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return ask.Do(ctx, a.addr, req)
}

// at is where the agent is reached.
func (a *agent) at() string {
	v := a.view.Load()
	self, _ := v.Member(v.Local)
	return address(self)
}

// status is what the agent thinks of the member of that name.
func (a *agent) status(name string) messages.MemberStatus {
	m, _ := a.view.Load().Member(name)
	return m.Status
}

func (a *agent) join(t *testing.T, b *agent) {
	t.Helper()
	if n, err := do(t, a, &messages.JoinPool{Addresses: []string{b.at()}}); n != 1 || err != nil {
		t.Fatalf("joined %d, %v; want 1", n, err)
	}
}

// hears waits until the agent is told of the change, and wants its view to have it.
func (a *agent) hears(t *testing.T, change messages.MembershipChange, name string) {
	t.Helper()
	for {
		msg := actortest.Next[*messages.MembersChanged](t, a.news)
		for _, m := range msg.Members {
			if msg.Change == change && m.Name == name {
				return
			}
		}
	}
}

// leaves has the agent say goodbye, and returns its note.
func (a *agent) leaves(t *testing.T) string {
	t.Helper()
	a.left++
	leave := actortest.NewProbe(t, a.sys, fmt.Sprint("leave-", a.left))
	a.sys.Root.RequestWithCustomSender(a.addr.PID(), &messages.LeavePool{Step: 4, Budget: 30 * time.Second}, leave.PID())
	done := actortest.Next[*messages.StepDone](t, leave)
	if done.Step != 4 || done.Err != nil {
		t.Errorf("done: %+v, want step 4 without an error", done)
	}
	return done.Note
}

// kill stops the agent without a goodbye.
func (a *agent) kill(t *testing.T) {
	t.Helper()
	if err := a.sys.Root.StopFuture(a.addr.PID()).Wait(); err != nil {
		t.Fatal(err)
	}
}

// fail has the agent panic, and waits until it is ready again.
func (a *agent) fail(t *testing.T) {
	t.Helper()
	a.addr.Tell(&outcome[int]{}) // belongs to no request
	actortest.AwaitReady(t, a.parent)
}

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) has(line string) bool { return strings.Contains("\n"+l.text(), "\n"+line+"\n") }

// await waits until a line has been written.
func (l *lines) await(t *testing.T, line string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !l.has(line); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log has no line %q:\n%s", line, l.text())
		}
	}
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// freeAddr returns an address at which nobody listens.
func freeAddr(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}
