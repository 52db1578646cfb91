package raft

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

// wholeLog is a data directory, and what the log in it holds.
type wholeLog struct {
	dir   string
	words []string
}

// smallSegment makes the log have several files.
const smallSegment = 8 << 10

// writeLog writes a log of several files, entry by entry, and returns the data
// directory as it is when the agent is killed and when it is stopped.
func writeLog(t *testing.T) (killed, stopped wholeLog) {
	dir := t.TempDir()
	s := newServer(t, "a", func(c *Config) { c.Bootstrap = true; c.DataDir = dir; c.SegmentSize = smallSegment }).start().leads()
	var words []string
	for i := range 60 {
		w := fmt.Sprintf("word %d %s", i, strings.Repeat("x", 300))
		s.mustPut(w)
		words = append(words, w)
	}
	killed = wholeLog{copyDir(t, dir), words}
	s.stop()
	return killed, wholeLog{dir, words}
}

// reopen opens a copy of the log, after spoil has been at it, and says what became
// of it: "whole", "damaged", "lost the last", or what else is wrong.
func (l wholeLog) reopen(t *testing.T, spoil func(dir string)) string {
	t.Helper()
	dir := copyDir(t, l.dir)
	defer os.RemoveAll(dir) //nolint:errcheck // only to save room
	spoil(dir)
	n, err := open(Config{
		Logger:      zap.NewNop(),
		Library:     hclog.NewNullLogger(),
		FSM:         &words{},
		NodeID:      "a",
		Advertise:   "127.0.0.1:8300",
		DataDir:     dir,
		SegmentSize: smallSegment,
	}.withDefaults(), func(any) {})
	if err != nil {
		if !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), "move "+filepath.Join(dir, "raft")) {
			return "not clear: " + err.Error()
		}
		return "damaged"
	}
	defer n.stop()
	return l.compare(n)
}

func (l wholeLog) compare(n *node) string {
	last, err := n.journal.LastIndex()
	if err != nil {
		return err.Error()
	}
	var got []string
	for i := uint64(1); i <= last; i++ {
		var entry raft.Log
		if err := n.journal.GetLog(i, &entry); err != nil {
			return fmt.Sprintf("entry %d: %v", i, err)
		}
		if entry.Type == raft.LogCommand {
			got = append(got, string(entry.Data))
		}
	}
	switch {
	case slices.Equal(got, l.words):
		return "whole"
	case slices.Equal(got, l.words[:len(l.words)-1]):
		return "lost the last"
	default:
		return fmt.Sprintf("%d of %d words", len(got), len(l.words))
	}
}

// flip inverts the byte at an offset of a file.
func flip(t *testing.T, path string, at int64) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 0xff
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// layout returns the offsets of the frames of a segment file, and where the last
// one ends.
func layout(t *testing.T, path string) (frames []int64, end int64) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := int64(fileHeader)
	for at+frameHeader <= int64(len(data)) && data[at] != 0 {
		frames = append(frames, at)
		if data[at] != frameCommit {
			at += (int64(binary.LittleEndian.Uint32(data[at+4:])) + 7) &^ 7
		}
		at += frameHeader
	}
	return frames, at
}

func TestFlippedBytes(t *testing.T) {
	killed, stopped := writeLog(t)
	files := segments(t, killed.dir)
	if len(files) < 3 {
		t.Fatalf("%d segments, want more", len(files))
	}
	for i, path := range files {
		name, err := filepath.Rel(killed.dir, path)
		if err != nil {
			t.Fatal(err)
		}
		frames, end := layout(t, path)
		lastBatch := frames[len(frames)-2] // an entry and its commit
		offsets := []int64{0, 8, fileHeader - 1, end - 1}
		for i, f := range frames {
			if 3 < i && i < len(frames)-5 && i%9 != 0 {
				continue // enough is enough
			}
			offsets = append(offsets, f, f+4, f+5, min(f+frameHeader+40, end-1))
		}
		for _, at := range slices.Compact(offsets) {
			want, wantKilled := "damaged", "damaged"
			if i == len(files)-1 && at >= lastBatch {
				wantKilled = "lost the last" // like a write that was cut off
			}
			if got := stopped.reopen(t, func(dir string) { flip(t, filepath.Join(dir, name), at) }); got != want {
				t.Errorf("stopped, byte %d of %s: %s, want %s", at, name, got, want)
			}
			if got := killed.reopen(t, func(dir string) { flip(t, filepath.Join(dir, name), at) }); got != wantKilled {
				t.Errorf("killed, byte %d of %s: %s, want %s", at, name, got, wantKilled)
			}
		}
	}
}

func TestFlippedBytesOfTheVotes(t *testing.T) {
	_, stopped := writeLog(t)
	const name = "raft/wal/wal-meta.db"
	data, err := os.ReadFile(filepath.Join(stopped.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := checkBolt(data); err != nil {
		t.Fatalf("untouched: %v", err)
	}
	found := 0
	for at := range data { // comes to an end, and does not panic
		for _, mask := range []byte{0xff, 0x01, 0x80} {
			data[at] ^= mask
			if checkBolt(data) != nil {
				found++
			}
			data[at] ^= mask
		}
	}
	if found == 0 {
		t.Error("no flipped byte is found")
	}
	for at := int64(0); at < int64(len(data)); at += 509 {
		got := stopped.reopen(t, func(dir string) { flip(t, filepath.Join(dir, name), at) })
		if got != "whole" && got != "damaged" {
			t.Errorf("byte %d of %s: %s", at, name, got)
		}
	}
}

// FuzzCheckBolt looks for a file that checkBolt does not come to the end of.
func FuzzCheckBolt(f *testing.F) {
	for _, size := range []int{0, 1, 4096, 16384} {
		f.Add(make([]byte, size))
	}
	path := filepath.Join(f.TempDir(), "bolt.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		f.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error {
		for i := range 3 {
			b, err := tx.CreateBucket(fmt.Append(nil, "bucket", i))
			if err != nil {
				return err
			}
			for k := range 300 * i {
				if err := b.Put(fmt.Append(nil, "key", k), make([]byte, 50)); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		f.Fatal(err)
	}
	if err := db.Close(); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	if err := checkBolt(data); err != nil {
		f.Fatalf("a good file: %v", err)
	}
	f.Add(data)
	f.Fuzz(func(_ *testing.T, data []byte) { _ = checkBolt(data) })
}

func TestCutAndMissingFiles(t *testing.T) {
	killed, stopped := writeLog(t)
	tail := len(segments(t, killed.dir)) - 1
	cut := func(segment int, size func(end int64) int64) func(string) {
		return func(dir string) {
			path := segments(t, dir)[segment]
			_, end := layout(t, path)
			if err := os.Truncate(path, size(end)); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name func(dir string) string) func(string) {
		return func(dir string) {
			if err := os.RemoveAll(name(dir)); err != nil {
				t.Fatal(err)
			}
		}
	}
	removeAll := func(dir string) {
		for _, path := range segments(t, dir) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	meta := func(dir string) string { return filepath.Join(dir, "raft/wal/wal-meta.db") }
	cutMeta := func(size int64) func(string) {
		return func(dir string) {
			if err := os.Truncate(meta(dir), size); err != nil {
				t.Fatal(err)
			}
		}
	}
	zero := func(dir string) { // a page in the middle of the last file
		path := segments(t, dir)[tail]
		frames, _ := layout(t, path)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close() //nolint:errcheck // a test's
		if _, err := f.WriteAt(make([]byte, 512), frames[2]); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name            string
		spoil           func(string)
		stopped, killed string
	}{
		{"untouched", func(string) {}, "whole", "whole"},
		{"tail_cut_by_a_byte", cut(tail, func(end int64) int64 { return end - 1 }), "damaged", "damaged"},
		{"tail_cut_after_its_data", cut(tail, func(end int64) int64 { return end }), "damaged", "damaged"},
		{"tail_cut_in_half", cut(tail, func(end int64) int64 { return end / 2 }), "damaged", "damaged"},
		{"tail_page_zeroed", zero, "damaged", "damaged"},
		{"sealed_cut_in_half", cut(1, func(end int64) int64 { return end / 2 }), "damaged", "damaged"},
		{"sealed_empty", cut(0, func(int64) int64 { return 0 }), "damaged", "damaged"},
		{"sealed_missing", remove(func(dir string) string { return segments(t, dir)[1] }), "damaged", "damaged"},
		{"tail_missing", remove(func(dir string) string { return segments(t, dir)[tail] }), "damaged", "damaged"},
		{"tail_empty", cut(tail, func(int64) int64 { return 0 }), "damaged", "damaged"},
		{"all_missing_but_votes", removeAll, "damaged", "damaged"},
		{"votes_missing", remove(meta), "damaged", "damaged"},
		{"votes_empty", cutMeta(0), "damaged", "damaged"},
		{"votes_a_page", cutMeta(4096), "damaged", "damaged"},
		{"votes_two_pages", cutMeta(8192), "damaged", "damaged"},
		{"votes_three_pages", cutMeta(12288), "damaged", "damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := stopped.reopen(t, tt.spoil); got != tt.stopped {
				t.Errorf("stopped: %s, want %s", got, tt.stopped)
			}
			if got := killed.reopen(t, tt.spoil); got != tt.killed {
				t.Errorf("killed: %s, want %s", got, tt.killed)
			}
		})
	}
}

// TestSweptSnapshots has what a kill leaves of snapshots go at the next start, and
// nothing else.
func TestSweptSnapshots(t *testing.T) {
	dir := t.TempDir()
	s := newServer(t, "a", func(c *Config) { c.Bootstrap = true; c.DataDir = dir }).start().leads()
	s.mustPut("x")
	if _, err := do(s, &messages.TakeSnapshot{}); err != nil {
		t.Fatal(err)
	}
	s.stop()
	snapshots := filepath.Join(dir, "raft", "snapshots")
	list := func() (names []string) {
		entries, err := os.ReadDir(snapshots)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	want := append(list(), "of-the-operator", "unreadable")
	for _, path := range []string{"2-9-1700000000000.tmp/state.bin", "2-10-1700000000000.tmp/meta.json", "of-the-operator", "unreadable/state.bin"} {
		path = filepath.Join(snapshots, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, empty := range []string{"2-11-1700000000000.tmp", "2-8-1700000000000"} {
		if err := os.Mkdir(filepath.Join(snapshots, empty), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.start().leads()
	slices.Sort(want)
	if got := list(); !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
	if got := s.words.get(); !slices.Equal(got, []string{"x"}) {
		t.Errorf("the state is %v", got)
	}
}

func TestSpoiledSnapshots(t *testing.T) {
	dir := t.TempDir()
	s := newServer(t, "a", func(c *Config) { c.Bootstrap = true; c.DataDir = dir; c.TrailingLogs = 1 }).start().leads()
	for i := range 20 {
		s.mustPut(fmt.Sprint("w", i))
		if i == 10 || i == 15 {
			if _, err := do(s, &messages.TakeSnapshot{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.stop()
	spoil := func(which int, file string) func(string) {
		return func(dir string) {
			all, err := filepath.Glob(filepath.Join(dir, "raft", "snapshots", "*", file))
			if err != nil || len(all) != 2 {
				t.Fatalf("snapshots: %v %v", all, err)
			}
			flip(t, all[which], 0)
		}
	}
	for _, tt := range []struct {
		name  string
		spoil []func(string)
		fails bool
	}{
		{"none", nil, false},
		{"older", []func(string){spoil(0, "state.bin")}, false},
		{"newest", []func(string){spoil(1, "state.bin")}, true}, // the log between the two is gone
		{"newest_meta", []func(string){spoil(1, "meta.json")}, true},
		{"both", []func(string){spoil(0, "state.bin"), spoil(1, "state.bin")}, true},
		{"log_missing", []func(string){func(dir string) {
			if err := os.RemoveAll(filepath.Join(dir, "raft", "wal")); err != nil {
				t.Fatal(err)
			}
		}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			again := newServer(t, "a", func(c *Config) { c.Advertise = s.cfg.Advertise; c.DataDir = copyDir(t, dir) })
			for _, spoil := range tt.spoil {
				spoil(again.cfg.DataDir)
			}
			if tt.fails {
				if err := again.fails(); !strings.Contains(err, "damaged") {
					t.Errorf("it says %q", err)
				}
				return
			}
			again.start().leads()
			if got := len(again.words.get()); got != 20 {
				t.Errorf("%d words, want 20", got)
			}
		})
	}
}

func TestCannotStart(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, dir string)
		want    string
	}{
		{"data_dir_is_a_file", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "raft"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "has to be a directory"},
		{"log_of_consul", func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, "raft"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "raft", "raft.db"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "take a snapshot with consul snapshot save"},
		{"in_use", func(t *testing.T, dir string) {
			newServer(t, "b", func(c *Config) { c.Bootstrap = true; c.DataDir = dir }).start()
		}, "stop the other agent"},
		{"peers_json_is_wrong", func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, "raft"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "raft", "peers.json"), []byte(`["10.0.0.1:8300"]`), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "mend it as"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			tt.prepare(t, dir)
			got := newServer(t, "a", func(c *Config) { c.Bootstrap = true; c.DataDir = dir }).fails()
			if !strings.Contains(got, tt.want) || !strings.Contains(got, dir) || !strings.HasPrefix(got, "raft: ") || strings.Contains(got, "\n") {
				t.Errorf("it says %q, want one line with %q and the path", got, tt.want)
			}
		})
	}
}

func TestUndo(t *testing.T) {
	data := []byte("what comes before, what comes after")
	for at := range data {
		before := crc32.Checksum(data[:at], castagnoli)
		if got := undo(crc32.Checksum(data, castagnoli), data[at:]); got != before {
			t.Errorf("undone to %d: %08x, want %08x", at, got, before)
		}
	}
}
