package raft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// machine is the state machine as raft sees it. It knows how far the state is, and
// it catches a panic: from then on it takes in nothing, since a state that has left
// out an entry would be wrong, and the agent is told to end.
//
// Raft calls it from one goroutine.
type machine struct {
	inner    raft.FSM
	failed   func(error) // called once, with the *crash
	replaced func()      // called when a snapshot has taken the place of the state

	crash    *crash // not nil once the machine has failed
	progress progress
}

var (
	_ raft.BatchingFSM        = (*machine)(nil)
	_ raft.ConfigurationStore = (*machine)(nil)
)

// Apply implements raft.FSM.
func (m *machine) Apply(log *raft.Log) any { return m.ApplyBatch([]*raft.Log{log})[0] }

// ApplyBatch implements raft.BatchingFSM. When the machine has failed every result
// is the *crash.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	first, last := logs[0].Index, logs[len(logs)-1].Index
	if m.crash == nil {
		var results []any
		err := guard("apply the log", func() error {
			results = m.apply(logs)
			return nil
		})
		if err == nil {
			m.progress.advance(last)
			return results
		}
		errors.As(err, &m.crash)
		m.failed(fmt.Errorf("entries %d to %d: %w", first, last, err))
	}
	results := make([]any, len(logs))
	for i := range results {
		results[i] = m.crash
	}
	return results
}

// apply gives the state machine the commands among the entries. What else there is
// are changes of the peer set.
func (m *machine) apply(logs []*raft.Log) []any {
	b, batching := m.inner.(raft.BatchingFSM)
	if batching && !slices.ContainsFunc(logs, func(l *raft.Log) bool { return l.Type != raft.LogCommand }) {
		return b.ApplyBatch(logs)
	}
	results := make([]any, len(logs))
	for i, log := range logs {
		if log.Type == raft.LogCommand {
			results[i] = m.inner.Apply(log)
		}
	}
	return results
}

// StoreConfiguration implements raft.ConfigurationStore.
func (m *machine) StoreConfiguration(index uint64, _ raft.Configuration) { m.progress.advance(index) }

// Snapshot implements raft.FSM.
func (m *machine) Snapshot() (snap raft.FSMSnapshot, err error) {
	if m.crash != nil {
		return nil, m.crash
	}
	err = guard("take a snapshot", func() (err error) {
		snap, err = m.inner.Snapshot()
		return err
	})
	if err != nil {
		return nil, err
	}
	return snapshot{snap}, nil
}

// Restore implements raft.FSM.
func (m *machine) Restore(source io.ReadCloser) error {
	if m.crash != nil {
		return m.crash
	}
	if err := guard("restore a snapshot", func() error { return m.inner.Restore(source) }); err != nil {
		return err
	}
	m.progress.advance(indexOf(source))
	m.replaced()
	return nil
}

// crash is a panic of the state machine.
type crash struct {
	doing  string
	reason any
	stack  []byte
}

func (c *crash) Error() string {
	return fmt.Sprintf("the state machine failed to %s: %v", c.doing, c.reason)
}

// guard turns a panic into a *crash.
func guard(doing string, do func() error) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = &crash{doing: doing, reason: reason, stack: debug.Stack()}
		}
	}()
	return do()
}

// snapshot is a snapshot that does not take the process with it when it panics.
type snapshot struct{ raft.FSMSnapshot }

// Persist implements raft.FSMSnapshot.
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	return guard("write a snapshot", func() error { return s.FSMSnapshot.Persist(sink) })
}

// snapshots is a snapshot store whose snapshots know their index when they are
// restored; the library does not say it.
type snapshots struct{ raft.SnapshotStore }

// Open implements raft.SnapshotStore.
func (s snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	meta, source, err := s.SnapshotStore.Open(id)
	if err != nil {
		return nil, nil, err
	}
	return meta, &indexed{source, meta.Index}, nil
}

type indexed struct {
	io.ReadCloser
	index uint64
}

// indexOf returns the index of the snapshot that the library restores from source,
// which it has wrapped to count what is read.
func indexOf(source io.ReadCloser) uint64 {
	for {
		switch s := source.(type) {
		case *indexed:
			return s.index
		case interface{ WrappedReadCloser() io.ReadCloser }:
			source = s.WrappedReadCloser()
		default:
			return 0
		}
	}
}

// progress is how far the state machine is.
type progress struct {
	index atomic.Uint64

	mu    sync.Mutex
	moved chan struct{} // closed at the next advance; nil while nobody waits for it
}

func (p *progress) advance(index uint64) {
	p.index.Store(index)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moved != nil {
		close(p.moved)
		p.moved = nil
	}
}

func (p *progress) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moved == nil {
		p.moved = make(chan struct{})
	}
	return p.moved
}

// silentPause is how often who waits looks for entries that the machine never
// sees. They follow an election or a change of the peer set.
const silentPause = 20 * time.Millisecond

// await waits until applied, which p moves, has come to index.
func (p *progress) await(ctx context.Context, index uint64, applied func() uint64) error {
	for {
		moved := p.next()
		if applied() >= index {
			return nil
		}
		select {
		case <-moved:
		case <-time.After(silentPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
