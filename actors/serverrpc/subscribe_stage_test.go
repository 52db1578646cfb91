package serverrpc

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/answers"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/actors/serverrpc/subscribe"
	"github.com/actor-consul/consul/messages/wire"
)

// register is a stage whose answers are shared, over a catalog that can be replaced.
type register struct {
	*stage
	catalog atomic.Pointer[state.Store]
	table   *answers.Table
	last    uint64 // index
}

// openRegister opens the stage in a datacenter.
func openRegister(t *testing.T, datacenter string, tweak func(*Config)) *register {
	t.Helper()
	c := &register{last: 10}
	c.catalog.Store(state.NewStore())
	c.table = answers.New(answers.Config{View: c.view, Follow: func(q *answers.Query) { go q.Follow(t.Context()) }})
	c.stage = bareStage(t)
	invoked := c.invoked(datacenter)
	invoked.View, invoked.Answers = c.view, c.table
	cfg := c.config(datacenter)
	cfg.Invoker, cfg.Answers = invoke.New(invoked), c.table
	if tweak != nil {
		tweak(&cfg)
	}
	c.play(t, cfg)
	actortest.AwaitReady(t, c.parent)
	return c
}

func (c *register) view() *state.View { return c.catalog.Load().View() }

// write changes the catalog.
func (c *register) write(t *testing.T, change func(*state.Tx) error) {
	t.Helper()
	c.last++
	if err := c.catalog.Load().Update(c.last, time.Now(), change); err != nil {
		t.Fatal(err)
	}
}

// put registers an instance of a service, named like its node.
func (c *register) put(t *testing.T, node, service string, port int) {
	t.Helper()
	c.write(t, func(tx *state.Tx) error {
		return tx.EnsureRegistration(&wire.RegisterRequest{Node: node, Address: "10.0.0.1", Service: &wire.NodeService{ID: service, Service: service, Port: port}})
	})
}

// event is an Event as a test reads it.
type event struct {
	index     uint64
	end, anew bool
	updates   string // "+node/service" and "-node/service", or "+service", in their order
}

func (e event) String() string {
	var what []string
	for name, is := range map[string]bool{"end": e.end, "anew": e.anew, e.updates: e.updates != ""} {
		if is {
			what = append(what, name)
		}
	}
	return fmt.Sprint(e.index, " ", strings.Join(what, " "))
}

// each calls do with the fields of a message.
func each(b []byte, do func(n protowire.Number, number uint64, bytes []byte)) {
	for len(b) > 0 {
		n, kind, length := protowire.ConsumeTag(b)
		if length < 0 {
			panic("no message")
		}
		b = b[length:]
		number, _ := protowire.ConsumeVarint(b)
		content, _ := protowire.ConsumeBytes(b)
		if kind == protowire.VarintType {
			content = nil
		}
		do(n, number, content)
		b = b[protowire.ConsumeFieldValue(n, kind, b):]
	}
}

func readEvent(b []byte) (e event) {
	each(b, func(n protowire.Number, number uint64, b []byte) {
		switch n {
		case 1:
			e.index = number
		case 2:
			e.end = true
		case 3:
			e.anew = true
		case 4:
			each(b, func(_ protowire.Number, _ uint64, b []byte) { e.updates += " " + readEvent(b).updates })
		case 10, 12:
			e.updates = readUpdate(b)
		}
	})
	e.updates = strings.TrimSpace(e.updates)
	return e
}

func readUpdate(b []byte) string {
	op, name := "+", ""
	each(b, func(n protowire.Number, _ uint64, b []byte) {
		switch {
		case n == 1:
			op = "-"
		case n == 2 && strings.HasPrefix(string(b), "\x0a"): // a CheckServiceNode begins with its node
			each(b, func(n protowire.Number, _ uint64, b []byte) {
				part := n
				each(b, func(n protowire.Number, _ uint64, b []byte) {
					switch {
					case part == 1 && n == 2:
						name = string(b) + "/"
					case part == 2 && n == 3:
						name += string(b)
					}
				})
			})
		case n == 2:
			name = string(b)
		}
	})
	return op + name
}

// subscribeRequest returns a SubscribeRequest.
func subscribeRequest(topic subscribe.Topic, key, datacenter string, index uint64) []byte {
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(topic))
	b = protowire.AppendVarint(protowire.AppendTag(b, 4, protowire.VarintType), index)
	b = protowire.AppendString(protowire.AppendTag(b, 5, protowire.BytesType), datacenter)
	if key == "" {
		return protowire.AppendVarint(protowire.AppendTag(b, 9, protowire.VarintType), 1)
	}
	named := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), key)
	return protowire.AppendBytes(protowire.AppendTag(b, 10, protowire.BytesType), named)
}

// caller calls by gRPC. Its calls end with the test.
type caller struct {
	http  *http.Transport
	dials atomic.Int64
}

// newCaller returns one whose connections dial opens.
func newCaller(t testing.TB, dial func() (net.Conn, error)) *caller {
	c := &caller{http: &http.Transport{Protocols: new(http.Protocols)}}
	c.http.Protocols.SetUnencryptedHTTP2(true)
	c.http.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 8 << 20}
	c.http.DialContext = func(context.Context, string, string) (net.Conn, error) {
		c.dials.Add(1)
		return dial()
	}
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

// caller returns one who calls the stage.
func (s *stage) caller(t testing.TB, conf *tls.Config) *caller {
	return newCaller(t, func() (net.Conn, error) {
		nc, err := net.Dial("tcp", s.addr())
		if err != nil {
			return nil, err
		}
		if conf != nil {
			if _, err := nc.Write([]byte{byte(frame.TLS)}); err != nil {
				return nil, err
			}
			nc = struct{ net.Conn }{tls.Client(nc, conf)}
		}
		_, err = nc.Write([]byte{byte(frame.GRPC)})
		return nc, err
	})
}

// framed returns a message as gRPC has it.
func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// begin begins a call.
func (c *caller) begin(t testing.TB, path string, body []byte) (*http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://server"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Te", "trailers")
	return c.http.RoundTrip(r)
}

// heard is a call whose events are read as they come.
type heard struct {
	*http.Response
	events chan event
	over   chan struct{} // closed when there are no more
}

// subscribe begins a subscription.
func (c *caller) subscribe(t testing.TB, request []byte) *heard {
	t.Helper()
	resp, err := c.begin(t, subscribeMethod, framed(request))
	if err != nil {
		t.Fatal(err)
	}
	h := &heard{Response: resp, events: make(chan event, 100), over: make(chan struct{})}
	go func() {
		defer close(h.over)
		defer resp.Body.Close()
		for {
			var head [5]byte
			if _, err := io.ReadFull(resp.Body, head[:]); err != nil {
				return
			}
			b := make([]byte, binary.BigEndian.Uint32(head[1:]))
			if _, err := io.ReadFull(resp.Body, b); err != nil {
				return
			}
			h.events <- readEvent(b)
		}
	}()
	return h
}

// hear waits for events, as they are written by String.
func (h *heard) hear(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case e := <-h.events:
			if e.String() != w {
				t.Errorf("heard %q, want %q", e, w)
			}
		case <-h.over:
			t.Fatalf("it is over (%s), want %q", h.status(), w)
		case <-time.After(patience):
			t.Fatalf("nothing came, want %q", w)
		}
	}
}

// status returns how a call ended.
func (h *heard) status() string {
	<-h.over
	return statusIn(h.Response)
}

// statusIn finds the status of a call that is over, in the headers if it has not begun.
func statusIn(resp *http.Response) string {
	for _, in := range []http.Header{resp.Trailer, resp.Header} {
		if code := in.Get("Grpc-Status"); code != "" {
			return code + " " + in.Get("Grpc-Message")
		}
	}
	return "none"
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
