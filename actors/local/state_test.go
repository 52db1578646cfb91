package local

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// anything lets everything be registered.
var anything = allowed{scripts: true, localScripts: true, ports: ports{21000, 21255}}

// made returns a state in which requests were made, one after the other. It fails
// the test when one is refused.
func made(t *testing.T, requests ...any) *state {
	t.Helper()
	s := newState(testNode(), true, anything)
	for _, r := range requests {
		if err := s.make(r); err != nil {
			t.Fatalf("%T: %v", r, err)
		}
	}
	return s
}

// make does what the actor does, without a disk.
func (s *state) make(request any) error {
	var records []record
	var err error
	switch r := request.(type) {
	case *messages.RegisterService:
		records, err = s.registerService(r)
	case *messages.DeregisterService:
		records, err = s.deregisterService(r.ID)
	case *messages.RegisterCheck:
		records, err = s.registerCheck(r)
	case *messages.DeregisterCheck:
		records, err = s.deregisterCheck(r.ID)
	case *messages.SetCheckStatus:
		_, err = s.setCheck(r.ID, r.Status, r.Output, noon, 0)
	}
	if err == nil {
		s.apply(records)
	}
	return err
}

// outline is what is registered, in words: "web: c=passing" or "-: c=critical".
func outline(v *messages.LocalView) (all []string) {
	of := map[string][]string{}
	for id := range v.Services {
		of[id] = nil
	}
	for _, id := range slices.Sorted(maps.Keys(v.Checks)) {
		c := v.Checks[id]
		owner := c.ServiceID
		if owner == "" {
			owner = "-"
		}
		of[owner] = append(of[owner], " "+id+"="+c.Status)
	}
	for _, id := range slices.Sorted(maps.Keys(of)) {
		all = append(all, id+":"+strings.Join(of[id], ""))
	}
	return all
}

func TestRegistrations(t *testing.T) {
	replacing := web("web", ttl("b", ""))
	replacing.ReplaceChecks = true
	tests := []struct {
		name     string
		requests []any
		want     []string
	}{
		{name: "nothing"},
		{name: "service", requests: []any{web("web")}, want: []string{"web:"}},
		{name: "service_with_checks", requests: []any{web("web", ttl("a", ""), ttl("b", ""))}, want: []string{"web: a=critical b=critical"}},
		{name: "service_named_only", requests: []any{&messages.RegisterService{Service: &wire.NodeService{Service: "db"}}}, want: []string{"db:"}},
		{name: "two_services", requests: []any{web("web1", ttl("a", "")), web("web2", ttl("b", ""))}, want: []string{"web1: a=critical", "web2: b=critical"}},
		{name: "checks_not_named_stay", requests: []any{web("web", ttl("a", "")), web("web", ttl("b", ""))}, want: []string{"web: a=critical b=critical"}},
		{name: "checks_not_named_are_replaced", requests: []any{web("web", ttl("a", ""), ttl("b", "")), replacing}, want: []string{"web: b=critical"}},
		{name: "others_checks_are_not_replaced", requests: []any{web("other", ttl("a", "")), checkOf("", "n"), replacing}, want: []string{"-: n=critical", "other: a=critical", "web: b=critical"}},
		{name: "results_stay", requests: []any{web("web", ttl("a", "")), result("a", "passing", "ok"), web("web", ttl("a", ""))}, want: []string{"web: a=passing"}},
		{name: "so_does_a_check_alone", requests: []any{checkOf("", "a"), result("a", "passing", "ok"), checkOf("", "a")}, want: []string{"-: a=passing"}},
		{name: "node_check", requests: []any{checkOf("", "n")}, want: []string{"-: n=critical"}},
		{name: "check_of_a_service", requests: []any{web("web"), checkOf("web", "a")}, want: []string{"web: a=critical"}},
		{name: "check_changes_hands", requests: []any{web("web1", ttl("a", "")), web("web2"), checkOf("web2", "a")}, want: []string{"web1:", "web2: a=critical"}},
		{name: "service_goes_with_its_checks", requests: []any{web("web", ttl("a", "")), checkOf("web", "b"), checkOf("", "n"), &messages.DeregisterService{ID: "web"}}, want: []string{"-: n=critical"}},
		{name: "check_goes", requests: []any{web("web", ttl("a", ""), ttl("b", "")), &messages.DeregisterCheck{ID: "a"}}, want: []string{"web: b=critical"}},
		{name: "and_comes_back", requests: []any{web("web"), &messages.DeregisterService{ID: "web"}, web("web")}, want: []string{"web:"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := outline(made(t, tt.requests...).view()); !slices.Equal(got, tt.want) {
				t.Errorf("registered %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	of := func(s wire.NodeService) any { return &messages.RegisterService{Service: &s} }
	check := func(c wire.HealthCheck) any {
		return &messages.RegisterCheck{CheckDefinition: messages.CheckDefinition{Check: &c}}
	}
	before := []any{web("web", ttl("a", ""))}
	tests := []struct {
		name    string
		request any
		want    string
	}{
		{name: "no_service", request: &messages.RegisterService{}, want: "Missing service name"},
		{name: "no_name", request: of(wire.NodeService{ID: "x"}), want: "Missing service name"},
		{name: "nul_in_id", request: of(wire.NodeService{ID: "x\x00y", Service: "x"}), want: "NUL"},
		{name: "nul_in_name", request: of(wire.NodeService{ID: "x", Service: "x\x00"}), want: "NUL"},
		{name: "no_weight", request: of(wire.NodeService{Service: "x", Weights: &wire.Weights{}}), want: "Invalid Weights: Passing must be greater than 0"},
		{name: "no_address", request: of(wire.NodeService{Service: "x", Address: "0.0.0.0"}), want: "Invalid service address"},
		{name: "meta", request: of(wire.NodeService{Service: "x", Meta: map[string]string{"a b": ""}}), want: "Invalid Service Meta: "},
		{name: "proxy_to_nowhere", request: of(wire.NodeService{Kind: wire.ServiceKindConnectProxy, Service: "x", Port: 1}), want: "DestinationServiceName must be non-empty"},
		{name: "the_servers_own_service", request: of(wire.NodeService{Service: "consul"}), want: "choose another"},
		{name: "another_case", request: of(wire.NodeService{ID: "WEB", Service: "x"}), want: `service "web" is registered here`},
		{name: "service_with_a_bad_check", request: web("x", messages.CheckDefinition{}), want: "Must provide CheckID or Name"},
		{name: "unknown_service", request: &messages.DeregisterService{ID: "x"}, want: `Unknown service ID "x". Ensure that the service ID is passed, not the service name.`},
		{name: "no_check", request: &messages.RegisterCheck{}, want: "Must provide CheckID or Name"},
		{name: "check_without_id", request: check(wire.HealthCheck{}), want: "Must provide CheckID or Name"},
		{name: "check_of_no_service", request: checkOf("x", "c"), want: `ServiceID "x" does not exist`},
		{name: "nul_in_check_id", request: check(wire.HealthCheck{CheckID: "\x00"}), want: "NUL"},
		{name: "the_leaders_check", request: check(wire.HealthCheck{CheckID: wire.SerfCheckID}), want: "choose another"},
		{name: "check_in_another_case", request: check(wire.HealthCheck{CheckID: "A"}), want: `check "a" is registered here`},
		{name: "check_of_odd_status", request: check(wire.HealthCheck{CheckID: "x", Status: "odd"}), want: `the status "odd"`},
		{name: "unknown_check", request: &messages.DeregisterCheck{ID: "x"}, want: `Unknown check ID "x". Ensure that the check ID is passed, not the check name.`},
		{name: "result_of_unknown_check", request: result("x", "passing", ""), want: `Unknown check ID "x"`},
		{name: "odd_result", request: result("a", "fine", ""), want: `the status "fine"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := made(t, before...)
			err := s.make(tt.request)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
			if got := outline(s.view()); !slices.Equal(got, []string{"web: a=critical"}) {
				t.Errorf("afterwards %q is registered", got)
			}
		})
	}
}

func TestConfused(t *testing.T) {
	tests := []struct {
		is, id string
		want   bool
	}{
		{"web", "web", false}, // itself
		{"web", "WEB", true},
		{"web", "wob", false},
		{"istanbul", "İstanbul", true}, // alike in lower case, though not by folding
		{"ς", "σ", false},              // alike by folding only
		{"k", "\u212a", true},          // the sign of kelvin
	}
	for _, tt := range tests {
		if _, got := confused(map[string]bool{tt.is: true}, tt.id); got != tt.want {
			t.Errorf("confused %q with %q: %t, want %t", tt.id, tt.is, got, tt.want)
		}
	}
}

func TestUnknownIsToldApart(t *testing.T) {
	s := made(t)
	if err := s.make(&messages.DeregisterService{ID: "x"}); !errors.Is(err, messages.ErrUnknownService) {
		t.Errorf("err = %v", err)
	}
	if err := s.make(&messages.DeregisterCheck{ID: "x"}); !errors.Is(err, messages.ErrUnknownCheck) {
		t.Errorf("err = %v", err)
	}
}

func TestClientMayHaveAServiceConsul(t *testing.T) {
	s := newState(testNode(), false, anything)
	if err := s.make(&messages.RegisterService{Service: &wire.NodeService{Service: "consul"}}); err != nil {
		t.Error(err)
	}
}

func TestChecksSayWhatTheirServiceSays(t *testing.T) {
	renamed := web("w")
	renamed.Service.Service, renamed.Service.Tags = "api", []string{"v2"}
	s := made(t, web("w", ttl("a", "elsewhere")), checkOf("w", "b"), renamed)
	for id, c := range s.view().Checks {
		if c.ServiceID != "w" || c.ServiceName != "api" || !slices.Equal(c.ServiceTags, []string{"v2"}) || c.Node != nodeName {
			t.Errorf("check %s: %+v", id, c)
		}
	}
}

func TestRegistrationIsNotChanged(t *testing.T) {
	r := web("w", ttl("a", ""))
	before := fmt.Sprintf("%+v %+v", *r.Service, *r.Checks[0].Check)
	made(t, r, result("a", "passing", "ok"))
	if after := fmt.Sprintf("%+v %+v", *r.Service, *r.Checks[0].Check); after != before {
		t.Errorf("was %s, is %s", before, after)
	}
}

func TestWhatIsNotToBeRegistered(t *testing.T) {
	svc, check := filled[wire.NodeService](), filled[wire.HealthCheck]()
	svc.Kind, check.Status = "", wire.HealthPassing
	svc.Connect.SidecarService = &wire.ServiceDefinition{Port: 1}
	v := made(t, &messages.RegisterService{Service: &svc, Checks: []messages.CheckDefinition{{Check: &check}}}).view()
	if got := v.Services[svc.ID]; got.Connect.SidecarService != nil || got.RaftIndex != (wire.RaftIndex{}) {
		t.Errorf("registered %+v", got)
	}
	if got := v.Checks[check.CheckID]; got.RaftIndex != (wire.RaftIndex{}) || got.ServiceID != svc.ID {
		t.Errorf("registered %+v", got)
	}
}

func TestViews(t *testing.T) {
	s := made(t, web("w", ttl("a", "")), checkOf("", "n"))
	first := s.view()
	if first.Runs["a"] == nil || first.Runs["n"] == nil || first.Runs["a"].TTL != 10*time.Second {
		t.Errorf("runs: %v", first.Runs)
	}
	if err := s.make(result("a", "passing", "ok")); err != nil {
		t.Fatal(err)
	}
	second := s.view()
	if first.Checks["a"].Status != "critical" || second.Checks["a"].Status != "passing" {
		t.Errorf("was %s, is %s", first.Checks["a"].Status, second.Checks["a"].Status)
	}
	if first.Checks["n"] != second.Checks["n"] || first.Services["w"] != second.Services["w"] || first.Runs["a"] != second.Runs["a"] {
		t.Error("what has not changed is not the same pointer")
	}
	if err := s.make(&messages.DeregisterService{ID: "w"}); err != nil {
		t.Fatal(err)
	}
	if v := s.view(); second.Services["w"] == nil || v.Services["w"] != nil || v.Runs["a"] != nil {
		t.Error("a view has changed, or the next has not")
	}
}

func TestSetCheck(t *testing.T) {
	const hold = 3 * time.Minute
	type step struct {
		status, output string
		after          time.Duration
		want           urgency
		due            time.Duration // since noon; 0: nothing is held
	}
	tests := []struct {
		name  string
		hold  time.Duration
		steps []step
	}{
		{name: "nothing_new", hold: hold, steps: []step{{"critical", "", 0, never, 0}}},
		{name: "status", hold: hold, steps: []step{{"passing", "", 0, now, 0}}},
		{name: "status_and_output", hold: hold, steps: []step{{"passing", "ok", 0, now, 0}}},
		{name: "output_is_held", hold: hold, steps: []step{{"critical", "no", 0, later, hold}}},
		{name: "output_is_not_held_for_longer", hold: hold, steps: []step{
			{"critical", "1", 0, later, hold},
			{"critical", "2", time.Minute, later, hold},
			{"critical", "3", 2 * hold, later, hold}, // it is overdue: nothing has been written yet
		}},
		{name: "output_goes_with_the_status", hold: hold, steps: []step{
			{"critical", "1", 0, later, hold},
			{"passing", "2", time.Second, now, 0},
			{"passing", "3", time.Minute, later, time.Minute + hold},
		}},
		{name: "output_at_once", steps: []step{{"critical", "1", 0, now, 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := made(t, checkOf("", "c"))
			for _, step := range tt.steps {
				got, err := s.setCheck("c", step.status, step.output, noon.Add(step.after), tt.hold)
				c := s.checks["c"]
				var due time.Duration
				if !c.outputDue.IsZero() {
					due = c.outputDue.Sub(noon)
				}
				if err != nil || got != step.want || due != step.due {
					t.Errorf("%s %q: %d, due %s, %v; want %d, due %s", step.status, step.output, got, due, err, step.want, step.due)
				}
				if c.def.Status != step.status || c.def.Output != step.output {
					t.Errorf("%s %q is registered as %s %q", step.status, step.output, c.def.Status, c.def.Output)
				}
			}
		})
	}
}

func TestRecall(t *testing.T) {
	before := made(t, web("w", ttl("a", ""), ttl("b", "")), result("a", "passing", "ok"), result("b", "warning", "hm")).view()
	s := newState(testNode(), true, anything)
	s.restore([]record{
		{thing: thing{aService, "w"}, service: web("w").Service},
		{thing: thing{aCheck, "a"}, check: ttl("a", "w").Check},
		{thing: thing{aCheck, "b"}, check: ttl("b", "").Check}, // has changed hands
		{thing: thing{aCheck, "c"}, check: ttl("c", "w").Check},
	})
	s.recall(nil)
	s.recall(before)
	v := s.view()
	if got, want := outline(v), []string{"-: b=critical", "w: a=passing c=critical"}; !slices.Equal(got, want) || v.Checks["a"].Output != "ok" {
		t.Errorf("recalled %q, want %q", got, want)
	}
}

func TestRestore(t *testing.T) {
	s := newState(testNode(), true, anything)
	problems := s.restore([]record{
		{thing: thing{aService, "bad"}, service: &wire.NodeService{ID: "bad"}},
		{thing: thing{aService, "good"}, service: web("good").Service, token: "t"},
		{thing: thing{aCheck, "lost"}, check: ttl("lost", "bad").Check},
		{thing: thing{aCheck, "kept"}, check: ttl("kept", "good").Check, run: &wire.CheckType{}, token: "u"},
	})
	want := []string{
		"service 'bad' is left out: Missing service name",
		`check 'lost' is left out: ServiceID "bad" does not exist`,
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	if !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	if s.services["good"].token != "t" || s.services["good"].fresh || s.checks["kept"].token != "u" || s.checks["kept"].run == nil {
		t.Errorf("restored %+v %+v", s.services["good"], s.checks["kept"])
	}
}

func TestSettle(t *testing.T) {
	svc := func(id string, config bool) record {
		return record{thing: thing{aService, id}, service: web(id).Service, fromConfig: config}
	}
	check := func(id, of string, config bool) record {
		return record{thing: thing{aCheck, id}, check: ttl(id, of).Check, fromConfig: config}
	}
	names := func(list []record) (all []string) {
		for _, r := range list {
			from := ""
			if r.fromConfig {
				from = " from config"
			}
			all = append(all, r.String()+from)
		}
		return all
	}
	tests := []struct {
		name                     string
		kept, config             []record
		all, superseded, orphans []string
	}{
		{name: "nothing"},
		{name: "services_come_first", kept: []record{check("a", "w", false), svc("w", false)}, all: []string{"service 'w'", "check 'a'"}},
		{
			name: "configuration_wins", kept: []record{svc("w", false), check("a", "w", false), check("b", "w", false)},
			config: []record{svc("w", true), check("a", "w", true)},
			all:    []string{"service 'w' from config", "check 'a' from config", "check 'b'"}, superseded: []string{"service 'w'", "check 'a'"},
		},
		{name: "orphan", kept: []record{check("a", "w", false), check("n", "", false)}, all: []string{"check 'n'"}, orphans: []string{"check 'a'"}},
		{name: "configured_orphan_is_told_of_later", config: []record{check("a", "w", true)}, all: []string{"check 'a' from config"}},
		{name: "same_id_of_another_kind", kept: []record{svc("x", false)}, config: []record{check("x", "", true)}, all: []string{"service 'x'", "check 'x' from config"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := settle(tt.kept, tt.config)
			if !slices.Equal(names(got.all), tt.all) || !slices.Equal(names(got.superseded), tt.superseded) || !slices.Equal(names(got.orphans), tt.orphans) {
				t.Errorf("all %q, superseded %q, orphans %q", names(got.all), names(got.superseded), names(got.orphans))
			}
		})
	}
}

func TestConfigured(t *testing.T) {
	svc := &messages.RegisterService{Service: &wire.NodeService{Service: "web"}, Checks: []messages.CheckDefinition{ttl("a", "")}, Token: "t"}
	all := configured([]*messages.RegisterService{svc}, []*messages.RegisterCheck{{CheckDefinition: messages.CheckDefinition{Check: &wire.HealthCheck{Name: "n"}}, Token: "u"}})
	if len(all) != 3 || all[0].id != "web" || all[1].check.ServiceID != "web" || all[1].token != "t" || all[2].id != "n" || all[2].token != "u" {
		t.Errorf("configured %+v", all)
	}
	if svc.Checks[0].Check.ServiceID != "" {
		t.Error("the definition was changed")
	}
	for _, r := range all {
		if !r.fromConfig {
			t.Errorf("%s is not marked", r)
		}
	}
}

func TestSetMeta(t *testing.T) {
	s := made(t)
	before := s.node
	s.setMeta(map[string]string{"rack": "r2"})
	if got, want := s.node.Meta, map[string]string{"rack": "r2", "consul-version": "1.19.2"}; !maps.Equal(got, want) {
		t.Errorf("metadata %v, want %v", got, want)
	}
	s.setMeta(nil)
	if got, want := s.node.Meta, map[string]string{"consul-version": "1.19.2"}; !maps.Equal(got, want) {
		t.Errorf("metadata %v, want %v", got, want)
	}
	if before.Meta["rack"] != "r1" {
		t.Error("the node that may be on its way was changed")
	}
}
