package health

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// TestVerdict plays results, p, w and c, and writes what the check says after each;
// a dot says that it did not count.
func TestVerdict(t *testing.T) {
	for name, tt := range map[string]struct {
		run           wire.CheckType
		results, want string
	}{
		"at_once":                  {wire.CheckType{}, "pcwpc", "pcwpc"},
		"first_result_counts":      {wire.CheckType{SuccessBeforePassing: 3, FailuresBeforeCritical: 3}, "p", "p"},
		"first_failure_counts":     {wire.CheckType{SuccessBeforePassing: 3, FailuresBeforeCritical: 3}, "c", "c"},
		"passes_after_3":           {wire.CheckType{SuccessBeforePassing: 3}, "cpppp", "c..pp"},
		"warnings_pass_too":        {wire.CheckType{SuccessBeforePassing: 2}, "cwpw", "c.pw"},
		"passes_start_over":        {wire.CheckType{SuccessBeforePassing: 2}, "cpcpp", "c.c.p"},
		"critical_after_3":         {wire.CheckType{FailuresBeforeCritical: 3}, "pccc", "p..c"},
		"failures_start_over":      {wire.CheckType{FailuresBeforeCritical: 2}, "pcpcc", "p.p.c"},
		"warns_before":             {wire.CheckType{FailuresBeforeCritical: 3, FailuresBeforeWarning: 1}, "pcccc", "pwwcc"},
		"warns_in_between":         {wire.CheckType{FailuresBeforeCritical: 4, FailuresBeforeWarning: 2}, "pccccp", "p.wwcp"},
		"a_dip_does_not_shake_two": {wire.CheckType{SuccessBeforePassing: 2, FailuresBeforeCritical: 2}, "ppcpccppcc", "pp...c.p.c"},
	} {
		t.Run(name, func(t *testing.T) {
			words := map[rune]string{'p': wire.HealthPassing, 'w': wire.HealthWarning, 'c': wire.HealthCritical}
			v := newVerdict(&tt.run)
			var got strings.Builder
			for _, r := range tt.results {
				if now, counts := v.judge(words[r]); counts {
					got.WriteByte(now[0])
				} else {
					got.WriteByte('.')
				}
			}
			if got.String() != tt.want {
				t.Errorf("%s says %s, want %s", tt.results, &got, tt.want)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	a, same, other := &wire.CheckType{TTL: 1}, &wire.CheckType{TTL: 1}, &wire.CheckType{TTL: 2}
	for name, tt := range map[string]struct {
		have, want            map[string]*wire.CheckType
		stop, start, renewed_ string
	}{
		"nothing":   {nil, nil, "", "", ""},
		"comes":     {nil, map[string]*wire.CheckType{"x": a, "y": a}, "", "x y", ""},
		"goes":      {map[string]*wire.CheckType{"x": a, "y": a}, map[string]*wire.CheckType{"y": a}, "x", "", ""},
		"stays":     {map[string]*wire.CheckType{"x": a}, map[string]*wire.CheckType{"x": a}, "", "", ""},
		"again":     {map[string]*wire.CheckType{"x": a}, map[string]*wire.CheckType{"x": same}, "", "", "x"},
		"otherwise": {map[string]*wire.CheckType{"x": a}, map[string]*wire.CheckType{"x": other}, "x", "x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := compare(tt.have, tt.want)
			if s := fmt.Sprint(strings.Join(got.stop, " "), "|", strings.Join(got.start, " "), "|", strings.Join(got.renewed, " ")); s != tt.stop+"|"+tt.start+"|"+tt.renewed_ {
				t.Errorf("changes %s, want %s|%s|%s", s, tt.stop, tt.start, tt.renewed_)
			}
		})
	}
}

func TestReap(t *testing.T) {
	after := func(d time.Duration) *wire.CheckType { return &wire.CheckType{DeregisterCriticalServiceAfter: d} }
	view := func(status string) *messages.LocalView {
		v := &messages.LocalView{Checks: map[string]*wire.HealthCheck{}, Runs: map[string]*wire.CheckType{}}
		for id, c := range map[string]struct {
			service string
			run     *wire.CheckType
		}{
			"soon": {"a", after(time.Second)}, "late": {"a", after(time.Hour)}, "never": {"b", after(0)},
			"node": {"", after(time.Second)}, "ten": {"c", after(10 * time.Minute)}, "maintenance": {"d", nil},
		} {
			v.Checks[id] = &wire.HealthCheck{CheckID: id, ServiceID: c.service, Status: status}
			if c.run != nil {
				v.Runs[id] = c.run
			}
		}
		return v
	}
	since := critical{}
	since.note(view(wire.HealthCritical), noon)
	for _, tt := range []struct {
		after time.Duration
		want  []string
	}{
		{time.Minute, nil}, // the least that counts, and not yet over
		{61 * time.Second, []string{"a"}},
		{10*time.Minute + 1, []string{"a", "c"}},
		{2 * time.Hour, []string{"a", "c"}},
	} {
		since.note(view(wire.HealthCritical), noon.Add(tt.after)) // they stay critical since when they were
		var got []string
		for _, r := range reap(view(wire.HealthCritical), since, noon.Add(tt.after)) {
			got = append(got, r.service)
		}
		if slices.Sort(got); !slices.Equal(got, tt.want) {
			t.Errorf("after %v go %q, want %q", tt.after, got, tt.want)
		}
	}
	since.note(view(wire.HealthPassing), noon.Add(time.Hour))
	if len(since) != 0 {
		t.Errorf("a check that passes is critical since %v", since)
	}
	since.note(view(wire.HealthCritical), noon)
	since.note(&messages.LocalView{}, noon)
	if len(since) != 0 {
		t.Error("a check that is gone is critical still")
	}
}

func TestFate(t *testing.T) {
	f, at := fate{}, noon
	var got []time.Duration
	for range 9 {
		f.rose(at)
		wait := f.fell(at, 1)
		got = append(got, wait)
		at = at.Add(wait)
	}
	want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}
	for i := range want {
		want[i] *= time.Second
	}
	if !slices.Equal(got, want) {
		t.Errorf("waits %v, want %v", got, want)
	}
	f.rose(at)
	if wait := f.fell(at.Add(calm), 0); wait != riseFirst/2 {
		t.Errorf("who has lived for long waits %v", wait)
	}
}

func TestTimeout(t *testing.T) {
	for name, tt := range map[string]struct {
		run  wire.CheckType
		want time.Duration
	}{
		"asked":  {wire.CheckType{HTTP: "x", Timeout: time.Second}, time.Second},
		"script": {wire.CheckType{ScriptArgs: []string{"x"}}, 30 * time.Second},
		"http":   {wire.CheckType{HTTP: "x"}, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if got := timeout(&tt.run); got != tt.want {
				t.Errorf("it may take %v, want %v", got, tt.want)
			}
		})
	}
}

func TestOutputs(t *testing.T) {
	for got, want := range map[string]string{
		cut("short", 5):             "short",
		cut("longer", 4):            "long ... (captured 4 of 6 bytes)",
		expired(""):                 "TTL expired",
		expired("ok"):               "TTL expired (last output before timeout follows): ok",
		expired(expired("ok")):      "TTL expired (last output before timeout follows): ok",
		timedOut(time.Second, ""):   "Timed out (1s) running check",
		timedOut(time.Second, "so"): "Timed out (1s) running check\n\nso",
		brief("one\ntwo"):           "one",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if n := len(brief(strings.Repeat("x", 1000))); n != 200 {
		t.Errorf("the log has %d bytes of an output", n)
	}
}

func TestResumed(t *testing.T) {
	for name, tt := range map[string]struct {
		expires, ttl, want time.Duration
	}{
		"goes_on":             {4 * time.Second, 10 * time.Second, 4 * time.Second},
		"is_over":             {-time.Second, 10 * time.Second, -time.Second},
		"clock_was_set_back":  {time.Hour, 10 * time.Second, 10 * time.Second},
		"ttl_is_shorter_now":  {9 * time.Second, 5 * time.Second, 5 * time.Second},
		"has_all_of_its_time": {10 * time.Second, 10 * time.Second, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if got := resumed(noon.Add(tt.expires), noon, tt.ttl).Sub(noon); got != tt.want {
				t.Errorf("it has %v left, want %v", got, tt.want)
			}
		})
	}
}

func TestAliased(t *testing.T) {
	check := func(id, status string) *wire.HealthCheck {
		return &wire.HealthCheck{CheckID: id, Name: "check " + id, Status: status, Output: "hm"}
	}
	for name, tt := range map[string]struct {
		checks []*wire.HealthCheck
		there  bool
		want   result
	}{
		"no_checks":  {nil, true, result{"passing", "No checks found."}},
		"no_service": {[]*wire.HealthCheck{check("a", "critical")}, false, result{"critical", "Service web could not be found on node "}},
		"passing":    {[]*wire.HealthCheck{check("a", "passing")}, true, result{"passing", "All checks passing."}},
		"warning":    {[]*wire.HealthCheck{check("a", "warning"), check("b", "passing")}, true, result{"warning", `Aliased check "check a" failing: hm`}},
		"critical":   {[]*wire.HealthCheck{check("a", "warning"), check("b", "critical")}, true, result{"critical", `Aliased check "check b" failing: hm`}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := aliased(&wire.CheckType{AliasService: "web"}, tt.checks, tt.there); got != tt.want {
				t.Errorf("it says %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestAliasedHere has aliases, critical to begin with, stand for what is registered
// here. No alias may be critical because of what an alias has said.
func TestAliasedHere(t *testing.T) {
	type check struct{ id, service, status, node, alias string } // alias or node: it is one of those
	fails := result{"critical", `Aliased check "bad" failing: hm`}
	passes, nothing := result{"passing", "All checks passing."}, result{"passing", "No checks found."}
	for name, tt := range map[string]struct {
		checks []check
		want   result
	}{
		"service":         {[]check{{id: "bad", service: "web", status: "critical"}, {id: "own", alias: "web", service: "a"}}, fails},
		"node_counts":     {[]check{{id: "bad", status: "critical"}, {id: "own", alias: "web", service: "a"}}, fails},
		"others_do_not":   {[]check{{id: "bad", service: "db", status: "critical"}, {id: "own", alias: "web", service: "a"}}, nothing},
		"nobody_there":    {[]check{{id: "own", alias: "gone", service: "a"}}, result{"critical", "Service gone could not be found on node "}},
		"own_node":        {[]check{{id: "fine", status: "passing"}, {id: "own", node: "N1"}}, passes},
		"own_node_bare":   {[]check{{id: "own", node: "n1"}}, nothing},
		"own_node_fails":  {[]check{{id: "bad", status: "critical"}, {id: "own", node: "n1"}}, fails},
		"own_node_twice":  {[]check{{id: "own", node: "n1"}, {id: "other", node: "n1"}}, nothing},
		"own_by_name":     {[]check{{id: "bad", service: "web", status: "critical"}, {id: "own", node: "n1", alias: "web"}}, fails},
		"same_service":    {[]check{{id: "fine", service: "web", status: "passing"}, {id: "own", alias: "web"}, {id: "other", alias: "web"}}, passes},
		"each_other":      {[]check{{id: "own", service: "a", alias: "b"}, {id: "other", service: "b", alias: "a"}, {id: "fine", service: "a", status: "passing"}}, passes},
		"each_other_bad":  {[]check{{id: "own", service: "a", alias: "b"}, {id: "other", service: "b", alias: "a"}, {id: "bad", service: "a", status: "critical"}}, fails},
		"in_a_ring":       {[]check{{id: "own", service: "a", alias: "b"}, {id: "y", service: "b", alias: "web"}, {id: "z", service: "web", alias: "a"}}, nothing},
		"itself":          {[]check{{id: "own", service: "a", alias: "a"}}, nothing},
		"through_others":  {[]check{{id: "own", service: "a", alias: "b"}, {id: "y", service: "b", alias: "web"}, {id: "bad", service: "web", status: "critical"}}, fails},
		"through_a_node":  {[]check{{id: "own", service: "a", alias: "b"}, {id: "y", alias: "web"}, {id: "bad", service: "web", status: "critical"}}, fails},
		"through_nobody":  {[]check{{id: "own", service: "a", alias: "b"}, {id: "bad", service: "b", alias: "gone"}}, fails},
		"through_another": {[]check{{id: "own", service: "a", alias: "b"}, {id: "bad", service: "b", node: "n2", alias: "web"}}, fails},
	} {
		t.Run(name, func(t *testing.T) {
			view := &messages.LocalView{Services: map[string]*wire.NodeService{"a": {}, "b": {}, "web": {}}, Checks: map[string]*wire.HealthCheck{}, Runs: map[string]*wire.CheckType{}}
			for _, c := range tt.checks {
				view.Checks[c.id] = &wire.HealthCheck{CheckID: c.id, Name: c.id, ServiceID: c.service, Status: c.status, Output: "hm"}
				if c.alias != "" || c.node != "" {
					view.Checks[c.id].Status = "critical"
					view.Runs[c.id] = &wire.CheckType{AliasNode: c.node, AliasService: c.alias}
				}
			}
			if got := aliasedHere(view.Runs["own"], view, "n1"); got != tt.want {
				t.Errorf("it says %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestAliasedNode(t *testing.T) {
	n := NodeChecks{
		Known: true, Services: map[string]*wire.NodeService{"web": {}},
		Checks: wire.HealthChecks{
			{Node: "N2", CheckID: "own", Name: "x", Status: "critical", Output: "o"},
			{Node: "other", CheckID: "y", Status: "critical"},
		},
	}
	proof := wire.HealthChecks{{Node: "n2", CheckID: "z", ServiceID: "db", Status: "passing"}, {Node: "n2", CheckID: "y", ServiceID: "web", Status: "critical"}}
	critical := result{"critical", `Aliased check "x" failing: o`}
	for name, tt := range map[string]struct {
		run  wire.CheckType
		node NodeChecks
		want result
	}{
		"node":             {wire.CheckType{AliasNode: "n2"}, n, critical},
		"service":          {wire.CheckType{AliasNode: "n2", AliasService: "web"}, n, critical},
		"node_unknown":     {wire.CheckType{AliasNode: "n2"}, NodeChecks{}, result{"critical", "Node n2 could not be found"}},
		"node_bare":        {wire.CheckType{AliasNode: "n2"}, NodeChecks{Known: true}, result{"passing", "No checks found."}},
		"service_unknown":  {wire.CheckType{AliasNode: "n2", AliasService: "db"}, NodeChecks{Known: true}, result{"critical", "Service db could not be found on node n2"}},
		"checks_of_others": {wire.CheckType{AliasNode: "n3"}, NodeChecks{Known: true, Checks: n.Checks}, result{"passing", "No checks found."}},
		"check_is_proof":   {wire.CheckType{AliasNode: "n2", AliasService: "db"}, NodeChecks{Known: true, Checks: proof}, result{"passing", "All checks passing."}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := aliasedNode(&tt.run, tt.node); got != tt.want {
				t.Errorf("it says %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestAliasRetry(t *testing.T) {
	var got []time.Duration
	for failures := range 9 {
		got = append(got, aliasRetry(failures+1)/time.Second)
	}
	if want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}; !slices.Equal(got, want) {
		t.Errorf("waits %v, want %v", got, want)
	}
}

func TestJudge(t *testing.T) {
	c := &customs{group: 10, ours: "us", running: map[string]bool{"us.1": true}, estates: map[int]bool{77: true}, doomed: map[int]bool{5: false}}
	for name, tt := range map[string]struct {
		orphan orphan
		want   sentence
	}{
		"over":               {orphan{pid: 1, group: 20, mark: "us.2"}, kill},
		"over_in_our_group":  {orphan{pid: 1, group: 10, mark: "us.2"}, kill},
		"runs":               {orphan{pid: 1, group: 20, mark: "us.1"}, spare},
		"runs_in_an_estate":  {orphan{pid: 1, group: 20, session: 77, mark: "us.1"}, spare},
		"another_agents":     {orphan{pid: 1, group: 20, mark: "them.2"}, spare},
		"says_nothing":       {orphan{pid: 1, group: 20}, spare},
		"known_by_company":   {orphan{pid: 1, group: 20, session: 77}, kill},
		"dead":               {orphan{pid: 1, group: 20, dead: true}, bury},
		"dead_in_our_group":  {orphan{pid: 1, group: 10, dead: true}, spare}, // who started it waits
		"killed_there":       {orphan{pid: 5, group: 10, dead: true}, bury},
		"veiled":             {orphan{pid: 1, group: 20, veiled: true}, await},
		"veiled_among_us":    {orphan{pid: 1, group: 10, veiled: true}, spare},
		"killed":             {orphan{pid: 5, group: 20, veiled: true}, await},
		"showed_who_it_is":   {orphan{pid: 5, group: 20, mark: "us.2"}, kill},
		"expected_in_estate": {orphan{pid: 5, group: 20, session: 77, veiled: true}, kill},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.judge(tt.orphan); got != tt.want {
				t.Errorf("sentence %d, want %d", got, tt.want)
			}
		})
	}
}
