package raft

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	walfs "github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"go.uber.org/zap"
)

const (
	// snapshotsKept is how many snapshots stay on the disk, as in Consul.
	snapshotsKept = 2
	// transportPool is how many idle connections are kept to each peer.
	transportPool = 3
	// transportTimeout bounds each read from and write to a peer.
	transportTimeout = 10 * time.Second
)

// open opens the log and starts raft on it. It may take as long as reading the
// whole log and the newest snapshot does. Whatever is wrong comes back as an error
// for the person who has to mend it; raft-wal and bbolt panic on some damage, or
// fault where a file is shorter than it says.
func open(cfg Config, tell func(any)) (n *node, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	n = newNode(cfg, tell)
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%v", reason)
			if n.trouble != nil {
				err = n.trouble
			} else if cfg.DataDir != "" {
				err = &damaged{n.dir, fmt.Sprint(reason)}
			}
		}
		if err != nil {
			n.close()
			n, err = nil, explain(n.dir, cfg.SegmentSize, err)
		}
	}()
	if err := n.openStores(); err != nil {
		return n, err
	}
	n.openTransport()
	lib := cfg.library()
	lib.NotifyCh = n.notified
	if err := n.recoverPeers(lib); err != nil {
		return n, err
	}
	if len(cfg.forced) > 0 {
		if err := n.forcePeers(cfg.forced); err != nil {
			return n, err
		}
	}
	if err := n.begin(lib); err != nil {
		return n, err
	}
	if err := n.tellWritten(); err != nil {
		return n, err
	}
	n.raft, err = raft.NewRaft(lib, n.machine, n.journal, n.journal, n.snapshots, n.transport)
	if err != nil {
		return n, err
	}
	n.run()
	return n, nil
}

func (n *node) openStores() error {
	if n.cfg.DataDir == "" {
		n.journal = newJournal(memory{raft.NewInmemStore()}, n.lone, n.logTrouble)
		n.snapshots = snapshots{raft.NewInmemSnapshotStore()}
	} else {
		if n.cfg.files == nil {
			n.cfg.files = walfs.New()
		}
		if err := n.openDirectory(); err != nil {
			return err
		}
	}
	n.machine = &machine{
		inner:    n.cfg.FSM,
		failed:   func(err error) { n.tell(&machineFailed{err}) },
		replaced: n.stateReplaced,
	}
	return nil
}

// consulLog is where Consul keeps its log unless it is told to use raft-wal.
const consulLog = "raft.db"

func (n *node) openDirectory() error {
	dir := filepath.Join(n.dir, "wal")
	if _, err := os.Stat(filepath.Join(n.dir, consulLog)); err == nil {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return errConsulLog
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	_, err := os.Stat(filepath.Join(dir, metadb.FileName))
	began := !errors.Is(err, fs.ErrNotExist)
	disk, err := openDisk(dir, n.cfg)
	if err != nil {
		return err
	}
	n.disk = disk // nobody else uses the directory now
	n.sweep(filepath.Join(n.dir, "snapshots"))
	n.journal = newJournal(disk, n.lone, n.logTrouble)
	files, err := raft.NewFileSnapshotStoreWithLogger(n.dir, snapshotsKept, n.cfg.Library.Named("snapshot"))
	if err != nil {
		return err
	}
	n.snapshots = snapshots{files}
	if all, err := n.snapshots.List(); err == nil && len(all) > 0 && !began {
		return &damaged{dir, fmt.Sprintf("it is missing, and there is a snapshot of index %d", all[0].Index)}
	}
	return n.checkWhole()
}

// sweep removes what a kill has left of snapshots that were being made or removed.
// Raft leaves it there, and each is as large as the state. What cannot be removed
// does no harm.
func (n *node) sweep(dir string) {
	all, _ := os.ReadDir(dir) // there may be none yet
	for _, e := range all {
		if !e.IsDir() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		remove := os.Remove // which leaves a directory that is not empty
		if strings.HasSuffix(e.Name(), ".tmp") {
			remove = os.RemoveAll
		}
		if remove(path) == nil {
			n.log.Info("removed what was left of a snapshot that was not finished", zap.String("path", path))
		}
	}
}

// checkWhole sees to it that the log begins where the newest snapshot that can be
// read ends, or before. Raft falls back to an older snapshot without a word, and
// panics later when an entry that it needs is not there.
func (n *node) checkWhole() error {
	all, err := n.snapshots.List()
	if err != nil {
		return err
	}
	var base, newest uint64
	for i, meta := range all { // newest first
		if i == 0 {
			newest = meta.Index
		}
		if _, source, err := n.snapshots.Open(meta.ID); err == nil {
			_ = source.Close()
			base = meta.Index
			n.journal.config.Store(meta.ConfigurationIndex)
			break
		}
	}
	first, err := n.journal.FirstIndex()
	if err != nil {
		return err
	}
	last, err := n.journal.LastIndex()
	if err != nil {
		return err
	}
	switch {
	case first > base+1:
		return &damaged{n.dir, fmt.Sprintf("the log begins at index %d, and the newest snapshot that can be read ends at %d", first, base)}
	case base < newest && last < newest:
		return &damaged{filepath.Join(n.dir, "snapshots"), fmt.Sprintf("the snapshot of index %d cannot be read, and the log ends at %d", newest, last)}
	case last > 0 && last < base:
		// The agent was killed when it had a snapshot from the leader and not yet
		// dropped its log, to which nothing fits any more.
		return n.journal.DeleteRange(first, last)
	}
	return nil
}

// tellWritten notes which entries were there before raft began, and tells a state
// machine that wants to know: they are no news.
func (n *node) tellWritten() error {
	last, err := n.journal.LastIndex()
	if err != nil {
		return err
	}
	n.replay = replay{began: time.Now(), end: last}
	if fsm, ok := n.cfg.FSM.(interface{ Written(index uint64) }); ok {
		fsm.Written(last)
	}
	return nil
}

func (n *node) openTransport() {
	n.stream = newStream(n.cfg.Advertise, n.cfg.Dial)
	conf := &raft.NetworkTransportConfig{
		Stream:  n.stream,
		MaxPool: transportPool,
		Timeout: transportTimeout,
		// No pipelining. In v1.8.0 a follower that says no while more is under way
		// leaves the leader's goroutine for it stuck, and with it raft's shutdown:
		// pipelineDecode returns, decodeResponses waits for it, pipelineSend for that.
		MaxRPCsInFlight: 1,
		Logger:          n.cfg.Library.Named("transport"),
	}
	if n.cfg.Pool != nil {
		conf.ServerAddressProvider = poolAddresses{n}
	}
	n.transport = &electorate{raft.NewNetworkTransportWithConfig(conf), n, make(chan raft.RPC)}
	n.running.Go(n.transport.pass)
}

// begin makes this server a peer set of its own when that is wanted and it has no
// state.
func (n *node) begin(lib *raft.Config) error {
	has, err := raft.HasExistingState(n.journal, n.journal, n.snapshots)
	if err != nil {
		return err
	}
	n.hadState = has
	if has || !n.cfg.Bootstrap {
		return nil
	}
	self := raft.Server{ID: lib.LocalID, Address: n.transport.LocalAddr(), Suffrage: raft.Voter}
	return raft.BootstrapCluster(lib, n.journal, n.journal, n.snapshots, n.transport, raft.Configuration{Servers: []raft.Server{self}})
}

// errConsulLog is returned for a data directory whose log only Consul can read.
var errConsulLog = errors.New("it has a log of Consul's default kind (" + consulLog + ", BoltDB), which this agent does not read")

// explain says what has to be done about an error that keeps raft from starting.
func explain(dir string, segment int, err error) error {
	switch {
	case isDamaged(err):
		return fmt.Errorf("raft: %w; this server does not start, since it would deny what it has acknowledged. "+
			"If the cluster has other servers, move %s away and start again: they hand over the state. "+
			"If it has none, put back a backup of %[2]s, or move it away, start again and use consul snapshot restore", err, dir)
	case errors.Is(err, errInUse):
		return fmt.Errorf("raft: %w; stop the other agent, or give this one a data directory of its own (-data-dir)", err)
	case errors.Is(err, errConsulLog):
		return fmt.Errorf("raft: %s: %w; take a snapshot with consul snapshot save while Consul runs, move the data directory away, "+
			"start this agent and use consul snapshot restore", dir, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("raft: no room for the log: %w; free at least %d MiB on the file system of %s and start again", err, segment>>20+1, dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("raft: the log may not be used: %w; %s and all in it have to belong to the user that the agent runs as (uid %d)", err, dir, os.Geteuid())
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("raft: the log cannot be written: %w; mount the file system of %s for writing, or give another -data-dir", err, dir)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return fmt.Errorf("raft: %w; %s has to be a directory", err, dir)
	default:
		return fmt.Errorf("raft: %w", err)
	}
}
