package dns

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

func said(service string) word {
	return word{query: &wire.PreparedQueryExecuteResponse{Service: service, Nodes: wire.CheckServiceNodes{{}}}}
}

// TestMemoryPlan has a question answered, and others fail and come back.
func TestMemoryPlan(t *testing.T) {
	now := time.Unix(100_000, 0)
	of := lookup{kind: kindQuery, name: "q"}
	m := newMemory()
	stale := messages.DNSConfig{AllowStale: true, MaxStale: time.Hour}
	for _, step := range []struct {
		name  string
		after time.Duration
		do    func()
		cfg   messages.DNSConfig
		want  plan
		said  string
	}{
		{"never_asked", 0, func() {}, stale, planAsk, ""},
		{"failed_without_an_answer", 0, func() { m.fail(of, now) }, stale, planAsk, ""},
		{"answered", 0, func() { m.keep(of, said("a"), now) }, stale, planAskSoon, "a"},
		{"stale_is_not_allowed", 0, func() {}, messages.DNSConfig{}, planAsk, ""},
		{"another_question", 0, func() { m.keep(lookup{kind: kindQuery, name: "other"}, said("b"), now) }, stale, planAskSoon, "a"},
		{"failed", time.Minute, func() { m.fail(of, now) }, stale, planAskAside, "a"},
		{"somebody_asks", 0, func() {}, stale, planRecall, "a"},
		{"who_asked_failed", 0, func() { m.fail(of, now) }, stale, planAskAside, "a"},
		{"failed_long_ago", time.Minute, func() { m.fail(of, now.Add(-askedOfLate-1)) }, stale, planAskSoon, "a"},
		{"answered_again", 0, func() { m.fail(of, now); m.keep(of, said("c"), now) }, stale, planAskSoon, "c"},
		{"too_old", time.Hour + 1, func() {}, stale, planAsk, ""},
		{"no_age_is_too_old", 10000 * time.Hour, func() {}, messages.DNSConfig{AllowStale: true}, planAskSoon, "c"},
		{"cache", 0, func() {}, messages.DNSConfig{UseCache: true}, planRecall, "c"},
		{"cache_is_too_old", 0, func() {}, messages.DNSConfig{UseCache: true, CacheMaxAge: time.Minute}, planAskSoon, "c"},
		{"cache_is_young", 0, func() { m.keep(of, said("d"), now) }, messages.DNSConfig{UseCache: true, CacheMaxAge: time.Minute}, planRecall, "d"},
		{"gone", 0, func() { m.drop(of) }, stale, planAsk, ""},
	} {
		now = now.Add(step.after)
		step.do()
		got, w := m.plan(of, newSettings(step.cfg), now)
		service := ""
		if w.query != nil {
			service = w.query.Service
		}
		if got != step.want || service != step.said {
			t.Errorf("%s: plan %d with %q, want %d with %q", step.name, got, service, step.want, step.said)
		}
	}
}

// TestMemoryOfNothing wants made-up names not to take room, and those that others end
// in to be there.
func TestMemoryOfNothing(t *testing.T) {
	m, now := newMemory(), time.Unix(0, 0)
	web := lookup{kind: kindService, name: "web", datacenter: "dc2"}
	m.keep(web, word{theirs: &theirs{all: wire.CheckServiceNodes{{}}}}, now)
	for i := range 10 {
		m.keep(lookup{kind: kindService, name: fmt.Sprint(i), datacenter: "dc2"}, word{theirs: &theirs{}}, now)
	}
	m.keep(lookup{kind: kindEmpty, datacenter: "dc2"}, word{theirs: &theirs{}}, now)
	m.keep(lookup{kind: kindService, name: "_tcp", datacenter: "dc2"}, word{theirs: &theirs{}}, now)
	if len(m.all) != 3 {
		t.Errorf("%d answers are remembered, want 3", len(m.all))
	}
	m.keep(web, word{theirs: &theirs{}}, now)
	if m.all[web] != nil {
		t.Error("what is there no more is remembered")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	m := newMemory()
	m.most, m.mostBytes = 50, 200_000
	for i := range 1000 {
		w := said("s")
		for range i % 20 {
			w.query.Nodes = append(w.query.Nodes, wire.CheckServiceNode{
				Node: &wire.Node{Meta: map[string]string{"k": "v"}}, Checks: wire.HealthChecks{{Output: strings.Repeat("x", 100*(i%30))}},
			})
		}
		m.keep(lookup{name: fmt.Sprint(i % 200)}, w, now)
		sum := 0
		for _, k := range m.all {
			sum += k.size
		}
		if sum != m.bytes || sum > m.mostBytes || len(m.all) > m.most || len(m.all) == 0 {
			t.Fatalf("%d answers of %d bytes, counted as %d", len(m.all), sum, m.bytes)
		}
	}
}
