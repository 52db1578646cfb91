package state

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-memdb"
)

// Store is the replicated state. One goroutine writes, with Update; any number
// read, through View.
type Store struct {
	db      *memdb.MemDB
	view    atomic.Pointer[View]
	abandon chan struct{}
}

// NewStore returns an empty store.
func NewStore() *Store {
	db, err := memdb.NewMemDB(schema())
	must(err)
	s := &Store{db: db, abandon: make(chan struct{})}
	s.publishChanges(0, newChanges(0))
	return s
}

// View returns the state as the last write left it. It costs one atomic load.
func (s *Store) View() *View { return s.view.Load() }

// Update runs fn as the write with raft index idx at the time now, all or nothing:
// when fn returns an error nothing of it remains but that idx was applied. The new
// view is published before Update returns.
//
// A panic in fn leaves the tables as they were and goes on to the caller.
func (s *Store) Update(idx uint64, now time.Time, fn func(tx *Tx) error) error {
	txn := s.db.Txn(true)
	defer txn.Abort() // nothing, once committed
	tx := &Tx{Queries: Queries{tx: txn}, idx: idx, now: now}
	err := fn(tx)
	if err == nil {
		tx.commit()
	} else {
		txn.Abort()
	}
	s.publish(idx)
	return err
}

// Advance says that the log entry idx was applied and changed nothing.
func (s *Store) Advance(idx uint64) { s.publish(idx) }

// Abandon tells everybody who watches this store that another has taken its
// place. It is called once.
func (s *Store) Abandon() { close(s.abandon) }

func (s *Store) publish(idx uint64) { s.publishChanges(idx, s.View().changes) }

func (s *Store) publishChanges(idx uint64, changes *changes) {
	next := &View{Queries: Queries{tx: s.db.Txn(false)}, index: idx, abandon: s.abandon, changes: changes, next: make(chan struct{})}
	if before := s.view.Swap(next); before != nil {
		close(before.next)
	}
}

// Queries answers queries on one state of the tables. Its methods may be called
// by any number of goroutines if it is a View's.
type Queries struct {
	tx *memdb.Txn
}

// View is an immutable snapshot of the state. It stays as it is for as long as
// somebody holds it.
type View struct {
	Queries
	index   uint64
	abandon <-chan struct{}
	changes *changes
	next    chan struct{}
}

// Next is closed when there is a newer view. What a query watches is closed a moment
// before that: who would evaluate it anew waits for this, too.
func (v *View) Next() <-chan struct{} { return v.next }

// LastIndex returns the raft index of the last log entry that is in the view.
func (v *View) LastIndex() uint64 { return v.index }

// Abandoned is closed when the store of this view is replaced by another, from a
// snapshot. Who waits for a change of the view waits for this too.
func (v *View) Abandoned() <-chan struct{} { return v.abandon }

// Tx is a write in progress. Its queries see what it has written so far, but for
// those that join services with health (health.go).
type Tx struct {
	Queries
	idx       uint64
	now       time.Time
	restoring bool // indexes of records are kept as they are
	stale     map[staleJoin]bool
}

func (tx *Tx) commit() {
	tx.join()
	tx.tx.Commit()
}

// checkName refuses names that the tables could not tell apart.
func checkName(what, name string) error {
	if strings.Contains(name, "\x00") {
		return fmt.Errorf("%s %q must not contain a NUL byte", what, name)
	}
	return nil
}

// sameName says whether two names are the same to the tables. (strings.EqualFold
// takes more for the same, such as s and \u017f.)
func sameName(a, b string) bool { return folded(a) == folded(b) }
