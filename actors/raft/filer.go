package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// filer opens the files of the log for raft-wal, and mends four of its ways.
//
// It checks each file first, as damage.go says. And it opens a file that was
// sealed before it was full: raft-wal v0.4.0 notes no index for a file whose last
// entries it has cut off (a follower that had what the leader has not), and then
// can read nothing of it after a restart. Such a file is read through instead.
//
// And it notes which file it has made last. The file that is written to may be
// missing, since the agent was killed before it was made; raft-wal then makes it, and
// would do the same for one that somebody has removed, with all that was in it.
//
// And it sees to it that the file that is written to can be. When the agent was killed
// just after such a file had been written to its end, or while it was, raft-wal finds the
// index there, takes it for full, and goes on with no other: nothing can be written any
// more. So a file that is full is told to be, and what is left behind of a write that was
// cut off is wiped.
type filer struct {
	types.SegmentFiler
	dir    string
	files  types.VFS
	meta   *metadb.BoltMetaDB
	verify bool
}

// keySegmentMade has, in the stable store, the ID of the newest file of the log that
// is on the disk in its full size, plus one.
var keySegmentMade = []byte("SegmentMade")

var _ types.SegmentFiler = (*filer)(nil)

func newFiler(dir string, cfg Config, meta *metadb.BoltMetaDB, verify bool) *filer {
	return &filer{SegmentFiler: segment.NewFiler(dir, cfg.files), dir: dir, files: cfg.files, meta: meta, verify: verify}
}

// Create implements types.SegmentFiler.
func (f *filer) Create(info types.SegmentInfo) (types.SegmentWriter, error) {
	w, err := f.SegmentFiler.Create(info)
	if err != nil {
		return nil, err
	}
	if err := f.noteMade(info); err != nil {
		_ = w.Close()
		return nil, err
	}
	return w, nil
}

// noteMade notes that a file is there, once that is so even after a loss of power.
func (f *filer) noteMade(info types.SegmentInfo) error {
	if made, err := f.wasMade(info); err != nil || made {
		return err
	}
	if err := syncDir(f.dir); err != nil {
		return err
	}
	return f.meta.SetStable(keySegmentMade, binary.LittleEndian.AppendUint64(nil, info.ID+1))
}

func (f *filer) wasMade(info types.SegmentInfo) (bool, error) {
	value, err := f.meta.GetStable(keySegmentMade)
	if err != nil || len(value) != 8 {
		return false, err
	}
	return binary.LittleEndian.Uint64(value) > info.ID, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open implements types.SegmentFiler for a file that is no longer written to.
func (f *filer) Open(info types.SegmentInfo) (types.SegmentReader, error) {
	if f.verify {
		path, s, _, err := f.scan(info)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &damaged{f.dir, filepath.Base(path) + " is missing"}
		}
		if err != nil {
			return nil, err
		}
		if err := s.checkSealed(path, info.MaxIndex-info.BaseIndex+1); err != nil {
			return nil, err
		}
	}
	if info.IndexStart == 0 {
		return f.SegmentFiler.RecoverTail(info)
	}
	return f.SegmentFiler.Open(info)
}

// RecoverTail implements types.SegmentFiler for the file that is written to.
func (f *filer) RecoverTail(info types.SegmentInfo) (types.SegmentWriter, error) {
	made, err := f.wasMade(info)
	if err != nil {
		return nil, err
	}
	path, s, size, err := f.scan(info)
	if made && errors.Is(err, fs.ErrNotExist) {
		return nil, &damaged{f.dir, filepath.Base(path) + " is missing"}
	}
	if err != nil {
		return nil, err // also that there is none: then the caller makes one
	}
	if err := s.checkTail(path, size, int64(info.SizeLimit)); f.verify && err != nil {
		return nil, err
	}
	if size < int64(info.SizeLimit) && s.good == 0 && !s.rest() {
		if made {
			return nil, &damaged{path, fmt.Sprintf("it was cut off at byte %d", size)}
		}
		// There was no room when it was to get its size. It has to have it before
		// it is used.
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s is made anew: %w", path, fs.ErrNotExist)
	}
	switch {
	case s.later: // it is mended after a failed write, not verified
	case s.index > 0:
		return nil, &full{info, s}
	case s.rest():
		if err := f.wipe(info, s); err != nil {
			return nil, err
		}
	}
	w, err := f.SegmentFiler.RecoverTail(info)
	if err != nil {
		return nil, err
	}
	if err := f.noteMade(info); err != nil { // of a log that has no such note yet
		_ = w.Close()
		return nil, err
	}
	return w, nil
}

func (f *filer) scan(info types.SegmentInfo) (path string, s scan, size int64, err error) {
	name := segment.FileName(info)
	path = filepath.Join(f.dir, name)
	stat, err := os.Stat(path)
	if err != nil {
		return path, s, 0, err
	}
	file, err := f.files.OpenReader(f.dir, name)
	if err != nil {
		return path, s, 0, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	s, err = scanSegment(file, stat.Size())
	if err != nil {
		return path, s, 0, fmt.Errorf("read %s: %w", path, err)
	}
	return path, s, stat.Size(), nil
}

// wipe has zeros follow the last batch that is whole, as in a new file.
func (f *filer) wipe(info types.SegmentInfo, s scan) error {
	file, err := f.files.OpenWriter(f.dir, segment.FileName(info))
	if err != nil {
		return err
	}
	_, err = file.WriteAt(make([]byte, s.end-s.good), s.good)
	return errors.Join(err, file.Sync(), file.Close())
}

// full is the error for a file that is to be written to and has been to its end.
type full struct {
	info types.SegmentInfo
	scan scan
}

func (f *full) Error() string { return segment.FileName(f.info) + " is full" }

// next notes that the file is full, and which comes after it, as raft-wal does when it
// has written one to its end.
func (f *full) next(dir string, meta *metadb.BoltMetaDB) error {
	state, err := meta.Load(dir)
	if err != nil {
		return err
	}
	now := time.Now()
	tail := &state.Segments[len(state.Segments)-1]
	tail.MaxIndex = tail.BaseIndex + uint64(f.scan.entries) - 1
	tail.IndexStart, tail.SealTime = uint64(f.scan.index), now
	after := types.SegmentInfo{
		ID:         state.NextSegmentID,
		BaseIndex:  tail.MaxIndex + 1,
		MinIndex:   tail.MaxIndex + 1,
		SizeLimit:  tail.SizeLimit,
		Codec:      tail.Codec,
		CreateTime: now,
	}
	state.Segments = append(state.Segments, after)
	state.NextSegmentID++
	return meta.CommitState(state)
}
