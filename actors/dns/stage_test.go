package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/go-metrics"
	"github.com/miekg/dns"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a listener on real sockets, with a state that the test fills.
type stage struct {
	sys    *actor.ActorSystem
	addr   ask.Address
	parent *actortest.Probe
	store  *state.Store
	index  uint64
	bound  *messages.Published[[]netip.AddrPort]
	cfg    Config
}

// newStage returns a stage whose configuration tweak may change. The listener is
// not there before open.
func newStage(t testing.TB, tweak func(*Config)) *stage {
	t.Helper()
	s := &stage{store: state.NewStore(), bound: new(messages.Published[[]netip.AddrPort])}
	s.cfg = Config{
		Logger:     zap.NewNop(),
		Addrs:      []string{"127.0.0.1:0"},
		Domain:     "consul.",
		Datacenter: "dc1",
		NodeName:   "srv1",
		View:       s.store.View,
		Bound:      s.bound,
		DNS:        defaults(),
	}
	if tweak != nil {
		tweak(&s.cfg)
	}
	return s
}

// defaults are Consul's.
func defaults() messages.DNSConfig {
	return messages.DNSConfig{
		AllowStale:      true,
		UDPAnswerLimit:  3,
		NodeMetaTXT:     true,
		SOA:             messages.SOAConfig{Refresh: 3600, Retry: 600, Expire: 86400},
		RecursorTimeout: 2 * time.Second,
	}
}

// open starts the listener and waits until it is ready.
func (s *stage) open(t testing.TB) *stage {
	t.Helper()
	s.sys = actortest.System(t)
	s.start(t, New(s.cfg))
	actortest.AwaitReady(t, s.parent)
	return s
}

// start starts a listener that lets the test into its mailbox.
func (s *stage) start(t testing.TB, produce actor.Producer) {
	t.Helper()
	s.addr, s.parent = actortest.Parent(t, s.sys, func() actor.Actor { return &opened{produce().(*dnsActor)} }, Name)
}

// handler returns what answers queries, without an actor and sockets.
func (s *stage) handler(t testing.TB) *server {
	set := new(messages.Published[settings])
	set.Publish(newSettings(s.cfg.DNS))
	h := newServer(s.cfg, s.cfg.Logger, set, nil, nil)
	t.Cleanup(h.end)
	return h
}

// opened is a listener that runs functions between two messages.
type opened struct{ *dnsActor }

type inside func(*dnsActor)

func (o *opened) Receive(ctx actor.Context) {
	if fn, ok := ctx.Message().(inside); ok {
		fn(o.dnsActor)
		return
	}
	o.dnsActor.Receive(ctx)
}

// at is where the listener is.
func (s *stage) at() string { return (*s.bound.Load())[0].String() }

// put registers in the catalog, all in one write.
func (s *stage) put(t testing.TB, requests ...*wire.RegisterRequest) *stage {
	t.Helper()
	s.index++
	err := s.store.Update(s.index, time.Unix(0, 0), func(tx *state.Tx) error {
		for _, req := range requests {
			if err := tx.EnsureRegistration(req); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A how is a way to ask.
type how struct {
	tcp   bool
	edns  uint16 // 0: without
	tweak func(*dns.Msg)
}

// ask sends one question and returns the answer.
func (s *stage) ask(t testing.TB, h how, name, qtype string) *dns.Msg {
	t.Helper()
	return exchangeWith(t, s.at(), h, name, qtype)
}

func exchangeWith(t testing.TB, at string, h how, name, qtype string) *dns.Msg {
	t.Helper()
	req := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[qtype])
	if h.edns > 0 {
		req.SetEdns0(h.edns, false)
	}
	if h.tweak != nil {
		h.tweak(req)
	}
	c := dns.Client{Net: "udp", Timeout: 30 * time.Second, UDPSize: dns.MaxMsgSize}
	if h.tcp {
		c.Net = "tcp"
	}
	m, _, err := c.Exchange(req, at)
	if err != nil {
		t.Fatalf("%s %s: %v", name, qtype, err)
	}
	return m
}

// show writes an answer as one would read it in a table: the code, the flags that
// are set, and the records by section, each in order, without the OPT record.
func show(m *dns.Msg) []string {
	flags := ""
	for _, f := range []struct {
		name string
		set  bool
	}{{" aa", m.Authoritative}, {" tc", m.Truncated}, {" ra", m.RecursionAvailable}} {
		if f.set {
			flags += f.name
		}
	}
	lines := []string{dns.RcodeToString[m.Rcode] + flags}
	for _, section := range []struct {
		mark string
		rrs  []dns.RR
	}{{"", m.Answer}, {"ns ", m.Ns}, {"+ ", m.Extra}} {
		var part []string
		for _, rr := range section.rrs {
			if rr.Header().Rrtype == dns.TypeOPT {
				continue
			}
			if soa, ok := rr.(*dns.SOA); ok {
				soa.Serial = 0
			}
			part = append(part, section.mark+strings.Join(strings.Fields(rr.String()), " "))
		}
		slices.Sort(part)
		lines = append(lines, part...)
	}
	return lines
}

// node is a registration of a node.
func node(name, address string, meta ...string) *wire.RegisterRequest {
	req := &wire.RegisterRequest{Datacenter: "dc1", Node: name, Address: address}
	for i := 0; i < len(meta); i += 2 {
		if req.NodeMeta == nil {
			req.NodeMeta = map[string]string{}
		}
		req.NodeMeta[meta[i]] = meta[i+1]
	}
	return req
}

// service is a registration of a service on a node that is there.
func service(onNode, name string, port int, tweak ...func(*wire.NodeService)) *wire.RegisterRequest {
	svc := &wire.NodeService{ID: fmt.Sprintf("%s-%d", name, port), Service: name, Port: port}
	for _, fn := range tweak {
		fn(svc)
	}
	return &wire.RegisterRequest{Datacenter: "dc1", Node: onNode, SkipNodeUpdate: true, Service: svc}
}

// check is a registration of a check of a service, or of the node if id is empty.
func check(onNode, id, status string) *wire.RegisterRequest {
	return &wire.RegisterRequest{
		Datacenter: "dc1", Node: onNode, SkipNodeUpdate: true,
		Check: &wire.HealthCheck{Node: onNode, CheckID: "check:" + id, Name: "check", Status: status, ServiceID: id},
	}
}

func at(address string) func(*wire.NodeService) {
	return func(s *wire.NodeService) { s.Address = address }
}

func tags(tags ...string) func(*wire.NodeService) {
	return func(s *wire.NodeService) { s.Tags = tags }
}

// openPair opens one socket for packets, and one for connections at the same port.
func openPair(t testing.TB) socket {
	t.Helper()
	sock, err := open("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range sock.udp[1:] {
		_ = c.Close()
	}
	return sock
}

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// sync waits until the listener has handled what it was sent.
func (s *stage) sync(t testing.TB) {
	t.Helper()
	done := make(chan struct{})
	s.addr.Tell(inside(func(*dnsActor) { close(done) }))
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("the listener is stuck")
	}
}

// counters has what is counted and measured while the test runs counted for it, and
// returns how often a name was.
func counters(t testing.TB) func(name string) int {
	t.Helper()
	sink := metrics.NewInmemSink(time.Hour, 2*time.Hour)
	cfg := metrics.DefaultConfig("")
	cfg.EnableHostname, cfg.EnableRuntimeMetrics = false, false
	if _, err := metrics.NewGlobal(cfg, sink); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = metrics.NewGlobal(cfg, &metrics.BlackholeSink{}) })
	return func(name string) (n int) {
		for _, interval := range sink.Data() {
			interval.RLock()
			for key, c := range interval.Counters {
				if key == name || strings.HasPrefix(key, name+";") {
					n += c.Count
				}
			}
			for key, c := range interval.Samples {
				if key == name || strings.HasPrefix(key, name+";") {
					n += c.Count
				}
			}
			interval.RUnlock()
		}
		return n
	}
}
