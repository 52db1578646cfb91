package client

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/messages/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// fake is a server whose streams are served by the test.
type fake struct {
	t     *testing.T
	ln    net.Listener
	serve func(*asked)

	running  sync.WaitGroup
	mu       sync.Mutex
	sessions []*frame.Mux // every one that came, the newest last
	streams  int
}

// asked is a stream of a client, at the server's side.
type asked struct {
	net.Conn
	session *frame.Mux
	in      *frame.Reader
}

// newFake starts a server. serve is called on a goroutine for each stream, which is
// closed when it returns.
func newFake(t *testing.T, serve func(*asked)) *fake {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, ln: ln, serve: serve}
	f.running.Go(f.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		f.cut()
		f.running.Wait()
	})
	return f
}

func (f *fake) addr() string { return f.ln.Addr().String() }

func (f *fake) accept() {
	for {
		conn, err := f.ln.Accept()
		if err != nil {
			return
		}
		var first [1]byte
		if _, err := io.ReadFull(conn, first[:]); err != nil || frame.Kind(first[0]) != frame.MultiplexV2 {
			f.t.Errorf("first byte %v, %v, want %v", first, err, frame.MultiplexV2)
		}
		session := frame.NewServer(conn, zap.NewNop())
		f.mu.Lock()
		f.sessions = append(f.sessions, session)
		f.mu.Unlock()
		f.running.Go(func() { f.mux(session) })
	}
}

func (f *fake) mux(session *frame.Mux) {
	for {
		conn, err := session.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.streams++
		f.mu.Unlock()
		f.running.Go(func() {
			defer conn.Close()
			f.serve(&asked{conn, session, frame.NewReader(conn, frame.RequestLimits(1<<20))})
		})
	}
}

// cut closes every connection.
func (f *fake) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sessions {
		_ = s.Close()
	}
}

// seen returns how many connections and streams there have been.
func (f *fake) seen() (sessions, streams int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sessions), f.streams
}

// next reads a request and its arguments; false when there are no more.
func (a *asked) next(args any) (*frame.Request, bool) {
	var req frame.Request
	if a.in.Header(&req) != nil {
		return nil, false
	}
	body, err := a.in.Body()
	if err != nil || a.in.Decode(body, args) != nil {
		return nil, false
	}
	return &req, true
}

// answer writes an answer, which may fail when the client has gone.
func (a *asked) answer(resp *frame.Response, reply any) {
	b, err := frame.Marshal(resp, reply)
	if err != nil {
		panic(err)
	}
	_, _ = a.Write(b)
}

// echo answers every request with the key that it asks for, and the key "bad" with
// an error.
func echo(a *asked) {
	for {
		var args wire.KeyRequest
		req, ok := a.next(&args)
		switch {
		case !ok:
			return
		case args.Key == "bad":
			a.answer(&frame.Response{Seq: req.Seq, Error: "no such thing"}, struct{}{})
		default:
			a.answer(&frame.Response{Seq: req.Seq}, req.ServiceMethod+" "+args.Key)
		}
	}
}

func newPool(t *testing.T, tweak func(*Config)) *Pool {
	t.Helper()
	cfg := Config{Logger: zap.NewNop()}
	if tweak != nil {
		tweak(&cfg)
	}
	p := NewPool(cfg)
	t.Cleanup(p.Close)
	return p
}

// get and put are a read, and a write of k.
func get(ctx context.Context, p *Pool, addr, key string) (reply string, err error) {
	err = p.Call(ctx, addr, "KVS.Get", &wire.KeyRequest{Key: key}, &reply)
	return reply, err
}

func put(ctx context.Context, p *Pool, addr string) error {
	return p.Call(ctx, addr, "KVS.Apply", &wire.KVSRequest{Op: wire.KVSet, DirEnt: wire.DirEntry{Key: "k"}}, new(bool))
}

func unsent(err error) bool {
	var u *invoke.Unsent
	return errors.As(err, &u)
}

// within returns what comes on a channel.
func within[T any](t *testing.T, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}
