package http

import (
	"net/http"
	"strings"
	"testing"

	consul "github.com/hashicorp/consul/api"
)

func TestNoMesh(t *testing.T) {
	tests := []struct {
		name, target string
		status       int
		want         string
		leader       string
	}{
		{name: "catalog", target: "/v1/catalog/connect/web", status: 200, want: `[]`, leader: "true"},
		{name: "catalog_cached", target: "/v1/catalog/connect/web?cached", status: 200, want: `[]`, leader: "true"},
		{name: "catalog_of_nothing", target: "/v1/catalog/connect/", status: 400, want: "Missing service name"},
		{name: "gateway", target: "/v1/catalog/gateway-services/x", status: 200, want: `[]`, leader: "true"},
		{name: "gateway_of_nothing", target: "/v1/catalog/gateway-services/", status: 400, want: "Missing gateway name"},
		{name: "health", target: "/v1/health/connect/web", status: 200, want: `[]`, leader: "true"},
		{name: "health_cached", target: "/v1/health/connect/web?cached", status: 200, want: `[]`, leader: "false"},
		{name: "health_of_nothing", target: "/v1/health/connect/", status: 400, want: "Missing service name"},
		{name: "health_with_an_odd_option", target: "/v1/health/connect/web?passing=x", status: 400, want: "Invalid value for ?passing"},
		{name: "ingress", target: "/v1/health/ingress/web", status: 200, want: `[]`, leader: "true"},
		{name: "ingress_cached", target: "/v1/health/ingress/web?cached", status: 200, want: `[]`, leader: "true"},
		{name: "elsewhere", target: "/v1/health/ingress/web?dc=nope", status: 500, want: "No path to datacenter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t)
			a := s.api(t)
			s.register(t, a, `{"Node":"n","Address":"10.0.0.1","Service":{"Service":"web","Port":1}}`)
			got := call(a, "GET", tt.target, "")
			h := got.Header()
			if got.Code != tt.status || got.Body.String() != tt.want || h.Get("X-Consul-KnownLeader") != tt.leader {
				t.Errorf("%d %s, leader %q; want %d %s, %q", got.Code, got.Body, h.Get("X-Consul-KnownLeader"), tt.status, tt.want, tt.leader)
			}
			if tt.status == http.StatusOK && (h.Get("X-Consul-Index") == "" || strings.Contains(tt.target, "cached") != (h.Get("X-Cache") == "MISS")) {
				t.Errorf("the headers are %v", h)
			}
		})
	}
}

// TestProxiesAreFound: what has been registered for a mesh is told, for those who
// bring their own.
func TestProxiesAreFound(t *testing.T) {
	s := newStage(t)
	s.register(t, s.api(t), `{"Node":"n","Address":"10.0.0.1","Service":{"Kind":"connect-proxy","Service":"web-proxy","Port":21000,"Proxy":{"DestinationServiceName":"web"}}}`)
	c := official(t, s)
	if found, _, err := c.Catalog().Connect("web", "", nil); err != nil || len(found) != 1 || found[0].ServiceName != "web-proxy" {
		t.Errorf("catalog: %+v, %v", found, err)
	}
	if found, _, err := c.Health().Connect("web", "", true, &consul.QueryOptions{UseCache: true}); err != nil || len(found) != 1 || found[0].Service.Port != 21000 {
		t.Errorf("health: %+v, %v", found, err)
	}
}

// TestGateways: what stands behind a gateway is told by its config entry.
func TestGateways(t *testing.T) {
	s := newStage(t)
	a := s.api(t)
	s.register(t, a, `{"Node":"n","Address":"10.0.0.1","Service":{"Kind":"ingress-gateway","Service":"in","Port":8443}}`)
	if got := call(a, "PUT", "/v1/config", `{"Kind":"ingress-gateway","Name":"in","Listeners":[{"Port":1,"Services":[{"Name":"web"}]}]}`); got.Body.String() != "true" {
		t.Fatal(got.Body)
	}
	c := official(t, s)
	if found, _, err := c.Catalog().GatewayServices("in", nil); err != nil || len(found) != 1 || found[0].Service.Name != "web" || found[0].Port != 1 {
		t.Errorf("catalog: %+v, %v", found, err)
	}
	if found, _, err := c.Health().Ingress("web", true, nil); err != nil || len(found) != 1 || found[0].Service.Port != 8443 {
		t.Errorf("health: %+v, %v", found, err)
	}
}

// TestCached: an answer that was there is a hit for as long as it is true.
func TestCached(t *testing.T) {
	s := newStage(t)
	a := s.api(t)
	register := func(port string) {
		s.register(t, a, `{"Node":"n","Address":"10.0.0.1","Service":{"Service":"web","Port":`+port+`}}`)
	}
	register("1")
	for i, want := range []string{"MISS", "HIT", "HIT", "MISS", "HIT"} {
		if i == 3 {
			register("2")
		}
		h := call(a, "GET", "/v1/catalog/service/web?cached", "").Header()
		if h.Get("X-Cache") != want || (h.Get("Age") == "0") != (want == "HIT") {
			t.Errorf("the answer number %d is %v, want a %s", i, h, want)
		}
	}
	if h := call(a, "GET", "/v1/catalog/service/web", "").Header(); h.Get("X-Cache") != "" {
		t.Errorf("without ?cached: %v", h)
	}
}
