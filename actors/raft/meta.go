package raft

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"go.etcd.io/bbolt"
)

// errInUse is returned when another process has the log open.
var errInUse = errors.New("another agent uses it")

// lockPatience is how long to wait for another process to let go of the log: an
// agent that is being replaced may be about to.
const lockPatience = time.Second

// openMeta opens the file in which raft-wal keeps the votes and the list of its
// other files, and checks it. raft-wal itself would wait without end for a lock
// that another process holds.
func openMeta(dir string, cfg Config) (*metadb.BoltMetaDB, error) {
	path := filepath.Join(dir, metadb.FileName)
	if err := checkMeta(path); err != nil {
		return nil, err
	}
	meta := &metadb.BoltMetaDB{}
	if err := checkSegments(dir, meta, cfg); err != nil {
		_ = meta.Close()
		return nil, err
	}
	return meta, nil
}

func checkMeta(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Size() == 0:
		return &damaged{path, "it is empty"}
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockPatience})
	switch {
	case errors.Is(err, bbolt.ErrTimeout):
		return fmt.Errorf("%s: %w", filepath.Dir(path), errInUse)
	case err != nil && !ofDisk(err):
		return &damaged{path, err.Error()}
	case err != nil:
		return err
	}
	defer db.Close() //nolint:errcheck // it was only read
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := checkBolt(data); err != nil {
		return &damaged{path, err.Error()}
	}
	return nil
}

// checkSegments sees to it that no file of the log is newer than the list of them.
// raft-wal takes files that are not on the list for leftovers and deletes them.
func checkSegments(dir string, meta *metadb.BoltMetaDB, cfg Config) error {
	state, err := meta.Load(dir)
	if err != nil {
		return asDamage(dir, err)
	}
	there, err := segment.NewFiler(dir, cfg.files).List()
	if err != nil {
		return asDamage(dir, err)
	}
	for id := range there {
		if id >= state.NextSegmentID {
			return &damaged{filepath.Join(dir, metadb.FileName), "it is missing, or older than the log"}
		}
	}
	return nil
}

// asDamage returns an error of raft-wal's as what it is: one of the disk's, or of
// what is on it.
func asDamage(path string, err error) error {
	if err == nil || ofDisk(err) || isDamaged(err) {
		return err
	}
	return &damaged{path, err.Error()}
}
