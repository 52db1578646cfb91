package network

import (
	"encoding/binary"
	"testing"
	"time"
)

// TestWires shows what becomes of packets.
func TestWires(t *testing.T) {
	n := &Network{wires: map[[2]int]*wire{}}
	arrives := func(from, to, bytes int) time.Duration {
		t.Helper()
		d, ok := n.after(from, to, bytes)
		if !ok {
			t.Fatalf("%d bytes from %d to %d are lost", bytes, from, to)
		}
		return d
	}
	lost := func(from, to int) {
		t.Helper()
		if _, ok := n.after(from, to, 100); ok {
			t.Errorf("a packet from %d gets to %d", from, to)
		}
	}
	if d := arrives(0, 1, mtu); d != 0 {
		t.Errorf("a perfect wire takes %v", d)
	}
	n.Cut(0, 1)
	lost(0, 1)
	arrives(1, 0, 100)

	n.Heal()
	n.Part([]int{0, 1}, []int{2, 3})
	lost(0, 2)
	lost(3, 1)
	arrives(0, 1, 100)
	arrives(2, 3, 100)
	arrives(4, 0, 100) // is in no group

	n.Slow(0, 1, Quality{Delay: time.Hour, Jitter: time.Minute})
	for before := time.Hour - time.Minute; ; {
		d := arrives(0, 1, 100)
		if d < before-time.Second || d > time.Hour+time.Minute {
			t.Errorf("a packet takes %v, and the one before took %v", d, before)
		}
		if before = d; before > time.Hour+30*time.Second {
			break // the latest is never overtaken, so this comes
		}
	}
	n.Slow(0, 1, Quality{Rate: 100})
	if d := arrives(0, 1, 100); d < 900*time.Millisecond || d > time.Second {
		t.Errorf("100 bytes at 100 bytes a second take %v", d)
	}
	lost(0, 1) // would wait for a second
	n.Slow(0, 1, Quality{Loss: 1})
	lost(0, 1)
}

// TestDestination shows whom a packet is for.
func TestDestination(t *testing.T) {
	packet := make([]byte, 20)
	packet[0] = 4 << 4
	for _, tt := range []struct {
		name string
		to   uint32
		host int
		ok   bool
	}{
		{"first", binary.BigEndian.Uint32(address(0)), 0, true},
		{"third", binary.BigEndian.Uint32(address(2)), 2, true},
		{"network", binary.BigEndian.Uint32(subnet[:]), 0, false},
		{"elsewhere", 0x7f000001, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			binary.BigEndian.PutUint32(packet[16:], tt.to)
			if host, ok := destination(packet); ok != tt.ok || ok && host != tt.host {
				t.Errorf("it is for %d, %t", host, ok)
			}
		})
	}
	for _, short := range [][]byte{nil, packet[:19], {6 << 4}} {
		if _, ok := destination(short); ok {
			t.Errorf("% x has a destination", short)
		}
	}
}
