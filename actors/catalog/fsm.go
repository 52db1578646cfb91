package catalog

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-metrics"
	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages/wire"
)

// MaxEntry is how long a log entry may be, in bytes. Longer ones are refused when
// they are applied, on every server alike.
const MaxEntry = 64 << 20

// FSM applies the raft log to the state. It implements raft.FSM; raft calls it on
// one goroutine at a time. View may be called by anybody.
//
// What Apply returns is the answer to who proposed the entry: an error, or for
// some types a value. See the results in apply.go.
type FSM struct {
	store  atomic.Pointer[state.Store]
	broken atomic.Pointer[stateBroken] // set when an entry could not be applied
	to     atomic.Pointer[ask.Address]

	skipped map[wire.MessageType]bool // types that were told of; raft's goroutine only
	chunks  chunks                    // raft's goroutine only
	written uint64                    // index of the last entry that the log had when raft began; raft's
}

var _ raft.FSM = (*FSM)(nil)

// NewFSM returns an FSM over an empty state.
func NewFSM() *FSM {
	f := &FSM{skipped: map[wire.MessageType]bool{}}
	f.store.Store(state.NewStore())
	return f
}

// View returns the newest state. It costs two atomic loads. A view whose Abandoned
// channel is closed has been replaced by a snapshot from elsewhere.
func (f *FSM) View() *state.View { return f.store.Load().View() }

// Err returns why nothing is applied any more, or nil.
func (f *FSM) Err() error {
	broken := f.broken.Load()
	if broken == nil {
		return nil
	}
	return fmt.Errorf("the state machine failed on log entry %d; restart this agent and report the log", broken.Index)
}

// Apply implements raft.FSM. It never panics.
func (f *FSM) Apply(log *raft.Log) (result any) {
	if err := f.Err(); err != nil {
		return err
	}
	data, whole, err := f.assemble(log)
	switch {
	case err != nil:
		return f.unreadable(wire.ChunkingStateType, log.Index, err)
	case !whole:
		f.store.Load().Advance(log.Index)
		return nil
	}
	t, body, err := wire.Split(data)
	if err != nil {
		return f.unreadable(t, log.Index, err)
	}
	defer func() {
		if p := recover(); p != nil {
			broken := &stateBroken{Type: t, Index: log.Index, Panic: p, Stack: debug.Stack()}
			f.broken.Store(broken)
			f.tell(broken)
			result = f.Err()
		}
	}()
	do, known := appliers[t&^wire.IgnoreUnknownTypeFlag]
	if !known {
		if t&wire.IgnoreUnknownTypeFlag != 0 {
			f.store.Load().Advance(log.Index)
			return nil
		}
		return f.skip(t, log.Index, "its type is unknown")
	}
	defer metrics.MeasureSince(figures[t&^wire.IgnoreUnknownTypeFlag], time.Now())
	result, err = do(&entry{store: f.store.Load(), index: log.Index, now: f.timeOf(log, time.Now()), body: body})
	if err != nil {
		return f.unreadable(t, log.Index, err)
	}
	f.record(t, log, body, result)
	return result
}

// assemble returns what an entry says. One that is a part of another is whole when it is
// the last of its parts.
func (f *FSM) assemble(log *raft.Log) (data []byte, whole bool, err error) {
	switch {
	case len(log.Extensions) == 0:
		return log.Data, true, nil
	case checkpoint(log):
		return nil, false, nil
	}
	data, err = f.chunks.take(log)
	return data, data != nil, err
}

// Written says up to which index the log was written when raft begins. Raft calls it
// before Apply.
func (f *FSM) Written(index uint64) { f.written = index }

// timeOf returns the time of an entry for the lock delays: now, or, of an entry that
// is read from the log after a start, when it was written. That is by the clock of the
// leader of then, which may differ from ours, so what could still matter counts as
// new. What comes from a leader is new, whatever its clock says.
func (f *FSM) timeOf(log *raft.Log, now time.Time) time.Time {
	if log.Index > f.written || log.AppendedAt.IsZero() || now.Sub(log.AppendedAt) < 2*wire.MaxLockDelay {
		return now
	}
	return log.AppendedAt
}

func (f *FSM) skip(t wire.MessageType, index uint64, reason string) error {
	f.store.Load().Advance(index)
	if !f.skipped[t] {
		f.skipped[t] = true
		f.tell(&entrySkipped{Type: t, Index: index, Reason: reason})
	}
	return fmt.Errorf("log entry %d (%s) was skipped: %s", index, t, reason)
}

func (f *FSM) unreadable(t wire.MessageType, index uint64, err error) error {
	f.store.Load().Advance(index)
	f.tell(&entryUnreadable{Type: t, Index: index, Err: err})
	return fmt.Errorf("log entry %d (%s): %w", index, t, err)
}
