package wire

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"
	"time"
)

// TestShapes decodes what Consul 1.19.2 answered and encodes it again: nothing may
// be lost and nothing added. testdata/shapes.json has one answer a type.
func TestShapes(t *testing.T) {
	data, err := os.ReadFile("testdata/shapes.json")
	if err != nil {
		t.Fatal(err)
	}
	var shapes map[string]json.RawMessage
	if err := json.Unmarshal(data, &shapes); err != nil {
		t.Fatal(err)
	}
	types := map[string]any{
		"Node":              new(Node),
		"NodeWithAddresses": new(Node),
		"NodeServices":      new(NodeServices),
		"NodeServiceList":   new(NodeServiceList),
		"ServiceNodes":      new(ServiceNodes),
		"HealthCheck":       new(HealthCheck),
		"CheckServiceNodes": new(CheckServiceNodes),
		"Services":          new(Services),
		"Session":           new(Session),
		"DirEntries":        new(DirEntries),
		"TxnResponse":       new(TxnResponse),
		"TxnErrors":         new(TxnResponse),
		"TxnReadResponse":   new(TxnReadResponse),
		"TxnNode":           new(TxnResponse),
		"Usage":             new(Usage),
		"Coordinates":       new([]DatacenterMap),
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			v, ok := types[name]
			if !ok {
				t.Fatalf("no type for %s", name)
			}
			if err := json.Unmarshal(shape, v); err != nil {
				t.Fatal(err)
			}
			encoded, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := json.Unmarshal(encoded, &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(shape, &want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("encoded again:\n%s\nwant, in whatever order:\n%s", encoded, shape)
			}
		})
	}
}

// TestFieldOrder pins the order of fields, which some programs compare as text.
func TestFieldOrder(t *testing.T) {
	at := RaftIndex{CreateIndex: 1, ModifyIndex: 2}
	tests := []struct {
		name  string
		value any
		want  string
	}{
		{
			name:  "node",
			value: &Node{ID: "i", Node: "n", Address: "a", Datacenter: "dc1", RaftIndex: at},
			want: `{"ID":"i","Node":"n","Address":"a","Datacenter":"dc1","TaggedAddresses":null,"Meta":null,` +
				`"CreateIndex":1,"ModifyIndex":2}`,
		},
		{
			name:  "node_service",
			value: &NodeService{ID: "w1", Service: "web", Tags: []string{"x"}, Port: 80, Weights: &Weights{1, 1}, RaftIndex: at},
			want: `{"ID":"w1","Service":"web","Tags":["x"],"Address":"","Meta":null,"Port":80,` +
				`"Weights":{"Passing":1,"Warning":1},"EnableTagOverride":false,` +
				`"Proxy":{"Mode":"","MeshGateway":{},"Expose":{}},"Connect":{},"PeerName":"",` +
				`"CreateIndex":1,"ModifyIndex":2}`,
		},
		{
			name:  "service_node",
			value: &ServiceNode{ID: "i", Node: "n", Address: "a", Datacenter: "dc1", ServiceID: "w1", ServiceName: "web", RaftIndex: at},
			want: `{"ID":"i","Node":"n","Address":"a","Datacenter":"dc1","TaggedAddresses":null,"NodeMeta":null,` +
				`"ServiceKind":"","ServiceID":"w1","ServiceName":"web","ServiceTags":null,"ServiceAddress":"",` +
				`"ServiceWeights":{"Passing":0,"Warning":0},"ServiceMeta":null,"ServicePort":0,"ServiceSocketPath":"",` +
				`"ServiceEnableTagOverride":false,"ServiceProxy":{"Mode":"","MeshGateway":{},"Expose":{}},` +
				`"ServiceConnect":{},"ServiceLocality":null,"CreateIndex":1,"ModifyIndex":2}`,
		},
		{
			name:  "check",
			value: &HealthCheck{Node: "n", CheckID: "c", Status: "passing", RaftIndex: at},
			want: `{"Node":"n","CheckID":"c","Name":"","Status":"passing","Notes":"","Output":"","ServiceID":"",` +
				`"ServiceName":"","ServiceTags":null,"Type":"","Interval":"","Timeout":"","ExposedPort":0,` +
				`"Definition":{},"CreateIndex":1,"ModifyIndex":2}`,
		},
		{
			name:  "definition",
			value: &HealthCheckDefinition{HTTP: "u", Interval: 10 * time.Second, TTL: time.Second},
			want:  `{"Interval":"10s","HTTP":"u","TTL":1000000000}`,
		},
		{
			name:  "proxy",
			value: &ConnectProxyConfig{DestinationServiceName: "web", TransparentProxy: TransparentProxyConfig{DialedDirectly: true}},
			want:  `{"TransparentProxy":{"DialedDirectly":true},"DestinationServiceName":"web","Mode":"","MeshGateway":{},"Expose":{}}`,
		},
		{
			name:  "key",
			value: &DirEntry{Key: "k", Value: []byte("v"), Flags: 3, RaftIndex: at},
			want:  `{"LockIndex":0,"Key":"k","Flags":3,"Value":"dg==","CreateIndex":1,"ModifyIndex":2}`,
		},
		{
			name:  "session",
			value: &Session{ID: "s", Node: "n", LockDelay: 15 * time.Second, Behavior: SessionKeysRelease, NodeChecks: []string{"serfHealth"}, RaftIndex: at},
			want: `{"ID":"s","Name":"","Node":"n","LockDelay":15000000000,"Behavior":"release","TTL":"",` +
				`"NodeChecks":["serfHealth"],"ServiceChecks":null,"CreateIndex":1,"ModifyIndex":2}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(tt.value)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("encoded\n%s, want\n%s", got, tt.want)
			}
		})
	}
}

func TestUnmarshalJSON(t *testing.T) {
	tests := []struct {
		name string
		text string
		into any
		want any
	}{
		{
			name: "durations_as_text", text: `{"Interval":"10s","Timeout":"1s","TTL":"5s","DeregisterCriticalServiceAfter":"1m"}`,
			into: &HealthCheckDefinition{},
			want: &HealthCheckDefinition{Interval: 10 * time.Second, Timeout: time.Second, TTL: 5 * time.Second, DeregisterCriticalServiceAfter: time.Minute},
		},
		{
			name: "durations_as_nanoseconds", text: `{"Interval":1000}`,
			into: &HealthCheckDefinition{}, want: &HealthCheckDefinition{Interval: 1000},
		},
		{
			name: "null_durations", text: `{"Interval":null,"HTTP":"u"}`,
			into: &HealthCheckDefinition{}, want: &HealthCheckDefinition{HTTP: "u"},
		},
		{
			name: "lock_delay_as_text", text: `{"LockDelay":"20s"}`,
			into: &Session{}, want: &Session{LockDelay: 20 * time.Second},
		},
		{
			name: "lock_delay_in_seconds", text: `{"LockDelay":30}`,
			into: &Session{}, want: &Session{LockDelay: 30 * time.Second},
		},
		{
			name: "lock_delay_in_nanoseconds", text: `{"LockDelay":15000000000}`,
			into: &Session{}, want: &Session{LockDelay: 15 * time.Second},
		},
		{
			name: "no_lock_delay", text: `{"Name":"x"}`,
			into: &Session{}, want: &Session{Name: "x"},
		},
		{
			name: "snake_case", text: `{"destination_service_name":"web","local_service_port":80,"mesh_gateway":{"mode":"local"},` +
				`"upstreams":[{"destination_name":"db","local_bind_port":1}]}`,
			into: &ConnectProxyConfig{},
			want: &ConnectProxyConfig{
				DestinationServiceName: "web", LocalServicePort: 80, MeshGateway: MeshGatewayConfig{Mode: "local"},
				Upstreams: []Upstream{{DestinationName: "db", LocalBindPort: 1}},
			},
		},
		{
			name: "config_keys_stay_as_they_are", text: `{"Config":{"snake_case":1}}`,
			into: &ConnectProxyConfig{}, want: &ConnectProxyConfig{Config: map[string]any{"snake_case": 1.0}},
		},
		{
			name: "proper_key_wins", text: `{"local_service_port":1,"LocalServicePort":2}`,
			into: &ConnectProxyConfig{}, want: &ConnectProxyConfig{LocalServicePort: 2},
		},
		{
			name: "check_type", text: `{"args":["true"],"interval":"10s","tls_skip_verify":true,"TTL":"0s"}`,
			into: &CheckType{}, want: &CheckType{ScriptArgs: []string{"true"}, Interval: 10 * time.Second, TLSSkipVerify: true},
		},
		{
			name: "service_definition", text: `{"name":"web","enable_tag_override":true,"tagged_addresses":{"lan":{"address":"a","port":1}},"check":{"ttl":"1s"}}`,
			into: &ServiceDefinition{},
			want: &ServiceDefinition{
				Name: "web", EnableTagOverride: true, TaggedAddresses: map[string]ServiceAddress{"lan": {"a", 1}}, Check: CheckType{TTL: time.Second},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := json.Unmarshal([]byte(tt.text), tt.into); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(tt.into, tt.want) {
				t.Errorf("decoded %+v, want %+v", tt.into, tt.want)
			}
		})
	}
}

func TestUnmarshalJSONRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		into       any
	}{
		{"bad_duration", `{"Interval":"soon"}`, &HealthCheckDefinition{}},
		{"duration_of_a_wrong_type", `{"TTL":[1]}`, &HealthCheckDefinition{}},
		{"bad_lock_delay", `{"LockDelay":"x"}`, &Session{}},
		{"wrong_type_under_a_snake_key", `{"local_service_port":"x"}`, &ConnectProxyConfig{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := json.Unmarshal([]byte(tt.text), tt.into); err == nil {
				t.Errorf("%s was taken for %+v", tt.text, tt.into)
			}
		})
	}
}

// FuzzJSON gives what clients send as JSON to the types that read it. It is read the
// same way twice, and what was read can be shown and read again.
func FuzzJSON(f *testing.F) {
	for i, text := range []string{
		`{"Name":"s","Port":1,"tagged_addresses":{"lan":{"address":"a"}},"Checks":[{"TTL":"1s"},{"args":["a"],"Interval":1e9}],"connect":{"sidecar_service":{"port":2}}}`,
		`{"ID":"c","Name":"n","H2PING":"a","Timeout":"1s","deregister_critical_service_after":"1m","Header":{"a":["b"]}}`,
		`{"Interval":"10s","Timeout":"1s","HTTP":"u","os_service":"x","H2PingUseTLS":true}`,
		`{"Name":"s","LockDelay":15,"TTL":"10s","Checks":["a"],"ServiceChecks":[{"ID":"c"}]}`,
		`{"Kind":"service-splitter","Name":"web","splits":[{"weight":100,"service_subset":"v1"}]}`,
		`{"Node":"n","Address":"a","Service":{"Service":"s","Proxy":{"Config":{"a":1},"Upstreams":[{"local_bind_port":1}]}},"Check":{"Definition":{"Interval":"1s"}}}`,
		`{"Name":"q","Service":{"Service":"s","Failover":{"Targets":[{"Peer":"p"}]}},"DNS":{"TTL":"10s"}}`,
		`{"Name":"s","po_rt":1,"p_ort":2,"port_":3,"_port":4,"p_o_rt":5}`, // as 7, which is a service again
	} {
		f.Add(uint8(i), []byte(text))
	}
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		fresh := func() any {
			return []any{&ServiceDefinition{}, &CheckDefinition{}, &HealthCheckDefinition{}, &Session{}, nil, &RegisterRequest{}, &PreparedQuery{}}[which%7]
		}
		read := func(text []byte) (any, error) {
			into := fresh()
			if into == nil {
				return DecodeConfigEntry(text)
			}
			return into, json.Unmarshal(text, into)
		}
		var once any
		var err error
		if n := allocated(func() { once, err = read(text) }); n > 1<<18+2000*uint64(len(text)) {
			t.Errorf("%d bytes allocate %d", len(text), n)
		}
		twice, errTwice := read(text)
		if (err == nil) != (errTwice == nil) || err == nil && !reflect.DeepEqual(once, twice) {
			t.Fatalf("%s is read as %+v, %v, and then as %+v, %v", text, once, err, twice, errTwice)
		}
		if err != nil {
			return
		}
		shown, err := json.Marshal(once)
		if err != nil {
			t.Fatalf("%+v cannot be shown: %v", once, err)
		}
		if _, err := read(shown); err != nil {
			t.Errorf("%s is shown as %s, which cannot be read: %v", text, shown, err)
		}
	})
}
