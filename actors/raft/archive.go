package raft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/archive"
)

// A checker is a state machine that says whether it could restore a snapshot,
// without restoring it. Raft panics when a snapshot that it was given to restore
// turns out to be none, by then it has it on its disk, and the other servers would
// be next. So the actor asks before.
type checker interface {
	CheckSnapshot(io.Reader) error
}

// maxArchives bounds those who wait for an archive. Each takes room on the disk
// until its reader is done with it.
const maxArchives = 16

// archives is what is under way with archives: one is made at a time, since raft
// keeps only the two newest snapshots and might delete one that is being read, and
// one is restored at a time.
type archives struct {
	saves     []*messages.SaveSnapshot // the first is under way
	restoring bool
}

// What the node tells the actor of archives, and of the state.
type (
	archived struct{}
	spooled  struct {
		asker *messages.RestoreSnapshot
		state *archive.Scratch
		meta  *raft.SnapshotMeta
		err   error
	}
	unarchived struct{}
	replaced   struct{} // the state, by a snapshot
)

// Refuse makes the dead-letter office give back what nobody will restore.
func (s *spooled) Refuse(err error) {
	if s.state != nil {
		_ = s.state.Close()
	}
	s.asker.Refuse(err)
}

func (a *raftActor) saveSnapshot(msg *messages.SaveSnapshot) {
	if len(a.archives.saves) == maxArchives {
		a.overloaded("raft_snapshots", "too many snapshots are being saved", msg)
		return
	}
	a.archives.saves = append(a.archives.saves, msg)
	if len(a.archives.saves) == 1 {
		a.node.saveSnapshot(msg)
	}
}

func (a *raftActor) archived() {
	a.archives.saves = a.archives.saves[1:]
	if len(a.archives.saves) > 0 {
		a.node.saveSnapshot(a.archives.saves[0])
	}
}

// refuseArchives is for the end: nobody waits for what will not come.
func (a *raftActor) refuseArchives() {
	for _, msg := range a.archives.saves {
		msg.Refuse(messages.ErrLeaving) // but for one that is made after all
	}
	a.archives = archives{}
}

func (a *raftActor) restoreSnapshot(msg *messages.RestoreSnapshot) {
	switch {
	case !a.standing.leads():
		msg.Refuse(messages.ErrNotLeader)
	case a.failing != nil:
		msg.Refuse(a.failing)
	case a.archives.restoring:
		msg.Refuse(errors.New("another snapshot is being restored at this moment; nothing was done, try again"))
	default:
		a.archives.restoring = true
		a.node.spool(msg)
	}
}

// spooled restores an archive that has come and is good.
func (a *raftActor) spooled(msg *spooled) {
	switch {
	case msg.err != nil:
		a.archives.restoring = false
		a.log.Warn("a snapshot was not restored, the state is what it was", zap.Error(msg.err))
		msg.Refuse(msg.err)
	case !a.standing.leads():
		a.archives.restoring = false
		msg.Refuse(fmt.Errorf("leadership was lost before the snapshot had come, nothing was restored; try again: %w", messages.ErrNoLeader))
	default:
		a.log.Info("restoring a snapshot in the place of the state", zap.String("id", msg.meta.ID),
			zap.Uint64("index", msg.meta.Index), zap.Int64("bytes", msg.meta.Size))
		a.node.restore(msg)
	}
}

// replaced tells those who keep the state in line that it is another now.
func (a *raftActor) replaced() {
	a.cfg.Leader.Tell(&messages.StateRestored{})
	a.cfg.Local.Tell(&messages.StateRestored{})
}

// stateReplaced is called by the machine. What is restored while the log is opened
// is nobody's news.
func (n *node) stateReplaced() {
	if n.journal.running.Load() {
		n.tell(&replaced{})
	}
}

// sameName is for how long two snapshots may get the same name: raft names them by
// the millisecond.
const sameName = 2 * time.Millisecond

// saveSnapshot makes an archive and answers with it.
func (n *node) saveSnapshot(msg *messages.SaveSnapshot) {
	n.running.Go(func() {
		again := time.NewTimer(sameName)
		saved, err := n.save()
		if err == nil {
			n.log.Info("saved a snapshot of the state", zap.Uint64("index", saved.Index), zap.Int64("bytes", saved.Size))
		}
		msg.Settle(saved, err)
		<-again.C
		n.tell(&archived{})
	})
}

func (n *node) save() (saved *messages.SnapshotSaved, err error) {
	future := n.raft.Snapshot()
	switch err := future.Error(); {
	case errors.Is(err, raft.ErrNothingNewToSnapshot):
		return nil, fmt.Errorf("this server has no state yet: %w", messages.ErrNoLeader)
	case err != nil:
		return nil, fmt.Errorf("take a snapshot: %w", readError(err))
	}
	meta, source, err := future.Open()
	if err != nil {
		return nil, fmt.Errorf("open the snapshot that was just taken: %w", err)
	}
	defer source.Close() //nolint:errcheck // it was only read
	file, err := archive.NewScratch(n.dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	if err := archive.Write(file, meta, whileRunning{n.stream.done, source}); err != nil {
		return nil, fmt.Errorf("archive the snapshot: %w", err)
	}
	size, err := file.Rewind()
	if err != nil {
		return nil, err
	}
	if _, err := archive.Verify(whileRunning{n.stream.done, file}, archive.Limits{}); err != nil {
		return nil, fmt.Errorf("read back the archive: %w", err)
	}
	if _, err := file.Rewind(); err != nil {
		return nil, err
	}
	return &messages.SnapshotSaved{Index: meta.Index, Term: meta.Term, Size: size, Archive: file}, nil
}

// spool reads an archive to its end and says whether it can be restored. A stop does
// not wait for it: when the next bytes come is the sender's affair.
func (n *node) spool(msg *messages.RestoreSnapshot) {
	go func() {
		file, meta, err := n.unpack(msg.Archive)
		n.tell(&spooled{msg, file, meta, err})
	}()
}

func (n *node) unpack(from io.Reader) (state *archive.Scratch, meta *raft.SnapshotMeta, err error) {
	state, err = archive.NewScratch(n.dir)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			_ = state.Close()
			state = nil
		}
	}()
	meta, err = archive.Read(whileRunning{n.stream.done, from}, state, archive.Limits{})
	if err != nil {
		return state, nil, err
	}
	if _, err = state.Rewind(); err != nil {
		return state, nil, err
	}
	if c, ok := n.cfg.FSM.(checker); ok {
		if err = guard("check a snapshot", func() error { return c.CheckSnapshot(whileRunning{n.stream.done, state}) }); err != nil {
			return state, nil, fmt.Errorf("%s cannot be restored: %w", archive.StateFile, err)
		}
		_, err = state.Rewind()
	}
	return state, meta, err
}

// restore gives raft what was spooled, and answers when a quorum has it. There is
// no timeout: raft would count it against what has been restored, too.
func (n *node) restore(msg *spooled) {
	n.running.Go(func() {
		err := writeError(n.raft.Restore(msg.meta, whileRunning{n.stream.done, msg.state}, 0))
		_ = msg.state.Close()
		if errors.Is(err, messages.ErrNotLeader) { // before, or after raft had restored it here
			err = messages.ErrLeadershipLost
		}
		if err != nil {
			n.log.Error("a snapshot was not restored, or not by a quorum", zap.Error(err))
		} else {
			n.log.Info("restored a snapshot, all servers take over its state", zap.Uint64("index", msg.meta.Index))
		}
		n.tell(&unarchived{}) // before the asker comes with the next
		msg.asker.Settle(messages.SnapshotRestored{Index: msg.meta.Index}, err)
	})
}

// whileRunning reads until the node is stopped, so that no stop waits for the end
// of something large.
type whileRunning struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (w whileRunning) Read(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, messages.ErrLeaving
	}
	return w.r.Read(p)
}
