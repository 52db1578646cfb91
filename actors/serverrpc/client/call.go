package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/messages/wire"
)

// ErrOutcomeUnknown is returned when a write was sent and no good answer came. It
// may have been carried out.
var ErrOutcomeUnknown = errors.New("the server has not answered; whether the request was carried out is unknown")

// A RemoteError is what a server answered instead of a reply, in its own words.
type RemoteError string

// Error implements error.
func (e RemoteError) Error() string { return string(e) }

// Call has the server at address (host:port) carry out a method. args are not
// changed; reply is a pointer to a zero value, and is not to be used after an
// error. The package comment says what an error tells. When ctx ends first, so does
// the call, there too if it is a query that waits; the error wraps ctx's cause, and
// whether a write was carried out is unknown.
func (p *Pool) Call(ctx context.Context, address, method string, args wire.Request, reply any) error {
	var st *stream
	err := ctx.Err()
	if err == nil {
		st, err = p.stream(ctx, address)
	}
	switch {
	case err != nil && ctx.Err() != nil: // the asker's own wish, no fault of the server's
		return fmt.Errorf("%s: the server at %s was not asked: %w", method, address, context.Cause(ctx))
	case errors.Is(err, ErrClosed):
		return err
	case err != nil:
		return &invoke.Unsent{Err: err}
	}
	defer p.leave(st.session)
	return st.call(ctx, method, args, reply)
}

// stream is a stream of a connection. It carries one call at a time.
type stream struct {
	session *session
	conn    *frame.Stream
	in      *frame.Reader
	seq     uint64
}

// call writes a request and reads its answer. It ends the stream, or lays it to rest.
func (st *stream) call(ctx context.Context, method string, args wire.Request, reply any) error {
	request, err := frame.Marshal(&frame.Request{ServiceMethod: method, Seq: st.seq + 1}, args)
	if err != nil {
		st.session.rest(st)
		return fmt.Errorf("%s: %w", method, err)
	}
	st.seq++
	stop := context.AfterFunc(ctx, st.cut)
	sent, err := st.exchange(request, args.IsRead(), reply)
	whole := stop() // otherwise the stream is being cut

	var remote RemoteError
	answered := err == nil || errors.As(err, &remote)
	switch {
	case whole && answered:
		st.session.rest(st)
	case whole:
		st.cut()
	}
	if answered {
		return err
	}
	return st.explain(ctx, method, args.IsRead(), sent, err)
}

// cut ends the stream, so that who reads or writes it stops, and the server with
// what it is doing for us.
func (st *stream) cut() {
	_ = st.conn.SetDeadline(time.Unix(1, 0))
	_ = st.conn.Close()
}

// exchange returns whether the server may have the whole request.
func (st *stream) exchange(request []byte, isRead bool, reply any) (sent bool, err error) {
	if !isRead {
		// The multiplexer cannot tell whether the last frame of a write that failed
		// has left. With the last byte in a frame of its own, all before is certain.
		last := len(request) - 1
		if _, err := st.conn.Write(request[:last]); err != nil {
			return false, err
		}
		request = request[last:]
	}
	if _, err := st.conn.Write(request); err != nil {
		return true, err
	}
	return true, st.answer(reply)
}

// answer reads the answer to the newest request.
func (st *stream) answer(reply any) error {
	var resp frame.Response
	if err := st.in.Header(&resp); err != nil {
		return err
	}
	if resp.Seq != st.seq {
		return fmt.Errorf("%w: request %d is answered instead of %d", frame.ErrMalformed, resp.Seq, st.seq)
	}
	body, err := st.in.Body()
	if err != nil {
		return err
	}
	if resp.Error != "" {
		return RemoteError(resp.Error)
	}
	return st.in.Decode(body, reply)
}

// explain says what an error means for who asked.
func (st *stream) explain(ctx context.Context, method string, isRead, sent bool, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: the server at %s has not answered in time: %w", method, st.session.address, context.Cause(ctx))
	}
	if cause := st.session.mux.Cause(); cause != nil {
		err = cause // the stream knows only that it has ended
	}
	err = fmt.Errorf("%s at the server %s: %w", method, st.session.address, err)
	switch {
	case !sent, isRead && !errors.Is(err, frame.ErrMalformed) && !errors.Is(err, frame.ErrTooLarge):
		return &invoke.Unsent{Err: err}
	case isRead: // it would be no better the next time
		return err
	default:
		return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	}
}
