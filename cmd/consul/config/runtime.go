package config

import (
	"net/netip"
	"reflect"
	"time"
)

// Runtime is the configuration of an agent: whole, checked, and resolved. Fields with a tag are keys of the table, after
// resolution: addresses are canonical, templates are expanded, names that had to be derived are there. Fields without a
// tag are derived. It is a value to read from: cmd hands its parts to the supervisor, and nobody changes it.
type Runtime struct {
	// Dev is -dev: everything stays in memory, nothing is written to disk, DataDir is empty.
	Dev bool

	Server            bool              `config:"server"`
	Bootstrap         bool              `config:"bootstrap"`        // also for bootstrap_expect = 1
	BootstrapExpect   int               `config:"bootstrap_expect"` // 0, or at least 2
	Datacenter        string            `config:"datacenter"`       // lower case
	PrimaryDatacenter string            `config:"primary_datacenter"`
	NodeName          string            `config:"node_name"` // never empty
	NodeID            string            `config:"node_id"`   // a lower-case UUID, or "" for the one that the agent keeps in DataDir
	NodeMeta          map[string]string `config:"node_meta"`
	DisableHostNodeID bool              `config:"disable_host_node_id"`
	DataDir           string            `config:"data_dir"`

	// BindAddr is an IP address and may be 0.0.0.0 or ::. The others are IP addresses that peers can be told.
	BindAddr             string            `config:"bind_addr"`
	AdvertiseAddr        string            `config:"advertise_addr"`
	AdvertiseAddrIPv4    string            `config:"advertise_addr_ipv4"` // "" where there is none
	AdvertiseAddrIPv6    string            `config:"advertise_addr_ipv6"`
	AdvertiseAddrWAN     string            `config:"advertise_addr_wan"`
	AdvertiseAddrWANIPv4 string            `config:"advertise_addr_wan_ipv4"`
	AdvertiseAddrWANIPv6 string            `config:"advertise_addr_wan_ipv6"`
	TaggedAddresses      map[string]string `config:"tagged_addresses"` // with lan, wan, and lan_ipv4 and the like where known
	TranslateWANAddrs    bool              `config:"translate_wan_addrs"`

	// Where members may come from; from anywhere if empty. Networks are the same, read.
	SerfLANAllowedCIDRs              []string `config:"serf_lan_allowed_cidrs"`
	SerfWANAllowedCIDRs              []string `config:"serf_wan_allowed_cidrs"`
	SerfLANNetworks, SerfWANNetworks []netip.Prefix

	// ClientAddr are the IP addresses and unix:// paths of client_addr, separated by a space. Who listens wants
	// DNSListeners, HTTPListeners and RPCListeners.
	ClientAddr string    `config:"client_addr"`
	Addresses  Addresses `config:"addresses"`
	Ports      Ports     `config:"ports"`

	UnixSockets UnixSockets `config:"unix_sockets"`

	DNSListeners  []Listener // 8600: TCP addresses, to be served over UDP as well; none where disabled
	HTTPListeners []Listener // 8500: TCP addresses and unix sockets; none where disabled

	// HTTPSListeners are those of the HTTP API over TLS: TCP addresses and unix sockets; none where disabled.
	HTTPSListeners []Listener

	RPCListeners []Listener // 8400: TCP addresses and unix sockets; none where disabled

	// RPCRequired says that somebody asked for the 8400 listener: an address in use is then an error, while the default
	// is retried in the background.
	RPCRequired bool

	// Where server RPC and gossip listen, and what peers are told, as ip:port. The WAN pair is empty where WAN gossip is
	// disabled and on clients.
	ServerBind, ServerAdvertise   string
	SerfLANBind, SerfLANAdvertise string
	SerfWANBind, SerfWANAdvertise string

	SerfLAN string `config:"serf_lan"` // IP address to bind
	SerfWAN string `config:"serf_wan"`

	// Addresses to join: host or host:port, expanded from templates. StartJoin is tried once at start, RetryJoin until
	// one answers. RetryMax 0 is without end.
	StartJoin        []string      `config:"start_join"`
	StartJoinWAN     []string      `config:"start_join_wan"`
	RetryJoin        []string      `config:"retry_join"`
	RetryJoinWAN     []string      `config:"retry_join_wan"`
	RetryInterval    time.Duration `config:"retry_interval"`
	RetryIntervalWAN time.Duration `config:"retry_interval_wan"`
	RetryMax         int           `config:"retry_max"`
	RetryMaxWAN      int           `config:"retry_max_wan"`

	RejoinAfterLeave          bool          `config:"rejoin_after_leave"`
	ReconnectTimeout          time.Duration `config:"reconnect_timeout"`
	ReconnectTimeoutWAN       time.Duration `config:"reconnect_timeout_wan"`
	AdvertiseReconnectTimeout time.Duration `config:"advertise_reconnect_timeout"`

	// LeaveOnTerminate makes SIGTERM a graceful leave. As in Consul it is true for clients and false for servers unless
	// set: a server that its init system restarts must not give up its place among the raft peers.
	LeaveOnTerminate bool `config:"leave_on_terminate"`

	// SkipLeaveOnInterrupt makes SIGINT a plain stop. Unless set it is false for clients AND for servers: Ctrl-C leaves
	// the cluster gracefully, as the "Run the Agent" page promises. Consul itself has had true for servers since 0.7;
	// who relies on that sets the key.
	SkipLeaveOnInterrupt bool `config:"skip_leave_on_interrupt"`

	EncryptKey            []byte // decoded from encrypt: 16, 24 or 32 bytes, or nil
	Encrypt               string `config:"encrypt"`
	EncryptVerifyIncoming bool   `config:"encrypt_verify_incoming"`
	EncryptVerifyOutgoing bool   `config:"encrypt_verify_outgoing"`
	DisableKeyringFile    bool   `config:"disable_keyring_file"`

	TLS TLS `config:"tls"`

	GossipLAN Gossip `config:"gossip_lan"`
	GossipWAN Gossip `config:"gossip_wan"`

	Protocol              int           `config:"protocol"`
	RaftProtocol          int           `config:"raft_protocol"`
	RaftSnapshotThreshold int           `config:"raft_snapshot_threshold"`
	RaftSnapshotInterval  time.Duration `config:"raft_snapshot_interval"`
	RaftTrailingLogs      int           `config:"raft_trailing_logs"`
	RaftLogstore          RaftLogstore  `config:"raft_logstore"`
	Performance           Performance   `config:"performance"`
	Autopilot             Autopilot     `config:"autopilot"`

	LogLevel string `config:"log_level"` // trace, debug, info, warn or err
	LogJSON  bool   `config:"log_json"`
	LogFile  string `config:"log_file"`

	LogRotateDuration time.Duration `config:"log_rotate_duration"`
	LogRotateBytes    int           `config:"log_rotate_bytes"`
	LogRotateMaxFiles int           `config:"log_rotate_max_files"`

	PidFile     string `config:"pid_file"`
	EnableDebug bool   `config:"enable_debug"`

	// Services and Checks are the definitions of files; those of `service` and `check` are among them.
	Services      []Service     `config:"services"`
	Checks        []Check       `config:"checks"`
	SessionTTLMin time.Duration `config:"session_ttl_min"`

	// How often where this agent is, in the round-trip space, is told the servers.
	DisableCoordinates        bool          `config:"disable_coordinates"`
	SyncCoordinateIntervalMin time.Duration `config:"sync_coordinate_interval_min"`
	SyncCoordinateRateTarget  float64       `config:"sync_coordinate_rate_target"` // updates a second, of all agents of the datacenter

	Connect Connect `config:"connect"`

	CheckUpdateInterval time.Duration `config:"check_update_interval"`
	CheckOutputMaxSize  int           `config:"check_output_max_size"` // bytes
	DiscardCheckOutput  bool          `config:"discard_check_output"`
	// EnableScriptChecks lets checks run programs that come over HTTP or from files, EnableLocalScriptChecks those from
	// files.
	EnableScriptChecks      bool `config:"enable_script_checks"`
	EnableLocalScriptChecks bool `config:"enable_local_script_checks"`
	// EnableAgentTLSForChecks has checks show the agent's certificate, and trust its authorities.
	EnableAgentTLSForChecks bool `config:"enable_agent_tls_for_checks"`

	DefaultQueryTime time.Duration `config:"default_query_time"` // at most MaxQueryTime
	MaxQueryTime     time.Duration `config:"max_query_time"`
	Limits           Limits        `config:"limits"`
	HTTP             HTTP          `config:"http_config"`
	// WriteNetworks are HTTP.AllowWriteFrom: whose clients may do more than read. Everybody may where there are none.
	WriteNetworks     []netip.Prefix
	DiscoveryMaxStale time.Duration `config:"discovery_max_stale"` // 0 is off

	Domain    string   `config:"domain"`     // lower case, ends in a dot
	AltDomain string   `config:"alt_domain"` // like Domain, or ""
	Recursors []string `config:"recursors"`  // ip:port
	DNS       DNS      `config:"dns_config"`

	Telemetry Telemetry `config:"telemetry"`

	settings settings // every key as it was merged, for Origin and Diff
}

// Addresses are the listeners' own addresses as written, each a list separated by spaces; "" for client_addr.
type Addresses struct {
	DNS   string `config:"dns"`
	HTTP  string `config:"http"`
	HTTPS string `config:"https"`
	RPC   string `config:"rpc"`
}

// UnixSockets is whose the socket files are; what is empty stays as the system makes it.
type UnixSockets struct {
	User  string `config:"user"`  // a name or a number
	Group string `config:"group"` // a name or a number
	Mode  string `config:"mode"`  // permissions in octal
}

// Ports are the listeners' ports; -1 disables one.
type Ports struct {
	DNS     int `config:"dns"`
	HTTP    int `config:"http"`
	HTTPS   int `config:"https"`
	Server  int `config:"server"`
	SerfLAN int `config:"serf_lan"`
	SerfWAN int `config:"serf_wan"`
	RPC     int `config:"rpc"`

	SidecarMin int `config:"sidecar_min_port"`
	SidecarMax int `config:"sidecar_max_port"`
}

// Listener is one address to listen at.
type Listener struct {
	Network string // "tcp" or "unix"
	Address string // ip:port, or the path of the socket
}

// Connect are the settings of the service mesh.
type Connect struct {
	Enabled    bool           `config:"enabled"`
	CAProvider string         `config:"ca_provider"` // consul
	CAConfig   map[string]any `config:"ca_config"`   // cluster_id, leaf_cert_ttl, ...
}

// Gossip are the settings of one memberlist.
type Gossip struct {
	GossipInterval time.Duration `config:"gossip_interval"`
	GossipNodes    int           `config:"gossip_nodes"`
	ProbeInterval  time.Duration `config:"probe_interval"`
	ProbeTimeout   time.Duration `config:"probe_timeout"`
	RetransmitMult int           `config:"retransmit_mult"`
	SuspicionMult  int           `config:"suspicion_mult"`
}

// Performance trades speed for patience.
type Performance struct {
	RaftMultiplier int           `config:"raft_multiplier"` // 1 to 10
	LeaveDrainTime time.Duration `config:"leave_drain_time"`
	RPCHoldTimeout time.Duration `config:"rpc_hold_timeout"`
}

// RaftLogstore is how the raft log is kept.
type RaftLogstore struct {
	WAL LogstoreWAL `config:"wal"`
}

// LogstoreWAL is about the files of the raft log.
type LogstoreWAL struct {
	SegmentSizeMB int `config:"segment_size_mb"` // 1 to 1024
}

// Autopilot is how the leader keeps its servers in order.
type Autopilot struct {
	CleanupDeadServers      bool          `config:"cleanup_dead_servers"`
	LastContactThreshold    time.Duration `config:"last_contact_threshold"`
	MaxTrailingLogs         int           `config:"max_trailing_logs"`
	MinQuorum               int           `config:"min_quorum"`
	ServerStabilizationTime time.Duration `config:"server_stabilization_time"`
}

// Limits bound what one client may ask for.
type Limits struct {
	HTTPMaxConnsPerClient int `config:"http_max_conns_per_client"` // 0 is without limit
	// HTTPSHandshakeTimeout is how long a connection to HTTPS may take to speak TLS, and any to send headers.
	HTTPSHandshakeTimeout time.Duration `config:"https_handshake_timeout"`
	// RPCHandshakeTimeout is how long a connection to port 8300 may take to say what it is for.
	RPCHandshakeTimeout  time.Duration `config:"rpc_handshake_timeout"`
	RPCMaxConnsPerClient int           `config:"rpc_max_conns_per_client"` // 0 is without limit
	KVMaxValueSize       int           `config:"kv_max_value_size"`        // bytes
	TxnMaxReqLen         int           `config:"txn_max_req_len"`          // bytes; a transaction may be as long as a value at least
}

// HTTP is how the HTTP listener answers.
type HTTP struct {
	ResponseHeaders map[string]string `config:"response_headers"`
	BlockEndpoints  []string          `config:"block_endpoints"`       // beginnings of paths
	AllowWriteFrom  []string          `config:"allow_write_http_from"` // CIDRs
	MaxHeaderBytes  int               `config:"max_header_bytes"`      // 0 is the listener's own limit
}

// DNS is how the DNS listener answers.
type DNS struct {
	NodeTTL            time.Duration            `config:"node_ttl"`
	ServiceTTL         map[string]time.Duration `config:"service_ttl"` // by name; "web*" and "*" match, the exact name first, then the longest
	OnlyPassing        bool                     `config:"only_passing"`
	UDPAnswerLimit     int                      `config:"udp_answer_limit"`
	ARecordLimit       int                      `config:"a_record_limit"`
	UDPResponseRate    int                      `config:"udp_response_rate"`
	EnableTruncate     bool                     `config:"enable_truncate"`
	DisableCompression bool                     `config:"disable_compression"`
	AllowStale         bool                     `config:"allow_stale"`
	MaxStale           time.Duration            `config:"max_stale"`
	UseCache           bool                     `config:"use_cache"`
	CacheMaxAge        time.Duration            `config:"cache_max_age"` // 0 is any age
	SOA                SOA                      `config:"soa"`
	RecursorTimeout    time.Duration            `config:"recursor_timeout"`
	RecursorStrategy   string                   `config:"recursor_strategy"` // sequential or random
	RecurseForAll      bool                     `config:"recurse_for_all"`
	NodeMetaTXT        bool                     `config:"enable_additional_node_meta_txt"`
}

// SOA are the numbers of the zone's SOA record, in seconds.
type SOA struct {
	Refresh int `config:"refresh"`
	Retry   int `config:"retry"`
	Expire  int `config:"expire"`
	MinTTL  int `config:"min_ttl"`
}

// Telemetry is how metrics are named and kept.
type Telemetry struct {
	MetricsPrefix           string        `config:"metrics_prefix"`
	DisableHostname         bool          `config:"disable_hostname"`
	PrometheusRetentionTime time.Duration `config:"prometheus_retention_time"` // 0 is off
	StatsiteAddress         string        `config:"statsite_address"`
	StatsdAddress           string        `config:"statsd_address"`
	PrefixFilter            []string      `config:"prefix_filter"` // "+" or "-" and the beginning of a name
	FilterDefault           bool          `config:"filter_default"`
}

// runtimeFields ties the keys of the table to the fields of Runtime.
var runtimeFields = fieldsOf(reflect.TypeFor[Runtime]())

// ElectsItself reports whether this server starts a datacenter alone: it was told to, or it is a server of -dev.
func (r *Runtime) ElectsItself() bool { return r.Server && (r.Bootstrap || r.Dev) }

// Origin says where a key was set, as "file:line" or as the flag, and "" where it has its default. The key must be one of
// the table.
func (r *Runtime) Origin(path string) string { return r.at(path).String() }

// Value is what a key of the table was set to, before resolution, or its default; nil for none. It serves those keys that
// have no field, such as "ui_config.enabled", and must not be changed.
func (r *Runtime) Value(path string) any { return r.settings[mustKey(path).Path].value }

func (r *Runtime) at(path string) place { return r.settings[mustKey(path).Path].at }

// isSet reports whether a human said something about the key.
func (r *Runtime) isSet(path string) bool { return r.at(path) != place{} }
