package raft

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// filer opens the files of the log for raft-wal, and mends two of its ways.
//
// It checks each file first, as damage.go says. And it opens a file that was
// sealed before it was full: raft-wal v0.4.0 notes no index for a file whose last
// entries it has cut off (a follower that had what the leader has not), and then
// can read nothing of it after a restart. Such a file is read through instead.
type filer struct {
	types.SegmentFiler
	dir    string
	files  types.VFS
	verify bool
}

var _ types.SegmentFiler = (*filer)(nil)

func newFiler(dir string, files types.VFS, verify bool) *filer {
	return &filer{SegmentFiler: segment.NewFiler(dir, files), dir: dir, files: files, verify: verify}
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
	path, s, size, err := f.scan(info)
	if err != nil {
		return nil, err // also that there is none: then the caller makes one
	}
	if err := s.checkTail(path, size, int64(info.SizeLimit)); f.verify && err != nil {
		return nil, err
	}
	if size < int64(info.SizeLimit) && s.good == 0 && !s.rest {
		// There was no room when it was to get its size. It has to have it before
		// it is used.
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s is made anew: %w", path, fs.ErrNotExist)
	}
	return f.SegmentFiler.RecoverTail(info)
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
