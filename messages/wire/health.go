package wire

import "time"

// The states of a check.
const (
	HealthAny      = "any" // in queries only: whatever the state
	HealthPassing  = "passing"
	HealthWarning  = "warning"
	HealthCritical = "critical"
	HealthMaint    = "maintenance" // in summaries only
)

// The check that the leader keeps for every node that gossips.
const (
	SerfCheckID           = "serfHealth"
	SerfCheckName         = "Serf Health Status"
	SerfCheckAliveOutput  = "Agent alive and reachable"
	SerfCheckFailedOutput = "Agent not live or unreachable"
)

// The checks that maintenance mode registers.
const (
	NodeMaint          = "_node_maintenance"
	ServiceMaintPrefix = "_service_maintenance:"
)

// HealthCheck is a check in the catalog: of a node, or of a service on it.
type HealthCheck struct {
	Node        string
	CheckID     string // unique on the node
	Name        string
	Status      string
	Notes       string   // by whoever made the check
	Output      string   // of the last run
	ServiceID   string   // empty for a check of the node
	ServiceName string   // filled in by the catalog
	ServiceTags []string // filled in by the catalog
	Type        string   // "http", "ttl", ...
	Interval    string   // as text: "10s"
	Timeout     string   // as text
	ExposedPort int
	PeerName    string `json:",omitempty"`

	Definition HealthCheckDefinition `bexpr:"-"`

	RaftIndex `bexpr:"-"`
}

// HealthChecks is a list of checks.
type HealthChecks []*HealthCheck

// HealthCheckDefinition is how a check is run. In JSON its durations are text,
// except TTL.
type HealthCheckDefinition struct {
	HTTP                           string              `json:",omitempty"`
	TLSServerName                  string              `json:",omitempty"`
	TLSSkipVerify                  bool                `json:",omitempty"`
	Header                         map[string][]string `json:",omitempty"`
	Method                         string              `json:",omitempty"`
	Body                           string              `json:",omitempty"`
	DisableRedirects               bool                `json:",omitempty"`
	TCP                            string              `json:",omitempty"`
	TCPUseTLS                      bool                `json:",omitempty"`
	UDP                            string              `json:",omitempty"`
	H2PING                         string              `json:",omitempty"`
	OSService                      string              `json:",omitempty"`
	H2PingUseTLS                   bool                `json:",omitempty"`
	Interval                       time.Duration       `json:",omitempty"`
	OutputMaxSize                  uint                `json:",omitempty"`
	Timeout                        time.Duration       `json:",omitempty"`
	DeregisterCriticalServiceAfter time.Duration       `json:",omitempty"`
	ScriptArgs                     []string            `json:",omitempty"`
	DockerContainerID              string              `json:",omitempty"`
	Shell                          string              `json:",omitempty"`
	GRPC                           string              `json:",omitempty"`
	GRPCUseTLS                     bool                `json:",omitempty"`
	AliasNode                      string              `json:",omitempty"`
	AliasService                   string              `json:",omitempty"`
	TTL                            time.Duration       `json:",omitempty"`
}

// Type names what kind of check it is, empty when it is none of ours to run.
func (d *HealthCheckDefinition) Type() string {
	switch {
	case d.GRPC != "":
		return "grpc"
	case d.HTTP != "" && d.Interval > 0:
		return "http"
	case d.TTL > 0:
		return "ttl"
	case d.TCP != "" && d.Interval > 0:
		return "tcp"
	case d.UDP != "" && d.Interval > 0:
		return "udp"
	case d.AliasNode != "" || d.AliasService != "":
		return "alias"
	case d.DockerContainerID != "" && len(d.ScriptArgs) > 0 && d.Interval > 0:
		return "docker"
	case len(d.ScriptArgs) > 0 && d.Interval > 0:
		return "script"
	case d.H2PING != "" && d.Interval > 0:
		return "h2ping"
	case d.OSService != "" && d.Interval > 0:
		return "os_service"
	default:
		return ""
	}
}

// CheckServiceNode is an instance of a service with its node and the checks of both.
type CheckServiceNode struct {
	Node    *Node
	Service *NodeService
	Checks  HealthChecks
}

// BestAddress returns the address and port to reach the instance at.
func (n *CheckServiceNode) BestAddress(wan bool) (string, int) {
	addr, port := n.Service.BestAddress(wan)
	if addr == "" {
		addr = n.Node.BestAddress(wan)
	}
	return addr, port
}

// CheckServiceNodes is a list of service instances with health.
type CheckServiceNodes []CheckServiceNode

// ChecksInStateRequest asks for the checks in a state.
type ChecksInStateRequest struct {
	Datacenter      string
	NodeMetaFilters map[string]string
	State           string
	Source          QuerySource
	PeerName        string
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *ChecksInStateRequest) RequestDatacenter() string { return r.Datacenter }

// QuerySource returns where the query comes from.
func (r *ChecksInStateRequest) QuerySource() *QuerySource { return &r.Source }

// Peer returns the peer whose imported part of the catalog is asked for; empty
// means our own.
func (r *ChecksInStateRequest) Peer() string { return r.PeerName }

// IndexedHealthChecks answers Health.ChecksInState, NodeChecks and ServiceChecks.
type IndexedHealthChecks struct {
	HealthChecks HealthChecks
	QueryMeta
}

// IndexedCheckServiceNodes answers Health.ServiceNodes.
type IndexedCheckServiceNodes struct {
	Nodes CheckServiceNodes
	QueryMeta
}
