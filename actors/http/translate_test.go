package http

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// TestTranslate: what is in another datacenter is shown where it is reached from here.
func TestTranslate(t *testing.T) {
	node := func() *wire.Node {
		return &wire.Node{Node: "far", Address: "10.2.0.1", TaggedAddresses: map[string]string{"wan": "203.0.113.1"}}
	}
	service := func() *wire.NodeService {
		return &wire.NodeService{ID: "web", Service: "web", Port: 80, TaggedAddresses: map[string]wire.ServiceAddress{"wan": {Address: "203.0.113.2", Port: 8080}}}
	}
	var routes messages.Published[messages.Routes]
	routes.Publish(&messages.Routes{Servers: map[string][]messages.Server{"dc2": {{Name: "s", Datacenter: "dc2", Addr: netip.MustParseAddrPort("10.2.0.9:8300")}}}})
	s := newStage(t)
	s.cfg.Invoker = invoke.New(invoke.Config{
		Datacenter: "dc1", View: s.fsm.View, Status: &s.status, Raft: s.cfg.Raft, Routes: &routes,
		Call: func(_ context.Context, _, _ string, _ wire.Request, reply any) error {
			switch r := reply.(type) {
			case *wire.IndexedNodes:
				r.Nodes = wire.Nodes{node()}
			case *wire.IndexedServiceNodes:
				r.ServiceNodes = wire.ServiceNodes{{Node: "far", Address: "10.2.0.1", TaggedAddresses: node().TaggedAddresses,
					ServicePort: 80, ServiceTaggedAddresses: service().TaggedAddresses}}
			case *wire.IndexedCheckServiceNodes:
				r.Nodes = wire.CheckServiceNodes{{Node: node(), Service: service()}}
			case *wire.PreparedQueryExecuteResponse:
				r.Datacenter, r.Nodes = "dc2", wire.CheckServiceNodes{{Node: node(), Service: service()}}
			case *wire.IndexedNodeServices:
				r.NodeServices = &wire.NodeServices{Node: node(), Services: map[string]*wire.NodeService{"web": service()}}
			case *wire.IndexedNodeServiceList:
				r.NodeServices = wire.NodeServiceList{Node: node(), Services: []*wire.NodeService{service()}}
			}
			return nil
		},
	})
	for _, translated := range []bool{true, false} {
		s.cfg.TranslateWANAddrs = translated
		a := s.api(t)
		for path, services := range map[string]bool{
			"/v1/catalog/nodes": false, "/v1/catalog/service/web": true, "/v1/health/service/web": true,
			"/v1/catalog/node/far": true, "/v1/catalog/node-services/far": true,
			"/v1/query/q/execute": true,
		} {
			got := call(a, "GET", path+"?dc=dc2", "")
			body := got.Body.String()
			if has := strings.Contains(body, `"Address":"203.0.113.1"`); has != translated {
				t.Errorf("%s, translated %t: %s", path, translated, body)
			}
			if has := strings.Contains(body, `Address":"203.0.113.2","`) && strings.Contains(body, `Port":8080,"`); services && has != translated {
				t.Errorf("%s, services translated %t: %s", path, translated, body)
			}
			if header := got.Header().Get("X-Consul-Translate-Addresses"); (header == "true") != translated {
				t.Errorf("%s: the header is %q", path, header)
			}
		}
	}
}
