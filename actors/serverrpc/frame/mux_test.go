package frame

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/yamux"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns the two ends of a connection.
func pair(t *testing.T) (here, there net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if here, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if there, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	return here, there
}

// many opens streams and returns both of their ends.
func many(t *testing.T, n int, client, server *Mux) (here, there []*Stream) {
	t.Helper()
	for range n {
		s, err := client.Open()
		if err != nil {
			t.Fatal(err)
		}
		here = append(here, s)
		if s, err = server.Accept(); err != nil {
			t.Fatal(err)
		}
		there = append(there, s)
	}
	return here, there
}

// TestAllLetGo ends connections on which a thousand goroutines wait. It takes minutes
// when they spin.
func TestAllLetGo(t *testing.T) {
	const streams = 1000
	for name, end := range map[string]func(wire net.Conn, m *Mux){
		"by_the_other_side": func(_ net.Conn, m *Mux) { _ = m.Close() },
		"by_the_wire":       func(wire net.Conn, _ *Mux) { _ = wire.Close() },
		"by_garbage":        func(wire net.Conn, _ *Mux) { _, _ = io.WriteString(wire, "HTTP/1.1 400 Bad Request\r\n\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			client, server := NewClient(a, zap.NewNop()), NewServer(b, zap.NewNop())
			defer server.Close()
			defer client.Close()
			_, there := many(t, streams, client, server)
			var reading, all sync.WaitGroup
			for _, s := range there {
				reading.Add(1)
				all.Go(func() {
					reading.Done()
					if n, err := s.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) && !errors.Is(err, yamux.ErrSessionShutdown) {
						t.Errorf("read %d, %v", n, err)
					}
				})
			}
			reading.Wait()
			end(a, client)
			all.Wait()
			if _, err := server.Accept(); err == nil || !server.Broken() {
				t.Errorf("accept: %v, broken: %v", err, server.Broken())
			}
		})
	}
}

// TestDeadlines checks that a deadline of a stream is one, and that none of its user's
// keeps it waiting on a connection that has ended.
func TestDeadlines(t *testing.T) {
	a, b := pair(t)
	client, server := NewClient(a, zap.NewNop()), NewServer(b, zap.NewNop())
	defer client.Close()
	here, there := many(t, 1, client, server)
	_ = here[0].SetReadDeadline(past)
	var timeout net.Error
	if _, err := here[0].Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("err = %v, want a timeout", err)
	}
	_ = here[0].SetDeadline(time.Time{})
	if _, err := io.WriteString(there[0], "x"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1)
	if _, err := io.ReadFull(here[0], got); err != nil || got[0] != 'x' {
		t.Errorf("read %q, %v", got, err)
	}
	_ = server.Close()
	for _, set := range []func(time.Time) error{there[0].SetDeadline, there[0].SetReadDeadline, there[0].SetWriteDeadline} {
		_ = set(time.Now().Add(time.Hour))
		if _, err := there[0].Read(got); err == nil {
			t.Error("read from a connection that has ended")
		}
		if _, err := io.WriteString(there[0], "x"); err == nil {
			t.Error("written to a connection that has ended")
		}
	}
	if here[0].RemoteAddr().String() != b.LocalAddr().String() || here[0].LocalAddr().String() != a.LocalAddr().String() {
		t.Errorf("a stream from %v to %v", here[0].LocalAddr(), here[0].RemoteAddr())
	}
}

// TestKeepalive has the other side fall silent.
func TestKeepalive(t *testing.T) {
	a, _ := pair(t)
	conf := settings(zap.NewNop())
	conf.ConnectionWriteTimeout = 10 * time.Millisecond
	m := newMux(a, yamux.Client, conf, time.Millisecond)
	defer m.Close()
	s, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(make([]byte, 1)); err == nil {
		t.Error("silence has been read")
	}
	if !m.Broken() || !errors.Is(m.Cause(), errSilent) {
		t.Errorf("the connection is broken: %v, since %v; want %v", m.Broken(), m.Cause(), errSilent)
	}
}
