package serverrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

const (
	// requestTimeout is how long a request may take to arrive, once it has begun,
	// and writeTimeout how long its answer may take to be read.
	requestTimeout = 30 * time.Second
	writeTimeout   = 30 * time.Second
	// maxRequests is how many requests of one connection are carried out at a time,
	// on all of its streams.
	maxRequests = maxStreams
)

// stream is a connection, or a stream of one, with requests on it. They are read on
// one goroutine (serve) and each is carried out on one of its own.
type stream struct {
	srv  *server
	nc   net.Conn
	in   *frame.Reader
	peer *peer // of the connection

	ctx context.Context // ends with the stream
	end context.CancelFunc

	writing sync.Mutex // answers do not interleave
}

// newStream returns a stream whose requests come from r; the rest is up to nc.
func (s *server) newStream(ctx context.Context, nc net.Conn, r io.Reader, p *peer) *stream {
	c := &stream{srv: s, nc: nc, in: frame.NewReader(r, frame.RequestLimits(s.cfg.MaxRequest)), peer: p}
	c.ctx, c.end = context.WithCancel(ctx)
	return c
}

// call is a request that has arrived.
type call struct {
	frame.Request
	method method
	args   wire.Request
}

// serve reads requests until there are no more. Those under way end with it: there
// is nobody left to answer.
func (c *stream) serve() {
	defer c.end()
	for {
		if err := c.next(); err != nil {
			c.note(err)
			return
		}
	}
}

// next reads a request and has it carried out. After an error the stream cannot be
// read any further.
func (c *stream) next() error {
	_ = c.nc.SetReadDeadline(time.Time{})
	if err := c.in.Await(); err != nil {
		return err
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(requestTimeout))
	var req frame.Request
	if err := c.in.Header(&req); err != nil {
		return err
	}
	body, err := c.in.Body()
	if err != nil {
		return err
	}
	metrics.IncrCounter([]string{"rpc", "request"}, 1)
	m, ok := c.srv.methods[req.ServiceMethod]
	if !ok {
		return c.refuse(&req, fmt.Errorf("rpc: can't find method %s", req.ServiceMethod))
	}
	if why := c.peer.server; m.servers && why != nil {
		c.srv.turnAway(c.nc, "refused a request that is for servers to one that is none", zap.String("method", m.name), zap.Error(why))
		return c.refuse(&req, fmt.Errorf("%s is for servers: %w", m.name, why))
	}
	args := m.newArgs()
	if err := c.in.Decode(body, args); err != nil {
		return c.refuse(&req, err)
	}
	return c.begin(&call{req, m, args})
}

// begin has a request carried out, if there is room.
func (c *stream) begin(call *call) error {
	if !c.peer.requests.enter() {
		c.srv.limits.Refused("rpc_requests", "refusing requests of a connection that has too many", from(c.nc), zap.Int("most", maxRequests))
		return c.refuse(&call.Request, messages.ErrOverloaded)
	}
	if !c.srv.flight.enter() {
		c.peer.requests.leave()
		return c.refuse(&call.Request, messages.ErrLeaving)
	}
	go func() {
		defer c.peer.requests.leave()
		defer c.srv.flight.leave()
		defer c.srv.caught(c.nc)
		reply, err := c.carryOut(call)
		if c.ctx.Err() == nil {
			c.answer(&call.Request, reply, err)
		}
	}()
	return nil
}

// carryOut runs a method. A panic there costs that request alone.
func (c *stream) carryOut(call *call) (reply any, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			c.srv.failed("a request failed", reason, zap.String("method", call.method.name), from(c.nc))
			err = messages.ErrCrashed
		}
	}()
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	if waits(call.args) {
		stop := context.AfterFunc(c.srv.draining, func() { cancel(messages.ErrLeaving) })
		defer stop()
	}
	reply = call.method.newReply()
	err = call.method.run(ctx, call.args, reply)
	return reply, err
}

// waits says whether a request is one that waits for news.
func waits(args wire.Request) bool {
	r, ok := args.(wire.Read)
	return ok && r.Options().MinQueryIndex > 0
}

// refuse answers a request that is not carried out.
func (c *stream) refuse(req *frame.Request, why error) error {
	c.answer(req, nil, why)
	return c.ctx.Err()
}

// answer writes an answer. A client that does not take it loses the stream.
func (c *stream) answer(req *frame.Request, reply any, err error) {
	resp := frame.Response{ServiceMethod: req.ServiceMethod, Seq: req.Seq}
	if err != nil {
		metrics.IncrCounter([]string{"rpc", "request_error"}, 1)
		resp.Error, reply = err.Error(), struct{}{}
	}
	b, err := frame.Marshal(&resp, reply)
	if err != nil {
		resp.Error = "the reply cannot be encoded: " + err.Error()
		b, err = frame.Marshal(&resp, struct{}{})
	}
	if err == nil {
		err = c.write(b)
	}
	if err != nil {
		c.end()
		_ = c.nc.Close()
	}
}

func (c *stream) write(b []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.nc.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := c.nc.Write(b)
	return err
}

// note logs why a stream ends, when it is not its peer's own wish.
func (c *stream) note(err error) {
	var timeout net.Error
	switch {
	case gone(err) || c.ctx.Err() != nil:
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		c.srv.remark(c.nc, "closed a connection whose request did not arrive in time")
	default:
		c.srv.remark(c.nc, "closed a connection on which no request could be read", zap.Error(err))
	}
}
