package wire

import (
	"slices"
	"strings"
	"testing"
)

func TestValidateMeta(t *testing.T) {
	many := map[string]string{}
	for i := range metaMaxPairs + 1 {
		many[strings.Repeat("k", i+1)] = "v"
	}
	tests := []struct {
		name     string
		meta     map[string]string
		reserved bool
		want     string // part of the error, empty for none
	}{
		{name: "nothing"},
		{name: "good", meta: map[string]string{"rack-1_A": "anything at all"}},
		{name: "no_key", meta: map[string]string{"": "v"}, want: "Key cannot be blank"},
		{name: "bad_key", meta: map[string]string{"a.b": "v"}, want: "Key contains invalid characters"},
		{name: "long_key", meta: map[string]string{strings.Repeat("k", metaKeyMaxLength+1): "v"}, want: "Key is too long (limit: 128 characters)"},
		{name: "long_value", meta: map[string]string{"k": strings.Repeat("v", metaValueMaxLength+1)}, want: "Value is too long (limit: 512 characters)"},
		{name: "reserved", meta: map[string]string{"consul-x": "v"}, want: "Key prefix 'consul-' is reserved for internal use"},
		{name: "reserved_by_the_agent", meta: map[string]string{"consul-x": "v"}, reserved: true},
		{name: "too_many", meta: many, want: "cannot contain more than 64 key/value pairs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := ValidateNodeMeta(tt.meta, tt.reserved)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
		})
	}
	if err := ValidateServiceMeta(ServiceKindMeshGateway, map[string]string{MetaWANFederationKey: "1"}); err != nil {
		t.Errorf("a mesh gateway may not say that it federates: %v", err)
	}
	if err := ValidateServiceMeta(ServiceKindTypical, map[string]string{MetaWANFederationKey: "1"}); err == nil {
		t.Error("a typical service may say that it federates")
	}
}

func TestValidateWeights(t *testing.T) {
	tests := []struct {
		name string
		w    *Weights
		ok   bool
	}{
		{"none", nil, true},
		{"usual", &Weights{1, 1}, true},
		{"no_warning", &Weights{1, 0}, true},
		{"most", &Weights{65535, 65535}, true},
		{"no_passing", &Weights{0, 1}, false},
		{"negative_warning", &Weights{1, -1}, false},
		{"too_much", &Weights{65536, 1}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := ValidateWeights(tt.w); (err == nil) != tt.ok {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func TestTags(t *testing.T) {
	tests := []struct {
		name string
		req  ServiceSpecificRequest
		want []string
	}{
		{"not_asked_for", ServiceSpecificRequest{ServiceTag: "a", ServiceTags: []string{"b"}}, nil},
		{"several", ServiceSpecificRequest{TagFilter: true, ServiceTags: []string{"a", "b"}}, []string{"a", "b"}},
		{"old_client", ServiceSpecificRequest{TagFilter: true, ServiceTag: "a"}, []string{"a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.req.Tags(); !slices.Equal(got, tt.want) {
				t.Errorf("Tags() = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSessionCheckIDs(t *testing.T) {
	tests := []struct {
		name string
		s    Session
		want []string
	}{
		{"none", Session{}, nil},
		{"node_and_service", Session{NodeChecks: []string{"a"}, ServiceChecks: []ServiceCheck{{ID: "b"}}}, []string{"a", "b"}},
		{"old_name", Session{Checks: []string{"a"}}, []string{"a"}},
		{"new_name_wins", Session{Checks: []string{"a"}, NodeChecks: []string{"b"}}, []string{"b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.s.CheckIDs(); !slices.Equal(got, tt.want) {
				t.Errorf("CheckIDs() = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestBestAddress(t *testing.T) {
	n := CheckServiceNode{
		Node:    &Node{Address: "10.0.0.1", TaggedAddresses: map[string]string{TaggedAddressWAN: "1.0.0.1"}},
		Service: &NodeService{Port: 80, TaggedAddresses: map[string]ServiceAddress{}},
	}
	check := func(name string, wan bool, addr string, port int) {
		t.Helper()
		if a, p := n.BestAddress(wan); a != addr || p != port {
			t.Errorf("%s: %s:%d, want %s:%d", name, a, p, addr, port)
		}
	}
	check("of the node", false, "10.0.0.1", 80)
	check("of the node, WAN", true, "1.0.0.1", 80)
	n.Service.Address = "10.0.0.2"
	check("of the service", true, "10.0.0.2", 80)
	n.Service.TaggedAddresses[TaggedAddressWAN] = ServiceAddress{Address: "1.0.0.2", Port: 81}
	check("of the service, WAN", true, "1.0.0.2", 81)
}
