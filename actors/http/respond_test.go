package http

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

func TestAcceptsGzip(t *testing.T) {
	tests := []struct {
		header string
		want   bool
	}{
		{"", false}, {"gzip", true}, {"deflate, GZIP", true}, {"br", false}, {"*", true},
		{"gzip;q=0", false}, {"gzip; q=0.5", true}, {"gzip;q=0, *", false}, {"*;q=0, gzip", true},
		{"gzip;q=x", false}, {"identity", false},
	}
	for _, tt := range tests {
		if got := acceptsGzip([]string{tt.header}); got != tt.want {
			t.Errorf("acceptsGzip(%q) = %t, want %t", tt.header, got, tt.want)
		}
	}
}

func TestCompressed(t *testing.T) {
	a := newStage(t).api(t)
	for name, size := range map[string]int{"small": compressFrom - 100, "large": compressFrom} {
		value := strings.Repeat("v", size)
		if got := call(a, "PUT", "/v1/kv/"+name, value); got.Code != http.StatusOK {
			t.Fatalf("put: %d %s", got.Code, got.Body)
		}
		got := call(a, "GET", "/v1/kv/"+name+"?raw", "", "Accept-Encoding", "gzip")
		body := got.Body.Bytes()
		if zipped := got.Header().Get("Content-Encoding") == "gzip"; zipped != (name == "large") {
			t.Errorf("%s: compressed = %t", name, zipped)
		} else if zipped {
			in, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(in); err != nil {
				t.Fatal(err)
			}
		}
		if string(body) != value {
			t.Errorf("%s: another value came back", name)
		}
		if got.Header().Get("Content-Length") != fmt.Sprint(got.Body.Len()) {
			t.Errorf("%s: Content-Length %s of %d bytes", name, got.Header().Get("Content-Length"), got.Body.Len())
		}
		if got := call(a, "GET", "/v1/kv/"+name+"?raw", ""); got.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: compressed for who did not ask", name)
		}
	}
}

func TestPretty(t *testing.T) {
	a := newStage(t).api(t)
	if got, want := call(a, "GET", "/v1/status/peers?pretty", "").Body.String(), "[\n    \"127.0.0.1:8300\",\n    \"127.0.0.2:8300\"\n]\n"; got != want {
		t.Errorf("pretty: %q, want %q", got, want)
	}
	if got, want := call(a, "GET", "/v1/status/peers", "").Body.String(), `["127.0.0.1:8300","127.0.0.2:8300"]`; got != want {
		t.Errorf("plain: %q, want %q", got, want)
	}
}

// TestAlways wants the headers that no answer lacks on answers of every kind.
func TestAlways(t *testing.T) {
	s := newStage(t)
	s.cfg.ResponseHeaders = map[string]string{"X-Ours": "yes"}
	a := s.api(t)
	for _, target := range []string{
		"GET /v1/catalog/nodes", "GET /v1/kv/none", "GET /v1/nope", "GET /nope", "GET /", "GET /robots.txt", "PUT /v1/catalog/nodes",
		"OPTIONS /v1/kv/a", "PUT /v1/kv/a//b", "GET /v1/catalog/nodes?index=x", "GET /debug/pprof/heap", "GET /v1/kv/%01", "GET /v1/kv/a?%zz",
	} {
		method, path, _ := strings.Cut(target, " ")
		h := call(a, method, path, "").Header()
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding", "X-Ours": "yes"} {
			if h.Get(name) != want {
				t.Errorf("%s: %s = %q, want %q", target, name, h.Get(name), want)
			}
		}
	}
}

func TestSetMeta(t *testing.T) {
	tests := []struct {
		name  string
		meta  wire.QueryMeta
		level string
		want  map[string]string
	}{
		{"index_is_never_0", wire.QueryMeta{}, "", map[string]string{
			"X-Consul-Index": "1", "X-Consul-Knownleader": "false", "X-Consul-Lastcontact": "0", "X-Consul-Query-Backend": "blocking-query",
		}},
		{"all", wire.QueryMeta{Index: 9, KnownLeader: true, LastContact: 1500 * time.Millisecond, ResultsFilteredByACLs: true}, "stale", map[string]string{
			"X-Consul-Index": "9", "X-Consul-Knownleader": "true", "X-Consul-Lastcontact": "1500", "X-Consul-Query-Backend": "blocking-query",
			"X-Consul-Effective-Consistency": "stale", "X-Consul-Results-Filtered-By-Acls": "true",
		}},
		{"a_clock_that_went_back", wire.QueryMeta{Index: 9, LastContact: -time.Second}, "", map[string]string{
			"X-Consul-Index": "9", "X-Consul-Knownleader": "false", "X-Consul-Lastcontact": "0", "X-Consul-Query-Backend": "blocking-query",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			setMeta(h, &tt.meta, tt.level)
			for name, want := range tt.want {
				if h.Get(name) != want {
					t.Errorf("%s = %q, want %q", name, h.Get(name), want)
				}
			}
			if len(h) != len(tt.want) {
				t.Errorf("headers %v, want %v", h, tt.want)
			}
		})
	}
}

func TestAsProblem(t *testing.T) {
	tests := []struct {
		err    error
		status int
		retry  bool
	}{
		{errors.New("anything"), 500, false},
		{messages.ErrNoLeader, 500, false},
		{fmt.Errorf("rpc: %w", wire.ErrPermissionDenied), 403, false},
		{errors.New("rpc error making call: ACL not found"), 403, false},
		{fmt.Errorf("raft: %w", messages.ErrOverloaded), 429, true},
		{messages.ErrUnavailable, 503, true},
		{messages.ErrLeaving, 503, true},
		{missing("key name"), 400, false},
		{tooMany("writes", 5), 429, true},
	}
	for _, tt := range tests {
		if p := asProblem(tt.err); p.status != tt.status || p.retry != tt.retry || p.text != tt.err.Error() {
			t.Errorf("asProblem(%v) = %+v, want %d, retry %t", tt.err, p, tt.status, tt.retry)
		}
	}
}
