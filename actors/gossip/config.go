package gossip

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// Profile is a set of timings of memberlist's, made for a kind of network.
type Profile string

// The profiles. ProfileLocal is for a loopback network.
const (
	ProfileLAN   Profile = "lan"
	ProfileWAN   Profile = "wan"
	ProfileLocal Profile = "local"
)

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger *zap.Logger // required

	// LogOutput takes what Serf and memberlist log: one line a write, such as
	// "[INFO] serf: EventMemberJoin: a 10.0.0.1", without a time. Nil discards it.
	LogOutput io.Writer

	Pool       messages.Pool // required
	NodeName   string        // required; in the WAN pool, NAME.DATACENTER
	NodeID     string        // becomes the tag id; empty takes no part in the check for clashes
	Datacenter string        // required

	// Tags is what this agent says of itself; see ServerTags and ClientTags.
	Tags map[string]string

	// Bind is where to listen, by TCP and UDP. Port 0 lets the system choose, once
	// for all restarts. Required.
	Bind netip.AddrPort

	// Advertise is where the others are to reach this agent. The zero value is where
	// it listens, or its private address when that is every interface; port 0 is the
	// port it listens on.
	Advertise netip.AddrPort

	// AllowedCIDRs are the networks from which members may come. Empty is all.
	AllowedCIDRs []netip.Prefix

	// DataDir is the agent's; what is kept there is in its folder serf. Empty keeps
	// nothing on disk: after the end of the process the peers are forgotten, and so
	// is a change of keys.
	DataDir            string
	DisableKeyringFile bool // keep keys in memory only

	// EncryptKey is the first key, in base64. A keyring file counts more. Empty, and
	// without such a file, gossip is in the clear.
	EncryptKey            string
	EncryptVerifyIncoming bool // refuse gossip in the clear; Consul's default is true
	EncryptVerifyOutgoing bool // do not send any; Consul's default is true

	RejoinAfterLeave bool
	ReconnectTimeout time.Duration // how long failed members are remembered; 0 is 72 h

	Profile Profile // empty is the one of the pool
	Gossip  messages.GossipConfig

	Join          []string      // whom to join at start; the start fails when none is reached
	RetryJoin     []string      // whom to join at start, trying again
	RetryInterval time.Duration // 0 is 30 s
	RetryMax      int           // attempts; 0 is no limit

	Subscribers []ask.Address // are told MembersChanged
	Events      ask.Address   // is told UserEventReceived; the zero value: nobody

	View *messages.Published[messages.PoolView] // required; the actor publishes in it

	// Forget takes a node from the catalog that the catalog has as failed and the pool
	// does not know, and says whether there was one. It is asked when a node of which
	// gossip knows nothing is to leave, and may wait. Optional.
	Forget func(ctx context.Context, node string) (found bool, err error)

	// network opens the sockets; tests have one without any. Nil is memberlist's.
	network func(*memberlist.NetTransportConfig) (network, error)
}

// withDefaults fills in what was left out. Maps are copied: they belong to the
// caller.
func (c Config) withDefaults() Config {
	c.Tags = maps.Clone(c.Tags)
	if c.Tags == nil {
		c.Tags = map[string]string{}
	}
	if c.NodeID != "" {
		c.Tags["id"] = c.NodeID
	}
	if c.LogOutput == nil {
		c.LogOutput = io.Discard
	}
	if c.ReconnectTimeout == 0 {
		c.ReconnectTimeout = 72 * time.Hour
	}
	if c.RetryInterval == 0 {
		c.RetryInterval = 30 * time.Second
	}
	if c.network == nil {
		c.network = sockets
	}
	if c.Profile == "" {
		c.Profile = Profile(c.Pool)
	}
	return c
}

// check says what in the configuration cannot be.
func (c Config) check() error {
	if err := checkName(c.NodeName); err != nil {
		return c.errorf("%w; choose another by -node", err)
	}
	if !c.Bind.Addr().IsValid() || c.Bind.Addr().Zone() != "" {
		return c.errorf("cannot listen on address %q; choose another by -bind, without a zone", c.Bind.Addr())
	}
	if err := checkTags(c.Tags); err != nil {
		return c.errorf("%w", err)
	}
	return nil
}

// errorf says in which pool it went wrong.
func (c Config) errorf(format string, args ...any) error {
	return fmt.Errorf("gossip "+string(c.Pool)+": "+format, args...)
}

// title is how Consul writes the pool in a line of the log.
func (c Config) title() string { return "(" + strings.ToUpper(string(c.Pool)) + ")" }

// portKey is the configuration key of the port.
func (c Config) portKey() string { return "ports.serf_" + string(c.Pool) }

// file is where a file of the pool is, by Consul's name: local.keyring,
// remote.snapshot.
func (c Config) file(ext string) string {
	base := "local."
	if c.Pool == messages.WAN {
		base = "remote."
	}
	return filepath.Join(c.DataDir, "serf", base+ext)
}
