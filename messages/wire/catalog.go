package wire

// The tagged addresses that agents register by themselves.
const (
	TaggedAddressLAN     = "lan"
	TaggedAddressLANIPv4 = "lan_ipv4"
	TaggedAddressLANIPv6 = "lan_ipv6"
	TaggedAddressWAN     = "wan"
	TaggedAddressWANIPv4 = "wan_ipv4"
	TaggedAddressWANIPv6 = "wan_ipv6"
)

// The service that servers register for themselves.
const (
	ConsulServiceID   = "consul"
	ConsulServiceName = "consul"
)

// Metadata keys that the agent itself sets on its node.
const (
	// MetaKeyReservedPrefix starts the keys that users may not set.
	MetaKeyReservedPrefix = "consul-"
	// MetaSegmentKey holds the network segment of the node.
	MetaSegmentKey = "consul-network-segment"
	// MetaConsulVersion holds the version of the agent.
	MetaConsulVersion = "consul-version"
	// MetaWANFederationKey marks mesh gateways that federate datacenters.
	MetaWANFederationKey = "consul-wan-federation"
)

// Node is a machine in the catalog.
type Node struct {
	ID              string // a UUID, or empty when nobody gave one
	Node            string // its name, unique without regard to case
	Address         string // an IP address, or a host name
	Datacenter      string
	Partition       string `json:",omitempty"`
	PeerName        string `json:",omitempty"`
	TaggedAddresses map[string]string
	Meta            map[string]string
	Locality        *Locality `json:",omitempty" bexpr:"-"`

	RaftIndex `bexpr:"-"`
}

// Nodes is a list of nodes.
type Nodes []*Node

// Locality is where a node or service runs.
type Locality struct {
	Region string `json:",omitempty"`
	Zone   string `json:",omitempty"`
}

// BestAddress returns the WAN address if wan is set and there is one, else the address.
func (n *Node) BestAddress(wan bool) string {
	if addr, ok := n.TaggedAddresses[TaggedAddressWAN]; wan && ok {
		return addr
	}
	return n.Address
}

// Services maps the name of a service to the tags of all its instances, sorted.
type Services map[string][]string

// Weights are the DNS SRV weights of an instance by the state of its checks.
type Weights struct {
	Passing int
	Warning int
}

// ServiceKind tells proxies and gateways from services proper.
type ServiceKind string

// The kinds of service.
const (
	ServiceKindTypical            ServiceKind = ""
	ServiceKindConnectProxy       ServiceKind = "connect-proxy"
	ServiceKindMeshGateway        ServiceKind = "mesh-gateway"
	ServiceKindTerminatingGateway ServiceKind = "terminating-gateway"
	ServiceKindIngressGateway     ServiceKind = "ingress-gateway"
	ServiceKindAPIGateway         ServiceKind = "api-gateway"
)

// ServiceAddress is one address of a service under a tag such as "lan" or "wan".
type ServiceAddress struct {
	Address string
	Port    int
}

// ServicePort is one of the ports of a service that has several.
type ServicePort struct {
	Name    string
	Port    int
	Default bool // the one to use when none is named
}

// ServicePorts are the ports of a service that has several. They are stored and
// echoed.
type ServicePorts []ServicePort

// NodeService is an instance of a service as its node sees it.
type NodeService struct {
	Kind              ServiceKind `json:",omitempty"`
	ID                string      // unique on the node
	Service           string      // the name of the service
	Tags              []string
	Address           string                    // empty means the node's
	TaggedAddresses   map[string]ServiceAddress `json:",omitempty"`
	Meta              map[string]string
	Port              int          `json:",omitempty"`
	Ports             ServicePorts `json:",omitempty" bexpr:"-"`
	SocketPath        string       `json:",omitempty"`
	Weights           *Weights
	EnableTagOverride bool
	Locality          *Locality `json:",omitempty" bexpr:"-"`

	Proxy   ConnectProxyConfig
	Connect ServiceConnect

	// LocallyRegisteredAsSidecar is set by the agent that made this service from
	// the sidecar definition of another.
	LocallyRegisteredAsSidecar bool `json:"-" bexpr:"-"`

	PeerName string

	RaftIndex `bexpr:"-"`
}

// BestAddress returns the address and port to reach the service at, the WAN ones
// if wan is set and there are some. The address is empty when it is the node's.
func (s *NodeService) BestAddress(wan bool) (string, int) {
	addr, port := s.Address, s.Port
	if tagged, ok := s.TaggedAddresses[TaggedAddressWAN]; wan && ok {
		addr = tagged.Address
		if tagged.Port != 0 {
			port = tagged.Port
		}
	}
	return addr, port
}

// ServiceNode is an instance of a service together with its node. The catalog
// keeps it without the node's fields (Node, the name, excepted) and fills these
// in when it answers.
type ServiceNode struct {
	ID                       string // of the node
	Node                     string
	Address                  string
	Datacenter               string
	TaggedAddresses          map[string]string
	NodeMeta                 map[string]string
	ServiceKind              ServiceKind
	ServiceID                string
	ServiceName              string
	ServiceTags              []string
	ServiceAddress           string
	ServiceTaggedAddresses   map[string]ServiceAddress `json:",omitempty"`
	ServiceWeights           Weights
	ServiceMeta              map[string]string
	ServicePort              int
	ServiceSocketPath        string
	ServiceEnableTagOverride bool
	ServiceProxy             ConnectProxyConfig
	ServiceConnect           ServiceConnect
	ServiceLocality          *Locality `bexpr:"-"`
	PeerName                 string    `json:",omitempty"`

	RaftIndex `bexpr:"-"`
}

// ServiceNodes is a list of service instances.
type ServiceNodes []*ServiceNode

// NodeServices is a node with its services by ID.
type NodeServices struct {
	Node     *Node
	Services map[string]*NodeService
}

// NodeServiceList is a node with its services in a list.
type NodeServiceList struct {
	Node     *Node
	Services []*NodeService
}

// RegisterRequest puts a node, and maybe a service and checks on it, into the
// catalog, all or nothing. It is a log entry of type RegisterRequestType.
type RegisterRequest struct {
	Datacenter      string
	ID              string
	Node            string
	Address         string
	TaggedAddresses map[string]string
	NodeMeta        map[string]string
	Service         *NodeService
	Check           *HealthCheck // one check, added to Checks
	Checks          HealthChecks
	Locality        *Locality

	// SkipNodeUpdate leaves the node as it is if it is known.
	SkipNodeUpdate bool

	PeerName string

	WriteRequest
	RaftIndex `bexpr:"-"`
}

// RequestDatacenter implements Request.
func (r *RegisterRequest) RequestDatacenter() string { return r.Datacenter }

// DeregisterRequest takes a service (ServiceID), a check (CheckID) or, if neither
// is set, a whole node out of the catalog. It is a log entry of type
// DeregisterRequestType.
type DeregisterRequest struct {
	Datacenter string
	Node       string
	ServiceID  string
	CheckID    string
	PeerName   string
	WriteRequest
}

// RequestDatacenter implements Request.
func (r *DeregisterRequest) RequestDatacenter() string { return r.Datacenter }

// ServiceSpecificRequest asks for the instances of a service.
type ServiceSpecificRequest struct {
	Datacenter      string
	PeerName        string
	NodeMetaFilters map[string]string
	ServiceName     string
	ServiceKind     ServiceKind
	// ServiceTag is the one tag that clients before Consul 1.3 send.
	ServiceTag     string
	ServiceTags    []string
	ServiceAddress string
	// TagFilter says that the tags are to be looked at.
	TagFilter bool
	Source    QuerySource
	// Connect asks for the proxies of the service instead.
	Connect bool
	// Ingress asks for the ingress gateways of the service instead.
	Ingress            bool
	MergeCentralConfig bool
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *ServiceSpecificRequest) RequestDatacenter() string { return r.Datacenter }

// QuerySource returns where the query comes from.
func (r *ServiceSpecificRequest) QuerySource() *QuerySource { return &r.Source }

// Peer returns the peer whose imported part of the catalog is asked for; empty
// means our own.
func (r *ServiceSpecificRequest) Peer() string { return r.PeerName }

// Tags returns the tags that instances must have, none if tags are not to be
// looked at.
func (r *ServiceSpecificRequest) Tags() []string {
	switch {
	case !r.TagFilter:
		return nil
	case len(r.ServiceTags) == 0 && r.ServiceTag != "":
		return []string{r.ServiceTag}
	default:
		return r.ServiceTags
	}
}

// NodeSpecificRequest asks for something of one node.
type NodeSpecificRequest struct {
	Datacenter         string
	Node               string
	PeerName           string
	MergeCentralConfig bool
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *NodeSpecificRequest) RequestDatacenter() string { return r.Datacenter }

// Peer returns the peer whose imported part of the catalog is asked for; empty
// means our own.
func (r *NodeSpecificRequest) Peer() string { return r.PeerName }

// IndexedNodes answers Catalog.ListNodes.
type IndexedNodes struct {
	Nodes Nodes
	QueryMeta
}

// IndexedServices answers Catalog.ListServices.
type IndexedServices struct {
	Services Services
	QueryMeta
}

// IndexedServiceNodes answers Catalog.ServiceNodes.
type IndexedServiceNodes struct {
	ServiceNodes ServiceNodes
	QueryMeta
}

// IndexedNodeServices answers Catalog.NodeServices; NodeServices is nil when the
// node is not known.
type IndexedNodeServices struct {
	NodeServices *NodeServices
	QueryMeta
}

// IndexedNodeServiceList answers Catalog.NodeServiceList.
type IndexedNodeServiceList struct {
	NodeServices NodeServiceList
	QueryMeta
}

// ServiceName is the name of a service.
type ServiceName struct {
	Name string
}

// IndexedServiceList answers Catalog.ServiceList.
type IndexedServiceList struct {
	Services []ServiceName
	QueryMeta
}
