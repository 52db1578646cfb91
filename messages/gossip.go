package messages

import (
	"net/netip"
	"strings"
	"time"

	"github.com/hashicorp/serf/coordinate"
)

// Pool names a gossip pool.
type Pool string

// The two pools: every agent of a datacenter is in its LAN pool, the servers of
// all datacenters are in the WAN pool.
const (
	LAN Pool = "lan"
	WAN Pool = "wan"
)

// MemberStatus is what the pool thinks of a member, in Serf's words.
type MemberStatus string

// The statuses of a member, as `consul members` prints them.
const (
	MemberNone    MemberStatus = "none"
	MemberAlive   MemberStatus = "alive"
	MemberLeaving MemberStatus = "leaving"
	MemberLeft    MemberStatus = "left"
	MemberFailed  MemberStatus = "failed"
)

// Code returns Serf's number for the status, which the HTTP API and the RPC of
// port 8400 carry.
func (s MemberStatus) Code() int {
	switch s {
	case MemberAlive:
		return 1
	case MemberLeaving:
		return 2
	case MemberLeft:
		return 3
	case MemberFailed:
		return 4
	default:
		return 0
	}
}

// MemberStatusOf returns the status that a number stands for, MemberNone for one that
// stands for none.
func MemberStatusOf(code int) MemberStatus {
	for _, s := range []MemberStatus{MemberAlive, MemberLeaving, MemberLeft, MemberFailed} {
		if s.Code() == code {
			return s
		}
	}
	return MemberNone
}

// A Member is one agent as its pool sees it.
type Member struct {
	Name   string
	Addr   netip.Addr
	Port   uint16
	Tags   map[string]string // read only
	Status MemberStatus

	// The protocol versions that memberlist and Serf negotiated.
	ProtocolMin, ProtocolMax, ProtocolCur uint8
	DelegateMin, DelegateMax, DelegateCur uint8
}

// PoolView is what a pool looks like at one moment.
type PoolView struct {
	Pool      Pool
	Local     string   // the name of this agent in the pool
	Members   []Member // by name
	Encrypted bool
	Stats     map[string]string // Serf's own figures

	// Coordinate returns where the member of that name is in the pool's round-trip
	// space by the newest estimate, or nil when none is known. The caller may keep
	// it. Nil in a view that no gossip actor has published.
	Coordinate func(name string) *coordinate.Coordinate
}

// Member returns the member of that name.
func (v *PoolView) Member(name string) (Member, bool) {
	for _, m := range v.Members {
		if m.Name == name {
			return m, true
		}
	}
	return Member{}, false
}

// MembershipChange is a kind of news about members.
type MembershipChange string

// The kinds of news.
const (
	Joined  MembershipChange = "join"
	Left    MembershipChange = "leave"
	Failed  MembershipChange = "failed"
	Updated MembershipChange = "update"
	Reaped  MembershipChange = "reap"
)

// MembersChanged is news from a pool. The PoolView is published before it is
// told.
//
// From:  gossip
// To:    raft, leader, autopilot, router
// Reply: none
type MembersChanged struct {
	Pool    Pool
	Change  MembershipChange
	Members []Member
}

// ConnectionLost is news that a connection to the port 8300 of a server has ended
// without our doing. The server may be gone; or it has closed the connection, or
// something in between has.
//
// From:  the connections to servers
// To:    gossip
// Reply: none
type ConnectionLost struct {
	Address string // host:port, as it was dialled
}

// UserEventReceived is a user event that reached this agent.
//
// From:  gossip
// To:    event
// Reply: none
type UserEventReceived struct {
	LTime    uint64 // Serf's Lamport time
	Name     string
	Payload  []byte
	Coalesce bool
}

// JoinPool asks a pool to contact agents it may not know.
//
// From:  http, rpc, supervisor
// To:    gossip
// Reply: int, how many were reached; with an error when none was
type JoinPool struct {
	Asked[int]
	Addresses []string // host, host:port, or name/host:port
	Replay    bool     // take in user events from before the join
}

// ForceLeave asks a pool to regard a failed member as left.
//
// From:  http, rpc
// To:    gossip
// Reply: Unit
type ForceLeave struct {
	Asked[Unit]
	Node  string
	Prune bool // and forget it at once
}

// ForceLeaveNames returns the names under which a member is to be regarded as
// left, in the LAN pool and in the WAN pool, where a server is called
// node.datacenter. Empty: the pool is not concerned. The views may be nil.
func ForceLeaveNames(node, datacenter string, lan, wan *PoolView) (inLAN, inWAN string) {
	if wan != nil {
		for _, name := range []string{node, node + "." + datacenter} {
			if _, ok := wan.Member(name); ok {
				inWAN = name
				break
			}
		}
	}
	if inWAN == "" || lan == nil {
		return node, inWAN
	}
	for _, name := range []string{node, strings.TrimSuffix(node, "."+datacenter)} {
		if _, ok := lan.Member(name); ok {
			return name, inWAN
		}
	}
	return "", inWAN
}

// KeyringVerb is what to do with the pool's encryption keys.
type KeyringVerb string

// What can be done with the keys.
const (
	ListKeys   KeyringVerb = "list"
	InstallKey KeyringVerb = "install"
	UseKey     KeyringVerb = "use"
	RemoveKey  KeyringVerb = "remove"
)

// ChangeKeyring asks all members of a pool to change, or to tell, their keys.
//
// From:  http, rpc
// To:    gossip
// Reply: KeyringChanged
type ChangeKeyring struct {
	Asked[KeyringChanged]
	Verb        KeyringVerb
	Key         string // base64; empty with ListKeys
	RelayFactor uint8
}

// KeyringChanged is what the members answered.
type KeyringChanged struct {
	Pool        Pool
	NumNodes    int
	NumResp     int
	NumErr      int
	Messages    map[string]string // by member: what went wrong there
	Keys        map[string]int    // on how many members each key is installed
	PrimaryKeys map[string]int
}

// SetTags replaces tags of this agent in the pool.
//
// From:  raft, supervisor
// To:    gossip
// Reply: none
type SetTags struct {
	Set    map[string]string
	Delete []string
}

// FireUserEvent asks the pool to spread an event.
//
// From:  http, event
// To:    gossip
// Reply: Unit
type FireUserEvent struct {
	Asked[Unit]
	Name     string
	Payload  []byte
	Coalesce bool
}

// GossipConfig is how a pool is tuned; the zero value of a field means the
// profile's own.
type GossipConfig struct {
	GossipInterval, ProbeInterval, ProbeTimeout time.Duration
	GossipNodes, RetransmitMult, SuspicionMult  int
}
