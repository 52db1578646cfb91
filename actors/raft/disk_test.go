package raft

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	walfs "github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

// faulty is a file system that can run full.
type faulty struct {
	types.VFS
	full   atomic.Bool // nothing can be written
	grows  atomic.Bool // no file can be made
	noSync atomic.Bool // what is written does not reach the disk
}

func newFaulty() *faulty { return &faulty{VFS: walfs.New()} }

var errFull = &fs.PathError{Op: "write", Path: "segment", Err: syscall.ENOSPC}

func (f *faulty) Create(dir, name string, size uint64) (types.WritableFile, error) {
	if f.full.Load() || f.grows.Load() {
		if file, err := os.Create(dir + "/" + name); err == nil { // as a real one that has no room
			_ = file.Close()
		}
		return nil, errFull
	}
	file, err := f.VFS.Create(dir, name, size)
	return &faultyFile{file, f}, err
}

func (f *faulty) OpenWriter(dir, name string) (types.WritableFile, error) {
	file, err := f.VFS.OpenWriter(dir, name)
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, f}, nil
}

type faultyFile struct {
	types.WritableFile
	f *faulty
}

func (f *faultyFile) WriteAt(p []byte, at int64) (int, error) {
	if f.f.full.Load() {
		n, _ := f.WritableFile.WriteAt(p[:len(p)/2], at)
		return n, errFull
	}
	return f.WritableFile.WriteAt(p, at)
}

func (f *faultyFile) Sync() error {
	if f.f.noSync.Load() {
		return &fs.PathError{Op: "sync", Path: "segment", Err: syscall.EIO}
	}
	return f.WritableFile.Sync()
}

func entries(from, to uint64) (logs []*raft.Log) {
	for i := from; i <= to; i++ {
		logs = append(logs, &raft.Log{Index: i, Term: 1, Data: fmt.Append(nil, "w", i)})
	}
	return logs
}

func openFaulty(t *testing.T, dir string, files *faulty) *disk {
	t.Helper()
	d, err := openDisk(dir, Config{Library: hclog.NewNullLogger(), SegmentSize: 4 << 10, files: files})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// has checks that the disk has the entries up to last and no more.
func has(t *testing.T, d *disk, last uint64) {
	t.Helper()
	if got, err := d.LastIndex(); err != nil || got != last {
		t.Errorf("the last index is %d, %v; want %d", got, err, last)
	}
	for i := uint64(1); i <= last; i++ {
		var l raft.Log
		if err := d.GetLog(i, &l); err != nil || string(l.Data) != fmt.Sprint("w", i) {
			t.Fatalf("entry %d is %q, %v", i, l.Data, err)
		}
	}
}

func TestDiskMends(t *testing.T) {
	for _, tt := range []struct {
		name string
		flag func(*faulty) *atomic.Bool
	}{
		{"no_room_to_write", func(f *faulty) *atomic.Bool { return &f.full }},
		{"no_sync", func(f *faulty) *atomic.Bool { return &f.noSync }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, files := t.TempDir(), newFaulty()
			d := openFaulty(t, dir, files)
			if err := d.SetUint64(keyCurrentTerm, 1); err != nil {
				t.Fatal(err)
			}
			if err := d.append(entries(1, 5)); err != nil {
				t.Fatal(err)
			}
			tt.flag(files).Store(true)
			for range 3 {
				if err := d.append(entries(6, 8)); !ofDisk(err) {
					t.Fatalf("append = %v, want an error of the disk", err)
				}
			}
			has(t, d, 5)
			tt.flag(files).Store(false)
			if err := d.append(entries(6, 9)); err != nil {
				t.Fatalf("append when there is room: %v", err)
			}
			has(t, d, 9)
			_ = d.Close()
			d = openFaulty(t, dir, files)
			has(t, d, 9)
			_ = d.Close()
		})
	}
}

// TestDiskRotatesWithoutRoom fills a file of the log when no other can be made.
func TestDiskRotatesWithoutRoom(t *testing.T) {
	dir, files := t.TempDir(), newFaulty()
	d := openFaulty(t, dir, files)
	if err := d.SetUint64(keyCurrentTerm, 1); err != nil {
		t.Fatal(err)
	}
	files.grows.Store(true)
	last := uint64(0)
	for last < 1000 {
		if err := d.append(entries(last+1, last+1)); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("append = %v", err)
			}
			break
		}
		last++
	}
	if last == 0 || last == 1000 {
		t.Fatalf("%d entries in one file", last)
	}
	has(t, d, last)
	if err := d.probe(1); err == nil {
		t.Error("it can be written, says the probe")
	}
	files.grows.Store(false)
	if err := d.probe(1); err != nil {
		t.Errorf("probe: %v", err)
	}
	if err := d.append(entries(last+1, last+50)); err != nil {
		t.Fatalf("append when there is room: %v", err)
	}
	has(t, d, last+50)
	_ = d.Close()
	d = openFaulty(t, dir, files)
	has(t, d, last+50)
	_ = d.Close()
}

// TestDiskKilledBetweenFiles has an agent killed when it has written a file of the log to
// its end and not yet noted that, and at each point before, while it writes the end. The
// last entry is lost when it was not written whole, since nobody was told that it is.
func TestDiskKilledBetweenFiles(t *testing.T) {
	dir, name, last := fullSegment(t)
	file, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	scan := func() scan {
		s, err := scanSegment(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	whole := scan()
	file[whole.good-1]++ // the checksum
	before := scan()
	file[whole.good-1]--
	if uint64(whole.entries) != last || before.good == whole.good || before.later {
		t.Fatalf("%+v, and without the last batch %+v; want %d entries", whole, before, last)
	}
	for end := whole.good; end >= before.good; end -= frameHeader / 2 {
		clear(file[end:])
		if err := os.WriteFile(filepath.Join(dir, name), file, 0o600); err != nil {
			t.Fatal(err)
		}
		dir, last := copyDir(t, dir), last
		if end < whole.good {
			last--
		}
		for range 2 { // and once more, with what was written by then
			d := openFaulty(t, dir, newFaulty())
			has(t, d, last)
			if err := d.append(entries(last+1, last+100)); err != nil {
				t.Fatalf("written to byte %d of %d, append = %v", end, whole.good, err)
			}
			last += 100
			has(t, d, last)
			_ = d.Close()
		}
	}
}

// fullSegment returns a log whose only file has been written to its end, which is not
// noted, and how many entries it has.
func fullSegment(t *testing.T) (dir, file string, entry uint64) {
	t.Helper()
	was, dir := t.TempDir(), t.TempDir()
	d := openFaulty(t, was, newFaulty())
	defer d.Close() //nolint:errcheck // a test's
	if err := d.SetUint64(keyCurrentTerm, 1); err != nil {
		t.Fatal(err)
	}
	copyFile(t, was, dir, metadb.FileName)
	state, err := d.meta.Load(was)
	for next := uint64(1); err == nil && len(state.Segments) == 1; next++ {
		if err = d.append(entries(next, next)); err == nil {
			state, err = d.meta.Load(was)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	file = segment.FileName(state.Segments[0])
	copyFile(t, was, dir, file)
	return dir, file, state.Segments[0].MaxIndex
}

func copyFile(t *testing.T, from, to, name string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(from, name))
	if err == nil {
		err = os.WriteFile(filepath.Join(to, name), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDiskCutsAndRestarts cuts off the end of the log, which raft-wal cannot read
// after a restart on its own.
func TestDiskCutsAndRestarts(t *testing.T) {
	dir, files := t.TempDir(), newFaulty()
	d := openFaulty(t, dir, files)
	if err := d.SetUint64(keyCurrentTerm, 1); err != nil {
		t.Fatal(err)
	}
	reopen := func() {
		t.Helper()
		_ = d.Close()
		d = openFaulty(t, dir, files)
	}
	steps := []func() error{
		func() error { return d.append(entries(1, 40)) },
		func() error { return d.remove(31, 40) },
		func() error { return d.append(entries(31, 33)) },
		func() error { return d.remove(20, 33) },
		func() error { return d.append(entries(20, 90)) },
		func() error { return d.remove(90, 90) },
	}
	for i, want := range []uint64{40, 30, 33, 19, 90, 89} {
		if err := steps[i](); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		has(t, d, want)
		reopen()
		has(t, d, want)
	}
	// With no room for a new file the end is cut off as soon as there is some.
	files.grows.Store(true)
	if err := d.remove(80, 89); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("remove = %v", err)
	}
	files.grows.Store(false)
	if err := d.remove(80, 89); err != nil {
		t.Fatal(err)
	}
	has(t, d, 79)
	if err := d.remove(1, 79); err != nil { // all, as when a snapshot comes from the leader
		t.Fatal(err)
	}
	if err := d.append(entries(200, 205)); err != nil {
		t.Fatal(err)
	}
	reopen()
	if first, _ := d.FirstIndex(); first != 200 {
		t.Errorf("the first index is %d, want 200", first)
	}
	_ = d.Close()
}

// TestSilentEntryThatFailed: the index of an entry that could not be written goes
// to another one, of another kind.
func TestSilentEntryThatFailed(t *testing.T) {
	files := newFaulty()
	d := openFaulty(t, t.TempDir(), files)
	defer d.Close() //nolint:errcheck // a test's
	j := newJournal(d, func() bool { return false }, func(error) {})
	files.full.Store(true)
	if err := j.StoreLog(&raft.Log{Index: 1, Term: 1, Type: raft.LogNoop}); !errors.Is(err, messages.ErrLogUnwritable) {
		t.Fatalf("store = %v", err)
	}
	files.full.Store(false)
	if err := j.StoreLog(&raft.Log{Index: 1, Term: 2, Type: raft.LogCommand}); err != nil {
		t.Fatal(err)
	}
	if got := j.silent.below(1); got != 1 {
		t.Errorf("below(1) = %d: a command is taken for raft's own", got)
	}
}

func TestFullDiskAlone(t *testing.T) {
	files := newFaulty()
	s := newServer(t, "a", func(c *Config) { c.Bootstrap = true; c.DataDir = t.TempDir(); c.files = files }).start().leads()
	s.mustPut("a", "b")
	files.full.Store(true)
	stuck := &messages.ApplyEntry{Entry: []byte("c")}
	box := stuck.Expect()
	s.addr.Tell(stuck)
	await(t, "it says so", func() bool { return len(s.errorLines("the raft log cannot be written")) == 1 })
	for range 3 {
		if err := s.put("d"); !errors.Is(err, messages.ErrLogUnwritable) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("put = %v, want %v", err, messages.ErrLogUnwritable)
		}
	}
	if _, err := do(s, &messages.ConfirmLeader{}); err != nil {
		t.Errorf("reads do not go on: %v", err)
	}
	if !s.status.Load().Leads() {
		t.Error("it does not lead any more")
	}
	files.full.Store(false)
	if r := <-box; r.Err != nil {
		t.Errorf("the write that waited: %v", r.Err)
	}
	await(t, "it takes on writes again", func() bool { return s.put("e") == nil })
	if n := len(s.logs.FilterLevelExact(zap.ErrorLevel).All()); n != 1 {
		t.Errorf("%d lines at ERROR, want 1", n)
	}
	want := []string{"a", "b", "c", "e"}
	s.stop()
	s.start().leads()
	if got := s.words.get(); !slices.Equal(got, want) {
		t.Errorf("after a restart: %v, want %v", got, want)
	}
}

func TestStopOnAFullDisk(t *testing.T) {
	files := newFaulty()
	s := newServer(t, "a", func(c *Config) { c.Bootstrap = true; c.DataDir = t.TempDir(); c.files = files }).start().leads()
	s.mustPut("a")
	files.full.Store(true)
	stuck := &messages.ApplyEntry{Entry: []byte("b")}
	box := stuck.Expect()
	s.addr.Tell(stuck)
	await(t, "it says so", func() bool { return len(s.errorLines("the raft log cannot be written")) == 1 })
	s.stop()
	if r := <-box; !errors.Is(r.Err, messages.ErrLeadershipLost) {
		t.Errorf("the write that waited: %v, want %v", r.Err, messages.ErrLeadershipLost)
	}
	files.full.Store(false)
	s.start().leads()
	if got := s.words.get(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("after a restart: %v", got)
	}
}

func TestFullDiskInACluster(t *testing.T) {
	disks := map[string]*faulty{"a": newFaulty(), "b": newFaulty(), "c": newFaulty()}
	all := newCluster(t, func(c *Config) { c.DataDir = t.TempDir(); c.files = disks[c.NodeID] })
	full, others := leaderOf(t, all...)
	full.leads()
	full.mustPut("a")
	disks[full.cfg.NodeID].full.Store(true)
	if err := full.put("never"); !errors.Is(err, messages.ErrLogUnwritable) {
		t.Errorf("put = %v, want %v", err, messages.ErrLogUnwritable)
	}
	next, _ := leaderOf(t, others...)
	next.leads()
	next.mustPut("b", "c")
	if got := next.words.get(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("the next leader has %v", got)
	}
	if n := len(full.errorLines("the raft log cannot be written")); n != 1 {
		t.Errorf("%d lines say that the log cannot be written, want 1", n)
	}
	disks[full.cfg.NodeID].full.Store(false)
	await(t, "the other one catches up", func() bool { return slices.Equal(full.words.get(), []string{"a", "b", "c"}) })
	await(t, "it says so", func() bool {
		return full.logs.FilterMessage("the raft log can be written again, writes are taken on").Len() > 0
	})
}

func TestFullDiskAtStart(t *testing.T) {
	files := newFaulty()
	files.full.Store(true)
	s := newServer(t, "a", func(c *Config) { c.Bootstrap = true; c.DataDir = t.TempDir(); c.files = files })
	if got := s.fails(); !strings.Contains(got, "no room for the log") {
		t.Errorf("it says %q", got)
	}
	files.full.Store(false)
	s.start().leads()
	s.mustPut("a")
}
