package local

import (
	"slices"
	"strings"
	"testing"

	"github.com/actor-consul/consul/messages"
)

func fromConfig(r *messages.RegisterService) *messages.RegisterService {
	r.FromConfig = true
	if r.Sidecar != nil {
		r.Sidecar.FromConfig = true
	}
	return r
}

func checkFromConfig(id string) *messages.RegisterCheck {
	r := checkOf("", id)
	r.FromConfig = true
	return r
}

func TestReplaceDefinitions(t *testing.T) {
	before := func() []any {
		return []any{
			fromConfig(web("a", ttl("a1", ""), ttl("a2", ""))), fromConfig(withSidecar("side")), checkFromConfig("n1"),
			web("h", ttl("h1", "")), result("a1", "passing", "ok"), result("h1", "passing", "ok"), result("n1", "warning", "hm"),
		}
	}
	for name, tt := range map[string]struct {
		to   *messages.ReplaceDefinitions
		want []string
	}{
		"by_the_same": {
			&messages.ReplaceDefinitions{
				Services: []*messages.RegisterService{fromConfig(web("a", ttl("a1", ""), ttl("a2", ""))), fromConfig(withSidecar("side"))},
				Checks:   []*messages.RegisterCheck{checkFromConfig("n1")},
			},
			[]string{"-: n1=warning", "a: a1=passing a2=critical", "h: h1=passing", "side:", "side-sidecar-proxy: service:side-sidecar-proxy:1=critical service:side-sidecar-proxy:2=critical"},
		},
		"by_nothing": {&messages.ReplaceDefinitions{}, []string{"h: h1=passing"}},
		"by_others": {
			&messages.ReplaceDefinitions{
				Services: []*messages.RegisterService{fromConfig(web("a", ttl("a1", ""), ttl("a3", ""))), fromConfig(web("b"))},
				Checks:   []*messages.RegisterCheck{checkFromConfig("n2")},
			},
			[]string{"-: n2=critical", "a: a1=passing a3=critical", "b:", "h: h1=passing"},
		},
		"over_what_was_registered": {
			&messages.ReplaceDefinitions{Services: []*messages.RegisterService{fromConfig(web("h", ttl("h1", "")))}},
			[]string{"h: h1=passing"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := made(t, before()...)
			records, err := s.replaceDefinitions(tt.to)
			if err != nil {
				t.Fatal(err)
			}
			s.apply(records)
			if got := outline(s.view()); !slices.Equal(got, tt.want) {
				t.Errorf("registered %q, want %q", got, tt.want)
			}
		})
	}
}

func TestReplaceDefinitionsGivesEachSidecarItsPort(t *testing.T) {
	s := made(t)
	records, err := s.replaceDefinitions(&messages.ReplaceDefinitions{
		Services: []*messages.RegisterService{fromConfig(withSidecar("a")), fromConfig(withSidecar("b"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.apply(records)
	if s.port("a-sidecar-proxy") != 21000 || s.port("b-sidecar-proxy") != 21001 {
		t.Errorf("ports %d, %d", s.port("a-sidecar-proxy"), s.port("b-sidecar-proxy"))
	}
}

func TestReplaceDefinitionsRefused(t *testing.T) {
	s := made(t, fromConfig(web("a")))
	bad := &messages.ReplaceDefinitions{Services: []*messages.RegisterService{fromConfig(web("b")), fromConfig(web("B"))}}
	if _, err := s.replaceDefinitions(bad); err == nil || !strings.Contains(err.Error(), `service "B": service "b" is registered here`) {
		t.Errorf("err = %v", err)
	}
	if got := outline(s.view()); !slices.Equal(got, []string{"a:"}) || s.services["a"] == nil {
		t.Errorf("registered %q although it was refused", got)
	}
}
