package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Scratch is a file that is gone once it is closed, or the process has ended.
type Scratch struct {
	*os.File
	named bool // it still has a name
}

// NewScratch makes one in dir, or where the system has such files if that is empty.
func NewScratch(dir string) (*Scratch, error) {
	f, err := os.CreateTemp(dir, "archive-*.tmp")
	if err != nil {
		return nil, fmt.Errorf("make room for a snapshot: %w", err)
	}
	// Where a file can be used without a name it cannot be left over.
	return &Scratch{File: f, named: os.Remove(f.Name()) != nil}, nil
}

// Rewind goes to the beginning and returns the size in bytes.
func (s *Scratch) Rewind() (size int64, err error) {
	if size, err = s.Seek(0, io.SeekEnd); err == nil {
		_, err = s.Seek(0, io.SeekStart)
	}
	return size, err
}

// Close implements io.Closer.
func (s *Scratch) Close() error {
	err := s.File.Close()
	if s.named {
		err = errors.Join(err, os.Remove(s.Name()))
	}
	return err
}
