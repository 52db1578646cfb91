package http

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/actor-consul/consul/actors/invoke"
)

// held is a blocking query whose connection was taken from net/http for as long as
// it waits. There it would take two goroutines and ten KiB of buffers; here it takes
// one goroutine, which reads from the connection: the deadline of the read is the
// end of the wait, whoever has news puts it into the past, and a client that goes
// away ends it. Then the answer is written, and the connection goes back.
type held struct {
	api   *api
	r     *request // what the answer needs of it
	wait  *invoke.Wait
	conn  net.Conn
	early []byte // of the next request

	show  func() (*answer, error)              // what the wait has seen last
	alone func(time.Duration) (*answer, error) // waits for an answer without all this
	done  func()                               // gives back what a request in flight has
}

// holdable says whether the connection of a request can be taken from net/http and
// given back.
func (r *request) holdable() bool {
	return r.ProtoMajor == 1 && r.ProtoMinor == 1 && !r.Close && r.TLS == nil && r.Method == http.MethodGet &&
		r.ContentLength == 0 && r.api.leaving.Err() == nil && r.Context().Value(http.LocalAddrContextKey) != nil
}

// slim returns what is needed of a request when its answer is shown.
func (r *request) slim() *request {
	return &request{
		Request: (&http.Request{
			Method: r.Method, URL: r.URL, RemoteAddr: r.RemoteAddr,
			Header: http.Header{"Accept-Encoding": r.Header["Accept-Encoding"]},
		}).WithContext(r.api.closing),
		api: r.api, tail: r.tail, query: r.query, begun: r.begun,
	}
}

// take takes the connection and returns, or says that it cannot be had.
func (h *held) take(w http.ResponseWriter) bool {
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	h.api.conns.again(conn)
	h.conn = conn
	if n := buf.Reader.Buffered(); n > 0 {
		next, _ := buf.Peek(n) // it has them
		h.early = append(h.early, next...)
	}
	go h.run()
	return true
}

// past is a deadline that ends a read at once.
var past = time.Unix(1, 0)

// run waits, answers, and gives the connection back.
func (h *held) run() {
	defer h.done()
	if !h.serve() || h.api.leaving.Err() != nil {
		h.api.conns.release(h.conn)
		return
	}
	_ = h.conn.SetReadDeadline(time.Time{}) // it fails when the connection is closed, which net/http will find, too
	h.api.back.give(h)
}

// serve says whether the client was given a whole answer.
func (h *held) serve() (whole bool) {
	out := &writer{ResponseWriter: &onConn{conn: h.conn, header: http.Header{}}}
	defer h.api.finished(h.r)
	defer func() {
		if recover() != nil { // part of the answer was out when it failed
			whole = false
		}
	}()
	defer func() {
		if reason := recover(); reason != nil {
			h.api.contain(out, h.r, reason)
		}
	}()
	ans, err := h.await()
	if errors.Is(err, errGone) {
		return false
	}
	h.api.always(out.Header())
	h.api.dress(out.Header())
	if h.api.leaving.Err() != nil {
		out.Header().Set("Connection", "close")
	}
	if err != nil {
		h.api.fail(out, h.r, err)
	} else {
		h.api.respond(out, h.r, ans)
	}
	return true
}

// bell ends the read of a connection. Who has news may ring it a last time when it is
// no longer waited for, and must not end what others read from the connection then.
type bell struct {
	mu    sync.Mutex
	conn  net.Conn
	muted bool
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.muted {
		_ = b.conn.SetReadDeadline(past) // it fails when the connection is closed
	}
}

func (b *bell) mute() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.muted = true
}

// Why a hold ends without an answer.
var (
	errGone     = errors.New("the client has gone")
	errAsOthers = errors.New("the query has to be waited for as others are")
)

// await returns the answer, when there is one.
func (h *held) await() (*answer, error) {
	ans, err := h.listen()
	if errors.Is(err, errAsOthers) {
		return h.asOthers()
	}
	return ans, err
}

// listen waits for the client and for news at the same time.
func (h *held) listen() (*answer, error) {
	bell := &bell{conn: h.conn}
	if len(h.early) > 0 || !h.wait.Begin(bell.ring) {
		return nil, errAsOthers
	}
	defer bell.mute()
	defer h.wait.End()
	defer context.AfterFunc(h.api.leaving, bell.ring)()
	for {
		// The deadline comes first: what wakes from here on is not lost.
		_ = h.conn.SetReadDeadline(h.wait.Until())
		switch {
		case h.wait.Moved():
			done, err := h.wait.Look(h.api.closing)
			if err != nil {
				return nil, errAsOthers
			}
			if done {
				return h.show()
			}
		case h.api.leaving.Err() != nil, !time.Now().Before(h.wait.Until()):
			return h.show()
		}
		var next [1]byte
		switch n, err := h.conn.Read(next[:]); {
		case n > 0:
			h.early = append(h.early, next[0])
			return nil, errAsOthers
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return nil, errGone
		}
	}
}

// asOthers waits without a hold on the query: this server does not lead any more,
// say, and another has to be asked. A client that goes away ends that, too.
func (h *held) asOthers() (*answer, error) {
	ctx, gone := context.WithCancel(h.api.closing)
	defer gone()
	h.r.Request = h.r.WithContext(ctx)
	_ = h.conn.SetReadDeadline(time.Time{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if h.readAhead() {
			gone()
		}
	}()
	ans, err := h.alone(time.Until(h.wait.Until()))
	_ = h.conn.SetReadDeadline(past)
	<-ended
	return ans, err
}

// maxEarly is how much of further requests is read while one waits, at least.
const maxEarly = 64 << 10

// readAhead reads what comes of further requests until the deadline, and says whether
// the client has gone. Of one that sends too much before it has its answer that cannot
// be said.
func (h *held) readAhead() (gone bool) {
	next := make([]byte, 512)
	for len(h.early) < maxEarly {
		n, err := h.conn.Read(next)
		h.early = append(h.early, next[:n]...)
		if err != nil {
			return !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
	return false
}

// onConn writes an answer to a connection that is not net/http's.
type onConn struct {
	conn   net.Conn
	header http.Header
	head   []byte // not written yet
}

// Header implements http.ResponseWriter.
func (o *onConn) Header() http.Header { return o.header }

// WriteHeader implements http.ResponseWriter.
func (o *onConn) WriteHeader(status int) {
	o.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	o.head = append(o.head, "HTTP/1.1 "+strconv.Itoa(status)+" "+http.StatusText(status)+"\r\n"...)
	for name, values := range o.header {
		for _, value := range values {
			o.head = append(append(append(append(o.head, name...), ": "...), oneLine.Replace(value)...), "\r\n"...)
		}
	}
	o.head = append(o.head, "\r\n"...)
}

// oneLine keeps what is in a header there, as net/http does.
var oneLine = strings.NewReplacer("\n", " ", "\r", " ")

// Write implements http.ResponseWriter.
func (o *onConn) Write(body []byte) (int, error) {
	all := net.Buffers{o.head, body}
	if len(body) == 0 {
		all = all[:1]
	}
	o.head = nil
	_, err := all.WriteTo(o.conn)
	return len(body), err
}

// SetWriteDeadline is for http.ResponseController.
func (o *onConn) SetWriteDeadline(t time.Time) error { return o.conn.SetWriteDeadline(t) }

// lostAndFound gives connections back to net/http. It is a listener that accepts
// those which it is given.
type lostAndFound struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

var _ net.Listener = (*lostAndFound)(nil)

func newLostAndFound() *lostAndFound {
	l := &lostAndFound{addr: &net.TCPAddr{}, conns: make(chan net.Conn), closed: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	return l
}

// give gives a connection back, or closes it when there is nobody to take it.
func (l *lostAndFound) give(h *held) {
	conn := h.conn
	if len(h.early) > 0 {
		conn = &begunConn{Conn: conn, early: h.early}
		h.api.conns.rename(h.conn, conn)
	}
	select {
	case l.conns <- conn:
	case <-l.closed:
		h.api.conns.release(conn)
	}
}

// Accept implements net.Listener.
func (l *lostAndFound) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *lostAndFound) Close() error {
	l.close()
	return nil
}

// Addr implements net.Listener.
func (l *lostAndFound) Addr() net.Addr { return l.addr }

// begunConn is a connection of which something has been read already.
type begunConn struct {
	net.Conn
	early []byte
}

// Read implements net.Conn.
func (b *begunConn) Read(p []byte) (int, error) {
	if len(b.early) == 0 {
		return b.Conn.Read(p)
	}
	n := copy(p, b.early)
	b.early = b.early[n:]
	return n, nil
}
