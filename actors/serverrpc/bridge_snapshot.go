package serverrpc

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

const (
	// maxSnapshots is how many archives may be under way at the same time.
	maxSnapshots = 8
	// maxSnapshotRequest is how long the arguments may be, in bytes. An ACL token is
	// the longest part.
	maxSnapshotRequest = 16 << 10
	// lingerTimeout is how long the rest of an archive is read that is not wanted, so
	// that its sender, who is still at it, gets to read why.
	lingerTimeout = 10 * time.Second
)

// snapshot carries out the one request of a connection for snapshots: the arguments
// come, and to the end of what the client sends the archive to be restored; then goes
// the answer and, to the end of the connection, the archive that was saved.
func (s *server) snapshot(ctx context.Context, nc net.Conn) {
	defer nc.Close()
	_ = nc.SetReadDeadline(time.Now().Add(requestTimeout))
	args := new(wire.SnapshotRequest)
	request, err := wire.ReadValue(nc, nil, maxSnapshotRequest)
	if err == nil {
		err = wire.Decode(request, maxSnapshotRequest, args)
	}
	if err != nil {
		if !gone(err) && ctx.Err() == nil {
			s.remark(nc, "closed a connection for snapshots on which no request could be read", zap.Error(err))
		}
		return
	}
	parts := frame.Parts{Conn: nc, Each: s.cfg.StallTimeout}
	leave, err := s.enterSnapshot()
	if err == nil {
		defer leave()
	}
	saved, err := s.carryOutSnapshot(ctx, args, parts, err)
	if saved != nil {
		defer saved.Archive.Close()
	}
	if err := answerSnapshot(parts, saved, err); err != nil {
		s.remark(nc, "closed a connection for snapshots whose client did not take the answer", zap.Error(err))
		return
	}
	if err != nil || saved == nil {
		_ = frame.CloseWrite(nc)
		_ = nc.SetReadDeadline(time.Now().Add(lingerTimeout))
		_, _ = io.Copy(io.Discard, nc)
	}
}

// enterSnapshot counts one more that is under way, unless there are too many or the
// agent is leaving. Who has entered leaves.
func (s *server) enterSnapshot() (leave func(), err error) {
	switch {
	case !s.snapshots.enter():
		s.limits.Refused("rpc_snapshots", "refusing snapshots: too many are under way", zap.Int("most", maxSnapshots))
		return nil, messages.ErrOverloaded
	case !s.flight.enter():
		s.snapshots.leave()
		return nil, messages.ErrLeaving
	default:
		return func() { s.flight.leave(); s.snapshots.leave() }, nil
	}
}

// carryOutSnapshot has the Invoker do it, unless it is refused.
func (s *server) carryOutSnapshot(ctx context.Context, args *wire.SnapshotRequest, in io.Reader, refused error) (*invoke.SavedSnapshot, error) {
	switch {
	case refused != nil:
		return nil, refused
	case args.Op != wire.SnapshotSave && args.Op != wire.SnapshotRestore:
		return nil, errors.New("a snapshot can be saved or restored, and nothing else")
	default:
		return s.cfg.Invoker.Snapshot(ctx, args, in)
	}
}

// answerSnapshot writes the answer and the archive.
func answerSnapshot(to io.Writer, saved *invoke.SavedSnapshot, why error) error {
	var reply wire.SnapshotResponse
	switch {
	case why != nil:
		reply.Error = why.Error()
	case saved != nil:
		reply.QueryMeta = saved.QueryMeta
	}
	if err := wire.NewEncoder(to).Encode(&reply); err != nil || why != nil || saved == nil {
		return err
	}
	_, err := io.Copy(to, saved.Archive)
	return err
}
