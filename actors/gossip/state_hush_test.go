package gossip

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestTopicOf(t *testing.T) {
	tests := []struct {
		name, line, want string
	}{
		{"udp", "[ERR] memberlist: Decrypt packet failed: no key from=10.0.0.1:4711", "10.0.0.1"},
		{"mapped", "[ERR] memberlist: failed to receive: EOF from=[::ffff:10.0.0.1]:4711", "10.0.0.1"},
		{"ipv6", "[WARN] memberlist: handler queue full from=[2001:db8::1]:4711", "2001:db8::1"},
		{"name_in_it", `[WARN] memberlist: Got ping for unexpected node 'from=10.0.0.9:1' from=10.0.0.1:4711`, "10.0.0.1"},
		{"stream", "[DEBUG] memberlist: Stream connection from=10.0.0.1:4711", "10.0.0.1"},
		{"checksum", "[WARN] memberlist: Got invalid checksum for UDP packet: 1, 2", "invalid IP"},
		{"other_debug", "[DEBUG] memberlist: something from=10.0.0.1:4711", ""},
		{"news", "[INFO] serf: EventMemberJoin: from=10.0.0.1:4711", ""},
		{"about_nobody", "[ERR] memberlist: Push/Pull with b failed: EOF", ""},
		{"no_address", "[ERR] memberlist: x from=<unknown address>", ""},
		{"no_level", "from=10.0.0.1:4711", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if about, ok := topicOf(tt.line); ok {
				got = about.addr.String()
			}
			if got != tt.want {
				t.Errorf("it is about %q, want %q", got, tt.want)
			}
		})
	}
}

func TestHush(t *testing.T) {
	var h hush
	now := time.Unix(0, 0)
	about := func(host, port int) string {
		return fmt.Sprintf("[ERR] memberlist: x from=10.0.%d.%d:%d", host/256, host%256, port)
	}
	for i := range 1000 {
		if got, ok := h.tell(about(1, i), now); ok != (i == 0) {
			t.Fatalf("complaint %d was told: %t, %q", i, ok, got)
		}
	}
	if got, ok := h.tell(about(2, 1), now); !ok || got != about(2, 1) {
		t.Errorf("another address: %q, %t; want it told", got, ok)
	}
	if got, ok := h.tell("[INFO] serf: x", now); !ok || got != "[INFO] serf: x" {
		t.Errorf("other news: %q, %t; want it told", got, ok)
	}
	now = now.Add(hushFor)
	if got, ok := h.tell(about(1, 1), now); !ok || got != about(1, 1)+" (and 999 more before)" {
		t.Errorf("after a while: %q, %t; want it told with what was left out", got, ok)
	}
	if got, ok := h.tell(about(2, 1), now); !ok || got != about(2, 1) {
		t.Errorf("after a while, of another: %q, %t; want it told", got, ok)
	}
}

// TestHushTellsRefusalsApart has several agents of one address refused, each for a
// reason of its own, and then more of them than can be told apart.
func TestHushTellsRefusalsApart(t *testing.T) {
	var h hush
	now, port := time.Unix(0, 0), 0
	told := func(why string) bool {
		port++
		_, ok := h.tell(fmt.Sprintf("[ERR] memberlist: Failed push/pull merge: %s from=10.0.0.1:%d", why, port), now)
		return ok
	}
	for _, why := range []string{`node name "a" is held`, "node ID x is held", `"c" is of datacenter "dc2"`} {
		if !told(why) || told(why) {
			t.Errorf("%s: want it told, and once", why)
		}
	}
	if _, ok := h.tell("[ERR] memberlist: failed to receive: EOF from=10.0.0.1:1", now); !ok {
		t.Error("another complaint is not told")
	}
	n := 0
	for i := range 1000 {
		if told(fmt.Sprint("refusal ", i)) {
			n++
		}
	}
	if want := hushRefusals - 3; n != want {
		t.Errorf("told %d refusals more, want %d", n, want)
	}
	now = now.Add(hushFor)
	if !told("node ID x is held") {
		t.Error("after a while it is not told")
	}
}

// TestHushIsBounded has complaints about more addresses than can be told apart.
func TestHushIsBounded(t *testing.T) {
	var h hush
	now, told := time.Unix(0, 0), 0
	flood := func() {
		for i := range 20 * hushMost {
			if _, ok := h.tell(fmt.Sprintf("[ERR] memberlist: x from=10.%d.%d.1:1", i/256, i%256), now); ok {
				told++
			}
		}
	}
	for range 3 {
		flood()
		if want := hushMost + 1; told != want || len(h.quiet) > want {
			t.Fatalf("told %d and remembers %d, want %d of each", told, len(h.quiet), want)
		}
		now, told = now.Add(hushFor), 0
	}
}

func TestLegible(t *testing.T) {
	tests := []struct {
		name, line, want string
	}{
		{"tags", "[WARN] memberlist: Refuting an alive message for 's1' (10.0.0.1:8301) meta:([255 142 163] VS [255 142]), vsn:([1 5 2 2 5 4] VS [1 5 2 2 5 4])",
			"[WARN] memberlist: Refuting an alive message for 's1' (10.0.0.1:8301), which has other tags or versions than this agent; it is of a life before, or of another agent with its name"},
		{"name_in_it", "[WARN] memberlist: Refuting an alive message for 'a meta:([' (10.0.0.1:8301) meta:([] VS []), vsn:([] VS [])",
			"[WARN] memberlist: Refuting an alive message for 'a meta:([' (10.0.0.1:8301), which has other tags or versions than this agent; it is of a life before, or of another agent with its name"},
		{"suspect", "[WARN] memberlist: Refuting a suspect message (from: s2)", "[WARN] memberlist: Refuting a suspect message (from: s2)"},
		{"name_of_another", "[INFO] serf: EventMemberJoin: a meta:([1 2]) 10.0.0.1", "[INFO] serf: EventMemberJoin: a meta:([1 2]) 10.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := legible(tt.line); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestRefutationIsLegible has an agent hear of tags that it does not have, as after a
// life before.
func TestRefutationIsLegible(t *testing.T) {
	b := start(t, config("b"))
	at := netip.MustParseAddrPort(b.at())
	conn, err := net.Dial("udp", b.at())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write(packed(t, 4, map[string]any{ //nolint:errcheck // the log will tell
		"Incarnation": 9, "Node": "b", "Addr": at.Addr().AsSlice(), "Port": at.Port(),
		"Meta": []byte{255, 0x80}, "Vsn": []byte{1, 5, 2, 2, 5, 4},
	}))
	b.log.await(t, legible("[WARN] memberlist: Refuting an alive message for 'b' ("+b.at()+") meta:(["))
}
