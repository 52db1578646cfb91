package catalog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages/wire"
)

// A snapshot is Consul's state.bin: a header, then records to the end, each a type
// byte and a value, all in msgpack.

// MaxRecord is how long a record of a snapshot may be, in bytes.
const MaxRecord = MaxEntry

// snapshotHeader begins a snapshot.
type snapshotHeader struct {
	LastIndex uint64 // of the log entry that the state is after
}

// Snapshot implements raft.FSM. It takes no time: the view is immutable.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	if err := f.Err(); err != nil {
		return nil, err
	}
	return snapshot{f.View(), f.chunks.record()}, nil
}

// snapshot writes a view. It runs beside further writes.
type snapshot struct {
	view   *state.View
	chunks *chunkRecord // nil: there are none
}

// Persist implements raft.FSMSnapshot.
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if err := writeState(sink, s.view, s.chunks); err != nil {
		return errors.Join(fmt.Errorf("write the state to snapshot %s: %w", sink.ID(), err), sink.Cancel())
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot. There is nothing to release.
func (snapshot) Release() {}

// WriteState writes a view to w as a snapshot.
func WriteState(w io.Writer, view *state.View) error { return writeState(w, view, nil) }

func writeState(w io.Writer, view *state.View, parts *chunkRecord) error {
	buf := bufio.NewWriterSize(w, 1<<18)
	enc := wire.NewEncoder(buf)
	if err := enc.Encode(&snapshotHeader{LastIndex: view.LastIndex()}); err != nil {
		return err
	}
	for t, record := range view.Records() {
		if err := buf.WriteByte(byte(t)); err != nil {
			return err
		}
		if err := enc.Encode(record); err != nil {
			return fmt.Errorf("%s record: %w", t, err)
		}
	}
	if parts != nil {
		if err := errors.Join(buf.WriteByte(byte(wire.ChunkingStateType)), enc.Encode(parts)); err != nil {
			return fmt.Errorf("%s record: %w", wire.ChunkingStateType, err)
		}
	}
	return buf.Flush()
}

// Restore implements raft.FSM: it reads a snapshot into a store of its own, which
// takes the place of the present one when it is whole. An error leaves the state
// as it is.
func (f *FSM) Restore(rc io.ReadCloser) error {
	defer rc.Close()
	store, told, err := readState(rc)
	if err != nil {
		return fmt.Errorf("read the state from a snapshot: %w", err)
	}
	f.chunks = told.chunks
	f.store.Swap(store).Abandon()
	f.tell(told)
	return nil
}

// readState reads a snapshot. It never panics, and holds no more memory than a
// small factor of what r gives.
func readState(r io.Reader) (store *state.Store, told *restored, err error) {
	src := bufio.NewReaderSize(r, 1<<18)
	var record []byte
	decode := func(v any) error {
		value, err := wire.ReadValue(src, record[:0], MaxRecord)
		if err != nil {
			return err
		}
		record = value
		return wire.Decode(record, MaxRecord, v)
	}
	var header snapshotHeader
	if err := decode(&header); err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	restorer := state.NewRestorer(header.LastIndex)
	restorer.At(time.Now())
	defer restorer.Abort()
	defer func() {
		if p := recover(); p != nil { // hostile records are refused before; this is our fault
			err = fmt.Errorf("record %d: %v", told.Records, p)
		}
	}()
	told = &restored{Index: header.LastIndex, Skipped: map[wire.MessageType]int{}}
	for {
		t, err := src.ReadByte()
		if errors.Is(err, io.EOF) {
			return restorer.Commit(), told, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if wire.MessageType(t) == wire.ChunkingStateType {
			var parts chunkRecord
			if err := decode(&parts); err != nil {
				return nil, nil, fmt.Errorf("record %d (%s): %w", told.Records, wire.ChunkingStateType, err)
			}
			told.chunks = parts.chunks()
			continue
		}
		known, err := restorer.Record(wire.MessageType(t), decode)
		switch {
		case !known:
			told.Skipped[wire.MessageType(t)]++
			err = decode(new(any))
		case errors.Is(err, state.ErrSkipped):
			told.Skipped[wire.MessageType(t)]++
			err = nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("record %d (%s): %w", told.Records, wire.MessageType(t), err)
		}
		told.Records++
	}
}
