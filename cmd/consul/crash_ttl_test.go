package main

import (
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

var ttlCrashes = flag.Int("ttl-crashes", 4, "how often TestCrashTTL kills the agent")

const (
	crashTTL = 1500 * time.Millisecond
	// How much later than its deadline a check may be seen to pass, of a machine that
	// is busy: at the agent itself, and in the catalog, which has to find its leader
	// again first.
	graceLocal   = time.Second
	graceCatalog = 5 * time.Second
)

// TestCrashTTL kills an agent at random moments between the reports of a service. The
// check of the service is never critical before its deadline, whoever is asked, and
// never passing for long after it: a restart neither brings the deadline forward nor
// puts it off.
func TestCrashTTL(t *testing.T) {
	t.Parallel()
	a := agenttest.Start(t, agenttest.Options{Name: "ttl", Args: agenttest.Bootstrap("-log-level", "warn")})
	a.AwaitLeader()
	client := a.Client()
	if err := client.Agent().ServiceRegister(&api.AgentServiceRegistration{
		Name: "web", Check: &api.AgentServiceCheck{TTL: crashTTL.String()},
	}); err != nil {
		t.Fatal(err)
	}
	h := &reports{}
	for range *ttlCrashes {
		h.quietly(t, client, 0, func() {
			stop := h.report(client)
			<-time.After(rand.N(crashTTL))
			a.Kill()
			stop()
		})
		a.Restart()
		h.quietly(t, client, rand.N(2*crashTTL), func() {})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d reports, %d looks, of which %d saw the check pass", len(h.all), h.looks, h.passing)
	if h.passing == 0 || h.passing == h.looks {
		t.Error("the check was always the same, so this shows nothing")
	}
}

// A spoken is one report: when it was sent, and when its answer, or an error, came.
type spoken struct {
	sent, back time.Time // back is zero while it is on the way
	taken      bool      // it was acknowledged
}

// reports is what a service has said of itself, and what others saw of it.
type reports struct {
	mu             sync.Mutex
	all            []spoken
	looks, passing int
}

// report reports at random intervals, each within the TTL, until it is stopped or the
// agent is gone.
func (h *reports) report(client *api.Client) (stop func()) {
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			i := h.send()
			err := client.Agent().UpdateTTL("service:web", "", api.HealthPassing)
			h.answered(i, err == nil)
			select {
			case <-end:
				return
			case <-time.After(rand.N(crashTTL / 2)):
			}
		}
	}()
	return func() { close(end); <-done }
}

func (h *reports) send() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, spoken{sent: time.Now()})
	return len(h.all) - 1
}

func (h *reports) answered(i int, taken bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[i].back, h.all[i].taken = time.Now(), taken
}

// quietly looks at the check all the time while do runs, and for a while after.
func (h *reports) quietly(t *testing.T, client *api.Client, after time.Duration, do func()) {
	end := make(chan struct{})
	var all sync.WaitGroup
	for what, look := range map[string]func() (string, error){
		"agent": func() (string, error) {
			checks, err := client.Agent().Checks()
			if err != nil || checks["service:web"] == nil {
				return "", err
			}
			return checks["service:web"].Status, nil
		},
		"catalog": func() (string, error) {
			checks, _, err := client.Health().Checks("web", nil)
			if err != nil || len(checks) != 1 {
				return "", err
			}
			return checks[0].Status, nil
		},
	} {
		grace := graceLocal
		if what == "catalog" {
			grace = graceCatalog
		}
		all.Go(func() {
			var passed time.Time // when it was last asked for and seen to pass; zero: it was not, the last time
			for {
				select {
				case <-end:
					return
				case <-time.After(5 * time.Millisecond):
				}
				from := time.Now()
				status, err := look()
				if err != nil || status == "" { // an agent that is down says nothing
					continue
				}
				known := from
				if what == "catalog" { // it hears of a report a little later
					known = passed
				}
				h.judge(t, what, status, known, from, time.Now(), grace)
				if passed = from; status != api.HealthPassing {
					passed = time.Time{}
				}
			}
		})
	}
	do()
	<-time.After(after)
	close(end)
	all.Wait()
}

// judge holds what was seen at a moment between from and to against the reports. A
// report counts that was acknowledged before known.
func (h *reports) judge(t *testing.T, what, status string, known, from, to time.Time, grace time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var until time.Time // no report has made it pass for longer
	for _, r := range h.all {
		if status == api.HealthCritical && r.taken && r.back.Before(known) && to.Before(r.sent.Add(crashTTL)) {
			t.Errorf("the %s says critical %v before the deadline of a report that was acknowledged", what, r.sent.Add(crashTTL).Sub(to))
		}
		latest := r.back
		if latest.IsZero() {
			latest = to
		}
		if latest = latest.Add(crashTTL); latest.After(until) {
			until = latest
		}
	}
	h.looks++
	if status != api.HealthPassing {
		return
	}
	h.passing++
	if from.After(until.Add(grace)) {
		t.Errorf("the %s says passing %v after the deadline", what, from.Sub(until))
	}
}
