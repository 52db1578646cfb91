package messages

import (
	"maps"
	"testing"

	"github.com/actor-consul/consul/messages/wire"
)

func TestLocalViewStats(t *testing.T) {
	checks := map[string]*wire.HealthCheck{
		"a": {Type: "ttl"}, "b": {Type: "ttl"}, "c": {Type: "script"}, "d": {Type: "http"}, "e": {},
	}
	tests := map[string]struct {
		view *LocalView
		want map[string]string
	}{
		"none":  {nil, map[string]string{"check_monitors": "0", "check_ttls": "0", "checks": "0", "services": "0"}},
		"empty": {&LocalView{}, map[string]string{"check_monitors": "0", "check_ttls": "0", "checks": "0", "services": "0"}},
		"some": {
			&LocalView{Checks: checks, Services: map[string]*wire.NodeService{"w": {}}},
			map[string]string{"check_monitors": "1", "check_ttls": "2", "checks": "5", "services": "1"},
		},
	}
	for name, tt := range tests {
		if got := tt.view.Stats(); !maps.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
