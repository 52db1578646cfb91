package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/types"
)

// Keys in the stable store beside raft's own.
var (
	keyCurrentTerm = []byte("CurrentTerm") // raft's
	// keyStoppedAt is the last index of the log at an orderly stop. It is deleted
	// when the log is opened, so it is there only as long as it is true.
	keyStoppedAt = []byte("StoppedAt")
)

// disk is the log and the votes of a server on its disk. After a write that has
// failed raft-wal takes no other one, since it does not know what reached the
// file; disk then opens the log anew and cuts off what was not acknowledged.
//
// It is used by raft's goroutines, which is why there is a lock.
type disk struct {
	dir   string
	files types.VFS
	open  func(verify bool) (*wal.WAL, error)
	meta  *metadb.BoltMetaDB
	log   atomic.Pointer[wal.WAL] // replaced when the log is opened anew

	mu     sync.Mutex // held while the log changes
	last   uint64     // of the log, as raft knows it
	broken bool       // a write has failed, and the log was not opened anew since
}

// openDisk opens, or makes, the log in dir, and checks it. On damage it may panic,
// as open says.
func openDisk(dir string, cfg Config) (*disk, error) {
	meta, err := openMeta(dir, cfg)
	if err != nil {
		return nil, err
	}
	d := &disk{dir: dir, files: cfg.files, meta: meta, open: func(verify bool) (*wal.WAL, error) {
		return openLog(dir, cfg, meta, verify)
	}}
	whole := false
	defer func() {
		if !whole {
			_ = d.Close()
		}
	}()
	log, err := d.open(true)
	if err != nil {
		return nil, asDamage(dir, err)
	}
	d.log.Store(log)
	if err := d.checkLast(); err != nil {
		return nil, err
	}
	whole = true
	return d, nil
}

// openLog has raft-wal open the log.
func openLog(dir string, cfg Config, meta *metadb.BoltMetaDB, verify bool) (*wal.WAL, error) {
	open := func() (*wal.WAL, error) {
		return wal.Open(dir,
			wal.WithMetaStore(meta),
			wal.WithSegmentFiler(newFiler(dir, cfg, meta, verify)),
			wal.WithSegmentSize(cfg.SegmentSize),
			wal.WithLogger(cfg.Library.Named("wal")))
	}
	log, err := open()
	if f := (*full)(nil); errors.As(err, &f) {
		if err := f.next(dir, meta); err != nil {
			return nil, err
		}
		return open()
	}
	return log, err
}

// checkLast compares the end of the log with the votes: raft notes a term before it
// writes an entry of it, and an orderly stop notes where the log ends.
func (d *disk) checkLast() error {
	last, err := d.log.Load().LastIndex()
	if err != nil {
		return err
	}
	d.last = last
	if last > 0 {
		var entry raft.Log
		if err := d.GetLog(last, &entry); err != nil {
			return asDamage(d.dir, err)
		}
		if term, err := d.GetUint64(keyCurrentTerm); err != nil || term < entry.Term {
			return errors.Join(err, &damaged{filepath.Join(d.dir, metadb.FileName), fmt.Sprintf("it has term %d, and the log has an entry of term %d", term, entry.Term)})
		}
	}
	stopped, err := d.GetUint64(keyStoppedAt)
	if err != nil || stopped == 0 {
		return err
	}
	if last < stopped {
		return &damaged{d.dir, fmt.Sprintf("the log ends at index %d, and it was at %d when it was closed", last, stopped)}
	}
	return d.meta.SetStable(keyStoppedAt, nil)
}

// noteStop writes down where the log ends. It is called once, when nobody writes
// any more.
func (d *disk) noteStop() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken {
		return nil
	}
	return d.SetUint64(keyStoppedAt, d.last)
}

// Close closes the files. Raft must have ended.
func (d *disk) Close() error {
	var err error
	if log := d.log.Load(); log != nil {
		err = log.Close()
	}
	return errors.Join(err, d.meta.Close())
}

// append writes entries to the log, all or none.
func (d *disk) append(logs []*raft.Log) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.change(func(log *wal.WAL) error { return log.StoreLogs(logs) })
}

// remove takes entries from one of the ends of the log. When it fails at the upper
// end, the log ends there all the same as far as this server is concerned: part of
// it may have been noted. It has to be tried until it succeeds.
func (d *disk) remove(first, last uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if last >= d.last {
		d.last = first - 1
		if begin, err := d.FirstIndex(); err != nil || first <= begin {
			d.last = 0
		}
	}
	return d.change(func(log *wal.WAL) error { return log.DeleteRange(first, last) })
}

// change does what changes the log. When it fails, the log is opened anew and it
// is tried once more: a file that could not be made a moment ago leaves raft-wal
// with a log that takes nothing, although there may be room again.
func (d *disk) change(do func(*wal.WAL) error) error {
	if d.broken {
		if err := d.mend(); err != nil {
			return err
		}
	}
	err := do(d.log.Load())
	if err != nil && ofDisk(err) {
		d.broken = true
		if mended := d.mend(); mended != nil {
			return mended
		}
		if err = do(d.log.Load()); err != nil {
			d.broken = true
		}
	}
	if err == nil {
		d.last, err = d.log.Load().LastIndex()
	}
	return err
}

// ofDisk reports whether an error comes from below raft-wal, or is one it goes on
// giving after such an error.
func ofDisk(err error) bool {
	var path *fs.PathError
	var errno syscall.Errno
	return errors.As(err, &path) || errors.As(err, &errno) || errors.Is(err, wal.ErrSealed)
}

// mend opens the log anew and cuts off what raft was not told to be there. Whoever
// reads goes on with the old files until the new ones are ready.
func (d *disk) mend() error {
	log, err := d.open(false)
	if err != nil {
		return err
	}
	last, err := log.LastIndex()
	if err == nil && last > d.last {
		err = log.DeleteRange(d.last+1, last)
	}
	if err == nil && last < d.last {
		err = &damaged{d.dir, fmt.Sprintf("the log ends at index %d, and it was written up to %d", last, d.last)}
	}
	if err != nil {
		_ = log.Close()
		return err
	}
	_ = d.log.Swap(log).Close()
	d.broken = false
	return nil
}

// probe reports whether the log can be written to: it mends it, and writes a file
// of size bytes beside it.
func (d *disk) probe(size int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken {
		if err := d.mend(); err != nil {
			return err
		}
	}
	const name = "probe.tmp"
	_ = os.Remove(filepath.Join(d.dir, name)) // left by one that was killed
	file, err := d.files.Create(d.dir, name, uint64(size))
	if err != nil {
		return err
	}
	_, err = file.WriteAt(make([]byte, size), 0)
	return errors.Join(err, file.Sync(), file.Close(), d.files.Delete(d.dir, name))
}

// read does what reads the log, also while it is opened anew.
func (d *disk) read(do func(*wal.WAL) error) error {
	for {
		log := d.log.Load()
		err := do(log)
		if !errors.Is(err, wal.ErrClosed) || d.log.Load() == log {
			return err
		}
	}
}

// GetLog reads one entry.
func (d *disk) GetLog(index uint64, out *raft.Log) error {
	return d.read(func(log *wal.WAL) error { return log.GetLog(index, out) })
}

// FirstIndex returns the first index of the log, 0 when it is empty.
func (d *disk) FirstIndex() (index uint64, err error) {
	err = d.read(func(log *wal.WAL) error { index, err = log.FirstIndex(); return err })
	return index, err
}

// LastIndex returns the last index of the log, 0 when it is empty.
func (d *disk) LastIndex() (index uint64, err error) {
	err = d.read(func(log *wal.WAL) error { index, err = log.LastIndex(); return err })
	return index, err
}

// Set keeps a value, as raft.StableStore wants it.
func (d *disk) Set(key, value []byte) error { return d.meta.SetStable(key, value) }

// Get returns a value, or nil.
func (d *disk) Get(key []byte) ([]byte, error) { return d.meta.GetStable(key) }

// SetUint64 keeps a number, in raft-wal's format.
func (d *disk) SetUint64(key []byte, n uint64) error {
	return d.Set(key, binary.LittleEndian.AppendUint64(nil, n))
}

// GetUint64 returns a number, or 0.
func (d *disk) GetUint64(key []byte) (uint64, error) {
	value, err := d.Get(key)
	if err != nil || len(value) == 0 {
		return 0, err
	}
	if len(value) != 8 {
		return 0, &damaged{filepath.Join(d.dir, metadb.FileName), fmt.Sprintf("%s is %d bytes long, not 8", key, len(value))}
	}
	return binary.LittleEndian.Uint64(value), nil
}
