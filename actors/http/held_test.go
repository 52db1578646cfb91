package http

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// byHand is a client that speaks HTTP by hand over one connection.
type byHand struct {
	net.Conn
	in *bufio.Reader
}

func dialByHand(t *testing.T, socks *sockets) *byHand {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(socks.url(somewhere, ""), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second)) //nolint:errcheck // it has one
	return &byHand{conn, bufio.NewReader(conn)}
}

func (c *byHand) ask(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n", path); err != nil {
			t.Fatal(err)
		}
	}
}

// hear returns an answer: its body, and its header.
func (c *byHand) hear(t *testing.T) (string, http.Header) {
	t.Helper()
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %q: %v", resp.Status, body, err)
	}
	if resp.Close {
		resp.Header.Set("Connection", "close") // where http.ReadResponse has put it
	}
	return string(body), resp.Header
}

// until waits for something to be so; the test fails when it does not come to it.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// waits waits until so many queries are waited for.
func (s *stage) waits(t *testing.T, n int) {
	t.Helper()
	until(t, fmt.Sprintf("%d queries are waited for", n), func() bool { return len(s.table.Waited()) == n })
}

// listeningForKey is a listener with a key, and a client that puts it.
func listeningForKey(t *testing.T) (s *stage, socks *sockets, put func(value string) (index string)) {
	s = newStage(t)
	_, _, socks = s.listening(t)
	c := client(t)
	put = func(value string) string {
		mustDo(t, c, "PUT", socks.url(somewhere, "/v1/kv/k"), value)
		got, _ := mustDo(t, c, "GET", socks.url(somewhere, "/v1/kv/k"), "")
		return got.Header.Get("X-Consul-Index")
	}
	return s, socks, put
}

// TestHeldConnection: the answer has what others have, and the connection goes on.
func TestHeldConnection(t *testing.T) {
	s, socks, put := listeningForKey(t)
	index := put("1")
	c := dialByHand(t, socks)
	for i := range 3 {
		c.ask(t, "/v1/kv/k?raw&wait=1m&index="+index)
		s.waits(t, 1)
		want := strings.Repeat("x", 1+i)
		index = put(want)
		body, h := c.hear(t)
		if body != want || h.Get("X-Consul-Index") != index || h.Get("X-Consul-Knownleader") != "true" || h.Get("Date") == "" ||
			h.Get("Content-Type") != "text/plain" || h.Get("X-Consul-Default-Acl-Policy") != "allow" || h.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q %v", body, h)
		}
		c.ask(t, "/v1/kv/k?raw")
		if again, _ := c.hear(t); again != want {
			t.Errorf("the next request on the connection: %q", again)
		}
	}
}

// TestHeldHeader: what is told of an agent does not depend on how it waits.
func TestHeldHeader(t *testing.T) {
	s := newStage(t)
	s.cfg.TranslateWANAddrs = true
	_, _, socks := s.listening(t)
	c := dialByHand(t, socks)
	c.ask(t, "/v1/catalog/nodes?wait=1ms&index=1000")
	if _, h := c.hear(t); h.Get("X-Consul-Translate-Addresses") != "true" {
		t.Errorf("header %v", h)
	}
}

// deadlines counts those that a connection is set.
type deadlines struct {
	net.Conn
	set int
}

func (d *deadlines) SetReadDeadline(time.Time) error { d.set++; return nil }

// TestBellIsMuted: who has news while nobody waits any more does not end what net/http
// reads from the connection.
func TestBellIsMuted(t *testing.T) {
	conn := &deadlines{}
	b := &bell{conn: conn}
	b.ring()
	b.mute()
	b.ring()
	if conn.set != 1 {
		t.Errorf("rung %d times", conn.set)
	}
}

// TestHeldUntilTheEnd: the time is up, and nothing has happened.
func TestHeldUntilTheEnd(t *testing.T) {
	_, socks, put := listeningForKey(t)
	index := put("1")
	c := dialByHand(t, socks)
	began := time.Now()
	c.ask(t, "/v1/kv/k?raw&wait=50ms&index="+index)
	if body, h := c.hear(t); body != "1" || h.Get("X-Consul-Index") != index {
		t.Errorf("%q %v", body, h)
	}
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("answered after %v", took)
	}
}

// TestHeldAndNextRequest: a client that does not wait for the answer before it asks
// for more gets both, in order.
func TestHeldAndNextRequest(t *testing.T) {
	s, socks, put := listeningForKey(t)
	index := put("1")
	for name, send := range map[string]func(*byHand){
		"at_once": func(c *byHand) { c.ask(t, "/v1/kv/k?raw&wait=1m&index="+index, "/v1/status/leader") },
		"later": func(c *byHand) {
			c.ask(t, "/v1/kv/k?raw&wait=1m&index="+index)
			s.waits(t, 1)
			c.ask(t, "/v1/status/leader")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialByHand(t, socks)
			send(c)
			s.waits(t, 1)
			index = put(name)
			if body, _ := c.hear(t); body != name {
				t.Errorf("%q", body)
			}
			if body, _ := c.hear(t); !strings.Contains(body, "127.0.0.1:8300") {
				t.Errorf("the second answer: %q", body)
			}
		})
	}
}

// TestHeldClientGoesAway: nothing is left of it.
func TestHeldClientGoesAway(t *testing.T) {
	s, socks, put := listeningForKey(t)
	index := put("1")
	c := dialByHand(t, socks)
	c.ask(t, "/v1/kv/k?wait=10m&index="+index)
	s.waits(t, 1)
	c.Close()
	s.waits(t, 0)
}

// TestHeldClientGoesAwayAfterAll: also where the query is waited for another way, since
// more has come, at once or in pieces.
func TestHeldClientGoesAwayAfterAll(t *testing.T) {
	for name, more := range map[string][]string{
		"at_once":   {"GET / HTTP/1.1\r\n\r\n"},
		"in_pieces": {"G", "E", "T /"},
	} {
		t.Run(name, func(t *testing.T) {
			s, socks, put := listeningForKey(t)
			index := put("1")
			c := dialByHand(t, socks)
			c.ask(t, "/v1/kv/k?wait=10m&index="+index)
			for _, piece := range more {
				s.waits(t, 1)
				if _, err := io.WriteString(c.Conn, piece); err != nil {
					t.Fatal(err)
				}
			}
			s.waits(t, 1)
			c.Close()
			s.waits(t, 0)
		})
	}
}

// TestHeldWhenLeadershipIsLost: who waits is told what all are told then, and may go
// on over the same connection.
func TestHeldWhenLeadershipIsLost(t *testing.T) {
	s, socks, put := listeningForKey(t)
	index := put("1")
	c := dialByHand(t, socks)
	c.ask(t, "/v1/kv/k?wait=10m&index="+index)
	s.waits(t, 1)
	s.status.Publish(&messages.RaftStatus{State: messages.Follower})
	entry, err := wire.Encode(wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVSet, DirEnt: wire.DirEntry{Key: "k", Value: []byte("2")}})
	if err != nil {
		t.Fatal(err)
	}
	s.fsm.Apply(&raft.Log{Index: 1000, Data: entry})
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 500 || !strings.Contains(string(text), messages.ErrNoLeader.Error()) {
		t.Errorf("%s %q, %v", resp.Status, text, err)
	}
	c.ask(t, "/v1/kv/k?raw&stale")
	if body, _ := c.hear(t); body != "2" {
		t.Errorf("%q", body)
	}
}

// TestHeldConnectionsCount against the limit of their client, once each.
func TestHeldConnectionsCount(t *testing.T) {
	s := newStage(t)
	s.cfg.Limits.MaxConnsPerClient = 2
	_, _, socks := s.listening(t)
	c := dialByHand(t, socks)
	for range 5 { // it is taken and given back
		c.ask(t, "/v1/catalog/nodes?wait=1ms&index=1000")
		c.hear(t)
	}
	c.ask(t, "/v1/catalog/nodes?wait=10m&index=1000")
	s.waits(t, 1)
	second := dialByHand(t, socks)
	second.ask(t, "/v1/status/leader")
	second.hear(t)
	third := dialByHand(t, socks)
	third.ask(t, "/v1/status/leader")
	if resp, err := http.ReadResponse(third.in, nil); err != nil || resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a third connection: %v, %v", resp, err)
	}
}

// TestHeldSlowReader: who does not take his answer keeps nobody else waiting.
func TestHeldSlowReader(t *testing.T) {
	s, socks, put := listeningForKey(t)
	index := put("1")
	slow, fast := dialByHand(t, socks), dialByHand(t, socks)
	slow.ask(t, "/v1/kv/k?raw&wait=10m&index="+index)
	fast.ask(t, "/v1/kv/k?raw&wait=10m&index="+index)
	until(t, "both wait", func() bool { return len(s.table.Waited()) == 1 && s.table.Waited()[0].Waiting() == 2 })
	large := strings.Repeat("x", 500<<10)
	put(large)
	if body, _ := fast.hear(t); body == "" {
		t.Error("no answer")
	}
	slow.hear(t)
}

// TestHeldDrain: who waits is answered with what there is, and is told to go.
func TestHeldDrain(t *testing.T) {
	s := newStage(t)
	addr, _, socks := s.listening(t)
	c := dialByHand(t, socks)
	c.ask(t, "/v1/catalog/nodes?wait=10m&index=1000")
	s.waits(t, 1)
	asker := actortest.NewProbe(t, s.sys, "asker")
	s.sys.Root.RequestWithCustomSender(addr.PID(), &messages.Drain{Step: 7, Budget: 10 * time.Second}, asker.PID())
	if _, h := c.hear(t); h.Get("Connection") != "close" {
		t.Errorf("header %v", h)
	}
	if report := actortest.Next[*messages.StepDone](t, asker); report.Err != nil || report.Note != "answered 1 requests in flight" {
		t.Errorf("%+v", report)
	}
	if _, err := c.in.ReadByte(); err != io.EOF {
		t.Errorf("the connection: %v", err)
	}
}
