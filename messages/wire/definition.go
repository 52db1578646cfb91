package wire

import "time"

// ServiceDefinition is a service as users write it: in a configuration file, in
// the body of /v1/agent/service/register, or as the sidecar of another.
type ServiceDefinition struct {
	Kind              ServiceKind `json:",omitempty"`
	ID                string
	Name              string
	Tags              []string
	Address           string
	TaggedAddresses   map[string]ServiceAddress
	Meta              map[string]string
	Port              int
	Ports             ServicePorts
	SocketPath        string
	Check             CheckType
	Checks            []*CheckType
	Weights           *Weights
	Token             string
	EnableTagOverride bool
	Locality          *Locality
	Proxy             *ConnectProxyConfig
	Connect           *ServiceConnect
}

// CheckDefinition is a check as users write it outside of a service: in a
// configuration file, or in the body of /v1/agent/check/register.
type CheckDefinition struct {
	ServiceID string // of the service that it is a check of; empty: of the node
	Token     string
	CheckType // its CheckID is called ID
}

// CheckType is a check as users write it: what is tried, how often, and what the
// outcomes mean.
type CheckType struct {
	CheckID string
	Name    string
	Status  string // the state to begin with
	Notes   string

	ScriptArgs             []string
	HTTP                   string
	H2PING                 string
	H2PingUseTLS           bool
	Header                 map[string][]string
	Method                 string
	Body                   string
	DisableRedirects       bool
	TCP                    string
	TCPUseTLS              bool
	UDP                    string
	Interval               time.Duration
	AliasNode              string
	AliasService           string
	DockerContainerID      string
	Shell                  string
	GRPC                   string
	GRPCUseTLS             bool
	OSService              string
	TLSServerName          string
	TLSSkipVerify          bool
	Timeout                time.Duration
	TTL                    time.Duration
	SuccessBeforePassing   int
	FailuresBeforeWarning  int
	FailuresBeforeCritical int

	ProxyHTTP string
	ProxyGRPC string

	// DeregisterCriticalServiceAfter is how long the check may be critical before
	// the agent deregisters its service; 0 means for ever.
	DeregisterCriticalServiceAfter time.Duration
	OutputMaxSize                  int
}
