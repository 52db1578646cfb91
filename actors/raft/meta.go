package raft

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/raft-wal/metadb"
	"go.etcd.io/bbolt"
)

// errInUse is returned when another process has the log open.
var errInUse = errors.New("another agent uses it")

// lockPatience is how long to wait for another process to let go of the log: an
// agent that is being replaced may be about to.
const lockPatience = time.Second

// checkMeta reads through the file in which raft-wal keeps the votes and the list
// of its other files. raft-wal itself would wait without end for a lock that
// another process holds, and without that file would take all others for leftovers
// and delete them.
func checkMeta(dir string) error {
	path := filepath.Join(dir, metadb.FileName)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return checkNoSegments(dir, path)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockPatience})
	switch {
	case errors.Is(err, bbolt.ErrTimeout):
		return fmt.Errorf("%s: %w", dir, errInUse)
	case errors.Is(err, bbolt.ErrInvalid), errors.Is(err, bbolt.ErrChecksum), errors.Is(err, bbolt.ErrVersionMismatch):
		return &damaged{path, err.Error()}
	case err != nil:
		return err
	}
	defer db.Close() //nolint:errcheck // it was only read
	return db.View(func(tx *bbolt.Tx) error {
		for _, name := range []string{metadb.MetaBucket, metadb.StableBucket} {
			b := tx.Bucket([]byte(name))
			if b == nil {
				return &damaged{path, "it has no bucket " + name}
			}
			if err := b.ForEach(func(_, _ []byte) error { return nil }); err != nil {
				return &damaged{path, err.Error()}
			}
		}
		return nil
	})
}

func checkNoSegments(dir, path string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".wal") {
			return &damaged{dir, filepath.Base(path) + " is missing, and " + f.Name() + " is there"}
		}
	}
	return nil
}
