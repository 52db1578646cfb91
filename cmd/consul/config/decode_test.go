package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/actors/actortest"
)

// lines splits an expectation into lines; "" is none.
func lines(s string) []string {
	if s = strings.TrimSpace(s); s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// TestMistakes gives whole errors: what an operator sees.
func TestMistakes(t *testing.T) {
	tests := map[string]struct{ name, text, want string }{
		"unknown_hcl": {"a.hcl", "server = true\n\ndatacentre = \"dc1\"\n",
			`a.hcl:3: invalid config key "datacentre"; did you mean "datacenter"?`},
		"unknown_json": {"a.json", "{\n  \"server\": true,\n  \"datacentre\":\n    \"dc1\"\n}",
			`a.json:3: invalid config key "datacentre"; did you mean "datacenter"?`},
		"all_unknown_keys": {"a.hcl", "dns_config {\n  nodettl = \"1s\"\n}\nxyzzy = 1\nport { http = 1 }\n",
			`a.hcl:2: invalid config key "dns_config.nodettl"; did you mean "dns_config.node_ttl"?
a.hcl:4: invalid config key "xyzzy"
a.hcl:5: invalid config key "port"; did you mean "ports"?`},
		"key_of_another_section": {"a.hcl", `only_passing = true`,
			`a.hcl:1: invalid config key "only_passing"; did you mean "dns_config.only_passing"?`},
		"dotted":           {"a.hcl", `ports.http = 80`, `a.hcl:1: invalid config key "ports.http"; put "http" into an object "ports"`},
		"swapped_letters":  {"a.hcl", `sevrer = true`, `a.hcl:1: invalid config key "sevrer"; did you mean "server"?`},
		"unknown_and_null": {"a.json", `{"segmemts": null}`, `a.json:1: invalid config key "segmemts"; did you mean "segments"?`},
		"deep_json": {"a.json", "{\"dns_config\":\n {\"soa\":\n  {\"refresh\": 1,\n   \"refrehs\": 2}}}",
			`a.json:4: invalid config key "dns_config.soa.refrehs"; did you mean "dns_config.soa.refresh"?`},
		"within_a_service": {"a.json", "{\"services\": [{\"name\": \"a\"},\n{\"name\": \"b\", \"prot\": 1}]}",
			`a.json:2: invalid config key "services[1].prot"; did you mean "services[1].port"?`},
		"within_a_check_of_a_service": {"a.hcl", "service {\n  name = \"a\"\n  check {\n    interval = \"1s\"\n    timeuot = \"1s\"\n  }\n}",
			`a.hcl:5: invalid config key "service.check.timeuot"; did you mean "service.check.timeout"?`},

		"text_for_number": {"a.json", "{\"ports\": {\n\"http\": \"8500\"}}", `a.json:2: ports.http: found the text "8500", want a port number`},
		"number_for_text": {"a.hcl", "node_name = 7", `a.hcl:1: node_name: found the number 7, want a text`},
		"text_for_bool":   {"a.hcl", `server = "yes"`, `a.hcl:1: server: found the text "yes", want true or false`},
		"text_for_list":   {"a.hcl", `retry_join = "10.0.0.1"`, `a.hcl:1: retry_join: found the text "10.0.0.1", want a list of texts`},
		"mixed_list":      {"a.hcl", `retry_join = ["a", 1]`, `a.hcl:1: retry_join: found a list, want a list of texts`},
		"list_for_object": {"a.json", `{"ports": [1]}`, `a.json:1: ports: found a list, want an object`},
		"text_for_object": {"a.hcl", `ports = "8500"`, `a.hcl:1: ports: found the text "8500", want an object`},
		"object_for_text": {"a.hcl", `node_name { a = 1 }`, `a.hcl:1: node_name: found an object, want a text`},
		"fraction":        {"a.hcl", `ports { http = 80.5 }`, `a.hcl:1: ports.http: found the number 80.5, want a port number`},
		"no_duration":     {"a.hcl", `retry_interval = "soon"`, `a.hcl:1: retry_interval: found the text "soon", want a duration such as "10s"`},
		"bare_duration":   {"a.json", `{"retry_interval": 30}`, `a.json:1: retry_interval: found the number 30, want a duration such as "10s"`},
		"secret":          {"a.hcl", `encrypt = 1234`, `a.hcl:1: encrypt: found a number, want a text`},
		"text_for_ttls":   {"a.hcl", `dns_config { service_ttl = "5s" }`, `a.hcl:1: dns_config.service_ttl: found the text "5s", want an object whose values are durations such as "10s"`},
		"text_for_meta":   {"a.hcl", `node_meta = "x"`, `a.hcl:1: node_meta: found the text "x", want an object whose values are texts (as a flag: key:value)`},
		"list_for_header": {"a.hcl", `check { ttl = "1s" header { X = "1" } }`, `a.hcl:1: check.header: found an object, want an object whose values are lists of texts`},
		"list_for_tagged": {"a.hcl", `service { name = "a" tagged_addresses = ["x"] }`, `a.hcl:1: service.tagged_addresses: found a list, want an object of addresses with ports`},
		"true_for_number": {"a.hcl", `limits { rpc_rate = true }`, `a.hcl:1: limits.rpc_rate: found true, want a number`},
		"text_for_any":    {"a.hcl", `connect { ca_config = "x" }`, `a.hcl:1: connect.ca_config: found the text "x", want an object`},

		"port_too_high":     {"a.hcl", "ports {\n http = 65536\n}", `a.hcl:2: ports.http cannot be 65536. Must be a port from 1 to 65535, or -1 to disable it`},
		"port_zero":         {"a.hcl", `ports { dns = 0 }`, `a.hcl:1: ports.dns cannot be 0. Must be a port from 1 to 65535, or -1 to disable it`},
		"negative_count":    {"a.hcl", `dns_config { udp_answer_limit = -1 }`, `a.hcl:1: dns_config.udp_answer_limit cannot be -1. Must be greater than or equal to zero`},
		"negative_duration": {"a.hcl", `dns_config { node_ttl = "-1s" }`, `a.hcl:1: dns_config.node_ttl cannot be -1s. Must not be negative`},
		"negative_ttl":      {"a.hcl", `dns_config { service_ttl { a = "1s" b = "-1s" } }`, `a.hcl:1: dns_config.service_ttl for "b" cannot be -1s. Must not be negative`},
		"zero_interval":     {"a.hcl", `retry_interval = "0s"`, `a.hcl:1: retry_interval cannot be 0s. Must be greater than zero`},
		"zero_count":        {"a.hcl", `gossip_lan { gossip_nodes = 0 }`, `a.hcl:1: gossip_lan.gossip_nodes cannot be 0. Must be greater than zero`},

		"nameless_service": {"a.hcl", "services = [\n{ name = \"a\" },\n{ port = 1 }]", `a.hcl:3: services[1]: a service needs a name`},
		"service_port":     {"a.hcl", `service { name = "a" port = 70000 }`, `a.hcl:1: service: port cannot be 70000. Must be from 0 to 65535`},
		"check_without":    {"a.hcl", `check { name = "a" http = "http://x" }`, `a.hcl:1: check: a check needs an interval, or a ttl`},
		"text_for_service": {"a.hcl", `service = "web"`, `a.hcl:1: service: found the text "web", want a service definition or a list of them`},

		"bad_json":           {"a.json", "{\n\"server\": true,\n}", "a.json:3: invalid JSON: invalid character '}' looking for beginning of object key string"},
		"json_without_colon": {"a.json", "{\n\"server\" true}", "a.json:2: invalid JSON: invalid character 't' after object key"},
		"hcl_cut_off":        {"a.hcl", "server = true\nlog_level = # to be written\n", "a.hcl:2: invalid HCL: the file ends where a value should be"},
		"json_cut_off":       {"a.json", "{\n\"ports\": {\n", "a.json:2: invalid JSON: the file ends in the middle of a value"},
		"json_and_more":      {"a.json", "{}\n{}", "a.json:2: invalid JSON: there is more after the end of the object"},
		"json_list":          {"a.json", `[1]`, "a.json:1: found a list, want an object with the agent's keys"},
		"json_too_deep":      {"a.json", `{"watches": ` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + "}", "a.json:1: invalid JSON: objects and lists nest deeper than 64"},
		"bad_hcl":            {"a.hcl", "server = true\nports {\n", "a.hcl:3: invalid HCL: object expected closing RBRACE got: EOF"},
		"hcl_too_deep":       {"a.hcl", "watches = " + strings.Repeat("[", 70) + strings.Repeat("]", 70), "a.hcl:1: invalid HCL: objects and lists nest deeper than 64"},
		"hcl_labels":         {"a.hcl", "a \"b\" \"c\" \"d\" \"e\" { }", "a.hcl:1: invalid HCL: 5 keys before one value"},
		"hcl_escape":         {"a.hcl", "server = true\nnode_name = \"\\777\"", `a.hcl:2: invalid HCL: unquote "\777" err: invalid syntax`},
		"hcl_null":           {"a.hcl", "node_name = \"a\"\n\x00", "a.hcl:2: invalid HCL: unexpected null character (0x00)"},
		"hcl_number":         {"a.hcl", "ports { http = 99999999999999999999 }", "a.hcl:1: ports.http: found the number 99999999999999999999, want a port number"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, problems := decode(tt.name, formatOf(tt.name), []byte(tt.text))
			var got string
			if problems != nil {
				got = problems.Error()
			}
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestManyMistakes(t *testing.T) {
	_, _, problems := decode("a.hcl", formatHCL, []byte(strings.Repeat("xyzzy = 1\n", maxProblems+5)))
	if len(problems) != maxProblems+1 || problems[maxProblems].Error() != "a.hcl: and 5 more problems" {
		t.Errorf("%d problems, the last is %q", len(problems), problems[len(problems)-1].Error())
	}
}

// TestFormatsAgree decodes one configuration in the ways that it can be written.
func TestFormatsAgree(t *testing.T) {
	tests := map[string]string{
		"json":         `{"ports": {"http": 80, "dns": 53}, "retry_join": ["a", "b"], "dns_config": {"service_ttl": {"*": "5s"}, "soa": {"retry": 7}}, "node_meta": {"k": "v"}}`,
		"json_blocks":  `{"ports": [{"http": 80}, {"dns": 53}], "retry_join": ["a", "b"], "dns_config": [{"service_ttl": [{"*": "5s"}], "soa": [{"retry": 7.0}]}], "node_meta": [{"k": "v"}]}`,
		"json_case":    `{"Ports": {"HTTP": 80, "Dns": 53}, "RETRY_JOIN": ["a", "b"], "dns_config": {"service_ttl": {"*": "5s"}, "soa": {"retry": 7}}, "node_meta": {"k": "v"}}`,
		"hcl_blocks":   "ports { http = 80 }\nports { dns = 53 }\nretry_join = [\"a\"]\nretry_join = [\"b\"]\ndns_config { service_ttl { \"*\" = \"5s\" } soa { retry = 7 } }\nnode_meta { k = \"v\" }",
		"hcl_objects":  `ports = { http = 80, dns = 53 } retry_join = ["a", "b"] dns_config = { service_ttl = { "*" = "5s" } soa = { retry = 7 } } node_meta = { k = "v" }`,
		"hcl_as_json":  `{"ports": {"http": 80, "dns": 53}, "retry_join": ["a", "b"], "dns_config": {"service_ttl": {"*": "5s"}, "soa": {"retry": 7}}, "node_meta": {"k": "v"}}`,
		"hcl_labelled": "ports { http = 80 dns = 0x35 }\r\nretry_join = [\"a\", \"b\",]\r\ndns_config \"soa\" { retry = 7 } # labels are keys\r\ndns_config { service_ttl { \"*\" = \"5s\" } }\r\nnode_meta { k = \"v\" }",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			format, _, _ := strings.Cut(name, "_")
			got, warnings, problems := decode("a", format, []byte(text))
			if problems != nil || warnings != nil {
				t.Fatal(problems, warnings)
			}
			want := map[string]any{
				"ports.http": 80, "ports.dns": 53, "retry_join": []string{"a", "b"}, "dns_config.soa.retry": 7,
				"dns_config.service_ttl": map[string]time.Duration{"*": 5 * time.Second}, "node_meta": map[string]string{"k": "v"},
			}
			for path, value := range want {
				if !same(got[path].value, value) {
					t.Errorf("%s is %v, want %v", path, got[path].value, value)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d keys, want %d", len(got), len(want))
			}
		})
	}
}

func TestOldKeys(t *testing.T) {
	tests := map[string]struct {
		text     string
		path     string // of the key that is set
		want     any
		warnings string
	}{
		"singular": {`recursor = "8.8.8.8"`, "recursors", []string{"8.8.8.8"}, `a.hcl:1: "recursor" is deprecated: use "recursors"`},
		"moved":    {`statsite_addr = "x:1"`, "telemetry.statsite_address", "x:1", `a.hcl:1: "statsite_addr" is deprecated: use "telemetry.statsite_address"`},
		"ui":       {`ui = true`, "ui_config.enabled", true, `a.hcl:1: "ui" is deprecated: use "ui_config.enabled"`},
		"gone":     {`acl_enforce_version_8 = true`, "", nil, `a.hcl:1: "acl_enforce_version_8" was removed from Consul and has no effect`},
		"gone_advice": {`retry_join_ec2 { tag_key = "x" }`, "", nil,
			`a.hcl:1: "retry_join_ec2" was removed from Consul and has no effect; use retry_join with the servers' addresses`},
		"dotted":     {`telemetry { disable_compat_1.9 = true }`, "", nil, `a.hcl:1: "telemetry.disable_compat_1.9" was removed from Consul and has no effect`},
		"sdk":        {`acl { tokens { master = "root" } }`, "acl.tokens.initial_management", "root", ``},
		"enterprise": {`segment = "alpha"`, "", nil, `a.hcl:1: "segment" is a Consul Enterprise configuration and will have no effect`},
		"enterprise_twice": {"audit { enabled = true }\nautopilot { redundancy_zone_tag = \"z\" }", "", nil,
			"a.hcl:1: \"audit\" is a Consul Enterprise configuration and will have no effect\na.hcl:2: \"autopilot.redundancy_zone_tag\" is a Consul Enterprise configuration and will have no effect"},
		"old_enterprise": {`non_voting_server = true`, "", nil,
			"a.hcl:1: \"non_voting_server\" is deprecated: use \"read_replica\"\na.hcl:1: \"non_voting_server\" is a Consul Enterprise configuration and will have no effect"},
		"null": {`{"segments": null, "recursor": null}`, "", nil, ``},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, warnings, problems := decode("a.hcl", formatHCL, []byte(tt.text))
			if problems != nil {
				t.Fatal(problems)
			}
			if tt.path == "" && len(got) > 0 || tt.path != "" && !same(got[tt.path].value, tt.want) {
				t.Errorf("got %v, want %s = %v", got, tt.path, tt.want)
			}
			var texts []string
			for _, w := range warnings {
				texts = append(texts, w.String())
			}
			if !slices.Equal(texts, lines(tt.warnings)) {
				t.Errorf("warnings are\n%s\nwant\n%s", strings.Join(texts, "\n"), tt.warnings)
			}
		})
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "ab", 2}, {"server", "server", 0}, {"server", "sevrer", 1}, {"server", "servers", 1},
		{"datacentre", "datacenter", 1}, {"kitten", "sitting", 3}, {"abc", "xyz", 3},
	}
	for _, tt := range tests {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) is %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := distance(tt.b, tt.a); got != tt.want {
			t.Errorf("distance(%q, %q) is %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}

// FuzzDecode looks for text that panics a decoder. Whatever decodes must resolve or be refused, too.
func FuzzDecode(f *testing.F) {
	f.Add(formatHCL, []byte("server = true\nports { http = 80 }\nservice \"web\" { port = 1 }"))
	f.Add(formatJSON, []byte(`{"server": true, "ports": {"http": 80}, "services": [{"Name": "web", "Checks": [{"TTL": "1s"}]}]}`))
	f.Fuzz(func(t *testing.T, format string, data []byte) {
		if format != formatJSON {
			format = formatHCL
		}
		var s settings
		var warnings []Warning
		var problems Problems
		if n := actortest.Allocated(func() { s, warnings, problems = decode("fuzz", format, data) }); n > 1<<20+20_000*uint64(len(data)) {
			t.Errorf("%d bytes allocate %d", len(data), n)
		}
		for _, w := range warnings {
			if w.String() == "" {
				t.Error("an empty warning")
			}
		}
		if problems != nil {
			if problems.Error() == "" {
				t.Error("an empty problem")
			}
			return
		}
		l := &layers{all: defaults(), unobeyed: map[string]bool{}}
		l.dev()
		l.user(s)
		rt, _, err := resolve(l.all, true, host())
		if (rt == nil) == (err == nil) {
			t.Errorf("resolve gave %v and %v", rt, err)
		}
	})
}
