package config

import (
	"fmt"
	"reflect"
	"time"
)

// Service is a service definition of a file (`service`, `services`), as it was written: what is left out is zero, and
// what it means to leave it out is for the agent's local state to say, which hears the same definitions over HTTP. Keys
// may be written as here, or in CamelCase.
type Service struct {
	Kind              string              `config:"kind"`                // "" for a typical service; connect-proxy and the gateways are kept, not acted upon
	ID                string              `config:"id"`                  // unique at this agent; "" means Name
	Name              string              `config:"name"`                // required
	Tags              []string            `config:"tags"`                // in the order written
	Address           string              `config:"address"`             // "" means the node's address
	TaggedAddresses   map[string]Endpoint `config:"tagged_addresses"`    // such as "lan", "wan"
	Meta              map[string]string   `config:"meta"`                // free pairs
	Port              int                 `config:"port"`                // 0 to 65535
	Ports             []ServicePort       `config:"ports"`               // where it has several
	SocketPath        string              `config:"socket_path"`         // unix socket in place of address and port
	Checks            []Check             `config:"checks"`              // of `checks` and of `check`
	Token             string              `config:"token,secret"`        // for registering it
	Weights           Weights             `config:"weights"`             // for SRV answers
	EnableTagOverride bool                `config:"enable_tag_override"` // others may change the tags in the catalog
	Proxy             map[string]any      `config:"proxy"`               // service mesh; kept as written
	Connect           map[string]any      `config:"connect"`             // service mesh; kept as written
	Locality          Locality            `config:"locality"`            // where it runs
}

// Weights are the weights of an instance in SRV answers while its checks pass, and while one warns. Zero means 1.
type Weights struct {
	Passing int `config:"passing"`
	Warning int `config:"warning"`
}

// Locality is the region and zone of a provider.
type Locality struct {
	Region string `config:"region"`
	Zone   string `config:"zone"`
}

// ServicePort is one of several ports of a service.
type ServicePort struct {
	Name    string `config:"name"`
	Port    int    `config:"port"`
	Default bool   `config:"default"` // the one to use when none is named
}

// Endpoint is an address with a port.
type Endpoint struct {
	Address string `config:"address"`
	Port    int    `config:"port"`
}

// Check is a check definition of a file (`check`, `checks`, and within a service), as it was written. The field that is
// set among Args, Script, HTTP, TCP, UDP, TTL, GRPC, H2Ping, AliasNode, AliasService, DockerContainerID and OSService says
// what sort it is.
type Check struct {
	ID        string `config:"id"`           // unique at this agent; "" means Name
	Name      string `config:"name"`         // required outside of a service
	Notes     string `config:"notes"`        // for humans
	ServiceID string `config:"service_id"`   // the service it belongs to; "" for the node, or for the service around it
	Token     string `config:"token,secret"` // for registering it
	Status    string `config:"status"`       // until the first result; "" means critical

	Args              []string            `config:"args"`                // a program and its arguments
	Script            string              `config:"script"`              // the form of Consul before 1.1: a line for the shell
	Shell             string              `config:"shell"`               // for Script, and inside of a container
	DockerContainerID string              `config:"docker_container_id"` // where to run Args
	HTTP              string              `config:"http"`                // URL that must answer 2xx
	Header            map[string][]string `config:"header"`
	Method            string              `config:"method"` // "" means GET
	Body              string              `config:"body"`
	DisableRedirects  bool                `config:"disable_redirects"`
	TCP               string              `config:"tcp"` // host:port
	TCPUseTLS         bool                `config:"tcp_use_tls"`
	UDP               string              `config:"udp"`  // host:port
	GRPC              string              `config:"grpc"` // host:port[/service]
	GRPCUseTLS        bool                `config:"grpc_use_tls"`
	H2Ping            string              `config:"h2ping"`         // host:port
	H2PingUseTLS      bool                `config:"h2ping_use_tls"` // true where nothing is said
	TLSServerName     string              `config:"tls_server_name"`
	TLSSkipVerify     bool                `config:"tls_skip_verify"`
	AliasNode         string              `config:"alias_node"`
	AliasService      string              `config:"alias_service"`
	OSService         string              `config:"os_service"`
	TTL               time.Duration       `config:"ttl"` // the service must report within it

	Interval                       time.Duration `config:"interval"`        // between two runs
	Timeout                        time.Duration `config:"timeout"`         // of one run; 0 means the default of its sort
	OutputMaxSize                  int           `config:"output_max_size"` // bytes; 0 means check_output_max_size
	SuccessBeforePassing           int           `config:"success_before_passing"`
	FailuresBeforeWarning          int           `config:"failures_before_warning"`
	FailuresBeforeCritical         int           `config:"failures_before_critical"`
	DeregisterCriticalServiceAfter time.Duration `config:"deregister_critical_service_after"` // 0 means never
}

// definition is what the decoder knows of Service, Check, Endpoint and ServicePort.
type definition struct {
	blank   any // the value before anything is decoded into it
	fields  []field
	section *section
}

// definitions are the sections of the definition types, made from their fields.
var definitions = map[reflect.Type]definition{
	reflect.TypeFor[Service]():  define(Service{}, spelling{old: "check", now: "checks", current: true}),
	reflect.TypeFor[Check]():    define(Check{H2PingUseTLS: true}, spelling{old: "check_id", now: "id", current: true}),
	reflect.TypeFor[Endpoint](): define(Endpoint{}),

	reflect.TypeFor[ServicePort](): define(ServicePort{}),
}

func define[T any](blank T, old ...spelling) definition {
	fields := fieldsOf(reflect.TypeFor[T]())
	rows := make([]Key, len(fields), len(fields)+len(enterpriseInDefinitions))
	for i, f := range fields {
		rows[i] = Key{Path: f.path, Kind: kindOf(f), Use: Acted}
	}
	rows = append(rows, enterpriseInDefinitions...)
	top, _ := plant(rows, old, true)
	return definition{blank: blank, fields: fields, section: top}
}

// enterpriseInDefinitions are accepted wherever Consul Enterprise has them.
var enterpriseInDefinitions = []Key{
	{Path: "namespace", Kind: Text, Use: Enterprise},
	{Path: "partition", Kind: Text, Use: Enterprise},
}

// one decodes a single definition.
func one[T any](d *decoder, n *node, at string) T {
	def := definitions[reflect.TypeFor[T]()]
	from := settings{}
	d.object(def.section, n, at, from)
	v := def.blank.(T)
	fill(&v, def.fields, from)
	return v
}

// definitionsNode decodes one definition, or a list of them.
func definitionsNode[T interface{ fault() string }](d *decoder, n *node, at string) (any, error) {
	objects, ok := blocks(n)
	if !ok {
		return nil, errMismatch
	}
	_, isList := n.value.([]*node)
	list := make([]T, 0, len(objects))
	for i, o := range objects {
		name := at
		if isList {
			name = fmt.Sprintf("%s[%d]", at, i)
		}
		v := one[T](d, o, name)
		if fault := v.fault(); fault != "" {
			d.bad(o.line, "%s: %s", name, fault)
		}
		list = append(list, v)
	}
	return list, nil
}

// endpointsNode decodes tagged addresses.
func endpointsNode(d *decoder, n *node, at string) (any, error) {
	list, ok := members(n)
	if !ok {
		return nil, errMismatch
	}
	m := make(map[string]Endpoint, len(list))
	for _, member := range list {
		m[member.name] = one[Endpoint](d, member.value, join(at, member.name))
	}
	return m, nil
}

// fault says what a definition lacks, or "". What a check may combine is for the agent to judge, for definitions over
// HTTP are held to the same rules.
func (s Service) fault() string {
	switch {
	case s.Name == "":
		return "a service needs a name"
	case s.Port < 0 || s.Port > 65535:
		return fmt.Sprintf("port cannot be %d. Must be from 0 to 65535", s.Port)
	}
	return ""
}

func (p ServicePort) fault() string {
	if p.Port < 1 || p.Port > 65535 {
		return fmt.Sprintf("port cannot be %d. Must be from 1 to 65535", p.Port)
	}
	return ""
}

func (c Check) fault() string {
	if c.Interval == 0 && c.TTL == 0 && c.AliasNode == "" && c.AliasService == "" {
		return "a check needs an interval, or a ttl"
	}
	return ""
}
