package supervisor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-metrics"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/logs"
	"github.com/actor-consul/consul/messages"
)

// TestMain fails when a goroutine is left. That of the framework's log of dead
// letters, and calls of Serf's that wait for a broadcast, may outlive an agent by a
// few seconds.
func TestMain(m *testing.M) {
	code := m.Run()
	var left error
	for range 10 {
		if left = goleak.Find(); left == nil { // waits a second or so itself
			os.Exit(code)
		}
	}
	fmt.Fprintln(os.Stderr, left)
	os.Exit(1)
}

// patience is how long these tests wait for what has to happen. It is far more
// than it takes, so that a busy machine fails no test.
const patience = time.Minute

// site is a real server tree on a data directory, with real sockets. It may be
// started again after its end.
type site struct {
	t    *testing.T
	cfg  Config
	addr map[string]netip.AddrPort // by listener

	agent *Agent
	story *story
	log   *logBook
}

// newSite makes the site; nothing runs yet.
func newSite(t *testing.T) *site {
	s := &site{t: t, addr: map[string]netip.AddrPort{}}
	s.takeAddresses("http", "rpc", "dns", "serverrpc", "lan", "wan")
	s.cfg = Config{
		Node: Node{
			Name: "site", ID: "6f6c1ae0-52b0-4b5e-8c8e-5a4e1d0f0a01", Datacenter: "dc1", PrimaryDatacenter: "dc1",
			Address: s.addr["lan"].Addr().String(),
		},
		Server:    true,
		DataDir:   t.TempDir(),
		LAN:       Pool{Bind: s.addr["lan"], Advertise: s.addr["lan"]},
		WAN:       Pool{Bind: s.addr["wan"], Advertise: s.addr["wan"]},
		ServerRPC: ServerRPC{Bind: s.at("serverrpc"), Advertise: s.at("serverrpc")},
		Raft:      Raft{Bootstrap: true},
		DNS:       DNS{Addrs: []string{s.at("dns")}, Domain: "consul."},
		HTTP:      HTTP{Addrs: []string{s.at("http")}, Metrics: noMetrics{}},
		RPC:       RPC{Listeners: []Listener{{Network: "tcp", Address: s.at("rpc")}}, Explicit: true},
		Version:   Version{Compat: "1.19.2", Own: "0.0.0"},
	}
	return s
}

func (s *site) at(listener string) string { return s.addr[listener].String() }

// start starts the tree and waits until this server leads. Each mend may change
// the children of the tree first.
func (s *site) start(mend ...func([]child)) {
	s.t.Helper()
	s.story, s.log = newStory(), &logBook{}
	cfg := s.cfg
	cfg.Trace = s.story.tell
	cfg.Logger, cfg.LogControl = logs.NewLogger(logs.Options{Level: zapcore.DebugLevel, Sinks: []io.Writer{s.log}})

	p := plant(cfg, NewSystem(logs.Slog(cfg.Logger.Named("actor"))))
	children := p.tree()
	for _, m := range mend {
		m(children)
	}
	agent, err := p.grow(s.t.Context(), children)
	if err != nil {
		s.t.Fatalf("start: %v\n%s", err, s.log)
	}
	s.agent = agent
	s.t.Cleanup(func() {
		agent.Stop()
		<-agent.Done()
		if s.t.Failed() {
			s.t.Logf("the log of the agent:\n%s", s.log)
		}
	})
	s.await("a leader", func() bool { return p.raft.Load().Leads() && p.raft.Load().Ready })
}

// stop stops the tree in order and insists that it went well.
func (s *site) stop() {
	s.t.Helper()
	s.agent.Stop()
	s.ended()
	if err := s.agent.Err(); err != nil {
		s.t.Errorf("the agent ended with: %v", err)
	}
}

// ended waits until the agent has ended.
func (s *site) ended() {
	s.t.Helper()
	select {
	case <-s.agent.Done():
	case <-time.After(patience):
		s.t.Fatalf("the agent did not end; %v stand\n%s", s.agent.Standing(s.t.Context()), stacks())
	}
}

// tell sends a message to an actor.
func (s *site) tell(name string, msg any) {
	s.agent.actor(name).Tell(msg)
}

// actor returns the address of a child.
func (a *Agent) actor(name string) ask.Address {
	return ask.At(a.sys, a.sys.NewLocalPID(path(name)))
}

// actors returns the live tree by name.
func (s *site) actors() map[string]messages.ActorInfo {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	list, err := s.agent.Actors(ctx)
	if err != nil {
		s.t.Fatalf("list the actors: %v", err)
	}
	tree := map[string]messages.ActorInfo{}
	for _, info := range list {
		tree[info.Name] = info
	}
	return tree
}

// await waits until ok.
func (s *site) await(what string, ok func() bool) {
	s.t.Helper()
	if !eventually(ok) {
		s.t.Fatalf("waited in vain for %s; the tree: %+v", what, s.actors())
	}
}

func eventually(ok func() bool) bool {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// takeAddresses finds an address for each listener that is free, for TCP and for
// UDP. It is not on 127.0.0.1, where the system takes the ports of outgoing
// connections from: somebody else's could be on it before it is listened at.
func (s *site) takeAddresses(listeners ...string) {
	s.t.Helper()
	host := fmt.Sprintf("127.0.0.%d:0", 2+os.Getpid()%250)
	for len(s.addr) < len(listeners) {
		l, err := net.Listen("tcp", host)
		if err != nil {
			s.t.Fatal(err)
		}
		defer l.Close() // when all have one, so that they differ
		if u, err := net.ListenPacket("udp", l.Addr().String()); err == nil {
			s.addr[listeners[len(s.addr)]] = l.Addr().(*net.TCPAddr).AddrPort()
			u.Close()
		}
	}
}

// noMetrics is for an agent whose figures nobody asks for.
type noMetrics struct{}

func (noMetrics) DisplayMetrics(http.ResponseWriter, *http.Request) (any, error) {
	return metrics.MetricsSummary{}, nil
}
func (noMetrics) Stream(context.Context, metrics.Encoder) {}

func (noMetrics) Prometheus() http.Handler { return nil }

// story is the trace of a tree.
type story struct {
	mu     sync.Mutex
	events []Event
}

func newStory() *story { return &story{} }

func (s *story) tell(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// lines returns what was told, without what it took; only that which one of what
// says.
func (s *story) lines(what ...What) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, e := range s.events {
		if slices.Contains(what, e.What) {
			all = append(all, strings.TrimSpace(string(e.What)+" "+e.Actor))
		}
	}
	return all
}

// ending returns the story from the first stop on.
func (s *story) ending() []string { return s.lines(Stopping, Stopped, Overdue, Lost, Ended) }

// count returns how often it was told of an actor.
func (s *story) count(what What, actor string) (n int) {
	for _, line := range s.lines(what) {
		if line == strings.TrimSpace(string(what)+" "+actor) {
			n++
		}
	}
	return n
}

// backwards returns the story of an ordered stop of the actors, except of those
// that are late.
func backwards(children []child, late ...string) []string {
	var all []string
	for _, c := range slices.Backward(children) {
		end := Stopped
		if slices.Contains(late, c.name) {
			end = Overdue
		}
		all = append(all, string(Stopping)+" "+c.name, string(end)+" "+c.name)
	}
	return append(all, string(Ended))
}

// logBook keeps the log of an agent, for a test that fails.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("Request finished")) {
		return len(p), nil // the load is in nobody's way
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// census is how many goroutines there are, by who started them.
type census map[string]int

func takeCensus() census {
	c := census{}
	for g := range strings.SplitSeq(stacks(), "\n\n") {
		if strings.Contains(g, "runtime.Stack(") {
			continue // the one that is counting
		}
		_, by, _ := strings.Cut(g, "created by ")
		by, _, _ = strings.Cut(by, " in goroutine")
		c[by]++
	}
	return c
}

// grown returns of whom there are more than before.
func (c census) grown(before census) census {
	more := census{}
	for by, n := range c {
		if n > before[by] {
			more[by] = n - before[by]
		}
	}
	return more
}

func stacks() string {
	buf := make([]byte, 4<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// settle waits until there are no more goroutines than these.
func (c census) settle(t *testing.T) {
	t.Helper()
	var more census
	if !eventually(func() bool { more = takeCensus().grown(c); return len(more) == 0 }) {
		t.Errorf("goroutines are left, started by %v\n%s", slices.Sorted(maps.Keys(more)), stacks())
	}
}
