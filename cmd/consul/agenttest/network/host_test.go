package network

import (
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// TestHosts has two hosts talk, one that is cut off from the other, and two again.
func TestHosts(t *testing.T) {
	n, err := New(t, 2)
	if err != nil {
		t.Logf("%v; nothing was shown", err)
		return
	}
	a, b := n.Hosts[0], n.Hosts[1]
	var ln net.Listener
	if err := b.within(func() (err error) { ln, err = net.Listen("tcp", net.JoinHostPort(b.IP, "8500")); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "hello")
			conn.Close()
		}
	}()
	reach := func(from *Host, patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		conn, err := from.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = io.ReadAll(conn)
		return err
	}
	if err := reach(a, time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, cut := range [][2]int{{0, 1}, {1, 0}} {
		n.Cut(cut[0], cut[1])
		if err := reach(a, 50*time.Millisecond); err == nil {
			t.Errorf("the wire from %d to %d is cut, and they talk", cut[0], cut[1])
		}
		if err := reach(b, time.Minute); err != nil {
			t.Errorf("with itself: %v", err)
		}
		n.Heal()
	}
	n.Slow(0, 1, Quality{Delay: 5 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.1, Rate: 1 << 20})
	if err := reach(a, time.Minute); err != nil {
		t.Error(err)
	}
}
