package wire

import "time"

// AutopilotState is what the leader thinks of the servers of its datacenter. It is
// what autopilot publishes, and the reply of Operator.AutopilotState; the names are
// those of hashicorp/raft-autopilot.
type AutopilotState struct {
	// Healthy says that every server of the peer set is.
	Healthy bool
	// FailureTolerance is how many healthy voters may be lost without an outage.
	FailureTolerance int
	// Leader is the ID of the leader, Voters are those of all voters, the leader
	// first.
	Leader string
	Voters []string
	// Servers are the servers of the peer set, by ID.
	Servers map[string]*AutopilotServerState
	// Outnumbered says that another server of the pool has a peer set of its own, with
	// none of these servers in it, and a larger one. It does not travel.
	Outnumbered bool `codec:"-" json:"-"`
}

// AutopilotServerState is one server of the peer set.
type AutopilotServerState struct {
	Server AutopilotServer
	State  RaftSuffrage
	Stats  AutopilotServerStats
	Health AutopilotServerHealth
}

// RaftSuffrage is what a server is in the peer set.
type RaftSuffrage string

// What a server can be in the peer set.
const (
	RaftLeader   RaftSuffrage = "leader"
	RaftVoter    RaftSuffrage = "voter"
	RaftNonVoter RaftSuffrage = "non-voter"
)

// AutopilotServer is who a server is.
type AutopilotServer struct {
	ID          string
	Name        string // of the node; empty when the LAN pool does not know it
	Address     string // host:port, as the peer set has it
	NodeStatus  string // in Serf's words; "none" when the LAN pool does not know it
	Version     string
	Meta        map[string]string // of the node
	RaftVersion int
	IsLeader    bool
	NodeType    string // "voter", or "read-replica" for a server that is to have no vote
}

// AutopilotServerStats is what a server last said of its log.
type AutopilotServerStats struct {
	LastContact time.Duration // since it heard of the leader; negative: never
	LastTerm    uint64        // of its last entry
	LastIndex   uint64        // of its last entry
}

// AutopilotServerHealth is what the leader makes of that.
type AutopilotServerHealth struct {
	Healthy bool
	// StableSince is when Healthy became what it is, as this leader has seen it.
	StableSince time.Time
}

// AutopilotHealthReply is the reply of Operator.ServerHealth: the state in another
// form.
type AutopilotHealthReply struct {
	Healthy          bool
	FailureTolerance int
	Servers          []AutopilotHealth
}

// AutopilotHealth is one server in an AutopilotHealthReply.
type AutopilotHealth struct {
	ID          string
	Name        string
	Address     string
	SerfStatus  int // Serf's number
	Version     string
	Leader      bool
	LastContact time.Duration
	LastTerm    uint64
	LastIndex   uint64
	Healthy     bool
	Voter       bool
	StableSince time.Time
}

// RaftConfigurationResponse is the reply of Operator.RaftGetConfiguration: the peer
// set.
type RaftConfigurationResponse struct {
	Servers []*RaftServer
	Index   uint64
}

// RaftServer is one server of the peer set.
type RaftServer struct {
	ID              string
	Node            string // its name, or "(unknown)"
	Address         string // host:port
	Leader          bool
	ProtocolVersion string
	Voter           bool
	LastIndex       uint64 // of its log, where the server that answers knows it
}

// RaftRemovePeerRequest takes a server out of the peer set; the method says which of
// the two counts.
type RaftRemovePeerRequest struct {
	Datacenter string
	Address    string // host:port, with Operator.RaftRemovePeerByAddress
	ID         string // with Operator.RaftRemovePeerByID
	WriteRequest
}

// RequestDatacenter implements Request.
func (r *RaftRemovePeerRequest) RequestDatacenter() string { return r.Datacenter }

// TransferLeaderRequest has the leader hand over, to the server of that ID or, when
// there is none, to whoever is furthest.
type TransferLeaderRequest struct {
	Datacenter string
	ID         string
	WriteRequest
}

// RequestDatacenter implements Request.
func (r *TransferLeaderRequest) RequestDatacenter() string { return r.Datacenter }
