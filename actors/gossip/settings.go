package gossip

import (
	"cmp"
	"log"
	"net"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"
)

const (
	// deadNodeReclaim is how long a member must have failed before its name may be
	// taken over at another address, by a node with another ID; see state_move.go.
	deadNodeReclaim = 30 * time.Second

	// reconnectTag is by which a member says how long it wants to be remembered once
	// it has failed; Consul's advertise_reconnect_timeout.
	reconnectTag = "rc_tm"
)

// serfConfig returns Serf's defaults and what differs.
func serfConfig(cfg Config, tags map[string]string, logger *log.Logger, events chan<- serf.Event) *serf.Config {
	c := serf.DefaultConfig()
	c.NodeName = cfg.NodeName
	c.Tags = tags
	c.EventCh = events
	c.Logger = logger
	c.LogOutput = nil
	c.ReconnectTimeout = cfg.ReconnectTimeout
	c.ReconnectTimeoutOverride = reconnectByTag{}
	c.RejoinAfterLeave = cfg.RejoinAfterLeave

	// No coalescing, which is Serf's default too: each news is told at once. What
	// comes while the actor is busy is gathered in the bridge without a delay.
	c.CoalescePeriod, c.UserCoalescePeriod = 0, 0

	// The bridge waits after the goodbye, and only when there is somebody to wait for.
	c.LeavePropagateDelay = 0

	// A member that loses the vote on its name would shut itself down; an agent must
	// not do that behind its operator's back. The gate refuses most such clashes.
	c.EnableNameConflictResolution = false

	// As many broadcasts may wait as the size of the pool asks for, as in Consul.
	c.MinQueueDepth = 4096
	c.QueueDepthWarning = 1000000

	c.UserEventSizeLimit = userEventLimit
	if cfg.DataDir != "" {
		c.SnapshotPath = cfg.file("snapshot")
	}
	return c
}

// memberlistConfig returns the profile and what differs. Name, protocol versions
// and the other delegates are set by Serf.
func memberlistConfig(cfg Config, keys *memberlist.Keyring, g *gate, logger *log.Logger) *memberlist.Config {
	var c *memberlist.Config
	switch cfg.Profile {
	case ProfileWAN:
		c = memberlist.DefaultWANConfig()
		c.GossipNodes = memberlist.DefaultLANConfig().GossipNodes // Consul has one default for both
	case ProfileLocal:
		c = memberlist.DefaultLocalConfig()
	default:
		c = memberlist.DefaultLANConfig()
	}
	c.GossipInterval = cmp.Or(cfg.Gossip.GossipInterval, c.GossipInterval)
	c.ProbeInterval = cmp.Or(cfg.Gossip.ProbeInterval, c.ProbeInterval)
	c.ProbeTimeout = cmp.Or(cfg.Gossip.ProbeTimeout, c.ProbeTimeout)
	c.GossipNodes = cmp.Or(cfg.Gossip.GossipNodes, c.GossipNodes)
	c.RetransmitMult = cmp.Or(cfg.Gossip.RetransmitMult, c.RetransmitMult)
	c.SuspicionMult = cmp.Or(cfg.Gossip.SuspicionMult, c.SuspicionMult)

	c.Merge = g
	c.Alive = g
	c.Keyring = keys
	c.GossipVerifyIncoming = cfg.EncryptVerifyIncoming
	c.GossipVerifyOutgoing = cfg.EncryptVerifyOutgoing
	c.DeadNodeReclaimTime = deadNodeReclaim
	c.Logger = logger
	c.LogOutput = nil
	for _, p := range cfg.AllowedCIDRs {
		c.CIDRsAllowed = append(c.CIDRsAllowed, net.IPNet{
			IP:   p.Addr().AsSlice(),
			Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		})
	}
	return c
}

// reconnectByTag lets a member have its own time after which it is forgotten.
type reconnectByTag struct{}

// ReconnectTimeout returns the time that the member asks for, or the pool's.
func (reconnectByTag) ReconnectTimeout(m *serf.Member, pool time.Duration) time.Duration {
	if own, err := time.ParseDuration(m.Tags[reconnectTag]); err == nil && own > 0 {
		return own
	}
	return pool
}
