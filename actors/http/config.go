package http

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/socket"
	"github.com/actor-consul/consul/messages"
)

// Config is what the listener needs from the rest of the agent.
type Config struct {
	Logger *zap.Logger // required

	// Addrs are where to listen for HTTP, and TLSAddrs for HTTPS: host:port, or
	// unix:// and a path.
	Addrs, TLSAddrs []string
	// TLS is how HTTPS is spoken. Required with TLSAddrs.
	TLS *tls.Config
	// Socket is whose the files of unix sockets are.
	Socket socket.Owner
	// Listen opens a socket. Optional: those of this machine.
	Listen func(network, address string) (net.Listener, error)

	// Invoker runs reads and writes, here or at the server that can. Required.
	Invoker *invoke.Invoker

	// The actors that some requests are for. All but GossipWAN and Raft, which
	// only servers have, are required.
	Event, GossipLAN, GossipWAN, Health, Leave, Local, Logs, Raft, Supervisor ask.Address

	// What the gossip pools and the raft node publish. WANView and RaftStatus are
	// nil on clients.
	LANView, WANView *messages.Published[messages.PoolView]
	RaftStatus       *messages.Published[messages.RaftStatus]
	// LocalView is what is registered at this agent. Required.
	LocalView *messages.Published[messages.LocalView]

	// Events are the newest user events. Required.
	Events *messages.Published[messages.EventView]

	Facts  Facts
	Limits Limits

	// ResponseHeaders are sent with every answer (http_config.response_headers).
	ResponseHeaders map[string]string
	// AllowWriteFrom are the networks whose clients may do more than read
	// (http_config.allow_write_http_from); all may when there are none.
	AllowWriteFrom []netip.Prefix
	// BlockEndpoints are the beginnings of paths that are not served
	// (http_config.block_endpoints).
	BlockEndpoints []string
	// DiscoveryMaxStale makes reads of catalog and health stale unless they say
	// otherwise, if the answer is no older (discovery_max_stale).
	DiscoveryMaxStale time.Duration
	// TranslateWANAddrs shows nodes and services of other datacenters at their WAN
	// addresses, where they have some (translate_wan_addrs).
	TranslateWANAddrs bool
	// EnableDebug serves /debug/pprof/.
	EnableDebug bool

	// LogText and LogJSON append a log entry to a line, without its end. Required.
	LogText, LogJSON func([]byte, messages.LogEntry) []byte
	// ParseLevel reads the name of a log level. Required.
	ParseLevel func(string) (zapcore.Level, error)

	// Metrics answers /v1/agent/metrics. Required.
	Metrics Metrics
}

// Metrics is where the figures of the agent are kept. The in-memory sink of
// go-metrics has the first two methods.
type Metrics interface {
	// DisplayMetrics returns the newest whole interval, to be shown as JSON.
	DisplayMetrics(http.ResponseWriter, *http.Request) (any, error)
	// Stream gives each interval to the encoder when it is over, until the context
	// ends or the encoder fails.
	Stream(context.Context, metrics.Encoder)
	// Prometheus returns what serves the Prometheus format, or nil when its
	// retention time is not positive.
	Prometheus() http.Handler
}

// Facts are what the agent knows about itself and what does not change while it
// runs.
type Facts struct {
	NodeName          string
	NodeID            string
	Datacenter        string
	PrimaryDatacenter string // empty: the datacenter
	Server            bool
	Bootstrap         bool
	NodeMeta          map[string]string
	Version           string // of the Consul whose API this is: 1.19.2
	OwnVersion        string // ours
	Revision          string // short commit hash
	BuildDate         string // RFC 3339
	Connect           bool   // there is a certificate authority
	// DebugConfig is the configuration in force, without secrets.
	DebugConfig map[string]any
}

// Limits bound what the listener takes on. What is 0 has its default, but for
// MaxConnsPerClient.
type Limits struct {
	// MaxConnsPerClient is how many connections one IP address may have
	// (http_max_conns_per_client); 0 is no limit. Reconfigure changes it.
	MaxConnsPerClient int
	// MaxRequests is how many requests may be in flight, blocking queries
	// included.
	MaxRequests int
	// MaxWrites is how many requests that change something may be in flight.
	MaxWrites int
	// MaxHeaderBytes is the size of a request's line and headers.
	MaxHeaderBytes int
	// ReadHeaderTimeout is how long a connection may take to send them, and before
	// that to agree on TLS (limits.https_handshake_timeout).
	ReadHeaderTimeout time.Duration
	// BodyTimeout is how long a request may take to send its body, and a client to
	// take an answer.
	BodyTimeout time.Duration
	// KVMaxValueSize is the size of a value of the KV store (kv_max_value_size).
	KVMaxValueSize int64
	// TxnMaxReqLen is the size of a transaction, if not less than that of a value
	// (limits.txn_max_req_len).
	TxnMaxReqLen int64
	// MaxBodyBytes is the size of any other body.
	MaxBodyBytes int64
}

// DefaultLimits are Consul's where Consul has one.
func DefaultLimits() Limits {
	return Limits{
		MaxConnsPerClient: 200,
		MaxRequests:       32768, // a watcher is one, and a datacenter has many
		MaxWrites:         512,   // more would only wait for the log
		MaxHeaderBytes:    64 << 10,
		ReadHeaderTimeout: 5 * time.Second,
		BodyTimeout:       2 * time.Minute,
		KVMaxValueSize:    512 << 10,
		TxnMaxReqLen:      512 << 10,
		MaxBodyBytes:      1 << 20,
	}
}

func (l *Limits) fillIn() {
	d := DefaultLimits()
	l.MaxRequests = cmp.Or(l.MaxRequests, d.MaxRequests)
	l.MaxWrites = cmp.Or(l.MaxWrites, d.MaxWrites)
	l.MaxHeaderBytes = cmp.Or(l.MaxHeaderBytes, d.MaxHeaderBytes)
	l.ReadHeaderTimeout = cmp.Or(l.ReadHeaderTimeout, d.ReadHeaderTimeout)
	l.BodyTimeout = cmp.Or(l.BodyTimeout, d.BodyTimeout)
	l.KVMaxValueSize = cmp.Or(l.KVMaxValueSize, d.KVMaxValueSize)
	l.TxnMaxReqLen = cmp.Or(l.TxnMaxReqLen, d.TxnMaxReqLen)
	l.MaxBodyBytes = cmp.Or(l.MaxBodyBytes, d.MaxBodyBytes)
}
