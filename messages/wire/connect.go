package wire

// ServiceConnect is how an instance takes part in the service mesh. It is stored
// and echoed.
type ServiceConnect struct {
	// Native says that the service speaks mutual TLS itself.
	Native bool `json:",omitempty"`
	// SidecarService makes the agent register a proxy too. The agent takes it out
	// before the service reaches the catalog.
	SidecarService *ServiceDefinition `json:",omitempty" bexpr:"-"`
	// PeerMeta is set on services imported from peers.
	PeerMeta *PeeringServiceMeta `json:",omitempty" bexpr:"-"`
}

// PeeringServiceMeta is what one must know to call a service of a peer.
type PeeringServiceMeta struct {
	SNI      []string `json:",omitempty"`
	SpiffeID []string `json:",omitempty"`
	Protocol string   `json:",omitempty"`
}

// ConnectProxyConfig is the configuration of a proxy. It is stored and echoed.
type ConnectProxyConfig struct {
	TransparentProxy       TransparentProxyConfig `json:",omitzero"`
	AccessLogs             AccessLogsConfig       `json:",omitzero"`
	EnvoyExtensions        []EnvoyExtension       `json:",omitempty"`
	DestinationServiceName string                 `json:",omitempty"`
	DestinationServiceID   string                 `json:",omitempty"`
	LocalServiceAddress    string                 `json:",omitempty"`
	LocalServicePort       int                    `json:",omitempty"`
	LocalServiceSocketPath string                 `json:",omitempty"`
	Mode                   string
	Config                 map[string]any `json:",omitempty" bexpr:"-"`
	Upstreams              []Upstream     `json:",omitempty"`
	MeshGateway            MeshGatewayConfig
	Expose                 ExposeConfig
	MutualTLSMode          string `json:"-" bexpr:"-"`
}

// TransparentProxyConfig is how a proxy catches outbound traffic.
type TransparentProxyConfig struct {
	OutboundListenerPort int  `json:",omitempty"`
	DialedDirectly       bool `json:",omitempty"`
}

// AccessLogsConfig is where and how a proxy logs requests.
type AccessLogsConfig struct {
	Enabled             bool   `json:",omitempty"`
	DisableListenerLogs bool   `json:",omitempty"`
	Type                string `json:",omitempty"`
	Path                string `json:",omitempty"`
	JSONFormat          string `json:",omitempty"`
	TextFormat          string `json:",omitempty"`
}

// EnvoyExtension is one extension of a proxy's configuration.
type EnvoyExtension struct {
	Name          string
	Required      bool
	Arguments     map[string]any `bexpr:"-"`
	ConsulVersion string
	EnvoyVersion  string
}

// MeshGatewayConfig says which way traffic to other datacenters goes.
type MeshGatewayConfig struct {
	Mode string `json:",omitempty"`
}

// ExposeConfig lists what a proxy lets through without the mesh.
type ExposeConfig struct {
	Checks bool         `json:",omitempty"`
	Paths  []ExposePath `json:",omitempty"`
}

// ExposePath is one HTTP path that a proxy lets through.
type ExposePath struct {
	ListenerPort    int    `json:",omitempty"`
	Path            string `json:",omitempty"`
	LocalPathPort   int    `json:",omitempty"`
	Protocol        string `json:",omitempty"`
	ParsedFromCheck bool   `json:",omitempty"`
}

// Upstream is a service that a proxy makes reachable for its own.
type Upstream struct {
	DestinationType      string
	DestinationNamespace string `json:",omitempty"`
	DestinationPartition string `json:",omitempty"`
	DestinationPeer      string `json:",omitempty"`
	DestinationName      string
	Datacenter           string
	LocalBindAddress     string            `json:",omitempty"`
	LocalBindPort        int               `json:",omitempty"`
	LocalBindSocketPath  string            `json:",omitempty"`
	LocalBindSocketMode  string            `json:",omitempty"`
	Config               map[string]any    `json:",omitempty" bexpr:"-"`
	MeshGateway          MeshGatewayConfig `json:",omitempty"`
	IngressHosts         []string          `json:"-" bexpr:"-"`
	CentrallyConfigured  bool              `json:",omitempty" bexpr:"-"`
}
