package logs

import (
	"errors"
	"io"
	"sync"

	"github.com/actor-consul/consul/messages"
)

// maxScratch is the longest line whose memory is kept for the next.
const maxScratch = 64 << 10

// A sink formats entries and writes them, one at a time, to its outputs. It waits
// for them: a line that the agent has logged is out when the call returns, also
// when the next thing that happens is a crash.
type sink struct {
	mu   sync.Mutex
	json bool
	outs []*output
	line []byte // scratch
}

// An output is one writer of a sink.
type output struct {
	w      io.Writer
	failed bool // the last write did; its error has been told
}

func (s *sink) write(e *messages.LogEntry) error {
	if len(s.outs) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.json {
		s.line = AppendJSON(s.line[:0], *e)
	} else {
		s.line = AppendText(s.line[:0], *e)
	}
	s.line = append(s.line, '\n')
	var errs []error
	for _, o := range s.outs {
		errs = append(errs, o.write(s.line))
	}
	if cap(s.line) > maxScratch {
		s.line = nil
	}
	return errors.Join(errs...)
}

// write returns the first error of a row of failures; a full disk is worth a
// line, not a line for every line.
func (o *output) write(line []byte) error {
	_, err := o.w.Write(line)
	told := o.failed
	o.failed = err != nil
	if told {
		return nil
	}
	return err
}

// sync brings what was written to the disk, where an output has one.
func (s *sink) sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, o := range s.outs {
		if f, ok := o.w.(interface{ Sync() error }); ok {
			errs = append(errs, f.Sync())
		}
	}
	return errors.Join(errs...)
}
