package serverrpc

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/serverrpc/subscribe"
	"github.com/actor-consul/consul/messages"
)

const (
	// grpcKeepalive is how often a client is asked whether it is there, and
	// grpcPingTimeout how long it has to answer: as on multiplexed connections.
	grpcKeepalive   = 30 * time.Second
	grpcPingTimeout = 10 * time.Second
	// maxCallHeaders is how long the headers of a call may be. Nothing in them is of
	// use here.
	maxCallHeaders = 16 << 10
)

// subscribeMethod is the one method that can be called by gRPC.
const subscribeMethod = "/subscribe.StateChangeSubscription/Subscribe"

// newHTTP2 returns the server of the connections for gRPC, which is HTTP/2 with the
// status of a call in its trailers. TLS, if there is some, is below it.
func newHTTP2(s *server) *http.Server {
	complaints, err := zap.NewStdLogAt(s.log, zap.DebugLevel) // about what clients did
	if err != nil {
		panic(err) // there is that level
	}
	srv := &http.Server{
		Handler:           http.HandlerFunc(s.call),
		ErrorLog:          complaints,
		MaxHeaderBytes:    maxCallHeaders,
		ReadHeaderTimeout: s.cfg.HandshakeTimeout, // for what HTTP/2 begins with
		Protocols:         new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReadFrameSize:              16 << 10, // the smallest that there is
			MaxReceiveBufferPerConnection: 64 << 10, // the same
			MaxReceiveBufferPerStream:     2 * maxMessage,
			SendPingTimeout:               grpcKeepalive,
			PingTimeout:                   grpcPingTimeout,
			WriteByteTimeout:              writeTimeout,
		},
		BaseContext: func(net.Listener) context.Context { return s.ctx },
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, nc)
		},
	}
	srv.Protocols.SetUnencryptedHTTP2(true)
	return srv
}

// connKey is where the context of a call has its connection.
type connKey struct{}

// serveGRPC serves a connection for gRPC until it is closed.
func (s *server) serveGRPC(ctx context.Context, nc net.Conn) {
	c := &lent{Conn: nc, over: make(chan struct{})}
	select {
	case s.calls <- c:
	case <-s.draining.Done():
		return
	}
	select {
	case <-c.over:
	case <-ctx.Done():
	}
}

// runHTTP2 is the goroutine that gives the server of HTTP/2 its connections. In a
// drain, clients are told to take their calls elsewhere.
func (s *server) runHTTP2() {
	srv := newHTTP2(s)
	context.AfterFunc(s.draining, func() {
		_ = srv.Shutdown(s.ctx)
		_ = srv.Close()
	})
	_ = srv.Serve(lender{s}) // it ends with s
}

// lender is the listener of the server of HTTP/2.
type lender struct{ *server }

var _ net.Listener = lender{}

// Accept implements net.Listener.
func (l lender) Accept() (net.Conn, error) {
	select {
	case nc := <-l.calls:
		return nc, nil
	case <-l.draining.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l lender) Close() error { return nil }

// Addr implements net.Listener.
func (l lender) Addr() net.Addr { return &net.TCPAddr{} }

// lent is a connection that the server of HTTP/2 has. That it may be TLS is hidden,
// since it would shake hands again.
type lent struct {
	net.Conn
	once sync.Once
	over chan struct{}
}

// Close implements net.Conn.
func (l *lent) Close() error {
	l.once.Do(func() { close(l.over) })
	return l.Conn.Close()
}

// call carries out a call, on a goroutine of its own, and says how it ended.
func (s *server) call(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !isGRPC(r.Header.Get("Content-Type")) {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	metrics.IncrCounter([]string{"rpc", "request"}, 1)
	out := &outgoing{w: w, ctl: http.NewResponseController(w), stall: s.cfg.StallTimeout}
	err := s.carryOutCall(r, out)
	if r.Context().Err() != nil {
		return // there is nobody left to tell
	}
	metrics.IncrCounter([]string{"rpc", "request_error"}, 1)
	out.end(statusOf(err))
}

// carryOutCall carries out a call, which does not end but with an error. A panic there
// costs that call alone.
func (s *server) carryOutCall(r *http.Request, out *outgoing) (err error) {
	nc := r.Context().Value(connKey{}).(net.Conn)
	defer func() {
		if reason := recover(); reason != nil {
			s.failed("a request failed", reason, zap.String("method", r.URL.Path), from(nc))
			err = messages.ErrCrashed
		}
	}()
	if r.URL.Path != subscribeMethod {
		return &status{codeUnimplemented, "unknown method " + r.URL.Path}
	}
	_ = out.ctl.SetReadDeadline(time.Now().Add(requestTimeout))
	b, err := readMessage(r.Body)
	if err != nil {
		return err
	}
	_ = out.ctl.SetReadDeadline(time.Time{})
	req, err := subscribe.ReadRequest(b)
	if err != nil {
		return &status{codeInvalidArgument, err.Error()}
	}
	if !s.flight.enter() {
		return messages.ErrLeaving
	}
	defer s.flight.leave()
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.draining, func() { cancel(messages.ErrLeaving) })()
	if err = s.subscribe(ctx, req, out); out.slow() {
		s.remark(nc, "ended a subscription whose client does not read", zap.Stringer("topic", req.Topic))
	}
	return err
}

// stretch is how much a client has StallTimeout to read.
const stretch = 64 << 10

// outgoing is what goes to the client of a call: messages, and how it ended.
type outgoing struct {
	w     http.ResponseWriter
	ctl   *http.ResponseController
	stall time.Duration

	begun bool
	ahead int       // bytes that may still go before the deadline
	until time.Time // the deadline; zero: nothing is on its way
}

// send sends a message, sooner or later.
func (o *outgoing) send(message []byte) error {
	if !o.begun {
		o.w.Header().Set("Content-Type", "application/grpc")
		o.begun = true
	}
	for _, whole := range [][]byte{prefixed(message), message} {
		for part := range slices.Chunk(whole, stretch) {
			if o.ahead -= len(part); o.ahead < 0 {
				o.allow(stretch)
			}
			if _, err := o.w.Write(part); err != nil {
				return fmt.Errorf("the client cannot be told: %w", err)
			}
		}
	}
	return nil
}

// allow lets so many bytes go before the deadline, which is moved.
func (o *outgoing) allow(bytes int) {
	o.ahead, o.until = bytes, time.Now().Add(o.stall)
	_ = o.ctl.SetWriteDeadline(o.until)
}

// flush sends what was not sent yet. Nothing is due after it.
func (o *outgoing) flush() error {
	if o.until.IsZero() {
		return nil
	}
	if err := o.ctl.Flush(); err != nil {
		return err
	}
	o.ahead, o.until = 0, time.Time{}
	return o.ctl.SetWriteDeadline(time.Time{})
}

// slow says whether the client had time enough to read what was sent, and did not.
func (o *outgoing) slow() bool { return !o.until.IsZero() && !time.Now().Before(o.until) }

// end says how the call ended: in the headers, if there were none before, so that the
// client knows that it may call again.
func (o *outgoing) end(s *status) {
	where := http.TrailerPrefix
	if !o.begun {
		where = ""
		o.w.Header().Set("Content-Type", "application/grpc")
	}
	o.w.Header().Set(where+"Grpc-Status", strconv.Itoa(int(s.code)))
	o.w.Header().Set(where+"Grpc-Message", percent(s.text))
}
