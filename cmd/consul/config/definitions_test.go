package config

import (
	"reflect"
	"testing"
	"time"
)

func TestDefinitions(t *testing.T) {
	web := Service{
		ID: "web-1", Name: "web", Tags: []string{"v1"}, Address: "10.0.0.1", Port: 80, Meta: map[string]string{"k": "v"}, Token: "hush",
		TaggedAddresses: map[string]Endpoint{"wan": {Address: "192.0.2.1", Port: 8080}}, Weights: Weights{Passing: 3, Warning: 2}, EnableTagOverride: true,
		Connect: map[string]any{"sidecar_service": map[string]any{"port": 20000}},
		Checks: []Check{
			{ID: "a", HTTP: "http://10.0.0.1/", Header: map[string][]string{"X": {"1", "2"}}, Interval: 10 * time.Second, Timeout: time.Second, H2PingUseTLS: true,
				DeregisterCriticalServiceAfter: time.Hour, TLSSkipVerify: true},
			{ID: "b", TTL: 30 * time.Second, H2PingUseTLS: true},
		},
	}
	tests := map[string]struct{ format, text string }{
		"snake_case": {formatJSON, `{"service": {"id": "web-1", "name": "web", "tags": ["v1"], "address": "10.0.0.1", "port": 80, "meta": {"k": "v"}, "token": "hush",
			"tagged_addresses": {"wan": {"address": "192.0.2.1", "port": 8080}}, "weights": {"passing": 3, "warning": 2}, "enable_tag_override": true,
			"connect": {"sidecar_service": {"port": 20000}},
			"checks": [{"id": "a", "http": "http://10.0.0.1/", "header": {"X": ["1", "2"]}, "interval": "10s", "timeout": "1s", "deregister_critical_service_after": "1h", "tls_skip_verify": true},
				{"check_id": "b", "ttl": "30s"}]}}`},
		"camel_case": {formatJSON, `{"services": [{"ID": "web-1", "Name": "web", "Tags": ["v1"], "Address": "10.0.0.1", "Port": 80, "Meta": {"k": "v"}, "Token": "hush",
			"TaggedAddresses": {"wan": {"Address": "192.0.2.1", "Port": 8080}}, "Weights": {"Passing": 3, "Warning": 2}, "EnableTagOverride": true,
			"Connect": {"sidecar_service": {"port": 20000}},
			"Checks": [{"ID": "a", "HTTP": "http://10.0.0.1/", "Header": {"X": ["1", "2"]}, "Interval": "10s", "Timeout": "1s", "DeregisterCriticalServiceAfter": "1h", "TLSSkipVerify": true},
				{"CheckID": "b", "TTL": "30s"}]}]}`},
		"blocks": {formatHCL, `service {
			id = "web-1" name = "web" tags = ["v1"] address = "10.0.0.1" port = 80 token = "hush" enable_tag_override = true
			meta { k = "v" }
			tagged_addresses { wan { address = "192.0.2.1" port = 8080 } }
			weights { passing = 3 warning = 2 }
			connect { sidecar_service { port = 20000 } }
			check { id = "a" http = "http://10.0.0.1/" header { X = ["1", "2"] } interval = "10s" timeout = "1s" deregister_critical_service_after = "1h" tls_skip_verify = true }
			check { id = "b" ttl = "30s" }
		}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, warnings, problems := decode("a", tt.format, []byte(tt.text))
			if problems != nil || warnings != nil {
				t.Fatal(problems, warnings)
			}
			if want := []Service{web}; !reflect.DeepEqual(got["services"].value, want) {
				t.Errorf("got\n%+v\nwant\n%+v", got["services"].value, want)
			}
		})
	}
}

// TestDefinitionsAdd gathers definitions of all files and of both spellings.
func TestDefinitionsAdd(t *testing.T) {
	rt := load(t, "-dev",
		"-hcl", `service { name = "a" } services = [{ name = "b" }, { name = "c" }] service { name = "d" } check { name = "x" ttl = "1s" }`,
		"-hcl", `{"service": {"name": "e"}, "checks": [{"name": "y", "script": "true", "interval": "1s"}]}`)
	var names string
	for _, s := range rt.Services {
		names += s.Name
	}
	if names != "abcde" {
		t.Errorf("services are %q", names)
	}
	if len(rt.Checks) != 2 || rt.Checks[0].Name != "x" || rt.Checks[1].Script != "true" {
		t.Errorf("checks are %+v", rt.Checks)
	}
}

func TestEnterpriseInDefinitions(t *testing.T) {
	got := warningsOf(t, "-dev", "-hcl", "service {\n name = \"a\"\n Namespace = \"team\"\n}")
	if want := `-hcl:3: "service.Namespace" is a Consul Enterprise configuration and will have no effect`; len(got) != 1 || got[0] != want {
		t.Errorf("warnings are %q, want %q", got, want)
	}
}
