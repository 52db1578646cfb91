package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages/agentrpc"
)

const (
	// requestTimeout is how long a request may take to arrive, once it has begun.
	requestTimeout = 10 * time.Second

	// bodyGrace is how long list-keys waits for the body that clients before 0.7.4
	// do not send. Those that do send it in one write with the header.
	bodyGrace = 100 * time.Millisecond

	// lineBuffer is how many lines of a monitor wait for a slow reader before lines
	// are lost, as in Consul.
	lineBuffer = 512
)

// errRefused ends a connection whose last request was answered with a refusal.
var errRefused = errors.New("request refused")

// conn is a connection. Requests are read and answered one after the other on one
// goroutine (serve); whatever is written, answers and the lines of a monitor,
// passes through a second one (write), so that nothing interleaves.
type conn struct {
	srv *server
	nc  net.Conn
	dec *agentrpc.Decoder

	ctx context.Context // ends with the connection
	end context.CancelFunc

	replies chan reply
	lines   chan line

	// What serve alone touches.
	shaken  bool                    // the handshake is done
	monitor *monitor                // nil: none
	next    *agentrpc.RequestHeader // already read
	stray   bool                    // the body of list-keys may still come
}

// reply is an answer on its way to the writer.
type reply struct {
	values  []any
	written chan<- error // has room for one
}

func newConn(s *server, nc net.Conn) *conn {
	c := &conn{
		srv: s, nc: nc,
		dec:     agentrpc.NewDecoder(nc, agentrpc.MaxRequest),
		replies: make(chan reply),
		lines:   make(chan line, lineBuffer),
	}
	c.ctx, c.end = context.WithCancel(s.ctx)
	return c
}

// serve reads requests and answers them until the client has enough, does what it
// may not, or the server ends.
func (c *conn) serve() {
	context.AfterFunc(c.ctx, func() { _ = c.nc.Close() })
	defer c.end()
	defer c.caught()
	go c.write()

	_ = c.nc.SetReadDeadline(time.Now().Add(c.srv.cfg.HandshakeTimeout))
	for {
		h, err := c.header()
		if err == nil {
			err = c.serveRequest(h)
		}
		if err != nil {
			c.note(err)
			return
		}
	}
}

// caught is deferred by every goroutine of a connection: a panic there costs that
// connection alone.
func (c *conn) caught() {
	if reason := recover(); reason != nil {
		c.srv.log.Error(fmt.Sprintf("a connection failed: %v", reason), from(c.nc))
		c.srv.log.Debug("the stack of a failure", zap.ByteString("stack", debug.Stack()))
		c.end()
	}
}

// note logs why a connection ends, when it is not the client's own wish.
func (c *conn) note(err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || c.ctx.Err() != nil {
		return
	}
	if !c.shaken && errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("no handshake within %v", c.srv.cfg.HandshakeTimeout)
	}
	c.srv.log.Warn("closed an RPC connection", from(c.nc), zap.Error(err))
}

// header reads the next request header, for which there is no hurry after the
// handshake.
func (c *conn) header() (agentrpc.RequestHeader, error) {
	if h := c.next; h != nil {
		c.next = nil
		return *h, nil
	}
	for {
		if err := c.await(); err != nil {
			return agentrpc.RequestHeader{}, err
		}
		var h agentrpc.RequestHeader
		if err := c.dec.Decode(&h); err != nil {
			return h, err
		}
		if stray := c.stray && h.Command == ""; !stray {
			c.stray = false
			return h, nil
		}
		c.stray = false
	}
}

// await waits until the next request begins, and gives it the time to arrive.
func (c *conn) await() error {
	if !c.shaken { // the deadline of the handshake is set already
		return nil
	}
	if err := c.nc.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	if err := c.dec.Await(); err != nil {
		return err
	}
	return c.nc.SetReadDeadline(time.Now().Add(requestTimeout))
}

// body reads the body of a request. The end of the stream is no clean end here.
func (c *conn) body(v any) error {
	err := c.dec.Decode(v)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("request without its body: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// optionalBody reads the body of a request whose older clients send none. What is
// not a body is the next request.
func (c *conn) optionalBody(v any) error {
	if err := c.nc.SetReadDeadline(time.Now().Add(bodyGrace)); err != nil {
		return err
	}
	if err := c.dec.Await(); err != nil {
		c.stray = true
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	if err := c.nc.SetReadDeadline(time.Now().Add(requestTimeout)); err != nil {
		return err
	}
	b, err := c.dec.Next()
	if err != nil {
		return err
	}
	var h agentrpc.RequestHeader
	if agentrpc.Decode(b, &h) == nil && h.Command != "" {
		c.next = &h
		return nil
	}
	return agentrpc.Decode(b, v)
}

// reply writes an answer and returns once it is on its way.
func (c *conn) reply(seq uint64, err error, body ...any) error {
	h := &agentrpc.ResponseHeader{Seq: seq}
	if err != nil {
		h.Error = err.Error()
	}
	written := make(chan error, 1)
	select {
	case c.replies <- reply{append([]any{h}, body...), written}:
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	select {
	case err := <-written:
		return err
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// write is the goroutine that owns the writing side.
func (c *conn) write() {
	defer c.end()
	defer c.caught()
	enc := agentrpc.NewEncoder(c.nc)
	var text []byte
	for {
		var err error
		select {
		case r := <-c.replies:
			if err = enc.Encode(r.values...); err == nil {
				err = enc.Flush()
			}
			r.written <- err
		case l := <-c.lines:
			text, err = c.writeLines(enc, l, text)
		case <-c.ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// writeLines writes a line and those that wait behind it. text is room to write
// in, and is returned for the next time.
func (c *conn) writeLines(enc *agentrpc.Encoder, l line, text []byte) ([]byte, error) {
	for waiting := len(c.lines); ; waiting-- {
		var err error
		if text, err = l.encode(enc, text); err != nil {
			return text, err
		}
		if waiting == 0 {
			return text, enc.Flush()
		}
		l = <-c.lines
	}
}
