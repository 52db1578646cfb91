package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/messages/wire"
)

// TestReuse checks that calls one after the other share a stream, also after one
// that the server has refused.
func TestReuse(t *testing.T) {
	f, p := newFake(t, echo), newPool(t, nil)
	for _, key := range []string{"a", "bad", "b"} {
		got, err := get(t.Context(), p, f.addr(), key)
		var remote RemoteError
		switch {
		case key == "bad" && (!errors.As(err, &remote) || err.Error() != "no such thing"):
			t.Errorf("the refused call: %v", err)
		case key != "bad" && (got != "KVS.Get "+key || err != nil):
			t.Errorf("got %q, %v", got, err)
		}
	}
	if sessions, streams := f.seen(); sessions != 1 || streams != 1 {
		t.Errorf("%d connections, %d streams, want one of each", sessions, streams)
	}
}

// TestSideBySide has many calls wait at the same time, over one connection.
func TestSideBySide(t *testing.T) {
	const calls = 200
	var waiting sync.WaitGroup
	waiting.Add(calls)
	f := newFake(t, func(a *asked) {
		var args wire.KeyRequest
		req, ok := a.next(&args)
		if !ok {
			return
		}
		waiting.Done()
		waiting.Wait() // for all the others
		a.answer(&frame.Response{Seq: req.Seq}, args.Key)
		_, _ = a.next(&args)
	})
	p := newPool(t, nil)
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			key := fmt.Sprint(i)
			if got, err := get(t.Context(), p, f.addr(), key); got != key || err != nil {
				t.Errorf("key %s: %q, %v", key, got, err)
			}
		})
	}
	all.Wait()
	if sessions, streams := f.seen(); sessions != 1 || streams != calls {
		t.Errorf("%d connections, %d streams, want 1 and %d", sessions, streams, calls)
	}
}

// TestDeadServer asks where nobody listens.
func TestDeadServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	p := newPool(t, nil)
	for range 2 {
		if err := put(t.Context(), p, addr); !unsent(err) || !strings.Contains(err.Error(), addr) {
			t.Errorf("err = %v, want an Unsent that names %s", err, addr)
		}
	}
}

// TestCutWhileWaiting loses the connection when the server has the request.
func TestCutWhileWaiting(t *testing.T) {
	f := newFake(t, func(a *asked) {
		var args any
		if _, ok := a.next(&args); ok {
			_ = a.session.Close()
		}
	})
	p := newPool(t, nil)
	if err := put(t.Context(), p, f.addr()); unsent(err) || !errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("write: err = %v, want %v", err, ErrOutcomeUnknown)
	}
	if _, err := get(t.Context(), p, f.addr(), "k"); !unsent(err) {
		t.Errorf("read: err = %v, want an Unsent", err)
	}
}

// breaking is a connection that breaks after so many bytes are written.
type breaking struct {
	net.Conn
	left atomic.Int64
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.left.Add(-int64(len(p))) < 0 {
		_ = b.Close()
		return 0, net.ErrClosed
	}
	return b.Conn.Write(p)
}

// TestCutWhileWriting breaks the connection at every byte of a request. As long as
// the server cannot have all of it nothing was done; afterwards nobody knows.
func TestCutWhileWriting(t *testing.T) {
	const head = 12 // of a frame of the multiplexer
	f := newFake(t, func(a *asked) {
		var args any
		for range 2 { // the second is not answered
			req, ok := a.next(&args)
			if !ok {
				return
			}
			if req.ServiceMethod == "KVS.Get" {
				a.answer(&frame.Response{Seq: req.Seq}, "")
			}
		}
		_ = a.session.Close()
	})
	request, err := frame.Marshal(&frame.Request{ServiceMethod: "KVS.Apply", Seq: 2}, &wire.KVSRequest{Op: wire.KVSet, DirEnt: wire.DirEntry{Key: "k"}})
	if err != nil {
		t.Fatal(err)
	}
	whole := int64(head + len(request) - 1 + head + 1)
	for _, left := range []int64{0, head - 1, head, whole / 2, whole - head - 2, whole} {
		t.Run(fmt.Sprintf("after_%d_of_%d", left, whole), func(t *testing.T) {
			var conn *breaking
			p := newPool(t, func(cfg *Config) {
				cfg.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
					nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
					conn = &breaking{Conn: nc}
					conn.left.Store(1 << 40)
					return conn, err
				}
			})
			if _, err := get(t.Context(), p, f.addr(), "k"); err != nil {
				t.Fatal(err)
			}
			conn.left.Store(left)
			err := put(t.Context(), p, f.addr())
			if left < whole-head-1 && !unsent(err) {
				t.Errorf("err = %v, want an Unsent", err)
			}
			if left == whole && (unsent(err) || !errors.Is(err, ErrOutcomeUnknown)) {
				t.Errorf("err = %v, want %v", err, ErrOutcomeUnknown)
			}
		})
	}
}

// TestEndOfContext ends calls that wait. The server notices, and is not to blame.
func TestEndOfContext(t *testing.T) {
	began, ended := make(chan bool, 10), make(chan bool, 10)
	f := newFake(t, func(a *asked) {
		var args any
		_, ok := a.next(&args)
		began <- ok
		_, more := a.next(&args)
		ended <- !more
	})
	p := newPool(t, nil)
	for name, call := range map[string]func(context.Context) error{
		"read":  func(ctx context.Context) error { _, err := get(ctx, p, f.addr(), "k"); return err },
		"write": func(ctx context.Context) error { return put(ctx, p, f.addr()) },
	} {
		t.Run(name, func(t *testing.T) {
			enough := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			got := make(chan error, 1)
			go func() { got <- call(ctx) }()
			if !within(t, began) {
				t.Fatal("no request came")
			}
			cancel(enough)
			if err := within(t, got); unsent(err) || !errors.Is(err, enough) {
				t.Errorf("err = %v, want one that wraps %q and is no Unsent", err, enough)
			}
			if !within(t, ended) {
				t.Error("the stream goes on")
			}
			if err := call(ctx); unsent(err) || !errors.Is(err, enough) {
				t.Errorf("with a context that has ended: %v", err)
			}
		})
	}
}

// TestStalledServer asks a server that accepts and does nothing, more often than the
// multiplexer has patience for.
func TestStalledServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	p := newPool(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	for range 400 {
		all.Go(func() {
			if _, err := get(ctx, p, ln.Addr().String(), "k"); unsent(err) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("err = %v, want %v", err, context.DeadlineExceeded)
			}
		})
	}
	all.Wait()
}

// TestHostileReplies checks that what makes no sense is an error, and that a read
// is not tried elsewhere for it.
func TestHostileReplies(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		want         error
	}{
		{"another_request", "\x83\xa5Error\xa0\xa3Seq\x63\xadServiceMethod\xa0\xa0", frame.ErrMalformed},
		{"not_msgpack", "\xc1\xc1\xc1", frame.ErrMalformed},
		{"http", "HTTP/1.1 400 Bad Request\r\n\r\n", frame.ErrMalformed},
		{"huge_error", "\x81\xa5Error\xdb\x7f\xff\xff\xff", frame.ErrTooLarge},
		{"huge_reply", "\x81\xa3Seq\x01\xdb\x7f\xff\xff\xff", frame.ErrTooLarge},
		{"huge_list", "\x81\xa3Seq\x01\xdd\xff\xff\xff\xff", frame.ErrTooLarge},
		{"wrong_type", "\x81\xa3Seq\x01\x81\xa1a\x01", frame.ErrMalformed},
		{"deep", "\x81\xa3Seq\x01" + strings.Repeat("\x91", 1000) + "\xc0", frame.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, func(a *asked) {
				var args any
				if _, ok := a.next(&args); ok {
					_, _ = io.WriteString(a, tt.answer)
					_, _ = a.next(&args)
				}
			})
			p := newPool(t, func(cfg *Config) { cfg.MaxReply = 1 << 20 })
			if _, err := get(t.Context(), p, f.addr(), "k"); unsent(err) || !errors.Is(err, tt.want) {
				t.Errorf("read: err = %v, want %v", err, tt.want)
			}
			err := p.Call(t.Context(), f.addr(), "KVS.Apply", &wire.KVSRequest{}, new(string))
			if unsent(err) || !errors.Is(err, ErrOutcomeUnknown) {
				t.Errorf("write: err = %v, want %v", err, ErrOutcomeUnknown)
			}
		})
	}
}

// TestIdle checks that a connection that nobody uses is closed, and made again.
func TestIdle(t *testing.T) {
	closed := make(chan bool, 10)
	f := newFake(t, func(a *asked) {
		echo(a)
		closed <- true
	})
	p := newPool(t, func(cfg *Config) { cfg.IdleTimeout = time.Millisecond })
	for range 2 {
		if _, err := get(t.Context(), p, f.addr(), "k"); err != nil {
			t.Fatal(err)
		}
		within(t, closed)
	}
	if sessions, _ := f.seen(); sessions != 2 {
		t.Errorf("%d connections, want 2", sessions)
	}
}

// TestReconnect loses the connection between calls. A read may fail, but only so
// that it can be asked again.
func TestReconnect(t *testing.T) {
	f, p := newFake(t, echo), newPool(t, nil)
	for range 5 {
		for {
			_, err := get(t.Context(), p, f.addr(), "k")
			if err == nil {
				break
			}
			if !unsent(err) {
				t.Fatalf("err = %v, want an Unsent", err)
			}
		}
		f.cut()
	}
}

// TestLost tells of connections that the server has ended, and of none that we have.
func TestLost(t *testing.T) {
	lost := make(chan string, 10)
	t.Cleanup(func() { // when all connections have ended
		if err := goleak.Find(); err != nil {
			t.Error(err)
		}
		if len(lost) > 0 {
			t.Errorf("lost %s, which we have closed", <-lost)
		}
	})
	ended := make(chan bool, 10)
	ours := newFake(t, func(a *asked) {
		echo(a)
		ended <- true
	})
	theirs := newFake(t, echo)
	idle := newPool(t, func(cfg *Config) {
		cfg.Lost, cfg.IdleTimeout = func(addr string) { lost <- addr }, time.Millisecond
	})
	p := newPool(t, func(cfg *Config) { cfg.Lost = func(addr string) { lost <- addr } })
	for _, c := range []struct {
		by *Pool
		to *fake
	}{{idle, ours}, {p, ours}, {p, theirs}} {
		if _, err := get(t.Context(), c.by, c.to.addr(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	within(t, ended) // what was idle
	theirs.cut()
	if addr := within(t, lost); addr != theirs.addr() {
		t.Errorf("lost %s, want %s", addr, theirs.addr())
	}
}

// TestDialOnce has many who wait for a connection share the attempt.
func TestDialOnce(t *testing.T) {
	f := newFake(t, echo)
	var dials atomic.Int32
	dialing, dial := make(chan bool, 100), make(chan bool)
	p := newPool(t, func(cfg *Config) {
		cfg.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			dials.Add(1)
			dialing <- true
			<-dial
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	impatient := make(chan error, 1)
	go func() { _, err := get(ctx, p, f.addr(), "k"); impatient <- err }()
	within(t, dialing)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, err := get(t.Context(), p, f.addr(), "k"); err != nil {
				t.Error(err)
			}
		})
	}
	cancel()
	if err := within(t, impatient); unsent(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("who has no patience: %v", err)
	}
	close(dial)
	all.Wait()
	if n := dials.Load(); n != 1 {
		t.Errorf("%d connections were tried, want 1", n)
	}
}

// TestClose ends calls that wait, and later ones.
func TestClose(t *testing.T) {
	began := make(chan bool, 1)
	f := newFake(t, func(a *asked) {
		var args any
		a.next(&args)
		began <- true
		a.next(&args)
	})
	p := newPool(t, nil)
	got := make(chan error, 1)
	go func() { got <- put(t.Context(), p, f.addr()) }()
	within(t, began)
	p.Close()
	if err := within(t, got); !errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("the call that waited: %v, want %v", err, ErrOutcomeUnknown)
	}
	if err := put(t.Context(), p, f.addr()); !errors.Is(err, ErrClosed) || unsent(err) {
		t.Errorf("a later call: %v, want %v", err, ErrClosed)
	}
	p.Close()
}
