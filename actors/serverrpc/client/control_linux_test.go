package client

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/actor-consul/consul/actors/serverrpc/frame"
)

// TestUnacknowledged looks at what the kernel has been told of a connection.
func TestUnacknowledged(t *testing.T) {
	f := newFake(t, echo)
	p := newPool(t, nil)
	conn, err := p.cfg.Dial(t.Context(), f.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{byte(frame.MultiplexV2)}); err != nil {
		t.Fatal(err)
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var limit int
	if failed := raw.Control(func(fd uintptr) { limit, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) }); failed != nil {
		t.Fatal(failed)
	}
	if got := time.Duration(limit) * time.Millisecond; err != nil || got != unacknowledged {
		t.Errorf("data may go unacknowledged for %v, %v, want %v", got, err, unacknowledged)
	}
}
