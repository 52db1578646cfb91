package supervisor

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/logs"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// Config is the whole configuration of an agent: values, checked and resolved by
// who read them. Nothing below reads a flag, a file or the environment.
type Config struct {
	Logger     *zap.Logger   // required: the root logger
	LogControl *logs.Control // required: what came with it

	Node   Node
	Server bool // false: a client agent

	// DataDir is where state is kept; empty keeps everything in memory.
	DataDir string

	LAN, WAN  Pool // WAN counts on servers only
	Encrypt   Encrypt
	TLS       messages.TLSConfig
	ServerRPC ServerRPC
	Raft      Raft
	Queries   Queries
	Services  Services
	Connect   Connect
	DNS       DNS
	HTTP      HTTP
	RPC       RPC
	Sockets   UnixSockets
	Version   Version

	Autopilot wire.AutopilotConfig // of a new datacenter

	Coordinates Coordinates

	TranslateWANAddrs bool // what is in other datacenters is told at its WAN addresses

	RejoinAfterLeave bool

	// Reload reads the configuration again, on a goroutine. The definitions that it
	// returns are taken over by all or by none. Optional.
	Reload func() (*messages.Reconfigure, messages.ReloadReport, error)

	// Trace is told what happens to the tree, on the root's goroutine. Optional.
	Trace func(Event)
}

// Node is who this agent is.
type Node struct {
	Name              string
	ID                string
	Datacenter        string
	PrimaryDatacenter string
	Address           string // that others reach it at
	TaggedAddresses   map[string]string
	Meta              map[string]string
}

// Version is which program this is.
type Version struct {
	Compat   string // of the Consul whose API this is
	Own      string
	Revision string
	Date     string // RFC 3339
}

// Pool is how a gossip pool is joined.
type Pool struct {
	Bind, Advertise           netip.AddrPort // the zero Bind: there is no such pool
	Join, RetryJoin           []string
	RetryInterval             time.Duration
	RetryMax                  int
	ReconnectTimeout          time.Duration
	AdvertiseReconnectTimeout time.Duration // 0: what each of the others has
	Gossip                    messages.GossipConfig
	AllowedCIDRs              []netip.Prefix // where members may come from; none: anywhere
}

// Encrypt is how gossip is encrypted.
type Encrypt struct {
	Key                            string // base64; empty: not at all, unless there is a keyring file
	VerifyIncoming, VerifyOutgoing bool
	DisableKeyringFile             bool
}

// ServerRPC is the listener of port 8300.
type ServerRPC struct {
	Bind, Advertise   string // host:port
	MaxConnsPerClient int
	HandshakeTimeout  time.Duration
}

// Raft is how the peer set begins and the log is kept. Zero values are defaults.
type Raft struct {
	Bootstrap         bool
	BootstrapExpect   int
	Multiplier        int
	SnapshotThreshold uint64
	SnapshotInterval  time.Duration
	TrailingLogs      uint64
	SegmentSize       int // bytes of a file of the log
}

// Queries is how requests wait.
type Queries struct {
	DefaultTime, MaxTime time.Duration // of blocking queries
	Hold                 time.Duration // for a leader
	SessionTTLMin        time.Duration
}

// Coordinates is how an agent tells where it is. Zero values are defaults.
type Coordinates struct {
	Disabled    bool
	RateTarget  float64 // updates a second, of all agents
	IntervalMin time.Duration
}

// Services is what is registered at this agent from the start, and how the rest is
// registered and checked.
type Services struct {
	// Definitions and Checks are those of configuration files.
	Definitions []*messages.RegisterService
	Checks      []*messages.RegisterCheck

	ScriptChecks, LocalScriptChecks bool // may run programs: over HTTP, in files
	CheckUpdateInterval             time.Duration
	DiscardCheckOutput              bool
	OutputMaxSize                   int // bytes; 0: the default
	SidecarMinPort, SidecarMaxPort  int
	DockerHost                      string // as in DOCKER_HOST
	AgentTLS                        bool   // checks use the certificates of this agent
}

// Connect is the certificate authority of the service mesh.
type Connect struct {
	Enabled   bool
	ClusterID string         // a UUID; empty: a new one
	Config    map[string]any // of the authority: how long certificates are valid
}

// DNS is the listener of port 8600.
type DNS struct {
	Addrs             []string
	Domain, AltDomain string
	Config            messages.DNSConfig
}

// HTTP is the listener of port 8500.
type HTTP struct {
	Addrs, TLSAddrs   []string // host:port, or unix:// and a path
	ResponseHeaders   map[string]string
	AllowWriteFrom    []netip.Prefix // whose clients may do more than read; none: everybody's
	BlockEndpoints    []string       // beginnings of paths that are not served
	DiscoveryMaxStale time.Duration
	MaxConnsPerClient int
	MaxHeaderBytes    int           // 0: the listener's own limit
	HandshakeTimeout  time.Duration // for TLS and for headers; likewise
	KVMaxValueSize    int64         // bytes; likewise
	TxnMaxReqLen      int64         // likewise
	EnableDebug       bool
	DebugConfig       map[string]any // for /v1/agent/self, without secrets
	Metrics           Metrics
}

// Metrics is where the agent's figures are kept; see actors/http.
type Metrics interface {
	DisplayMetrics(http.ResponseWriter, *http.Request) (any, error)
	Stream(context.Context, metrics.Encoder)
	Prometheus() http.Handler
}

// RPC is the listener of port 8400.
type RPC struct {
	Listeners []Listener
	Explicit  bool // somebody asked for these addresses: one that is taken is an error
}

// UnixSockets is whose the socket files of HTTP and RPC are; empty is as the system
// makes them.
type UnixSockets struct{ User, Group, Mode string }

// Listener is an address to listen at.
type Listener struct {
	Network string // tcp or unix
	Address string
}

// port returns the advertised port; 0 when there is none.
func (s ServerRPC) port() uint16 {
	addr, err := netip.ParseAddrPort(s.Advertise)
	if err != nil {
		return 0
	}
	return addr.Port()
}
