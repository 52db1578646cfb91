package local

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// withSidecar is a service with a proxy that has neither port nor checks.
func withSidecar(id string, checks ...messages.CheckDefinition) *messages.RegisterService {
	r := web(id)
	r.Sidecar = &messages.RegisterService{
		Service: &wire.NodeService{
			Kind: wire.ServiceKindConnectProxy, ID: id + "-sidecar-proxy", Service: "web-sidecar-proxy", LocallyRegisteredAsSidecar: true,
			Proxy: wire.ConnectProxyConfig{DestinationServiceName: "web", DestinationServiceID: id, LocalServiceAddress: "127.0.0.1", LocalServicePort: 80},
		},
		Checks: checks,
	}
	return r
}

func (s *state) port(id string) int {
	if s.services[id] == nil {
		return -1
	}
	return s.services[id].def.Port
}

func TestSidecars(t *testing.T) {
	s := made(t, withSidecar("a"), withSidecar("b", ttl("own", "")))
	if s.port("a-sidecar-proxy") != 21000 || s.port("b-sidecar-proxy") != 21001 {
		t.Errorf("ports %d, %d", s.port("a-sidecar-proxy"), s.port("b-sidecar-proxy"))
	}
	want := []string{"a:", "a-sidecar-proxy: service:a-sidecar-proxy:1=critical service:a-sidecar-proxy:2=critical", "b:", "b-sidecar-proxy: own=critical"}
	if got := outline(s.view()); !slices.Equal(got, want) {
		t.Errorf("registered %q, want %q", got, want)
	}
	if run := s.checks["service:a-sidecar-proxy:1"].run; run.TCP != "127.0.0.1:21000" {
		t.Errorf("the proxy is looked for at %q", run.TCP)
	}
	for _, r := range []any{withSidecar("b"), &messages.DeregisterService{ID: "a"}, withSidecar("c")} {
		if err := s.make(r); err != nil {
			t.Fatal(err)
		}
	}
	if s.port("a-sidecar-proxy") != -1 {
		t.Error("the proxy of a service outlives it")
	}
	if s.port("b-sidecar-proxy") != 21001 || s.port("c-sidecar-proxy") != 21000 {
		t.Errorf("b has port %d, want the one that it had; c has %d, want the one that is free", s.port("b-sidecar-proxy"), s.port("c-sidecar-proxy"))
	}
}

func TestSidecarWithoutPort(t *testing.T) {
	s := newState(testNode(), true, allowed{ports: ports{21000, 21000}})
	if err := s.make(withSidecar("a")); err != nil {
		t.Fatal(err)
	}
	if err := s.make(withSidecar("b")); err == nil || !strings.Contains(err.Error(), "none left in the configured range [21000, 21000]") {
		t.Errorf("the second proxy of one port: %v", err)
	}
	if s.services["b"] != nil {
		t.Error("a service was registered without its proxy")
	}
	s = newState(testNode(), true, allowed{})
	if err := s.make(withSidecar("a")); !errors.Is(err, errNoSidecarPorts) {
		t.Errorf("without ports: %v", err)
	}
}

// TestSidecarsRestored gives the ports that are left to the proxies of configuration
// files, and takes none from those that were registered.
func TestSidecarsRestored(t *testing.T) {
	kept := withSidecar("z").Sidecar.Service
	kept.Port = 21000
	s := newState(testNode(), true, anything)
	records := append(configured([]*messages.RegisterService{withSidecar("a"), withSidecar("b", ttl("own", ""))}, nil),
		record{thing: thing{aService, "z-sidecar-proxy"}, service: kept})
	if problems := s.restore(records); len(problems) != 0 {
		t.Fatal(problems)
	}
	for id, want := range map[string]int{"a-sidecar-proxy": 21001, "b-sidecar-proxy": 21002, "z-sidecar-proxy": 21000} {
		if s.port(id) != want {
			t.Errorf("%s has port %d, want %d", id, s.port(id), want)
		}
	}
	want := []string{"a:", "a-sidecar-proxy: service:a-sidecar-proxy:1=critical service:a-sidecar-proxy:2=critical", "b:", "b-sidecar-proxy: own=critical", "z-sidecar-proxy:"}
	if got := outline(s.view()); !slices.Equal(got, want) {
		t.Errorf("restored %q, want %q", got, want)
	}
}

func TestScripts(t *testing.T) {
	script := func(fromConfig bool) *messages.RegisterCheck {
		return &messages.RegisterCheck{FromConfig: fromConfig, CheckDefinition: messages.CheckDefinition{
			Check: &wire.HealthCheck{Name: "s"}, Run: &wire.CheckType{ScriptArgs: []string{"true"}},
		}}
	}
	for name, tt := range map[string]struct {
		allows       allowed
		http, config error
	}{
		"off":   {allowed{}, messages.ErrScriptsDisabled, messages.ErrLocalScriptsDisabled},
		"local": {allowed{localScripts: true}, messages.ErrScriptsDisabled, nil},
		"on":    {allowed{localScripts: true, scripts: true}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if err := newState(testNode(), true, tt.allows).make(script(false)); !errors.Is(err, tt.http) {
				t.Errorf("over HTTP: %v, want %v", err, tt.http)
			}
			if err := newState(testNode(), true, tt.allows).make(script(true)); !errors.Is(err, tt.config) {
				t.Errorf("from a file: %v, want %v", err, tt.config)
			}
		})
	}
}
