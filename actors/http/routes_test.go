package http

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	routes := newTable(routes(Config{}))
	tests := []struct{ path, route, tail string }{
		{"/v1/kv/a/b", "/v1/kv/", "a/b"},
		{"/v1/kv/", "/v1/kv/", ""},
		{"/v1/kv", "", ""},
		{"/v1/catalog/node/n", "/v1/catalog/node/", "n"},
		{"/v1/catalog/nodes", "/v1/catalog/nodes", ""},
		{"/v1/catalog/nodes/", "", ""},
		{"/v1/catalog/node-services/n", "/v1/catalog/node-services/", "n"},
		{"/debug/pprof/heap", "/debug/pprof/", "heap"},
		{"/debug/pprof/trace", "/debug/pprof/trace", ""},
		{"/", "/", ""},
		{"/nope", "", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		line, tail, ok := routes.find(tt.path)
		if !ok {
			line = &route{}
		}
		if line.path != tt.route || tail != tt.tail || ok != (tt.route != "") {
			t.Errorf("find(%q) = %q, %q, %t; want %q, %q", tt.path, line.path, tail, ok, tt.route, tt.tail)
		}
	}
}

// TestMethods wants every route to say what it takes, and nothing else to work.
func TestMethods(t *testing.T) {
	a := newStage(t).api(t)
	for _, line := range routes(a.cfg) {
		var want []string
		for _, v := range line.on {
			want = append(want, v.method)
		}
		allow := strings.Join(append([]string{"OPTIONS"}, want...), ",")
		got := call(a, "OPTIONS", line.path, "")
		if got.Code != http.StatusOK || got.Header().Get("Allow") != allow || got.Body.Len() != 0 {
			t.Errorf("OPTIONS %s: %d, Allow %q, %q; want 200, %q, nothing", line.path, got.Code, got.Header().Get("Allow"), got.Body, allow)
		}
		for _, method := range []string{"HEAD", "PATCH"} {
			if _, ok := line.verb(method); ok {
				continue
			}
			got := call(a, method, line.path, "")
			if text := "method " + method + " not allowed"; got.Code != http.StatusMethodNotAllowed || got.Body.String() != text || got.Header().Get("Allow") != allow {
				t.Errorf("%s %s: %d %q, Allow %q", method, line.path, got.Code, got.Body, got.Header().Get("Allow"))
			}
		}
	}
}

func TestLabel(t *testing.T) {
	line := route{path: "/v1/kv/"}
	if got := line.label(); got != "v1_kv_" {
		t.Errorf("label = %q", got)
	}
}

func TestCleanPath(t *testing.T) {
	tests := []struct{ path, want string }{
		{"", "/"}, {"/", "/"}, {"/v1/kv/a", "/v1/kv/a"}, {"/v1/kv/a/", "/v1/kv/a/"},
		{"/v1/kv/a//b", "/v1/kv/a/b"}, {"/v1/../v1/kv/", "/v1/kv/"}, {"//evil.example/x", "/evil.example/x"},
		{"/v1/kv/./", "/v1/kv/"}, {"/..", "/"},
	}
	for _, tt := range tests {
		if got := cleanPath(tt.path); got != tt.want {
			t.Errorf("cleanPath(%q) = %q, want %q", tt.path, got, tt.want)
		}
	}
}

func TestAllowed(t *testing.T) {
	s := newStage(t)
	s.cfg.AllowWriteFrom = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // where httptest's requests come from
	s.cfg.BlockEndpoints = []string{"/v1/agent/host", "/v1/session"}
	a := s.api(t)
	tests := []struct {
		request, from string
		status        int
		text          string
	}{
		{"PUT /v1/kv/a", "", 200, "true"},
		{"PUT /v1/kv/a", "[::ffff:192.0.2.9]:5", 200, "true"},
		{"PUT /v1/kv/a", "10.0.0.1:5", 403, "Access is restricted"},
		{"PUT /v1/kv/a", "nonsense", 403, "Access is restricted"},
		{"GET /v1/kv/a?raw", "10.0.0.1:5", 200, ""},
		{"GET /v1/agent/host", "", 403, "Endpoint is blocked by agent configuration"},
		{"GET /v1/session/list", "", 403, "Endpoint is blocked by agent configuration"},
	}
	for _, tt := range tests {
		method, target, _ := strings.Cut(tt.request, " ")
		r := httptest.NewRequest(method, target, nil)
		if tt.from != "" {
			r.RemoteAddr = tt.from
		}
		if got := serveOne(a, r); got.Code != tt.status || got.Body.String() != tt.text {
			t.Errorf("%s from %q: %d %q, want %d %q", tt.request, tt.from, got.Code, got.Body, tt.status, tt.text)
		}
	}
}

func TestProfiles(t *testing.T) {
	s := newStage(t)
	s.cfg.EnableDebug = true
	got := call(s.api(t), "GET", "/debug/pprof/goroutine?debug=1", "")
	if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), "goroutine profile") {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestIndexHead(t *testing.T) {
	if got := call(newStage(t).api(t), "HEAD", "/", ""); got.Code != http.StatusOK {
		t.Errorf("%d", got.Code)
	}
}
