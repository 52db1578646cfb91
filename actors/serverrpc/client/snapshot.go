package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/messages/archive"
	"github.com/actor-consul/consul/messages/wire"
)

const (
	// snapshotTimeout is how long a server may take to save its state, or to restore
	// another, once it has everything.
	snapshotTimeout = 10 * time.Minute
	// maxSnapshotResponse is how long the answer before the archive may be, in bytes.
	maxSnapshotResponse = 64 << 10
	// lastWords is how long the answer of a server is waited for that takes no more of
	// an archive.
	lastWords = 5 * time.Second
)

// Archive is a snapshot that has come from a server, is whole, and is kept in a file
// that goes when it is closed.
type Archive struct {
	*archive.Scratch
	size int64
}

// Size returns the length of the archive in bytes.
func (a *Archive) Size() int64 { return a.size }

// Snapshot has the server at address (host:port) save its state, or restore the
// archive that in gives, over a connection of its own. reply is a pointer to a zero
// value. What was saved has come as a whole, and its sums are right, before it is
// returned; the caller closes it. After a restore there is none. in is not read
// any more when Snapshot returns.
//
// An error is what Call's is (see the package comment): a save that was not answered
// can be asked of another server, and a restore as long as nothing of in was read.
func (p *Pool) Snapshot(ctx context.Context, address string, args *wire.SnapshotRequest, in io.Reader, reply *wire.SnapshotResponse) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()

	t := &transfer{pool: p, address: address, args: args, in: &counting{r: in}}
	saved, err := t.run(ctx, reply)
	switch remote := new(RemoteError); {
	case err == nil:
		return saved, nil
	case ctx.Err() != nil && p.ctx.Err() != nil:
		return nil, ErrClosed
	case errors.As(err, remote):
		return nil, err
	case t.in.err != nil:
		return nil, fmt.Errorf("read the archive to be restored: %w", t.in.err)
	case t.answered && ctx.Err() == nil: // another server would do no better
		return nil, fmt.Errorf("snapshot of the server %s: %w", address, err)
	}
	err = fmt.Errorf("snapshot at the server %s: %w", address, err)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: %w", err, context.Cause(ctx))
	case args.Op == wire.SnapshotSave || !t.in.begun:
		return nil, &invoke.Unsent{Err: err}
	default:
		return nil, fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	}
}

// transfer is one request for a snapshot.
type transfer struct {
	pool    *Pool
	address string
	args    *wire.SnapshotRequest
	in      *counting

	answered bool
}

// counting notes whether a reader has been read from, and what was wrong with it.
type counting struct {
	r     io.Reader
	begun bool
	err   error
}

// Read implements io.Reader.
func (c *counting) Read(b []byte) (int, error) {
	c.begun = true
	n, err := c.r.Read(b)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

func (t *transfer) run(ctx context.Context, reply *wire.SnapshotResponse) (io.ReadCloser, error) {
	conn, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()

	wait := snapshotTimeout
	parts := frame.Parts{Conn: conn, Each: t.pool.cfg.StallTimeout}
	sendErr := t.send(parts)
	switch {
	case t.in.err != nil:
		return nil, sendErr
	case sendErr != nil:
		wait = lastWords // it may have said why it takes no more
	}
	_ = conn.SetReadDeadline(time.Now().Add(wait))
	answer, err := wire.ReadValue(conn, nil, maxSnapshotResponse)
	if err == nil {
		err = wire.Decode(answer, maxSnapshotResponse, reply)
	}
	switch {
	case err == nil && reply.Error != "":
		return nil, RemoteError(reply.Error)
	case sendErr != nil:
		return nil, sendErr
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case t.args.Op == wire.SnapshotRestore:
		return io.NopCloser(nil), nil
	}
	t.answered = true
	return t.receive(parts)
}

// dial opens the connection and says what it is for.
func (t *transfer) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, t.pool.cfg.DialTimeout)
	defer cancel()
	conn, err := t.pool.cfg.Dial(ctx, t.address)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	_ = conn.SetWriteDeadline(deadline)
	if _, err := conn.Write([]byte{byte(frame.Snapshot)}); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// send writes the request and what is to be restored, and says that this is all.
func (t *transfer) send(to frame.Parts) error {
	if err := wire.NewEncoder(to).Encode(t.args); err != nil {
		return fmt.Errorf("send the request: %w", err)
	}
	if t.args.Op == wire.SnapshotRestore {
		if _, err := io.Copy(onlyWriter{to}, t.in); err != nil {
			return fmt.Errorf("send the archive: %w", err)
		}
	}
	return frame.CloseWrite(to.Conn)
}

// onlyWriter keeps io.Copy from passing the deadlines by.
type onlyWriter struct{ io.Writer }

// receive takes in the archive and looks whether it is whole: a connection that ends
// early may look like one that ends.
func (t *transfer) receive(from io.Reader) (_ io.ReadCloser, err error) {
	file, err := archive.NewScratch(t.pool.cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	if _, err := io.Copy(onlyWriter{file}, from); err != nil {
		return nil, fmt.Errorf("receive the archive: %w", err)
	}
	size, err := file.Rewind()
	if err != nil {
		return nil, err
	}
	if _, err := archive.Verify(file, archive.Limits{}); err != nil {
		return nil, fmt.Errorf("the archive that came: %w", err)
	}
	if _, err := file.Rewind(); err != nil {
		return nil, err
	}
	return &Archive{file, size}, nil
}
