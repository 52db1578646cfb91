package messages

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// ErrLogUnwritable is returned when the raft log cannot be written, as a rule
// because its disk is full. Reads go on; the log says where and what to do.
// Whether an entry that was on its way took effect is unknown.
var ErrLogUnwritable = errors.New("the raft log cannot be written")

// RaftState is the role of a server in its peer set.
type RaftState string

// The roles, as raft names them.
const (
	Follower  RaftState = "Follower"
	Candidate RaftState = "Candidate"
	Leader    RaftState = "Leader"
	Shutdown  RaftState = "Shutdown"
)

// RaftStatus is what this server knows of the peer set. A new one is published
// whenever one of its values changes; its functions ask the library, may be called
// by anybody at any time, and wait for nobody unless they say so.
type RaftStatus struct {
	State      RaftState
	LeaderID   string // node ID; empty when no leader is known
	LeaderAddr string // host:port of its 8300; empty when no leader is known
	Term       uint64

	// Ready is true on a leader once everything that earlier leaders had committed
	// is applied here; only then may it answer consistent reads.
	Ready bool

	// LastContact returns when the leader was last heard of; the zero time means
	// never. On the leader it is now.
	LastContact func() time.Time

	// AppliedIndex returns the last log index that the state machine has taken in.
	AppliedIndex func() uint64

	// Replaying reports whether this server, after a start, still lacks entries that
	// its own log has: what it would say is not there may well be there.
	Replaying func() bool

	// AwaitApplied waits until AppliedIndex has reached index, or ctx has ended.
	AwaitApplied func(ctx context.Context, index uint64) error

	// LoneReadIndex returns what ConfirmLeader would, and true, when that needs
	// nobody else's word: on a ready leader that is the only voter. It saves such
	// a server the way through the mailbox.
	LoneReadIndex func() (ReadIndex, bool)

	// Peers returns the newest peer set that this server has.
	Peers func() []RaftServer

	// Stats returns the library's own figures, as `consul info` prints them.
	Stats func() map[string]string
}

// Leads reports whether this server is the leader. A nil status leads nothing.
func (s *RaftStatus) Leads() bool { return s != nil && s.State == Leader }

// CatchesUp reports whether this server is about to know what its own log has since
// before its start. A nil status is that of an agent without a log.
func (s *RaftStatus) CatchesUp() bool { return s != nil && s.Replaying != nil && s.Replaying() }

// ApplyEntry asks for one entry to be committed to the log and applied.
//
// From:  invoke (for http, rpc, serverrpc, leader, local)
// To:    raft
// Reply: Applied; an error means that it was not applied, but for
// ErrLeadershipLost, ErrLogUnwritable, ErrCrashed and the asker's own deadline,
// after which nobody knows
type ApplyEntry struct {
	Asked[Applied]
	Entry []byte // a type byte and msgpack, as package wire encodes it
}

// Applied is what came of an ApplyEntry. The state is published before it is
// answered.
type Applied struct {
	Index  uint64
	Result any // what the state machine returned; an error is a refusal
}

// ConfirmLeader asks whether this server is still the leader, which a quorum must
// say. All who ask at the same time share one round.
//
// From:  invoke
// To:    raft
// Reply: ReadIndex
type ConfirmLeader struct {
	Asked[ReadIndex]
}

// ReadIndex is the log index that a linearizable read has to have seen: that of
// the last command that was committed when the leader was confirmed. Who reads
// from another server than the leader waits there with AwaitApplied first; the
// leader has applied whatever it has acknowledged.
type ReadIndex struct {
	Index uint64
}

// RaftServer is one member of the peer set.
type RaftServer struct {
	ID      string
	Address string
	Voter   bool
}

// RaftConfiguration is the peer set.
type RaftConfiguration struct {
	Index   uint64
	Servers []RaftServer
}

// GetRaftConfiguration asks for the newest peer set that this server has.
//
// From:  autopilot, invoke, http, serverrpc
// To:    raft
// Reply: RaftConfiguration
type GetRaftConfiguration struct {
	Asked[RaftConfiguration]
}

// PutPeer adds a server to the peer set, or changes its address or its vote. Only
// the leader can.
//
// From:  autopilot
// To:    raft
// Reply: Unit
type PutPeer struct {
	Asked[Unit]
	Server RaftServer
}

// RemovePeer takes a server from the peer set. Only the leader can.
//
// From:  autopilot, invoke, serverrpc
// To:    raft
// Reply: Unit
type RemovePeer struct {
	Asked[Unit]
	ID string
}

// TransferLeadership asks the leader to hand over.
//
// From:  invoke
// To:    raft
// Reply: Unit, once another server leads
type TransferLeadership struct {
	Asked[Unit]
	ID, Address string // empty: whoever is furthest
}

// RecoverPeers asks what a server could do when its peer set has lost its quorum for
// good, and, with Confirm, to do it: to go on with the servers that are left.
// Nothing is done while a quorum can be reached, or on a server that is not the one
// with the newest log of those that are left.
//
// From:  http
// To:    raft
// Reply: RecoveryPlan; with Confirm once the new peer set is in force here, and an
// error means that it is not
type RecoverPeers struct {
	Asked[RecoveryPlan]
	Confirm bool
}

// RecoveryPlan is what RecoverPeers would do, or has done.
type RecoveryPlan struct {
	Servers   []RecoveryServer // the peer set as this server knows it
	Voters    int              // of it
	Quorum    int              // how many of them must agree
	Present   int              // voters that answer or that the pool has as alive
	Objection string           // why it is not done; empty: nothing speaks against it
	Done      bool
}

// RecoveryServer is one server of a RecoveryPlan.
type RecoveryServer struct {
	ID, Node, Address string
	Voter             bool
	Self              bool
	Status            MemberStatus // as the pool has it
	Problem           string       // why it gave no answer; empty: it did
	LastTerm          uint64       // of the last entry of its log
	LastIndex         uint64
	Keep              bool // it is in the new peer set
}

// TakeSnapshot asks for a raft snapshot now.
//
// From:  http, tests
// To:    raft
// Reply: Unit
type TakeSnapshot struct {
	Asked[Unit]
}

// SaveSnapshot asks for an archive of the state as it is now, or a little later:
// of what is acknowledged by then nothing is missing. Any server can.
//
// From:  invoke
// To:    raft
// Reply: *SnapshotSaved
type SaveSnapshot struct {
	Asked[*SnapshotSaved]
}

// SnapshotSaved is an archive in Consul's format (package archive) that was read
// back and is whole. Who gets it closes Archive; the space that an archive takes
// which nobody gets is given back when the garbage collector finds it.
type SnapshotSaved struct {
	Index   uint64 // of the last log entry that is in it
	Term    uint64
	Size    int64 // of the archive, in bytes
	Archive io.ReadCloser
}

// RestoreSnapshot asks the leader to put the state of an archive in the place of
// its own and of that of all servers. Nothing changes before all of the archive
// has come and is found to be good. The peer set stays as it is.
//
// Archive stays the asker's. It is read on a goroutine until the answer comes; an
// asker that waits no longer sees to it that reading fails, as net/http does with
// the body of a request whose handler has returned. With ErrNotLeader nothing of it
// has been read.
//
// From:  invoke
// To:    raft
// Reply: SnapshotRestored, once a quorum has the state; an error means that
// nothing has changed, but for ErrLeadershipLost, ErrLogUnwritable, ErrCrashed and
// the asker's own deadline, after which nobody knows
type RestoreSnapshot struct {
	Asked[SnapshotRestored]
	Archive io.Reader
}

// SnapshotRestored says what has been restored.
type SnapshotRestored struct {
	Index uint64 // of the last log entry that was in the snapshot; the log goes on from a greater one
}

// StateRestored says that the state has been replaced by that of a snapshot: one
// that an operator restored, or one that the leader sent to this server because it
// was too far behind. It may lack what this agent and its members have written.
// The new view is published before it is told.
//
// From:  raft
// To:    leader, local
// Reply: none
type StateRestored struct{}

// LeadershipChanged says that this server has become the leader, or is it no
// longer. The RaftStatus is published before it is told.
//
// From:  raft
// To:    leader, autopilot
// Reply: none
type LeadershipChanged struct {
	Leading bool
	Term    uint64
}

// NewLeader says that the peer set has another leader, or none.
//
// From:  raft
// To:    leader, autopilot, local
// Reply: none
type NewLeader struct {
	ID, Address string // empty: none is known
}

// LeaderReady says that the leader has caught up with all that was committed
// before its term, so that the state it holds is whole.
//
// From:  leader
// To:    raft
// Reply: none
type LeaderReady struct {
	Term uint64
}

// RaftConnAccepted hands a connection of port 8300 to raft, whose first byte has
// said that it is raft's. The receiver owns it; when there is none, or it fails on
// the message, the connection is closed.
//
// From:  serverrpc
// To:    raft
// Reply: none
type RaftConnAccepted struct {
	Conn net.Conn
}

// Refuse closes the connection: there is nobody to take it.
func (r *RaftConnAccepted) Refuse(error) { _ = r.Conn.Close() }

// Barrier asks the leader to commit a mark and to wait until everything before it
// is applied here.
//
// From:  leader
// To:    raft
// Reply: Unit
type Barrier struct {
	Asked[Unit]
}
