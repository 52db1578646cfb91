package gossip

import (
	"errors"
	"io"
	"log"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

func TestQuietTransport(t *testing.T) {
	listen := func() *transport {
		wire := onLoopback(t)
		t.Cleanup(func() { wire.Shutdown() })
		return wire
	}
	a, b := listen(), listen()
	at := b.tcpAddr()
	b.quiet.Store(true)
	conn, err := a.DialTimeout(at, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a quiet transport has answered")
	}
	conn.Close()
	if _, err := b.DialTimeout(at, time.Minute); !errors.Is(err, errQuiet) {
		t.Errorf("a quiet transport dials: err = %v", err)
	}
	b.quiet.Store(false)
	if conn, err = a.DialTimeout(at, time.Minute); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	(<-b.StreamCh()).Close()
}

// TestDiscard has connections wait that nobody takes.
func TestDiscard(t *testing.T) {
	wire := onLoopback(t)
	for range 3 {
		conn, err := net.Dial("tcp", wire.tcpAddr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	wire.discard()
	if conn, err := net.Dial("tcp", wire.tcpAddr()); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
}

func (t *transport) tcpAddr() string {
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: t.GetAutoBindPort()}).String()
}

func onLoopback(t *testing.T) *transport {
	t.Helper()
	quiet := log.New(io.Discard, "", 0)
	port, err := sockets(&memberlist.NetTransportConfig{BindAddrs: []string{"127.0.0.1"}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return newTransport(port, newDoorman(quiet, true))
}
