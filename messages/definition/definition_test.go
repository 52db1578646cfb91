package definition

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// service registers a service that is written as JSON.
func service(t *testing.T, text string) (*messages.RegisterService, error) {
	t.Helper()
	var d wire.ServiceDefinition
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	return Service(&d)
}

// shown is what is registered, as the tests compare it.
func shown(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestServiceRefused(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"no_name":           {`{"ID":"x"}`, "Missing service name"},
		"any_address":       {`{"Name":"x","Address":"0.0.0.0"}`, "Invalid service address"},
		"any_address_6":     {`{"Name":"x","Address":"[::]"}`, "Invalid service address"},
		"weights":           {`{"Name":"x","Weights":{"Passing":0}}`, "Invalid Weights: Passing must be greater than 0"},
		"meta":              {`{"Name":"x","Meta":{"a b":"c"}}`, "Invalid Service Meta: Couldn't load metadata pair"},
		"proxy":             {`{"Name":"x","Kind":"connect-proxy","Port":1}`, "Validation failed: 1 error occurred:\n\t* Proxy.DestinationServiceName must be"},
		"no_interval":       {`{"Name":"x","Check":{"HTTP":"http://x"}}`, "Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks"},
		"no_ttl":            {`{"Name":"x","Checks":[{"Name":"y"}]}`, "Invalid check: TTL must be > 0 for TTL checks"},
		"both":              {`{"Name":"x","Check":{"TTL":"1s","Interval":"1s"}}`, "Invalid check: Interval and TTL cannot both be specified"},
		"alias_interval":    {`{"Name":"x","Check":{"AliasService":"y","HTTP":"http://x","Interval":"1s"}}`, "Invalid check: Interval cannot be set for Alias checks"},
		"null_check":        {`{"Name":"x","Checks":[null]}`, "Invalid check: a check is null"},
		"status":            {`{"Name":"x","Check":{"TTL":"1s","Status":"fluffy"}}`, "Status for checks must 'passing', 'warning', 'critical'"},
		"thresholds":        {`{"Name":"x","Check":{"TTL":"1s","FailuresBeforeWarning":2}}`, "Invalid check: FailuresBeforeWarning can't be higher than FailuresBeforeCritical"},
		"tagged_4":          {`{"Name":"x","TaggedAddresses":{"lan_ipv4":{"Address":"::1"}}}`, `Service tagged address "lan_ipv4" must be a valid ipv4 address`},
		"tagged_6":          {`{"Name":"x","TaggedAddresses":{"wan_ipv6":{"Address":"127.0.0.1"}}}`, `Service tagged address "wan_ipv6" must be a valid ipv6 address`},
		"sidecar_check":     {`{"Name":"x","Connect":{"SidecarService":{"Check":{"HTTP":"http://x"}}}}`, "Invalid check in sidecar_service: Interval must be"},
		"sidecar_status":    {`{"Name":"x","Connect":{"SidecarService":{"Check":{"TTL":"1s","Status":"odd"}}}}`, "Status for checks must"},
		"sidecar_id":        {`{"Name":"x","Connect":{"SidecarService":{"ID":"y"}}}`, "Validation failed: 1 error occurred:\n\t* A SidecarService cannot specify an ID"},
		"sidecar_meta":      {`{"Name":"x","Connect":{"SidecarService":{"Meta":{"consul-x":"y"}}}}`, "Invalid SidecarService: Couldn't load metadata pair"},
		"sidecar_upstream":  {`{"Name":"x","Connect":{"SidecarService":{"Proxy":{"Upstreams":[{"DestinationName":""}]}}}}`, "Failed Validation: Validation failed: 1 error occurred:\n\t* upstream destination name cannot be empty"},
		"ports_no_name":     {`{"Name":"x","Ports":[{"Port":1,"Default":true}]}`, "Ports.Name cannot be empty"},
		"ports_no_port":     {`{"Name":"x","Ports":[{"Name":"a","Default":true}]}`, "Ports.Port must be non-zero"},
		"ports_same":        {`{"Name":"x","Ports":[{"Name":"a","Port":1,"Default":true},{"Name":"a","Port":2}]}`, `Ports.Name "a" has to be unique`},
		"ports_two_default": {`{"Name":"x","Ports":[{"Name":"a","Port":1,"Default":true},{"Name":"b","Port":2,"Default":true}]}`, "exactly one"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := service(t, tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestService(t *testing.T) {
	for name, tt := range map[string]struct{ text, service, checks string }{
		"smallest": {
			`{"Name":"web"}`,
			`{"ID":"web","Service":"web","Tags":null,"Address":"","Meta":null,"Weights":null,"EnableTagOverride":false,"Proxy":{"Mode":"","MeshGateway":{},"Expose":{}},"Connect":{},"PeerName":"","CreateIndex":0,"ModifyIndex":0}`,
			`[]`,
		},
		"address_4": {
			`{"Name":"web","Address":"127.0.0.5","Port":80,"TaggedAddresses":{"wan_ipv4":{"Address":"1.2.3.4","Port":8}}}`,
			`{"ID":"web","Service":"web","Tags":null,"Address":"127.0.0.5","TaggedAddresses":{"lan_ipv4":{"Address":"127.0.0.5","Port":80},"wan_ipv4":{"Address":"1.2.3.4","Port":8}},"Meta":null,"Port":80,"Weights":null,"EnableTagOverride":false,"Proxy":{"Mode":"","MeshGateway":{},"Expose":{}},"Connect":{},"PeerName":"","CreateIndex":0,"ModifyIndex":0}`,
			`[]`,
		},
		"address_6": {
			`{"Name":"web","Address":"::1"}`,
			`{"ID":"web","Service":"web","Tags":null,"Address":"::1","TaggedAddresses":{"lan_ipv6":{"Address":"::1","Port":0},"wan_ipv6":{"Address":"::1","Port":0}},"Meta":null,"Weights":null,"EnableTagOverride":false,"Proxy":{"Mode":"","MeshGateway":{},"Expose":{}},"Connect":{},"PeerName":"","CreateIndex":0,"ModifyIndex":0}`,
			`[]`,
		},
		"host_name": {
			`{"Name":"web","Address":"web.example.com"}`,
			`{"ID":"web","Service":"web","Tags":null,"Address":"web.example.com","Meta":null,"Weights":null,"EnableTagOverride":false,"Proxy":{"Mode":"","MeshGateway":{},"Expose":{}},"Connect":{},"PeerName":"","CreateIndex":0,"ModifyIndex":0}`,
			`[]`,
		},
		"proxy": {
			`{"Name":"p","Kind":"connect-proxy","Port":1,"Proxy":{"DestinationServiceName":"web","Mode":"transparent","Upstreams":[{"DestinationName":"db","LocalBindPort":9}]}}`,
			`{"Kind":"connect-proxy","ID":"p","Service":"p","Tags":null,"Address":"","Meta":null,"Port":1,"Weights":null,"EnableTagOverride":false,"Proxy":{"DestinationServiceName":"web","Mode":"transparent","Upstreams":[{"DestinationType":"service","DestinationName":"db","Datacenter":"","LocalBindPort":9,"MeshGateway":{}}],"MeshGateway":{},"Expose":{}},"Connect":{},"PeerName":"","CreateIndex":0,"ModifyIndex":0}`,
			`[]`,
		},
		"ports": {
			`{"name":"web","ports":[{"name":"a","port":1,"default":true},{"name":"b","port":2}]}`,
			`{"ID":"web","Service":"web","Tags":null,"Address":"","Meta":null,"Ports":[{"Name":"a","Port":1,"Default":true},{"Name":"b","Port":2,"Default":false}],"Weights":null,"EnableTagOverride":false,"Proxy":{"Mode":"","MeshGateway":{},"Expose":{}},"Connect":{},"PeerName":"","CreateIndex":0,"ModifyIndex":0}`,
			`[]`,
		},
		"one_check": {
			`{"ID":"w1","Name":"web","Check":{"TTL":"15s","Notes":"n","Status":"passing"}}`, "",
			`[{"CheckID":"service:w1","Name":"Service 'web' check","Status":"passing","Notes":"n","Type":"ttl","Interval":"","Timeout":""}]`,
		},
		"more_checks": {
			`{"Name":"web","Check":{"TTL":"15s"},"Checks":[{"HTTP":"http://x","Interval":"10s","Timeout":"1s"},{"CheckID":"mem","Name":"memory","tcp":"x:1","interval":"1m"}]}`, "",
			`[{"CheckID":"service:web:1","Name":"Service 'web' check","Status":"critical","Notes":"","Type":"ttl","Interval":"","Timeout":""},` +
				`{"CheckID":"service:web:2","Name":"Service 'web' check","Status":"critical","Notes":"","Type":"http","Interval":"10s","Timeout":"1s"},` +
				`{"CheckID":"mem","Name":"memory","Status":"critical","Notes":"","Type":"tcp","Interval":"1m0s","Timeout":""}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := service(t, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := shown(t, r.Service); tt.service != "" && got != tt.service {
				t.Errorf("service\n%s\nwant\n%s", got, tt.service)
			}
			if got := shown(t, checksOf(r)); got != tt.checks {
				t.Errorf("checks\n%s\nwant\n%s", got, tt.checks)
			}
			if r.Sidecar != nil {
				t.Errorf("it has a sidecar: %s", shown(t, r.Sidecar))
			}
		})
	}
}

// check is what the tests compare of one.
type check struct{ CheckID, Name, Status, Notes, Type, Interval, Timeout string }

func checksOf(r *messages.RegisterService) []check {
	all := []check{}
	for _, c := range r.Checks {
		all = append(all, check{c.Check.CheckID, c.Check.Name, c.Check.Status, c.Check.Notes, c.Check.Type, c.Check.Interval, c.Check.Timeout})
	}
	return all
}

func TestSidecar(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"empty": {
			`{"ID":"w1","Name":"web","Port":80,"Tags":["t"],"Meta":{"k":"v"},"Connect":{"SidecarService":{}}}`,
			`{"Kind":"connect-proxy","ID":"w1-sidecar-proxy","Service":"web-sidecar-proxy","Tags":["t"],"Address":"","Meta":{"k":"v"},"Weights":null,"EnableTagOverride":false,` +
				`"Proxy":{"DestinationServiceName":"web","DestinationServiceID":"w1","LocalServiceAddress":"127.0.0.1","LocalServicePort":80,"Mode":"","MeshGateway":{},"Expose":{}},"Connect":{},"PeerName":"","CreateIndex":0,"ModifyIndex":0}`,
		},
		"of_a_socket": {
			`{"Name":"web","SocketPath":"/s","Connect":{"sidecar_service":{"port":9,"meta":{"a":"b"},"tags":["x"]}}}`,
			`{"Kind":"connect-proxy","ID":"web-sidecar-proxy","Service":"web-sidecar-proxy","Tags":["x"],"Address":"","Meta":{"a":"b"},"Port":9,"Weights":null,"EnableTagOverride":false,` +
				`"Proxy":{"DestinationServiceName":"web","DestinationServiceID":"web","LocalServiceSocketPath":"/s","Mode":"","MeshGateway":{},"Expose":{}},"Connect":{},"PeerName":"","CreateIndex":0,"ModifyIndex":0}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := service(t, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := shown(t, r.Sidecar.Service); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if !r.Sidecar.Service.LocallyRegisteredAsSidecar {
				t.Error("the proxy does not say that it is a sidecar")
			}
			if r.Service.Connect.SidecarService != nil {
				t.Error("the catalog would hear of the definition of the sidecar")
			}
		})
	}
}

func TestSidecarTokens(t *testing.T) {
	r, err := service(t, `{"Name":"web","Token":"a","Connect":{"SidecarService":{}}}`)
	if err != nil || r.Token != "a" || r.Sidecar.Token != "a" {
		t.Errorf("got %+v, %v, want the token of the service for both", r, err)
	}
	r, err = service(t, `{"Name":"web","Token":"a","Connect":{"SidecarService":{"Token":"b"}}}`)
	if err != nil || r.Sidecar.Token != "b" {
		t.Errorf("got %+v, %v, want its own token", r, err)
	}
}

func TestSidecarChecks(t *testing.T) {
	p := &wire.NodeService{ID: "w1-sidecar-proxy", Service: "web-sidecar-proxy", Port: 21000, Proxy: wire.ConnectProxyConfig{LocalServiceAddress: "::1"}}
	checks := SidecarChecks(p)
	if len(checks) != 2 || checks[0].Run.TCP != "[::1]:21000" || checks[0].Check.CheckID != "service:w1-sidecar-proxy:1" ||
		checks[1].Run.AliasService != "w1" || checks[1].Check.Name != "Connect Sidecar Aliasing w1" {
		t.Errorf("got %s", shown(t, checks))
	}
}

func TestCheck(t *testing.T) {
	for name, tt := range map[string]struct{ text, want, err string }{
		"ttl":        {`{"ID":"disk","Name":"d","TTL":"30s","Notes":"n"}`, `{"CheckID":"disk","Name":"d","Status":"critical","Notes":"n","Type":"ttl","Interval":"0s","Timeout":"0s"}`, ""},
		"http":       {`{"Name":"h","HTTP":"http://x/","interval":"3600s","Timeout":1000000000,"Status":"passing"}`, `{"CheckID":"h","Name":"h","Status":"passing","Notes":"","Type":"http","Interval":"1h0m0s","Timeout":"1s"}`, ""},
		"script":     {`{"Name":"s","script":"true","Interval":"1s"}`, `{"CheckID":"s","Name":"s","Status":"critical","Notes":"","Type":"script","Interval":"1s","Timeout":"0s"}`, ""},
		"no_name":    {`{"TTL":"30s"}`, "", "Missing check name"},
		"no_type":    {`{"Name":"z"}`, "", "Invalid check: TTL must be > 0 for TTL checks"},
		"bad_status": {`{"Name":"z","TTL":"1s","Status":"odd"}`, "", "Bad check status"},
	} {
		t.Run(name, func(t *testing.T) {
			var d wire.CheckDefinition
			if err := json.Unmarshal([]byte(tt.text), &d); err != nil {
				t.Fatal(err)
			}
			r, err := Check(&d)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := shown(t, checksOf(&messages.RegisterService{Checks: []messages.CheckDefinition{r.CheckDefinition}})[0])
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestOdd(t *testing.T) {
	const unusual = "is found in DNS, but not by everybody: names of hosts have letters, digits and dashes only"
	long := strings.Repeat("x", 64)
	for name, want := range map[string]string{
		"web-1": "", "V1": "", "a_b": unusual, "v 1": unusual, "b\u00fccher": unusual,
		long: "cannot be found in DNS: it is longer than 63 bytes", "a." + long: "cannot be found in DNS: it is longer than 63 bytes",
		"": "", "a..b": "cannot be found in DNS: it has a part that is empty",
	} {
		if want != "" {
			want = fmt.Sprintf("node name %q %s", name, want)
		}
		if got := OddNode(name); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	odd := Odd(&wire.NodeService{Service: "a.b", Tags: []string{"v1", "x.y", "v_1"}})
	want := []string{`service name "a.b" cannot be found in DNS: what is before a dot is taken for a tag`, `tag "v_1" of service "a.b" ` + unusual}
	if !slices.Equal(odd, want) {
		t.Errorf("odd are %q, want %q", odd, want)
	}
	if odd := Odd(&wire.NodeService{Service: "web-1", Tags: []string{"V1"}}); odd != nil {
		t.Errorf("odd are %q", odd)
	}
}
