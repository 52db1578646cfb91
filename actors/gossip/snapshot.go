package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSnapshot is the size from which a snapshot is not one, in bytes. Serf writes
// it anew when it has 256 bytes for each member.
const maxSnapshot = 64 << 20

// maxClock is the highest Lamport time that is believed. A clock near the end of
// its range would spread through the pool and stop it.
const maxClock = 1 << 62

// mendSnapshot makes sure that Serf can read and write its snapshot at path. Serf
// itself takes whatever it finds there, a time that is out of range as well, and
// goes on writing where a line was torn.
//
// A damaged file is kept as path.damaged, and what can be read of it goes on in a
// new one; note then tells the operator so.
func mendSnapshot(path string) (note string, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", snapshotError(path, err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("serf snapshot %s is not a file; move it away", path)
	}
	if info.Size() > maxSnapshot {
		if err := setAside(path, nil); err != nil {
			return "", snapshotError(path, err)
		}
		return fmt.Sprintf("the serf snapshot is %d bytes long and was moved to %s.damaged; its peers are forgotten, join them again", info.Size(), path), nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", snapshotError(path, err)
	}
	good, bad := readableLines(data)
	if bad > 0 {
		if err := setAside(path, good); err != nil {
			return "", snapshotError(path, err)
		}
		return fmt.Sprintf("the serf snapshot had %d lines that make no sense and was moved to %s.damaged; the others count", bad, path), nil
	}
	if len(good) < len(data) { // a crash has torn the last line
		err = writeFile(path, good, 0o644)
	} else {
		err = checkWritable(path)
	}
	if err != nil {
		return "", snapshotError(path, err)
	}
	return "", nil
}

func snapshotError(path string, err error) error {
	return fmt.Errorf("serf snapshot %s: %w; let the agent read and write it, or move it away and join the peers again", path, plain(err))
}

// plain takes from an error of the file system the path, which is said already.
func plain(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

func setAside(path string, good []byte) error {
	if err := os.Rename(path, path+".damaged"); err != nil {
		return err
	}
	if len(good) == 0 {
		return nil
	}
	return writeFile(path, good, 0o644)
}

func checkWritable(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// writeFile puts data in place of the file, as a whole or not at all.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readableLines returns the lines of a snapshot that Serf may read, and how many
// others there are. A last line without its end is none of either when it is text:
// that is what a crash leaves.
func readableLines(data []byte) (good []byte, bad int) {
	good = make([]byte, 0, len(data))
	for line := range bytes.Lines(data) {
		text, whole := bytes.CutSuffix(line, []byte{'\n'})
		switch {
		case whole && validLine(string(text)):
			good = append(good, line...)
		case whole || !isText(string(text)):
			bad++
		}
	}
	return good, bad
}

// validLine says whether Serf may act upon a line of its snapshot.
func validLine(line string) bool {
	if !isText(line) {
		return false
	}
	if line == "leave" || strings.HasPrefix(line, "#") {
		return true
	}
	key, value, _ := strings.Cut(line, ": ")
	switch key {
	case "alive":
		i := strings.LastIndexByte(value, ' ')
		if i < 0 || checkName(value[:i]) != nil {
			return false
		}
		_, err := netip.ParseAddrPort(value[i+1:])
		return err == nil
	case "not-alive":
		return checkName(value) == nil
	case "clock", "event-clock", "query-clock":
		clock, err := strconv.ParseUint(value, 10, 64)
		return err == nil && clock < maxClock
	case "coordinate": // of old versions; Serf skips it
		return true
	default:
		return false
	}
}

func isText(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}
