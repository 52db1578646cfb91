package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// filer opens the files of the log for raft-wal, and mends three of its ways.
//
// It checks each file first, as damage.go says. And it opens a file that was
// sealed before it was full: raft-wal v0.4.0 notes no index for a file whose last
// entries it has cut off (a follower that had what the leader has not), and then
// can read nothing of it after a restart. Such a file is read through instead.
//
// And it notes which file it has made last. The file that is written to may be
// missing, since the agent was killed before it was made; raft-wal then makes it, and
// would do the same for one that somebody has removed, with all that was in it.
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
	if size < int64(info.SizeLimit) && s.good == 0 && !s.rest {
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
