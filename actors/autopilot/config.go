package autopilot

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// Name is the name the actor is spawned under.
const Name = "autopilot"

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger     *zap.Logger                              // required
	NodeID     string                                   // required: of this server
	Datacenter string                                   // required: whose servers count
	Raft       ask.Address                              // required
	Status     *messages.Published[messages.RaftStatus] // required
	LAN        *messages.Published[messages.PoolView]   // required

	// Expect is bootstrap_expect: with fewer voters the datacenter is still forming.
	Expect int

	// Settings returns the configuration from the replicated state; nil while there
	// is none. Required.
	Settings func() *wire.AutopilotConfig

	// Stats asks another server about its log (Status.RaftStats on port 8300): the
	// term and the index of its last entry, and how long ago it heard of the leader,
	// negative for never. It is called on goroutines and may wait until ctx ends.
	// Required.
	Stats func(ctx context.Context, s messages.Server) (lastTerm, lastIndex uint64, lastContact time.Duration, err error)

	// PeersOf asks another server for its own peer set, which it has none of when it is
	// new. It may wait until ctx ends. Optional: without it, whoever joins the pool is
	// taken in.
	PeersOf func(ctx context.Context, s messages.Server) ([]messages.RaftServer, error)

	// NodeMeta returns the metadata of a node by its ID, for the state. Optional.
	NodeMeta func(nodeID string) map[string]string

	// State is where the state is published while this server leads; while it does
	// not, there is none (nil). Required.
	State *messages.Published[wire.AutopilotState]
}

const (
	// lookInterval is how often the servers are asked and everything is looked at,
	// news or not. It is Consul's.
	lookInterval = 2 * time.Second
	// eagerInterval is how often while somebody waits to become a voter who only has
	// to be seen healthy.
	eagerInterval = 200 * time.Millisecond
	// retryInterval is how soon a change that failed is tried again.
	retryInterval = time.Second
	// statsTimeout bounds how long a server may take to say how it is.
	statsTimeout = time.Second
	// changeTimeout bounds one change of the peer set. What it came to after that is
	// seen by looking.
	changeTimeout = 30 * time.Second

	// missingGrace is how long a server may be in the peer set and not in the pool
	// before it counts as dead: a pool takes a while to be seen whole.
	missingGrace = 30 * time.Second
	// dismissal is for how long a server stays out of the peer set that somebody has
	// taken out by hand, or that has taken itself out since it leaves.
	dismissal = time.Minute
	// remembered is for how long it is known that a server was a voter. It is as long
	// as the pool remembers who has failed.
	remembered = 72 * time.Hour
	// fewVoters is the number of voters below which a datacenter is still forming,
	// and below which no dead voter is removed: three survive the loss of one.
	fewVoters = 3
)

// defaults are the settings until there are any.
var defaults = wire.AutopilotConfig{
	CleanupDeadServers:      true,
	LastContactThreshold:    200 * time.Millisecond,
	MaxTrailingLogs:         250,
	ServerStabilizationTime: 10 * time.Second,
}
