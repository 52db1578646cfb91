package invoke

import (
	"context"
	"errors"
	"io"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// errStaleRestore is Consul's answer to who wants to restore with AllowStale.
var errStaleRestore = errors.New("stale not allowed for restore")

// SavedSnapshot is an archive of the state in Consul's format. Who gets it closes
// Archive.
type SavedSnapshot struct {
	wire.QueryMeta
	Archive io.ReadCloser
	Size    int64 // in bytes; -1: not known
}

// Snapshot saves the state, or restores what in gives, by what args ask for. What is
// saved has all that was acknowledged before, as a read has, unless args allow a
// stale state. in is read for a restore only; once Snapshot has returned, reading it
// has to fail (see messages.RestoreSnapshot).
//
// After a restore an error that wraps messages.ErrLeadershipLost,
// messages.ErrCrashed or ctx's own leaves open whether the state was restored.
// SavedSnapshot is nil after a restore.
func (inv *Invoker) Snapshot(ctx context.Context, args *wire.SnapshotRequest, in io.Reader) (*SavedSnapshot, error) {
	if args.Op == wire.SnapshotRestore && args.AllowStale {
		return nil, errStaleRestore
	}
	if dc := args.Datacenter; dc != "" && dc != inv.cfg.Datacenter {
		servers, err := inv.serversOf(dc)
		if err != nil {
			return nil, err
		}
		if len(servers) > 0 || inv.cfg.Snapshot == nil {
			saved, err := inv.snapshotOfOne(ctx, servers, args, in)
			return saved, unavailable(err)
		}
		// A client agent, whose own servers know the way.
	}
	var saved *SavedSnapshot
	err := inv.hold(ctx, func() (err error) {
		saved, err = inv.snapshot(ctx, args, in)
		return err
	})
	return saved, err
}

// snapshot does so in this datacenter. An ErrNotLeader says that nothing was done and
// nothing of in was read.
func (inv *Invoker) snapshot(ctx context.Context, args *wire.SnapshotRequest, in io.Reader) (*SavedSnapshot, error) {
	if inv.cfg.Client {
		servers := inv.servers(inv.cfg.Datacenter)
		if len(servers) == 0 {
			return nil, ErrNoServers
		}
		return inv.snapshotOfOne(ctx, servers, args, in)
	}
	if args.Op == wire.SnapshotSave && args.AllowStale && inv.knows() {
		return inv.save(ctx)
	}
	s := inv.cfg.Status.Load()
	switch {
	case s == nil || !s.Leads() && (s.LeaderAddr == "" || inv.cfg.Snapshot == nil):
		return nil, messages.ErrNotLeader
	case !s.Leads():
		return inv.snapshotOf(ctx, inv.cfg.Datacenter, s.LeaderAddr, args, in)
	case args.Op == wire.SnapshotRestore:
		_, err := ask.Do(ctx, inv.cfg.Raft, &messages.RestoreSnapshot{Archive: in})
		return nil, err
	}
	if err := inv.mayAnswer(ctx, &wire.QueryOptions{}); err != nil {
		return nil, err
	}
	return inv.save(ctx)
}

// save has this server's raft make an archive. What is told of the server is of
// before, so that it is not too good.
func (inv *Invoker) save(ctx context.Context) (*SavedSnapshot, error) {
	var reply wire.SnapshotResponse
	inv.fillIn(&reply, &wire.QueryOptions{})
	saved, err := ask.Do(ctx, inv.cfg.Raft, &messages.SaveSnapshot{})
	if err != nil {
		return nil, err
	}
	reply.Index, reply.ConsistencyLevel = saved.Index, ""
	return &SavedSnapshot{QueryMeta: reply.QueryMeta, Archive: saved.Archive, Size: saved.Size}, nil
}

// snapshotOfOne asks one server after the other until one has taken the request.
func (inv *Invoker) snapshotOfOne(ctx context.Context, servers []messages.Server, args *wire.SnapshotRequest, in io.Reader) (*SavedSnapshot, error) {
	if inv.cfg.Snapshot == nil {
		return nil, messages.ErrNotServer
	}
	none := &unreached{}
	for _, s := range servers {
		saved, err := inv.snapshotOf(ctx, s.Datacenter, s.Addr.String(), args, in)
		var unsent *Unsent
		if !errors.As(err, &unsent) {
			return saved, err
		}
		none.add(s, unsent)
	}
	return nil, none
}

// snapshotOf carries a request to a server. A request that did not arrive is worth
// another try: its error wraps ErrNotLeader. What is sent is not sent again, since
// in can be read only once.
func (inv *Invoker) snapshotOf(ctx context.Context, dc, address string, args *wire.SnapshotRequest, in io.Reader) (*SavedSnapshot, error) {
	var reply wire.SnapshotResponse
	archive, err := inv.cfg.Snapshot(ctx, address, args, in, &reply)
	var unsent *Unsent
	switch {
	case errors.As(err, &unsent):
		inv.cfg.Failed.Tell(&messages.ServerFailed{Datacenter: dc, Address: address})
		return nil, retriable{err}
	case errors.Is(err, messages.ErrNotLeader) && args.Op == wire.SnapshotRestore:
		return nil, messages.ErrLeadershipLost
	case err != nil && args.Op == wire.SnapshotRestore:
		return nil, err
	case err != nil:
		return nil, known(err)
	case args.Op == wire.SnapshotRestore:
		return nil, archive.Close()
	}
	saved := &SavedSnapshot{QueryMeta: reply.QueryMeta, Archive: archive, Size: -1}
	if a, ok := archive.(interface{ Size() int64 }); ok {
		saved.Size = a.Size()
	}
	return saved, nil
}
