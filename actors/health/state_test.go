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
	check := func(id, service, status string) *wire.HealthCheck {
		return &wire.HealthCheck{Node: "n1", CheckID: id, Name: "check " + id, ServiceID: service, Status: status, Output: "hm"}
	}
	for name, tt := range map[string]struct {
		run    wire.CheckType
		checks []*wire.HealthCheck
		there  bool
		want   result
	}{
		"no_checks":      {wire.CheckType{AliasService: "web"}, nil, true, result{"passing", "No checks found."}},
		"no_service":     {wire.CheckType{AliasService: "web"}, nil, false, result{"critical", "Service web could not be found on node "}},
		"passing":        {wire.CheckType{AliasService: "web"}, []*wire.HealthCheck{check("a", "web", "passing")}, true, result{"passing", "All checks passing."}},
		"warning":        {wire.CheckType{AliasService: "web"}, []*wire.HealthCheck{check("a", "web", "warning"), check("b", "web", "passing")}, true, result{"warning", `Aliased check "check a" failing: hm`}},
		"critical":       {wire.CheckType{AliasService: "web"}, []*wire.HealthCheck{check("a", "web", "warning"), check("b", "web", "critical")}, true, result{"critical", `Aliased check "check b" failing: hm`}},
		"node_counts":    {wire.CheckType{AliasService: "web"}, []*wire.HealthCheck{check("a", "", "critical")}, true, result{"critical", `Aliased check "check a" failing: hm`}},
		"others_do_not":  {wire.CheckType{AliasService: "web"}, []*wire.HealthCheck{check("a", "db", "critical")}, true, result{"passing", "No checks found."}},
		"nor_itself":     {wire.CheckType{AliasService: "web"}, []*wire.HealthCheck{check("own", "", "critical")}, true, result{"passing", "No checks found."}},
		"check_is_proof": {wire.CheckType{AliasService: "web"}, []*wire.HealthCheck{check("a", "web", "passing")}, false, result{"passing", "All checks passing."}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := aliased("own", &tt.run, slices.Values(tt.checks), tt.there); got != tt.want {
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
	} {
		t.Run(name, func(t *testing.T) {
			if got := aliasedNode("own", &tt.run, tt.node); got != tt.want {
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
