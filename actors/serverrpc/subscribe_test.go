package serverrpc

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/agentca/catest"
	"github.com/actor-consul/consul/actors/answers"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/actors/serverrpc/subscribe"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// ofWeb asks for the health of a service, by one who has seen nothing.
var ofWeb = subscribeRequest(subscribe.ServiceHealth, "web", "", 0)

// TestSubscribe hears all there is, and then what changes, and nothing else.
func TestSubscribe(t *testing.T) {
	s := openRegister(t, "dc1", nil)
	s.put(t, "a", "web", 80) // 11
	c := s.caller(t, nil)
	web := c.subscribe(t, ofWeb)
	web.hear(t, "11 +a/web", "11 end")
	for i := range 100 {
		s.put(t, "b", fmt.Sprint("other", i), i)
	}
	s.put(t, "b", "web", 80) // 112
	web.hear(t, "112 +b/web")
	s.write(t, func(tx *state.Tx) error { // 113
		return tx.EnsureRegistration(&wire.RegisterRequest{Node: "a", Address: "10.0.0.1", Check: &wire.HealthCheck{Node: "a", CheckID: "c", ServiceID: "web", Status: wire.HealthCritical}})
	})
	web.hear(t, "113 +a/web")
	s.write(t, func(tx *state.Tx) error { tx.DeleteNode("a"); return nil }) // 114
	web.hear(t, "114 -a/web")
	if n := s.table.Stats().Evaluated; n > 8 {
		t.Errorf("%d evaluations", n)
	}

	none := c.subscribe(t, subscribeRequest(subscribe.ServiceHealth, "none", "dc1", 0))
	none.hear(t, "1 end")
	s.put(t, "a", "none", 1) // 115
	none.hear(t, "115 +a/none")
}

// TestSubscribeToProxies hears of those through which a service is reached in the mesh.
func TestSubscribeToProxies(t *testing.T) {
	s := openRegister(t, "dc1", nil)
	s.put(t, "a", "web", 80)
	proxies := s.caller(t, nil).subscribe(t, subscribeRequest(subscribe.ServiceHealthConnect, "web", "", 0))
	proxies.hear(t, "1 end")
	proxy := func(of string) {
		s.write(t, func(tx *state.Tx) error {
			return tx.EnsureRegistration(&wire.RegisterRequest{Node: "a", Address: "10.0.0.1", Service: &wire.NodeService{
				Kind: wire.ServiceKindConnectProxy, ID: "p", Service: "proxy", Port: 1, Proxy: wire.ConnectProxyConfig{DestinationServiceName: of},
			}})
		})
	}
	proxy("web") // 12
	proxies.hear(t, "12 +a/proxy")
	proxy("db") // 13
	proxies.hear(t, "13 -a/proxy")
}

// TestSubscribeToNames hears which services there are.
func TestSubscribeToNames(t *testing.T) {
	s := openRegister(t, "dc1", nil)
	s.put(t, "a", "db", 1)
	s.put(t, "a", "web", 1) // 12
	names := s.caller(t, nil).subscribe(t, subscribeRequest(subscribe.ServiceList, "", "", 0))
	names.hear(t, "12 +db", "12 +web", "12 end")
	s.write(t, func(tx *state.Tx) error { tx.DeleteNode("a"); return nil }) // 13
	names.hear(t, "13 -db -web")
	s.put(t, "a", "web", 1) // 14
	names.hear(t, "14 +web")
}

// TestSubscribersShare: what many want to know is evaluated and encoded once.
func TestSubscribersShare(t *testing.T) {
	const many = 100
	s := openRegister(t, "dc1", nil)
	s.put(t, "a", "web", 80)
	c := s.caller(t, nil)
	var all []*heard
	for range many {
		all = append(all, c.subscribe(t, ofWeb))
	}
	for _, h := range all {
		h.hear(t, "11 +a/web", "11 end")
	}
	s.put(t, "a", "web", 81)
	for _, h := range all {
		h.hear(t, "12 +a/web")
	}
	if got := s.table.Stats(); got.Evaluated > 4 || got.Encoded > 2 {
		t.Errorf("%d evaluations and %d encodings for %d subscribers", got.Evaluated, got.Encoded, many)
	}
}

// TestSubscriptionOutlivesARestore hears what a snapshot has changed, at an index that
// is greater though the snapshot's are not.
func TestSubscriptionOutlivesARestore(t *testing.T) {
	s := openRegister(t, "dc1", nil)
	s.put(t, "a", "web", 80)
	s.put(t, "b", "web", 80) // 12
	web := s.caller(t, nil).subscribe(t, ofWeb)
	web.hear(t, "12 +a/web", "12 +b/web", "12 end")

	s.last = 5 // of the snapshot
	before := s.catalog.Swap(state.NewStore())
	s.put(t, "b", "web", 80) // 6; who looks meanwhile finds a server that knows nothing
	before.Abandon()
	web.hear(t, "13 -a/web +b/web") // its indexes are others
	s.last = 19
	s.put(t, "c", "web", 80)
	web.hear(t, "20 +c/web")
}

// TestSubscribeAgain: who has something from before begins anew, but not with less than
// that, if more is to come.
func TestSubscribeAgain(t *testing.T) {
	s := openRegister(t, "dc1", nil)
	s.put(t, "a", "web", 80) // 11
	c := s.caller(t, nil)
	c.subscribe(t, subscribeRequest(subscribe.ServiceHealth, "web", "", 11)).hear(t, "0 anew", "11 +a/web", "11 end")
	later := make(chan *heard)
	go func() { later <- c.subscribe(t, subscribeRequest(subscribe.ServiceHealth, "web", "", 12)) }()
	s.put(t, "b", "web", 80) // 12
	within(t, later).hear(t, "0 anew", "12 +a/web", "12 +b/web", "12 end")
	// Another log, in which it comes to nothing.
	c.subscribe(t, subscribeRequest(subscribe.ServiceHealth, "web", "", 1000)).hear(t, "0 anew", "12 +a/web", "12 +b/web", "12 end")
}

// TestSubscribeEarly: a server that still reads its log says nothing, above all not
// that there is nothing.
func TestSubscribeEarly(t *testing.T) {
	s := openRegister(t, "dc1", nil)
	s.status.Publish(&messages.RaftStatus{State: messages.Follower, Replaying: func() bool { return true }})
	heard := make(chan *heard)
	go func() { heard <- s.caller(t, nil).subscribe(t, ofWeb) }()
	s.put(t, "a", "web", 80)
	s.status.Publish(&messages.RaftStatus{State: messages.Follower, LeaderID: "other"})
	within(t, heard).hear(t, "11 +a/web", "11 end")
}

// TestSubscribeToAFollower: it needs no leader.
func TestSubscribeToAFollower(t *testing.T) {
	s := openRegister(t, "dc1", nil)
	s.put(t, "a", "web", 80)
	s.follow("127.0.0.1:1")
	web := s.caller(t, nil).subscribe(t, ofWeb)
	web.hear(t, "11 +a/web", "11 end")
	s.lead("127.0.0.1:2") // and nobody notices who leads
	s.put(t, "b", "web", 80)
	web.hear(t, "12 +b/web")
	if n := len(s.raft.Messages()); n > 0 {
		t.Errorf("raft was asked %d times", n)
	}
}

// TestSubscribeElsewhere hears of another datacenter.
func TestSubscribeElsewhere(t *testing.T) {
	s, other := openRegister(t, "dc1", nil), openRegister(t, "dc2", nil)
	c := s.caller(t, nil)
	of := subscribeRequest(subscribe.ServiceHealth, "web", "dc2", 0)
	if got := c.subscribe(t, of).status(); got != "2 No path to datacenter" {
		t.Errorf("a datacenter that nobody knows: %s", got)
	}
	s.routes.Publish(&messages.Routes{Servers: map[string][]messages.Server{
		"dc2": {{Name: "o", Datacenter: "dc2", Addr: netip.MustParseAddrPort(other.addr())}},
	}})
	other.put(t, "a", "web", 80)
	web := c.subscribe(t, of)
	web.hear(t, "11 +a/web", "11 end")
	other.put(t, "b", "web", 80)
	web.hear(t, "12 +b/web")
}

// TestSubscribeWithoutATable: where there is no room to share, each asks for himself.
func TestSubscribeWithoutATable(t *testing.T) {
	s := openRegister(t, "dc1", func(cfg *Config) { cfg.Answers = nil })
	s.put(t, "a", "web", 80)
	web := s.caller(t, nil).subscribe(t, ofWeb)
	web.hear(t, "11 +a/web", "11 end")
	s.put(t, "b", "web", 80)
	web.hear(t, "12 +b/web")
}

// TestSubscriptionsEndInADrain: clients keep what they have and go elsewhere.
func TestSubscriptionsEndInADrain(t *testing.T) {
	s := openRegister(t, "dc1", nil)
	s.put(t, "a", "web", 80)
	c := s.caller(t, nil)
	web := c.subscribe(t, ofWeb)
	web.hear(t, "11 +a/web", "11 end")
	if done := s.drain(t, 1); done.Err != nil || done.Note != "answered 1 request" {
		t.Errorf("drain: %+v", done)
	}
	if got := web.status(); got != "14 the agent is leaving" {
		t.Errorf("it ended with %s", got)
	}
	if resp, err := c.begin(t, subscribeMethod, framed(ofWeb)); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		if got := statusIn(resp); got != "14 the agent is leaving" {
			t.Errorf("another ended with %s", got)
		}
	}
}

// TestSubscribeAfterARestart lets the actor fail. Its calls break off, and the next one
// finds it where it was.
func TestSubscribeAfterARestart(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	s := openRegister(t, "dc1", func(cfg *Config) { cfg.Addr = free.Addr().String() })
	s.put(t, "a", "web", 80)
	c := s.caller(t, nil)
	web := c.subscribe(t, ofWeb)
	web.hear(t, "11 +a/web", "11 end")
	s.sys.Root.Send(s.at.PID(), &fail{})
	if got := web.status(); got != "none" {
		t.Errorf("it ended with %s", got)
	}
	actortest.AwaitReady(t, s.parent)
	c.subscribe(t, subscribeRequest(subscribe.ServiceHealth, "web", "", 11)).hear(t, "0 anew", "11 +a/web", "11 end")
	if n := c.dials.Load(); n < 2 {
		t.Errorf("%d connections", n)
	}
}

// TestCallsThatAreRefused: each is told why, and others are served as before.
func TestCallsThatAreRefused(t *testing.T) {
	s := openRegister(t, "dc1", nil)
	s.put(t, "a", "web", 80)
	c := s.caller(t, nil)
	other := "/hashicorp.consul.internal.peering.PeeringService/PeeringList"
	for _, tt := range []struct {
		name, path string
		body       []byte
		want       string
	}{
		{"another_service", other, framed(nil), "12 unknown method " + other},
		{"another_method", subscribeMethod + "2", framed(ofWeb), "12 unknown method " + subscribeMethod + "2"},
		{"no_ascii", "/%C3%A4", framed(nil), "12 unknown method /%C3%A4"},
		{"topic", subscribeMethod, framed(subscribeRequest(3, "mesh", "", 0)), "3 topic 3 is not served here"},
		{"no_request", subscribeMethod, framed([]byte{0xff}), "3 a SubscribeRequest that cannot be read: unexpected EOF"},
		{"nothing", subscribeMethod, nil, "13 no message has come: EOF"},
		{"cut_off", subscribeMethod, framed(ofWeb)[:7], "13 the message has not come: unexpected EOF"},
		{"compressed", subscribeMethod, append([]byte{1}, framed(ofWeb)[1:]...), "12 compressed messages are not read here"},
		{"too_long", subscribeMethod, []byte{0, 0xff, 0xff, 0xff, 0xff}, "8 a message of 4294967295 bytes is larger than 16384"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, err := c.begin(t, tt.path, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(resp.Body); len(b) > 0 || err != nil {
				t.Errorf("%q, %v", b, err)
			}
			if got := resp.Header.Get("Grpc-Status") + " " + resp.Header.Get("Grpc-Message"); got != tt.want || resp.StatusCode != http.StatusOK {
				t.Errorf("status %d, %s, want %s", resp.StatusCode, got, tt.want)
			}
		})
	}
	for _, r := range []*http.Request{
		{Method: http.MethodGet, Header: http.Header{"Content-Type": {"application/grpc"}}},
		{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}},
	} {
		r.URL, r.Body = mustURL(t, "http://server"+subscribeMethod), io.NopCloser(bytes.NewReader(framed(ofWeb)))
		resp, err := c.http.RoundTrip(r.WithContext(t.Context()))
		if err != nil || resp.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("no call: %v, %v", resp, err)
		}
	}
	c.subscribe(t, ofWeb).hear(t, "11 +a/web", "11 end")
	if n := c.dials.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestSubscribeOverTLS: it is for every agent that has a certificate, and for nobody
// without TLS where that is wanted.
func TestSubscribeOverTLS(t *testing.T) {
	ca := catest.New(t, "ours")
	own := ca.Server()
	s := openRegister(t, "dc1", func(cfg *Config) {
		cfg.Security = keychain(t, messages.TLSSection{CAFile: ca.File, CertFile: own.Cert, KeyFile: own.Key, VerifyIncoming: true, VerifyServerHostname: true})
	})
	s.put(t, "a", "web", 80)
	for name, conf := range map[string]catest.Files{"client": ca.Client(), "server": ca.Server()} {
		t.Run(name, func(t *testing.T) {
			s.caller(t, ca.Config(conf)).subscribe(t, ofWeb).hear(t, "11 +a/web", "11 end")
		})
	}
	if resp, err := s.caller(t, nil).begin(t, subscribeMethod, framed(ofWeb)); err == nil {
		t.Errorf("without TLS: %v", resp)
	}
	if resp, err := s.caller(t, ca.Config(catest.Files{})).begin(t, subscribeMethod, framed(ofWeb)); err == nil {
		t.Errorf("without a certificate: %v", resp)
	}
	s.await(t, "closed a connection without TLS: verify_incoming is set")
}

// TestSlowSubscriber does not read. It loses its subscription, and nobody else does.
func TestSlowSubscriber(t *testing.T) {
	s := openRegister(t, "dc1", func(cfg *Config) { cfg.StallTimeout = 100 * time.Millisecond })
	s.put(t, "a", "web", 80)
	s.write(t, func(tx *state.Tx) error {
		return tx.EnsureRegistration(&wire.RegisterRequest{Node: "a", Address: "10.0.0.1", Check: &wire.HealthCheck{Node: "a", CheckID: "c", ServiceID: "web", Output: strings.Repeat("x", 1<<20)}})
	})
	s.put(t, "a", "small", 1)
	c := s.caller(t, nil)
	small := c.subscribe(t, subscribeRequest(subscribe.ServiceHealth, "small", "", 0))
	small.hear(t, "13 +a/small", "13 end")
	resp, err := c.begin(t, subscribeMethod, framed(ofWeb)) // its window is smaller than that
	if err != nil {
		t.Fatal(err)
	}
	s.await(t, "ended a subscription whose client does not read topic=ServiceHealth")
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Errorf("it ended with %s", statusIn(resp))
	}
	s.put(t, "a", "small", 2)
	small.hear(t, "14 +a/small")
}

// TestCallsHaveLimits: a connection says how many calls it takes, and how long their
// headers may be, and counts like any other.
func TestCallsHaveLimits(t *testing.T) {
	s := openRegister(t, "dc1", func(cfg *Config) { cfg.MaxConnsPerClient = 1 })
	nc := s.dial(t, byte(frame.GRPC))
	write(t, nc, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+"\x00\x00\x00\x04\x00\x00\x00\x00\x00") // and SETTINGS
	head := make([]byte, 9)
	if _, err := io.ReadFull(nc, head); err != nil || head[3] != 4 {
		t.Fatalf("%x, %v, want SETTINGS", head, err)
	}
	settings := make([]byte, head[2])
	if _, err := io.ReadFull(nc, settings); err != nil {
		t.Fatal(err)
	}
	got := map[uint16]uint32{}
	for b := settings; len(b) > 0; b = b[6:] {
		got[binary.BigEndian.Uint16(b)] = binary.BigEndian.Uint32(b[2:])
	}
	const streams, window, frameSize, headers = 3, 4, 5, 6
	want := map[uint16]uint32{1: 4096, streams: maxStreams, window: 2 * maxMessage, frameSize: 16 << 10, headers: maxCallHeaders + 320}
	for id, n := range want {
		if got[id] != n {
			t.Errorf("setting %d is %d, want %d", id, got[id], n)
		}
	}
	closed(t, s.dial(t, byte(frame.GRPC)))
	s.await(t, "closed a connection: its peer has too many")
}

// TestNoHTTP2: who says that it is gRPC and goes on with something else, or with
// nothing, is let go.
func TestNoHTTP2(t *testing.T) {
	s := open(t, func(cfg *Config) { cfg.HandshakeTimeout = 50 * time.Millisecond })
	for name, text := range map[string]string{
		"nothing": "", "http1": "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "half": "PRI * HTTP/2.0\r\n", "garbage": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat("x", 100),
	} {
		t.Run(name, func(t *testing.T) {
			nc := s.dial(t, byte(frame.GRPC))
			write(t, nc, text)
			refused(t, nc)
		})
	}
	if got := s.lines(); len(got) > 0 {
		t.Errorf("the log has %q", got)
	}
}

// FuzzCall calls with anything. Whatever it is, there is a status, or events that can be
// read, and the same twice.
func FuzzCall(f *testing.F) {
	for _, seed := range [][]byte{
		nil, framed(nil), framed(ofWeb), framed(ofWeb)[:9], framed(subscribeRequest(subscribe.ServiceList, "", "dc1", 3)),
		framed(subscribeRequest(subscribe.ServiceHealthConnect, "web", "dc2", 0)), framed([]byte("\x08\x01\x12\x03web")), {1, 0, 0, 0, 0}, {0, 0xff, 0xff, 0xff, 0xff},
	} {
		f.Add(seed)
	}
	store := state.NewStore()
	err := store.Update(2, time.Now(), func(tx *state.Tx) error {
		return tx.EnsureRegistration(&wire.RegisterRequest{Node: "n", Address: "10.0.0.1", Service: &wire.NodeService{ID: "web", Service: "web"}})
	})
	if err != nil {
		f.Fatal(err)
	}
	status := new(messages.Published[messages.RaftStatus])
	cfg := Config{
		Logger: zap.NewNop(), Status: status, Datacenter: "dc1", StallTimeout: patience,
		Answers: answers.New(answers.Config{View: store.View, Follow: func(*answers.Query) {}}),
	}
	cfg.Invoker = invoke.New(invoke.Config{Datacenter: "dc1", View: store.View, Status: status, Answers: cfg.Answers, Hold: time.Millisecond})
	s := newServer(cfg, zap.NewNop())
	f.Cleanup(s.close)
	nc, other := net.Pipe()
	f.Cleanup(func() { _, _ = nc.Close(), other.Close() })
	f.Fuzz(func(t *testing.T, body []byte) {
		call := func() string {
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), connKey{}, nc))
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, subscribeMethod, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/grpc")
			w := &once{ResponseRecorder: httptest.NewRecorder(), flushed: cancel}
			s.call(w, r)
			heard := ""
			for b := w.Body.Bytes(); len(b) > 0; {
				n := binary.BigEndian.Uint32(b[1:])
				heard += readEvent(b[5:5+n]).String() + "; "
				b = b[5+n:]
			}
			return heard + w.Header().Get("Grpc-Status")
		}
		got := call()
		if again := call(); got == "" || got == "13" && len(body) > 5+maxMessage || again != got {
			t.Errorf("%x is answered %q, and then %q", body, got, again)
		}
	})
}

// once is a client that leaves when it has heard the first answer.
type once struct {
	*httptest.ResponseRecorder
	flushed func()
}

func (o *once) FlushError() error                { o.flushed(); return nil }
func (o *once) SetReadDeadline(time.Time) error  { return nil }
func (o *once) SetWriteDeadline(time.Time) error { return nil }
