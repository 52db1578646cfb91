package raft

import (
	"context"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/types"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// Name is the name the actor is spawned under.
const Name = "raft"

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger  *zap.Logger  // required
	Library hclog.Logger // required: where hashicorp/raft and raft-wal log

	FSM       raft.FSM // required: what the log is applied to; a raft.BatchingFSM gets batches
	NodeID    string   // required: who we are in the peer set, for all time
	Advertise string   // required: host:port at which the others reach our 8300
	DataDir   string   // where the log is kept, below raft/; empty: in memory only

	// Bootstrap makes this server, when it has no state, a peer set of its own.
	// BootstrapExpect makes it wait until as many servers as that are in the LAN
	// pool and begin together; 1 is Bootstrap. Neither: others take us in.
	Bootstrap       bool
	BootstrapExpect int
	Datacenter      string // of the servers that count for BootstrapExpect; empty: all

	RaftMultiplier    int           // scales Consul's timing; 0: our own, see state_timing.go
	SnapshotThreshold uint64        // entries after which a snapshot is due; default 16384
	SnapshotInterval  time.Duration // how often that is looked at; default 30 s
	TrailingLogs      uint64        // entries kept behind a snapshot; default 10240
	SegmentSize       int           // bytes of a file of the log; default 64 MiB

	Status *messages.Published[messages.RaftStatus] // required: published here
	Pool   *messages.Published[messages.PoolView]   // the LAN pool; nil: peers are where the peer set says
	Leader ask.Address                              // told LeadershipChanged and NewLeader
	Local  ask.Address                              // told NewLeader
	// Watchers are told LeadershipChanged and NewLeader after Leader is. Optional.
	Watchers []ask.Address

	// Dial reaches the raft of another server: what it returns must have said
	// already that raft is meant (serverrpc's first byte). Default: TCP and that
	// byte.
	Dial func(ctx context.Context, address string) (net.Conn, error)

	// AskPeers asks another server for its peer set (Status.Peers); empty means
	// that it has none. Required with BootstrapExpect above 1. It may wait.
	AskPeers func(ctx context.Context, address string) ([]string, error)

	// AskLog asks another server where its log ends, for a recovery. It may wait. When
	// it is nil, no other server counts as there.
	AskLog func(ctx context.Context, address string) (lastTerm, lastIndex uint64, err error)

	// Ping asks another server whether it answers, before this one leaves. It may wait.
	// When it is nil, the pool's word is enough.
	Ping func(ctx context.Context, address string) error

	// RemoveSelf asks the leader to take this server out of the peer set. It may
	// wait. When it is nil, a leaving server stays a peer.
	RemoveSelf func(ctx context.Context) error

	forced []messages.RaftServer // the peer set to begin with, of a recovery

	files types.VFS // the file system of the log; a test puts faults here
}

// What Config leaves open. The first three are Consul's.
const (
	defaultSnapshotThreshold = 16384
	defaultSnapshotInterval  = 30 * time.Second
	defaultTrailingLogs      = 10240
	defaultSegmentSize       = 64 << 20
)

func (c Config) withDefaults() Config {
	if c.SnapshotThreshold == 0 {
		c.SnapshotThreshold = defaultSnapshotThreshold
	}
	if c.SnapshotInterval == 0 {
		c.SnapshotInterval = defaultSnapshotInterval
	}
	if c.TrailingLogs == 0 {
		c.TrailingLogs = defaultTrailingLogs
	}
	if c.SegmentSize == 0 {
		c.SegmentSize = defaultSegmentSize
	}
	if c.BootstrapExpect == 1 {
		c.Bootstrap, c.BootstrapExpect = true, 0
	}
	if c.Dial == nil {
		c.Dial = dialTCP
	}
	return c
}

// maxBatch is how many entries one write to the log, and one message to a follower,
// may hold. Each write costs an fsync, so a batch is what makes many writers fast;
// BenchmarkApply has the figures.
const maxBatch = 256

// batch returns how many entries a message to a follower may hold: fewer than it keeps
// behind a snapshot. The leader may not hear that they were taken, goes on from before
// them, and the library (v1.8.0) never finds a follower that has dropped the entry
// there: it asks for ever older ones, down to the first, and again for that.
func (c Config) batch() int { return int(max(1, min(maxBatch, c.TrailingLogs-1))) }

// library returns the configuration of hashicorp/raft.
func (c Config) library() *raft.Config {
	t := timingFor(c.RaftMultiplier)
	lib := raft.DefaultConfig()
	lib.LocalID = raft.ServerID(c.NodeID)
	lib.Logger = c.Library
	lib.HeartbeatTimeout = t.heartbeat
	lib.ElectionTimeout = t.election
	lib.LeaderLeaseTimeout = t.lease
	lib.SnapshotThreshold = c.SnapshotThreshold
	lib.SnapshotInterval = c.SnapshotInterval
	lib.TrailingLogs = c.TrailingLogs
	lib.MaxAppendEntries = c.batch()
	lib.BatchApplyCh = true
	// A server that is taken from the peer set stays up and can be taken in again.
	lib.ShutdownOnRemove = false
	lib.NoLegacyTelemetry = true
	return lib
}
