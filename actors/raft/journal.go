package raft

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/messages"
)

// store is what a journal keeps its entries and numbers in: a disk, or memory.
type store interface {
	raft.StableStore
	GetLog(index uint64, out *raft.Log) error
	FirstIndex() (uint64, error)
	LastIndex() (uint64, error)
	append(logs []*raft.Log) error
	remove(first, last uint64) error
}

// journal is the log as raft sees it. It knows what to do when the disk is full,
// which kinds of entries the state machine never sees, and what was written last.
//
// # A full disk
//
// The library makes a leader step down that cannot write. That is right when
// another can lead. A server that is the only voter would only lead and step down
// in turns and answer nothing, so there the write waits for room, and reads go on;
// the actor refuses what else comes. Two writes wait on any server, because the
// library panics or loses its way without them: that of a new term, and cutting
// off the end of the log. Raft's other goroutines go on meanwhile.
type journal struct {
	store
	lone    func() bool // this server is the only voter
	trouble func(error) // told what is wrong when writing begins to fail, and nil when it succeeds again

	log, votes health        // of what is written where
	running    atomic.Bool   // raft has started: before that, nothing waits
	giveUp     chan struct{} // closed to end all waiting, for good

	recent recent
	silent silent
	config atomic.Uint64 // the index of the newest peer set
}

var (
	_ raft.LogStore          = (*journal)(nil)
	_ raft.StableStore       = (*journal)(nil)
	_ raft.MonotonicLogStore = (*journal)(nil)
)

// again is how long a write that waits for room waits before it is tried again.
const again = 250 * time.Millisecond

// recently is how many entries are kept in memory for the followers, who are sent
// what was just written. It is Consul's number.
const recently = 512

func newJournal(s store, lone func() bool, trouble func(error)) *journal {
	return &journal{store: s, lone: lone, trouble: trouble, giveUp: make(chan struct{}), recent: newRecent(recently)}
}

// StoreLog implements raft.LogStore.
func (j *journal) StoreLog(log *raft.Log) error { return j.StoreLogs([]*raft.Log{log}) }

// StoreLogs implements raft.LogStore.
func (j *journal) StoreLogs(logs []*raft.Log) error {
	if err := j.insist(&j.log, j.lone, func() error { return j.append(logs) }); err != nil {
		return err
	}
	for _, log := range logs { // not before: another entry may get the index of one that failed
		j.note(log)
	}
	j.recent.put(logs)
	return nil
}

// DeleteRange implements raft.LogStore.
func (j *journal) DeleteRange(first, last uint64) error {
	end, err := j.LastIndex()
	if err != nil {
		return err
	}
	j.recent.drop()
	err = j.insist(&j.log, func() bool { return last >= end }, func() error { return j.remove(first, last) })
	if err == nil {
		j.silent.remove(first, last)
	}
	return err
}

// SetUint64 implements raft.StableStore.
func (j *journal) SetUint64(key []byte, n uint64) error {
	term := slices.Equal(key, keyCurrentTerm)
	return j.insist(&j.votes, func() bool { return term }, func() error { return j.store.SetUint64(key, n) })
}

// GetLog implements raft.LogStore.
func (j *journal) GetLog(index uint64, out *raft.Log) error {
	if j.recent.get(index, out) {
		return nil
	}
	if err := j.store.GetLog(index, out); err != nil {
		return err
	}
	j.note(out)
	return nil
}

// IsMonotonic implements raft.MonotonicLogStore: there are no gaps.
func (j *journal) IsMonotonic() bool { return true }

// insist writes, and, where it must, waits until that succeeds. When there is no
// more waiting it ends the goroutine, which is one of raft's: no other way out of
// the library is without harm.
func (j *journal) insist(h *health, must func() bool, write func() error) error {
	for {
		err := write()
		if err == nil {
			j.works(h)
			return nil
		}
		j.fails(h, err)
		if !j.running.Load() || !ofDisk(err) || !must() {
			return fmt.Errorf("%w: %w", messages.ErrLogUnwritable, err)
		}
		select {
		case <-time.After(again):
		case <-j.giveUp:
			runtime.Goexit()
		}
	}
}

// health says whether one kind of write fails. They are apart because votes go to
// a file that has room when the log has none.
type health struct{ failing atomic.Bool }

func (j *journal) fails(h *health, err error) {
	if !h.failing.Swap(true) {
		j.trouble(err)
	}
}

// works hears that a write has succeeded.
func (j *journal) works(h *health) {
	if h.failing.Load() && h.failing.Swap(false) && !j.log.failing.Load() && !j.votes.failing.Load() {
		j.trouble(nil)
	}
}

// note remembers what the kind of an entry says.
func (j *journal) note(log *raft.Log) {
	switch log.Type {
	case raft.LogNoop, raft.LogBarrier:
		j.silent.add(log.Index)
	case raft.LogConfiguration:
		j.config.Store(max(j.config.Load(), log.Index))
	}
}

// recent is a ring of the entries that were written last. The library's own cache
// hides why a write has failed.
type recent struct {
	mu   sync.RWMutex
	ring []*raft.Log
}

func newRecent(n int) recent { return recent{ring: make([]*raft.Log, n)} }

func (r *recent) put(logs []*raft.Log) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, log := range logs {
		r.ring[log.Index%uint64(len(r.ring))] = log
	}
}

func (r *recent) get(index uint64, out *raft.Log) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	log := r.ring[index%uint64(len(r.ring))]
	if log == nil || log.Index != index {
		return false
	}
	*out = *log
	return true
}

func (r *recent) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.ring)
}

// silent has the indexes of the entries that are raft's own affair: the state
// machine never sees them, so it cannot say that it has come to them. There is one
// or two to a term.
type silent struct {
	mu      sync.Mutex
	indexes []uint64 // ascending
}

func (s *silent) add(index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := slices.BinarySearch(s.indexes, index); !ok {
		s.indexes = slices.Insert(s.indexes, at, index)
	}
}

func (s *silent) remove(first, last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.indexes = slices.DeleteFunc(s.indexes, func(i uint64) bool { return first <= i && i <= last })
}

// below returns the greatest index, up to and with index, that the state machine
// sees.
func (s *silent) below(index uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, ok := slices.BinarySearch(s.indexes, index); ok && index > 0; at, ok = slices.BinarySearch(s.indexes[:at], index) {
		index--
	}
	return index
}

// above returns how far the state machine is when the last that it has seen is
// index and raft is at limit: over the silent entries that follow.
func (s *silent) above(index, limit uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for index < limit {
		if _, ok := slices.BinarySearch(s.indexes, index+1); !ok {
			break
		}
		index++
	}
	return index
}

// memory is a journal's store for an agent that keeps nothing.
type memory struct{ *raft.InmemStore }

func (m memory) append(logs []*raft.Log) error   { return m.StoreLogs(logs) }
func (m memory) remove(first, last uint64) error { return m.DeleteRange(first, last) }
