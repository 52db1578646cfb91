package config

import (
	"slices"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	base := client("-hcl", `encrypt = "mrWXjGGTjXkkfTtZIPrTqg==" service { name = "a" }`)
	tests := map[string]struct {
		more []string
		want string
	}{
		"nothing":     {nil, ``},
		"same_value":  {[]string{"-hcl", `log_level = "INFO"`}, ``},
		"applied":     {[]string{"-log-level", "debug"}, `log_level: "info" -> "debug" (applied)`},
		"restart":     {[]string{"-datacenter", "dc2"}, "datacenter: \"dc1\" -> \"dc2\" (needs restart)\nprimary_datacenter: \"dc1\" -> \"dc2\" (needs restart)"},
		"no_effect":   {[]string{"-hcl", `acl { enabled = true }`}, `acl.enabled: false -> true (no effect)`},
		"list":        {[]string{"-recursor", "8.8.8.8"}, `recursors: [] -> ["8.8.8.8:53"] (applied)`},
		"map":         {[]string{"-node-meta", "k:v"}, `node_meta: map[] -> map["k":"v"] (applied)`},
		"durations":   {[]string{"-hcl", `dns_config { service_ttl { web = "5s" } node_ttl = "1s" }`}, "dns_config.node_ttl: 0s -> 1s (applied)\ndns_config.service_ttl: [] -> [web:5s] (applied)"},
		"definitions": {[]string{"-hcl", `service { name = "b" }`}, `services: 1 definition -> 2 definitions (applied)`},
		"check":       {[]string{"-hcl", `check { name = "b" ttl = "1s" }`}, `checks: 0 definitions -> 1 definition (applied)`},
		"secret":      {[]string{"-hcl", `encrypt = "AAAAAAAAAAAAAAAAAAAAAA=="`}, `encrypt: (secret) -> (secret) (needs restart)`},
		"unset":       {[]string{"-hcl", `ui_config { metrics_proxy { token = "hush" } }`}, `ui_config.metrics_proxy: unset -> (not shown) (no effect)`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			changes, unchanged := Diff(load(t, base...), load(t, append(slices.Clone(base), tt.more...)...))
			var got []string
			for _, c := range changes {
				got = append(got, c.String())
			}
			if !slices.Equal(got, lines(tt.want)) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), tt.want)
			}
			if unchanged+len(changes) != len(Keys()) {
				t.Errorf("%d keys are unchanged, %d changed, of %d", unchanged, len(changes), len(Keys()))
			}
		})
	}
}
