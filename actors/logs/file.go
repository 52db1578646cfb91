package logs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FileOptions are log_file and the log_rotate_* keys.
type FileOptions struct {
	// Path of the log. When it ends in a slash, the log is consul.log in that
	// folder; when its name has no extension, it gets .log. The folder must
	// exist. Required.
	Path string

	MaxBytes int64         // rotate before the log grows beyond; 0: however large
	MaxAge   time.Duration // rotate when the log was begun so long ago; 0: however old

	// MaxFiles is how many rotated files are kept beside the log; 0: all of
	// them; negative: none.
	MaxFiles int
}

// A File is the agent's log file. When it rotates, the log is renamed to
// NAME-TIMESTAMP.EXT, the time being in nanoseconds since 1970, and begun anew.
type File struct {
	opts FileOptions

	mu   sync.Mutex
	f    *os.File
	size int64     // bytes in the log
	from time.Time // when the log was begun, or a rotation was last tried
}

// OpenFile opens the log for appending, and creates it when there is none.
func OpenFile(o FileOptions) (*File, error) {
	o.Path = logPath(o.Path)
	f := &File{opts: o}
	if err := f.begin(); err != nil {
		return nil, err
	}
	return f, nil
}

// logPath completes a path as FileOptions says.
func logPath(path string) string {
	switch dir, name := filepath.Split(path); {
	case name == "":
		return filepath.Join(dir, "consul.log")
	case filepath.Ext(name) == "":
		return path + ".log"
	}
	return path
}

// Write appends a line, after a rotation when one is due. A rotation that does not
// succeed costs no line: the log goes on where it is, and the next limit tries
// again.
func (f *File) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil {
		return 0, os.ErrClosed
	}
	var failed error
	if f.due(len(line)) {
		failed = f.rotate()
	}
	n, err := f.f.Write(line)
	f.size += int64(n)
	return n, errors.Join(failed, err)
}

// Sync brings the log to the disk.
func (f *File) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil {
		return nil
	}
	return f.f.Sync()
}

// Close closes the log. Closing it again does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}

// begin opens the file at the path and closes the one before, if it can.
func (f *File) begin() error {
	next, err := os.OpenFile(f.opts.Path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("log file: %w; its folder must exist and be writable for the agent", err)
	}
	info, err := next.Stat()
	if err != nil {
		next.Close()
		return fmt.Errorf("log file: %w", err)
	}
	if f.f != nil {
		f.f.Close()
	}
	f.f, f.size, f.from = next, info.Size(), time.Now()
	return nil
}

// due reports whether the log must be rotated before n more bytes. An empty log
// never is.
func (f *File) due(n int) bool {
	if f.size == 0 {
		return false
	}
	return f.opts.MaxBytes > 0 && f.size+int64(n) > f.opts.MaxBytes ||
		f.opts.MaxAge > 0 && time.Since(f.from) >= f.opts.MaxAge
}

// rotate renames the log, begins a new one, and removes what is too old.
func (f *File) rotate() error {
	now := time.Now()
	f.from, f.size = now, 0 // when it fails, wait for the next limit
	err := os.Rename(f.opts.Path, f.archive(now))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // somebody else may have moved it
		return fmt.Errorf("rotate log file: %w", err)
	}
	if err := f.begin(); err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	return f.prune()
}

// archive returns a free name for the log as it is at the time.
func (f *File) archive(now time.Time) string {
	ext := filepath.Ext(f.opts.Path)
	stem := strings.TrimSuffix(f.opts.Path, ext)
	for at := now.UnixNano(); ; at++ {
		path := stem + "-" + strconv.FormatInt(at, 10) + ext
		if _, err := os.Lstat(path); err != nil {
			return path
		}
	}
}

// prune removes the oldest rotated files beyond those to keep.
func (f *File) prune() error {
	if f.opts.MaxFiles == 0 {
		return nil
	}
	dir := filepath.Dir(f.opts.Path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("rotate log file: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	var errs []error
	for _, name := range surplus(filepath.Base(f.opts.Path), names, max(f.opts.MaxFiles, 0)) {
		errs = append(errs, os.Remove(filepath.Join(dir, name)))
	}
	return errors.Join(errs...)
}

// surplus returns those of the names that are rotated files of the log and older
// than the newest to keep. Nothing but a name that a rotation gives is one.
func surplus(log string, names []string, keep int) []string {
	ext := filepath.Ext(log)
	stem := strings.TrimSuffix(log, ext) + "-"
	at := map[string]int64{}
	var rotated []string
	for _, name := range names {
		mid, ok := strings.CutPrefix(name, stem)
		mid, ok2 := strings.CutSuffix(mid, ext)
		n, err := strconv.ParseUint(mid, 10, 63)
		if ok && ok2 && err == nil && len(mid) >= 18 {
			at[name] = int64(n)
			rotated = append(rotated, name)
		}
	}
	slices.SortFunc(rotated, func(a, b string) int { return cmp.Compare(at[a], at[b]) })
	return rotated[:max(0, len(rotated)-keep)]
}
