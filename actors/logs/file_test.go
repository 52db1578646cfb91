package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLogPath(t *testing.T) {
	tests := []struct{ name, path, want string }{
		{"folder", "/var/log/", "/var/log/consul.log"},
		{"no_extension", "/var/log/agent", "/var/log/agent.log"},
		{"whole", "/var/log/agent.txt", "/var/log/agent.txt"},
		{"dot_in_the_folder", "/var/log.d/agent", "/var/log.d/agent.log"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := logPath(tt.path); got != tt.want {
				t.Errorf("logPath(%q) = %q, want %q", tt.path, got, tt.want)
			}
		})
	}
}

func TestSurplus(t *testing.T) {
	names := []string{
		"consul.log", "consul-1700000000000000003.log", "consul-1700000000000000001.log", "consul-1700000000000000002.log",
		"consul-old.log", "consul-17.log", "consul-1700000000000000000.txt", "consul--1700000000000000000.log", "nomad-1700000000000000000.log",
		"consul-1700000000000000000", "consul-", "consul-.log",
	}
	tests := []struct {
		name string
		keep int
		want []string
	}{
		{name: "none_to_keep", keep: 0, want: []string{"consul-1700000000000000001.log", "consul-1700000000000000002.log", "consul-1700000000000000003.log"}},
		{name: "the_oldest_go", keep: 1, want: []string{"consul-1700000000000000001.log", "consul-1700000000000000002.log"}},
		{name: "as_many", keep: 3},
		{name: "more", keep: 9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := surplus("consul.log", names, tt.keep); !slices.Equal(got, tt.want) {
				t.Errorf("surplus = %v, want %v", got, tt.want)
			}
		})
	}
}

// TestRotation writes ten lines of ten bytes, one a minute, and looks at what is
// in the folder, oldest first.
func TestRotation(t *testing.T) {
	tests := []struct {
		name string
		opts FileOptions
		want string // how many lines each file has, the log last
	}{
		{name: "never", want: "10"},
		{name: "by_size", opts: FileOptions{MaxBytes: 40}, want: "4 4 2"},
		{name: "by_size_between_lines", opts: FileOptions{MaxBytes: 45}, want: "4 4 2"},
		{name: "lines_longer_than_the_size", opts: FileOptions{MaxBytes: 5}, want: "1 1 1 1 1 1 1 1 1 1"},
		{name: "by_age", opts: FileOptions{MaxAge: 3 * time.Minute}, want: "3 3 3 1"},
		{name: "by_both", opts: FileOptions{MaxBytes: 20, MaxAge: 3 * time.Minute}, want: "2 2 2 2 2"},
		{name: "keep_two", opts: FileOptions{MaxBytes: 30, MaxFiles: 2}, want: "3 3 1"},
		{name: "keep_none", opts: FileOptions{MaxBytes: 30, MaxFiles: -1}, want: "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				tt.opts.Path = dir + "/"
				f, err := OpenFile(tt.opts)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				for i := range 10 {
					if n, err := fmt.Fprintf(f, "line %04d\n", i); n != 10 || err != nil {
						t.Fatalf("Write = %d, %v", n, err)
					}
					time.Sleep(time.Minute)
				}
				if err := f.Sync(); err != nil {
					t.Error(err)
				}
				var counts []string
				last := 10
				for _, text := range slices.Backward(contents(t, dir)) {
					lines := strings.Fields(strings.ReplaceAll(text, "line ", ""))
					counts = append([]string{fmt.Sprint(len(lines))}, counts...)
					for _, n := range slices.Backward(lines) {
						if last--; n != fmt.Sprintf("%04d", last) {
							t.Fatalf("line %s stands where %d should", n, last)
						}
					}
				}
				if got := strings.Join(counts, " "); got != tt.want {
					t.Errorf("files have %s lines, want %s", got, tt.want)
				}
			})
		})
	}
}

// contents returns the files of a folder, rotated ones first.
func contents(t *testing.T, dir string) (all []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "consul-*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, filepath.Join(dir, "consul.log")) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// TestRotationsAtOneMoment checks that a rotated file is never written over.
func TestRotationsAtOneMoment(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f, err := OpenFile(FileOptions{Path: dir + "/", MaxBytes: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, line := range []string{"a", "b", "c"} {
			fmt.Fprint(f, line)
		}
		if got := contents(t, dir); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("the files are %q", got)
		}
	})
}

func TestFileIsAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.log")
	for _, line := range []string{"one\n", "two\n"} {
		f, err := OpenFile(FileOptions{Path: path, MaxBytes: 8})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(f, line)
		if err := errors.Join(f.Close(), f.Close(), f.Sync()); err != nil {
			t.Errorf("end: %v", err)
		}
		if _, err := f.Write([]byte("late")); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Write after Close: %v", err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "one\ntwo\n" {
		t.Errorf("the log is %q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("everybody may read it: %v, %v", info.Mode(), err)
	}
}

func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name, path string
		is         error
	}{
		{name: "no_folder", path: filepath.Join(dir, "missing", "x.log"), is: fs.ErrNotExist},
		{name: "a_folder", path: dir + "/sub.d"},
	}
	if err := os.Mkdir(dir+"/sub.d", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := OpenFile(FileOptions{Path: tt.path})
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.path) {
				t.Errorf("OpenFile = %v", err)
			}
		})
	}
}

// TestRotationThatFails takes the folder away under a log: lines go on where they
// went, and rotation works again when the folder is back.
func TestRotationThatFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(FileOptions{Path: dir + "/", MaxBytes: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(line string) error {
		t.Helper()
		n, err := f.Write([]byte(line))
		if n != len(line) {
			t.Fatalf("%q is lost: %v", line, err)
		}
		return err
	}
	if err := write("aa"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	if err := write("bb"); err == nil {
		t.Error("nobody is told that the log cannot rotate")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := write("cc"); err != nil {
		t.Errorf("with the folder back: %v", err)
	}
	old, err := os.ReadFile(dir + ".away/consul.log")
	if err != nil || string(old) != "aabb" {
		t.Errorf("the first log is %q, %v", old, err)
	}
	if got := contents(t, dir); !slices.Equal(got, []string{"cc"}) {
		t.Errorf("the new log is %q", got)
	}
}
