package agentrpc

import (
	"net"
	"time"
)

// RequestHeader precedes each request.
type RequestHeader struct {
	Command Command
	Seq     uint64 // the answer has the same; not used twice on a connection
	Token   string // the ACL token of a keyring command; since 0.6
}

// ResponseHeader precedes each answer.
type ResponseHeader struct {
	Seq   uint64
	Error string // empty: none
}

// HandshakeRequest says which version of the protocol the client speaks.
type HandshakeRequest struct {
	Version int32
}

// ForceLeaveRequest names the failed member to regard as left.
type ForceLeaveRequest struct {
	Node  string
	Prune bool // ours: and forget it at once
}

// JoinRequest names agents to contact.
type JoinRequest struct {
	Existing []string // host or host:port
	WAN      bool     // join the WAN pool instead of the LAN
}

// JoinResponse says how many of them were reached.
type JoinResponse struct {
	Num int32
}

// MembersResponse has the members of a pool.
type MembersResponse struct {
	Members []Member
}

// Member is one agent as its pool sees it.
type Member struct {
	Name   string
	Addr   net.IP // 4 or 16 bytes
	Tags   map[string]string
	Status string // alive, leaving, left, failed or none
	Port   uint16

	// The protocol versions that memberlist and Serf negotiated.
	ProtocolMin, ProtocolMax, ProtocolCur uint8
	DelegateMin, DelegateMax, DelegateCur uint8
}

// MonitorRequest asks for the log from now on, preceded by its recent lines.
type MonitorRequest struct {
	LogLevel string // of the least important line wanted, in any case
	JSON     bool   // ours: lines as JSON objects instead of text
}

// LogRecord is a line of the log, without a line feed.
type LogRecord struct {
	Log string
}

// StopRequest ends the monitor that was asked for with that Seq. It always
// succeeds.
type StopRequest struct {
	Stop uint64
}

// KeyringRequest names a key, or none for ListKeys.
type KeyringRequest struct {
	Key         string // base64
	RelayFactor uint8  // through how many others the members also answer; since 0.7.4
}

// KeyringResponse is what the members of the pools answered.
type KeyringResponse struct {
	Keys     []KeyringEntry // for ListKeys
	Messages []KeyringMessage
	Info     []KeyringInfo // one a pool
}

// KeyringEntry is a key that is installed.
type KeyringEntry struct {
	Datacenter string
	Pool       string // LAN or WAN
	Key        string
	Count      int // on how many members
}

// KeyringMessage is what went wrong at a member.
type KeyringMessage struct {
	Datacenter string
	Pool       string
	Node       string
	Message    string
}

// KeyringInfo is about a pool as a whole.
type KeyringInfo struct {
	Datacenter string
	Pool       string
	NumNodes   int
	Error      string // empty: none
}

// ActorsResponse has the live tree, in start order. It is ours.
type ActorsResponse struct {
	Actors []Actor
}

// Actor is one line of the live tree.
type Actor struct {
	Name          string
	State         string // starting, running, restarting, stopping or stopped
	MailboxDepth  int64  // messages that wait
	Handled       int64  // messages taken from the mailbox since the agent started
	Restarts      int    // since the agent started
	Since         int64  // of the last start, in Unix nanoseconds
	LastFailure   string // what the last panic said; empty: none
	LastFailureAt int64  // in Unix nanoseconds; 0: never
}

// Up returns how long the actor has been running at the moment now, or 0 when it
// has not been started yet.
func (a *Actor) Up(now time.Time) time.Duration {
	if a.Since == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, a.Since))
}

// LeaveRequest asks for a leave that is reported. It is ours.
type LeaveRequest struct {
	Force bool // go on although the cluster would lose its quorum
}

// LeaveRecord says that a step of the leave has begun or has ended, or, with End
// alone, that the leave is done.
type LeaveRecord struct {
	Step   string // such as "say goodbye to the LAN"
	Owner  string // the actor that does it
	Done   bool   // it has ended
	Note   string // what was done, or why there was nothing to do
	Err    string // why it failed; the leave goes on
	Took   time.Duration
	Budget time.Duration // how long it may take
	End    bool
}

// ReloadResponse says what became of each configuration key that has changed, and of
// the certificates. It is ours.
type ReloadResponse struct {
	Applied      []string // now in force
	NeedsRestart []string // differ, and will count after a restart
	Unchanged    int      // how many are as they were
	Certificates []string `codec:",omitempty"` // files whose certificates are others than before, and in force
}
