package gossip

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/messages"
)

const (
	keyHere      = "MDEyMzQ1Njc4OWFiY2RlZg=="
	keyElsewhere = "ZmVkY2JhOTg3NjU0MzIxMA=="
)

// pair starts two agents that are a pool, which takes a key if there is one. They have
// time for each other, since the machine is busy with the hostility.
func pair(t *testing.T, key string) (a, b *agent) {
	t.Helper()
	var all []*agent
	for _, name := range []string{"a", "b"} {
		cfg := config(name)
		cfg.EncryptKey = key
		cfg.Gossip.ProbeInterval, cfg.Gossip.ProbeTimeout, cfg.Gossip.SuspicionMult = 2*time.Second, time.Second, 15
		all = append(all, start(t, cfg))
	}
	a, b = all[0], all[1]
	b.join(t, a)
	a.hears(t, messages.Joined, "b")
	return a, b
}

// TestStrangers has agents without the key of a pool try to join it.
func TestStrangers(t *testing.T) {
	tests := []struct {
		name, key, why string
	}{
		{"wrong_key", keyElsewhere, "no installed keys could decrypt the message"},
		{"in_the_clear", "", "encryption is configured but remote state is not encrypted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := pair(t, keyHere)
			cfg := config("stranger")
			cfg.EncryptKey = tt.key
			c := start(t, cfg)
			for range 5 {
				if n, err := do(t, c, &messages.JoinPool{Addresses: []string{a.at()}}); n != 0 || err == nil {
					t.Errorf("joined %d, %v", n, err)
				}
			}
			if n, err := do(t, a, &messages.JoinPool{Addresses: []string{c.at()}}); n != 0 || err == nil {
				t.Errorf("was joined: %d, %v", n, err)
			}
			if got := a.log.about("127.0.0.1"); len(got) != 1 || !strings.Contains(got[0], tt.why) {
				t.Errorf("a complains of it %d times, want once, with the reason:\n%s", len(got), strings.Join(got, "\n"))
			}
			if len(c.view.Load().Members) != 1 {
				t.Errorf("it knows %v", c.view.Load().Members)
			}
			unharmed(t, a, b)
		})
	}
}

// TestHostility sends to a pool what can be sent to its ports.
func TestHostility(t *testing.T) {
	for _, key := range []string{"", keyHere} {
		t.Run(fmt.Sprintf("encrypted_%t", key != ""), func(t *testing.T) {
			a, b := pair(t, key)
			before, began := measure(), time.Now()
			shower(t, a.at())
			knock(t, a.at())
			unharmed(t, a, b)
			grown := measure().since(before)
			if grown.goroutines > 2*maxStreams || grown.heap > 256<<20 {
				t.Errorf("it has taken %d goroutines and %d MiB", grown.goroutines, grown.heap>>20)
			}
			most := 1 + int(time.Since(began)/hushFor)
			if got := a.log.about(hostile); len(got) < 1 || len(got) > most {
				t.Errorf("it complains %d times, want once a minute:\n%.2000s", len(got), strings.Join(got, "\n"))
			}
		})
	}
}

// hostile is where the hostility comes from.
const hostile = "127.0.0.66"

// shower sends packets that are garbage, torn, too long, and almost right.
func shower(t *testing.T, to string) {
	conn, err := (&net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(hostile)}}).Dial("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	dice := rand.New(rand.NewPCG(1, 2))
	send := func(p []byte) { conn.Write(p) } //nolint:errcheck // as many as get through
	for kind := range 256 {
		send([]byte{byte(kind)})
		send(append([]byte{byte(kind)}, bytes.Repeat([]byte{0xff}, 65000)...))
		send(append([]byte{byte(kind)}, bytes.Repeat([]byte{0}, 1400)...))
	}
	for _, right := range almost(t) {
		for n := range right {
			send(right[:n])
		}
		for range 100 {
			wrong := bytes.Clone(right)
			for range 1 + dice.IntN(4) {
				wrong[dice.IntN(len(wrong))] = byte(dice.Uint32())
			}
			send(wrong)
			send(compressed(t, wrong))
			send(append([]byte{7, 2, 0, byte(len(wrong)), 0, byte(len(wrong))}, append(wrong, wrong...)...)) // a compound
		}
	}
	bomb := compressed(t, bytes.Repeat([]byte{0}, 20<<20))
	send(bomb[:min(len(bomb), 65000)])
}

// almost returns messages about a node that nobody knows, none of which makes a
// member of it.
func almost(t *testing.T) [][]byte {
	return [][]byte{
		packed(t, 0, map[string]any{"SeqNo": 1, "Node": "nobody"}),
		packed(t, 2, map[string]any{"SeqNo": 1, "Payload": "x"}),
		packed(t, 3, map[string]any{"Incarnation": 1, "Node": "nobody", "From": "nobody"}),
		packed(t, 4, map[string]any{"Incarnation": 1, "Node": "nobody", "Addr": []byte{1, 2, 3}, "Port": 1, "Meta": []byte{0xff, 0xc1}, "Vsn": []byte{1, 5, 2, 0, 0, 0}}),
		packed(t, 4, map[string]any{"Incarnation": 1, "Node": "nobody", "Addr": []byte{127, 0, 0, 1}, "Port": 1, "Meta": bytes.Repeat([]byte{0xff}, memberlist.MetaMaxSize+1), "Vsn": []byte{}}),
		packed(t, 5, map[string]any{"Incarnation": 1, "Node": "nobody", "From": "nobody"}),
		append([]byte{8}, packed(t, 0, map[string]any{"LTime": 1, "Node": "nobody"})...),                               // a leave of Serf's
		append([]byte{8}, packed(t, 1, map[string]any{"LTime": 1, "Node": "nobody"})...),                               // a join
		append([]byte{8}, packed(t, 5, map[string]any{"LTime": 0, "ID": 1, "Name": "x", "Filters": [][]byte{{0}}})...), // a query
		append([]byte{8}, packed(t, 8, map[string]any{"DestAddr": 1})...),                                              // a relay
	}
}

// knock opens more streams than there is room for, and says something wrong on each.
func knock(t *testing.T, at string) {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(hostile)}, Timeout: time.Minute}
	say := [][]byte{
		nil,
		[]byte("GET / HTTP/1.1\r\n\r\n"),
		{244, 3, 'a', 'b', 'c'},
		announces(t, 1<<20, 20<<20),
		compressed(t, announces(t, 1<<20, 20<<20)),
		[]byte("\x0a\x01\x40\x00\x00promises 20 MiB of what is encrypted"),
		[]byte("\x09\x81\xa3Buf\xc6\xff\xff\xff\xff"),
		bytes.Repeat([]byte{6}, 1<<20),
	}
	var open []net.Conn
	for i := range 2 * maxStreams {
		conn, err := dialer.Dial("tcp", at)
		if err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
		conn.SetDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // it has one
		conn.Write(say[i%len(say)])                   //nolint:errcheck // it may be closed
		open = append(open, conn)
	}
	for _, conn := range open {
		conn.Close()
	}
}

// unharmed wants two agents to be a pool of two in which something can be said.
func unharmed(t *testing.T, a, b *agent) {
	t.Helper()
	if _, err := do(t, a, &messages.FireUserEvent{Name: "still-here"}); err != nil {
		t.Error(err)
	}
	if got := actortest.Next[*messages.UserEventReceived](t, b.news); got.Name != "still-here" {
		t.Errorf("b hears %q", got.Name)
	}
	for _, at := range []*agent{a, b} {
		var names []string
		for _, m := range at.view.Load().Members {
			names = append(names, m.Name+" "+string(m.Status))
		}
		if got := strings.Join(names, ", "); got != "a alive, b alive" {
			t.Errorf("members: %s", got)
		}
	}
}

// load is what the process has in use.
type load struct{ goroutines, heap int }

func measure() load {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return load{runtime.NumGoroutine(), int(m.HeapSys)}
}

func (l load) since(before load) load {
	return load{l.goroutines - before.goroutines, l.heap - before.heap}
}

// about returns the complaints about an address.
func (l *lines) about(host string) (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		if strings.Contains(line, fmt.Sprintf("from=%s:", host)) && !strings.HasPrefix(line, "[DEBUG]") {
			all = append(all, line)
		}
	}
	return all
}
