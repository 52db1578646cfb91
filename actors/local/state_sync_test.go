package local

import (
	"slices"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// agreeing returns what the catalog has when it agrees with s.
func agreeing(s *state) remote {
	has := remote{node: s.node, services: map[string]*wire.NodeService{}}
	for id, svc := range s.services {
		def := *svc.def
		has.services[id] = &def
	}
	for _, c := range s.checks {
		def := *c.def
		has.checks = append(has.checks, &def)
	}
	return has
}

func (r remote) check(id string) *wire.HealthCheck {
	i := slices.IndexFunc(r.checks, func(c *wire.HealthCheck) bool { return c.CheckID == id })
	return r.checks[i]
}

func written(p plan) (all []string) {
	var add func(prefix string, w *write)
	add = func(prefix string, w *write) {
		line := prefix + w.what
		if w.deregister != nil {
			line = prefix + "-" + w.what
		} else {
			for _, c := range w.register.Checks {
				if w.register.Service != nil {
					line += "+" + c.CheckID
				}
			}
			if w.register.Token != "" {
				line += " by " + w.register.Token
			}
		}
		all = append(all, line)
		for _, next := range w.then {
			add("then ", next)
		}
	}
	if p.node != nil {
		add("", p.node)
	}
	for _, w := range p.rest {
		add("", w)
	}
	return all
}

func TestCompare(t *testing.T) {
	registered := func(t *testing.T) *state {
		own := checkOf("w", "own")
		own.Token = "own-token"
		svc := web("w", ttl("a", ""))
		svc.Token = "token"
		return made(t, svc, own, checkOf("", "n"))
	}
	tests := []struct {
		name   string
		before func(s *state, has *remote)
		want   []string
	}{
		{name: "all_is_well", before: func(*state, *remote) {}},
		{
			name:   "nothing_is_there",
			before: func(_ *state, has *remote) { *has = remote{} },
			want:   []string{"node info", "service 'w'+a by token", "then check 'own' by own-token", "check 'n'"},
		},
		{name: "service_is_not_there", before: func(_ *state, has *remote) { has.services, has.checks = nil, wire.HealthChecks{has.check("n")} }, want: []string{"service 'w'+a by token", "then check 'own' by own-token"}},
		{name: "service_differs", before: func(_ *state, has *remote) { has.services["w"].Port = 1 }, want: []string{"service 'w'+a by token", "then check 'own' by own-token"}},
		{name: "check_differs", before: func(_ *state, has *remote) { has.check("a").Status = "passing" }, want: []string{"check 'a' by token"}},
		{name: "check_is_not_there", before: func(_ *state, has *remote) {
			has.checks = wire.HealthChecks{has.check("a"), has.check("own")}
		}, want: []string{"check 'n'"}},
		{name: "check_has_old_tags", before: func(_ *state, has *remote) { has.check("own").ServiceTags = nil }, want: []string{"check 'own' by own-token"}},
		{name: "node_has_moved", before: func(_ *state, has *remote) { n := testNode(); n.Address = "127.0.0.9"; has.node = n }, want: []string{"node info"}},
		{name: "node_meta_differs", before: func(_ *state, has *remote) { n := testNode(); n.Meta = nil; has.node = n }, want: []string{"node info"}},
		{name: "node_of_another", before: func(_ *state, has *remote) { n := testNode(); n.ID = "another"; has.node = n }, want: []string{"node info"}},
		{name: "stray_service", before: func(_ *state, has *remote) {
			has.services["x"] = &wire.NodeService{ID: "x"}
			has.checks = append(has.checks, &wire.HealthCheck{CheckID: "xc", ServiceID: "x"})
		}, want: []string{"-service 'x'"}},
		{name: "stray_check", before: func(_ *state, has *remote) {
			has.checks = append(has.checks, &wire.HealthCheck{CheckID: "xc"})
		}, want: []string{"-check 'xc'"}},
		{name: "another_case_goes_first", before: func(_ *state, has *remote) {
			delete(has.services, "w")
			has.services["W"] = &wire.NodeService{ID: "W"}
		}, want: []string{"-service 'W'", "service 'w'+a by token", "then check 'own' by own-token"}},
		{name: "what_the_leader_writes_stays", before: func(_ *state, has *remote) {
			has.services["consul"] = &wire.NodeService{ID: "consul"}
			has.checks = append(has.checks, &wire.HealthCheck{CheckID: "serfHealth"})
		}},
		{name: "output_that_is_held", before: func(s *state, _ *remote) {
			_, _ = s.setCheck("a", "critical", "new", noon, time.Minute)
		}},
		{name: "output_that_is_due", before: func(s *state, _ *remote) {
			_, _ = s.setCheck("a", "critical", "new", noon.Add(-time.Minute), time.Minute)
		}, want: []string{"check 'a' by token"}},
		{name: "held_output_goes_with_its_service", before: func(s *state, has *remote) {
			_, _ = s.setCheck("a", "critical", "new", noon, time.Minute)
			has.services["w"].Port = 1
		}, want: []string{"service 'w'+a by token", "then check 'own' by own-token"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t)
			has := agreeing(s)
			tt.before(s, &has)
			if got := written(s.compare(has, noon)); !slices.Equal(got, tt.want) {
				t.Errorf("writes %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCompareKnowsTheNode(t *testing.T) {
	s := made(t)
	nobodys, another := testNode(), testNode()
	nobodys.ID, another.ID = "", "another"
	for name, tt := range map[string]struct {
		has  *wire.Node
		want bool
	}{
		"not_there": {nil, false},
		"itself":    {testNode(), true},
		"nobodys":   {nobodys, true},
		"another":   {another, false},
	} {
		if got := s.compare(remote{node: tt.has}, noon).known; got != tt.want {
			t.Errorf("%s: known is %t, want %t", name, got, tt.want)
		}
	}
}

func TestDeparted(t *testing.T) {
	svc := web("w", ttl("a", ""))
	svc.Token = "token"
	s := made(t, svc)
	has := agreeing(s)
	if err := s.make(&messages.DeregisterService{ID: "w"}); err != nil {
		t.Fatal(err)
	}
	s.learn(has)
	p := s.compare(has, noon)
	if len(p.rest) != 1 || p.rest[0].deregister.Token != "token" || p.rest[0].deregister.ServiceID != "w" {
		t.Errorf("writes %q", written(p))
	}
	s.learn(remote{node: s.node})
	if len(s.departed) != 0 {
		t.Errorf("tokens are kept for ever: %v", s.departed)
	}
}

func TestOutputIsDelivered(t *testing.T) {
	s := made(t, checkOf("", "c"))
	has := agreeing(s)
	_, _ = s.setCheck("c", "critical", "new", noon, time.Minute)
	due := noon.Add(time.Minute)
	if at, ok := s.outputDue(noon); !ok || !at.Equal(due) {
		t.Errorf("due %s, %t", at, ok)
	}

	p := s.compare(has, due)
	_, _ = s.setCheck("c", "critical", "newer", due, time.Minute)
	s.wrote(p.rest[0])
	if s.checks["c"].outputDue.IsZero() {
		t.Error("an output that came during the write counts as written")
	}
	p = s.compare(has, due)
	s.wrote(p.rest[0])
	if !s.checks["c"].outputDue.IsZero() {
		t.Error("an output that was written counts as held")
	}

	_, _ = s.setCheck("c", "critical", "back", due, time.Minute)
	has.check("c").Output = "back"
	s.learn(has)
	if !s.checks["c"].outputDue.IsZero() {
		t.Error("an output that the catalog has counts as held")
	}
	if _, ok := s.outputDue(due); ok {
		t.Error("nothing is held, and something is due")
	}
}

func TestNewRemote(t *testing.T) {
	node := &wire.NodeServices{Node: &wire.Node{Node: "N1"}, Services: map[string]*wire.NodeService{"w": {}}}
	checks := wire.HealthChecks{{CheckID: "c"}}
	if r := newRemote("n1", node, checks); r.node == nil || len(r.services) != 1 || len(r.checks) != 1 {
		t.Errorf("its own node: %+v", r)
	}
	for name, other := range map[string]*wire.NodeServices{"none": nil, "empty": {}, "another": {Node: &wire.Node{Node: "n12"}}} {
		if r := newRemote("n1", other, checks); r.node != nil || r.services != nil || r.checks != nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestSyncEvery(t *testing.T) {
	for members, want := range map[int]time.Duration{
		0: time.Minute, 1: time.Minute, 128: time.Minute, 129: 2 * time.Minute, 256: 2 * time.Minute,
		257: 3 * time.Minute, 1024: 4 * time.Minute, 5000: 7 * time.Minute,
	} {
		if got := syncEvery(members); got != want {
			t.Errorf("%d members: every %s, want %s", members, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	var got []time.Duration
	for failures := 1; failures < 8; failures++ {
		got = append(got, retryAfter(failures)/time.Second)
	}
	if want := []time.Duration{1, 2, 4, 8, 15, 15, 15}; !slices.Equal(got, want) {
		t.Errorf("retries after %v s, want %v", got, want)
	}
}

func TestChance(t *testing.T) {
	if lo, hi := spread(time.Minute, 0), spread(time.Minute, 1); lo != time.Minute || hi != 75*time.Second {
		t.Errorf("a minute is spread over %s to %s", lo, hi)
	}
	if lo, hi := holdOutput(5*time.Minute, 0), holdOutput(5*time.Minute, 1); lo != 150*time.Second || hi != 5*time.Minute {
		t.Errorf("an output is held for %s to %s", lo, hi)
	}
	if got := holdOutput(0, 0.5); got != 0 {
		t.Errorf("an output that is not held is held for %s", got)
	}
}
