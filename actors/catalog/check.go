package catalog

import (
	"fmt"
	"io"
)

// CheckSnapshot says whether Restore would take a snapshot, and why not. It reads
// all of it into a store that nobody sees, so it needs as much memory as a restore,
// and the state stays as it is. Any goroutine may call it. It never panics.
//
// Raft cannot go back once it has begun to restore; so it is asked here first.
func (f *FSM) CheckSnapshot(r io.Reader) error {
	if _, _, err := readState(r); err != nil {
		return fmt.Errorf("read the state from a snapshot: %w", err)
	}
	return nil
}
