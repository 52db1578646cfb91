// Package datadir looks after the data directory as a whole: that it is there, can
// be written, and belongs to one agent at a time; and the node ID that is kept in
// it. What is inside belongs to the actors.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hashicorp/go-uuid"
)

// Names of the files that are kept here.
const (
	lockFile   = "agent.lock"
	nodeIDFile = "node-id"
)

// Dir is a data directory that this process has to itself.
type Dir struct {
	path string
	lock *os.File
}

// Open makes the directory if need be and locks it. The lock goes with the
// process, however it ends.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("data directory %s cannot be made: %w; choose another with -data-dir", path, reason(err))
	}
	lock, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("data directory %s cannot be written: %w; make it writable for this user, or choose another with -data-dir", path, reason(err))
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("data directory %s is in use by another agent%s; stop it, or give this one its own -data-dir", path, holder(lock))
		}
		return nil, fmt.Errorf("data directory %s cannot be locked: %w", path, err)
	}
	d := &Dir{path: path, lock: lock}
	if err := d.sign(); err != nil {
		lock.Close()
		return nil, err
	}
	return d, nil
}

// Close gives the directory up.
func (d *Dir) Close() error { return d.lock.Close() }

// sign leaves this process's ID in the lock file, for who finds it locked.
func (d *Dir) sign() error {
	if err := d.lock.Truncate(0); err != nil {
		return fmt.Errorf("data directory %s cannot be written: %w", d.path, reason(err))
	}
	if _, err := fmt.Fprintf(d.lock, "%d\n", os.Getpid()); err != nil {
		return fmt.Errorf("data directory %s cannot be written: %w; free some space, or choose another with -data-dir", d.path, reason(err))
	}
	return nil
}

func holder(lock *os.File) string {
	var pid int
	if _, err := fmt.Fscan(lock, &pid); err != nil {
		return ""
	}
	return fmt.Sprintf(" (process %d)", pid)
}

// NodeID returns the ID by which this node is known for good. A configured one is
// kept; without one, the one that was kept before is returned, or a new one made.
func (d *Dir) NodeID(configured string) (string, error) {
	path := filepath.Join(d.path, nodeIDFile)
	if configured != "" {
		return configured, d.write(path, configured)
	}
	kept, err := os.ReadFile(path)
	switch {
	case err == nil:
		id := strings.ToLower(strings.TrimSpace(string(kept)))
		if _, err := uuid.ParseUUID(id); err != nil {
			return "", fmt.Errorf("%s is damaged: %q is not a node ID; put back the ID this node had, or remove the file to give it a new one", path, id)
		}
		return id, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("the node ID cannot be read: %w", err)
	}
	id, err := uuid.GenerateUUID()
	if err != nil {
		return "", fmt.Errorf("make a node ID: %w", err)
	}
	return id, d.write(path, id)
}

// write replaces a small file as a whole: a crash leaves the old one or the new.
func (d *Dir) write(path, text string) error {
	tmp, err := os.CreateTemp(d.path, ".tmp-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, reason(err))
	}
	defer os.Remove(tmp.Name()) // nothing, once renamed
	_, err = tmp.WriteString(text)
	err = errors.Join(err, tmp.Chmod(0o600), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, reason(err))
	}
	return nil
}

// reason leaves out the call and the path, which the caller's sentence has.
func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// PassingNodeID returns the ID of a node that keeps nothing on disk: the configured
// one, or one that is gone with the process.
func PassingNodeID(configured string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	return uuid.GenerateUUID()
}
