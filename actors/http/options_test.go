package http

import (
	"maps"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// asked returns a request as a handler gets it.
func asked(t *testing.T, cfg Config, target string, headers ...string) *request {
	t.Helper()
	hr := httptest.NewRequest("GET", target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		hr.Header.Set(headers[i], headers[i+1])
	}
	r := &request{Request: hr, api: &api{cfg: cfg}}
	if err := r.parse(); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOptions(t *testing.T) {
	stale := Config{DiscoveryMaxStale: time.Minute}
	tests := []struct {
		name    string
		cfg     Config
		target  string
		headers []string
		want    wire.QueryOptions
	}{
		{name: "none", target: "/v1/catalog/nodes"},
		{name: "stale", target: "/?stale", want: wire.QueryOptions{AllowStale: true}},
		{name: "consistent", target: "/?consistent=", want: wire.QueryOptions{RequireConsistent: true}},
		{name: "waiting", target: "/?index=7&wait=10s", want: wire.QueryOptions{MinQueryIndex: 7, MaxQueryTime: 10 * time.Second}},
		{name: "empty_values", target: "/?index=&wait=", want: wire.QueryOptions{}},
		{name: "filter", target: "/?filter=Node+%3D%3D+a", want: wire.QueryOptions{Filter: "Node == a"}},
		{name: "max_stale", target: "/?max_stale=3s", want: wire.QueryOptions{AllowStale: true, MaxStaleDuration: 3 * time.Second}},
		{name: "max_stale_of_nothing", target: "/?max_stale=0s", want: wire.QueryOptions{}},
		{name: "cached", target: "/?cached", headers: []string{"Cache-Control", "max-age=5, Stale-If-Error=6"},
			want: wire.QueryOptions{UseCache: true, MaxAge: 5 * time.Second, StaleIfError: 6 * time.Second}},
		{name: "max_age_0", target: "/", headers: []string{"Cache-Control", "max-age=0"}, want: wire.QueryOptions{MustRevalidate: true}},
		{name: "other_directives", target: "/", headers: []string{"Cache-Control", "no-cache"}, want: wire.QueryOptions{}},
		{name: "discovery_is_stale", cfg: stale, target: "/v1/health/service/a", want: wire.QueryOptions{AllowStale: true, MaxStaleDuration: time.Minute}},
		{name: "but_for_leader", cfg: stale, target: "/v1/health/service/a?leader", want: wire.QueryOptions{}},
		{name: "and_for_consistent", cfg: stale, target: "/v1/catalog/nodes?consistent", want: wire.QueryOptions{RequireConsistent: true}},
		{name: "and_for_keys", cfg: stale, target: "/v1/kv/a", want: wire.QueryOptions{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got wire.QueryOptions
			if err := asked(t, tt.cfg, tt.target, tt.headers...).options(&got); err != nil || got != tt.want {
				t.Errorf("options = %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
}

func TestBadOptions(t *testing.T) {
	tests := []struct {
		target  string
		headers []string
		want    string
	}{
		{target: "/?index=x", want: "Invalid index"},
		{target: "/?index=-1", want: "Invalid index"},
		{target: "/?index=18446744073709551616", want: "Invalid index"},
		{target: "/?wait=x", want: "Invalid wait time"},
		{target: "/?wait=10", want: "Invalid wait time"},
		{target: "/?max_stale=x", want: `Invalid max_stale value "x"`},
		{target: "/?stale&consistent", want: "Cannot specify ?stale with ?consistent, conflicting semantics."},
		{target: "/?cached&consistent", want: "Cannot specify ?cached with ?consistent, conflicting semantics."},
		{target: "/", headers: []string{"Cache-Control", "max-age=soon"}, want: "Invalid Cache-Control header."},
		{target: "/", headers: []string{"Cache-Control", "max-age=99999999999"}, want: "Invalid Cache-Control header."},
	}
	for _, tt := range tests {
		err := asked(t, Config{}, tt.target, tt.headers...).options(new(wire.QueryOptions))
		if err == nil || err.Error() != tt.want || asProblem(err).status != 400 {
			t.Errorf("%s %v: %v, want %q", tt.target, tt.headers, err, tt.want)
		}
	}
}

func TestToken(t *testing.T) {
	tests := []struct {
		name    string
		target  string
		headers []string
		want    string
	}{
		{name: "none", target: "/"},
		{name: "parameter", target: "/?token=a", want: "a"},
		{name: "header", target: "/", headers: []string{"X-Consul-Token", "b"}, want: "b"},
		{name: "bearer", target: "/", headers: []string{"Authorization", "bearer c"}, want: "c"},
		{name: "bearer_with_spaces", target: "/", headers: []string{"Authorization", "Bearer   c d"}, want: "c"},
		{name: "another_scheme", target: "/", headers: []string{"Authorization", "Basic c"}},
		{name: "no_scheme", target: "/", headers: []string{"Authorization", "c"}},
		{name: "parameter_before_header", target: "/?token=a", headers: []string{"X-Consul-Token", "b"}, want: "a"},
		{name: "header_before_bearer", target: "/", headers: []string{"X-Consul-Token", "b", "Authorization", "Bearer c"}, want: "b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := asked(t, Config{}, tt.target, tt.headers...).token(); got != tt.want {
				t.Errorf("token = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLoggable(t *testing.T) {
	tests := []struct{ target, want string }{
		{"/v1/kv/a", "/v1/kv/a"},
		{"/v1/kv/a?raw&x=1", "/v1/kv/a?raw&x=1"},
		{"/v1/kv/a?x=1&token=s3cret", "/v1/kv/a?token=%3Chidden%3E&x=1"},
		{"/v1/kv/a?token=s3cret&token=s3cret2", "/v1/kv/a?token=%3Chidden%3E"},
		{"/v1/kv/a?token=s3cret;x", "/v1/kv/a?<unreadable>"},
		{"/v1/kv/a?%zz&token=s3cret", "/v1/kv/a?<unreadable>"},
	}
	for _, tt := range tests {
		r := &request{Request: httptest.NewRequest("GET", tt.target, nil)}
		if got := r.loggable(); got != tt.want {
			t.Errorf("loggable(%s) = %s, want %s", tt.target, got, tt.want)
		}
	}
}

func TestWhere(t *testing.T) {
	cfg := Config{Facts: Facts{Datacenter: "dc1", NodeName: "me"}}
	r := asked(t, cfg, "/?dc=dc2&near=_agent&node-meta=rack:r1&node-meta=zone:a:b&node-meta=bare")
	if want := (wire.QuerySource{Datacenter: "dc2", Node: "me", Ip: "192.0.2.1"}); r.source() != want {
		t.Errorf("source = %+v, want %+v", r.source(), want)
	}
	if got, want := r.nodeMeta(), map[string]string{"rack": "r1", "zone": "a:b", "bare": ""}; !maps.Equal(got, want) {
		t.Errorf("node meta = %v, want %v", got, want)
	}
	r = asked(t, cfg, "/?datacenter=dc3&dc=dc2&near=other", "X-Forwarded-For", "10.0.0.9, 10.0.0.1")
	if want := (wire.QuerySource{Datacenter: "dc3", Node: "other", Ip: "10.0.0.9"}); r.source() != want {
		t.Errorf("source = %+v, want %+v", r.source(), want)
	}
	if got := asked(t, cfg, "/").datacenter(); got != "dc1" {
		t.Errorf("datacenter = %q, want the agent's own", got)
	}
}

func TestNames(t *testing.T) {
	tests := []struct {
		name    string
		rule    naming
		target  string
		headers []string
		want    string
	}{
		{name: "none", target: "/"},
		{name: "empty", target: "/?ns=&partition="},
		{name: "ns", target: "/?ns=x", want: `Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature`},
		{name: "partition", target: "/?partition=x", want: `Invalid query parameter: "partition" - Partitions are a Consul Enterprise feature`},
		{name: "ns_header", target: "/", headers: []string{"X-Consul-Namespace", "x"}, want: `Invalid header: "X-Consul-Namespace" - Namespaces are a Consul Enterprise feature`},
		{name: "partition_header", target: "/", headers: []string{"X-Consul-Partition", "x"}, want: `Invalid header: "X-Consul-Partition" - Partitions are a Consul Enterprise feature`},
		{name: "ns_where_there_are_none", rule: noPartition, target: "/?ns=x"},
		{name: "partition_there", rule: noPartition, target: "/?partition=x", want: `Invalid query parameter: "partition" - Partitions are a Consul Enterprise feature`},
		{name: "anything", rule: anyNames, target: "/?partition=x&ns=y"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := asked(t, Config{}, tt.target, tt.headers...).checkNames(tt.rule); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("checkNames = %q, want %q", got, tt.want)
			}
		})
	}
}
