package health

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int64
		s := newStage(t)
		s.tries("a", func(context.Context) result {
			tries.Add(1)
			return result{"passing", "ok"}
		})
		if got := s.parent.Got(); !slices.Equal(got, []string{"Ready{}"}) {
			t.Errorf("the supervisor was told %q", got)
		}
		s.register(every("a", 10*time.Second))
		s.at(10 * time.Second)
		if n := tries.Load(); n != 1 {
			t.Errorf("within an interval it was tried %d times, want once", n)
		}
		s.at(100 * time.Second)
		if n := tries.Load(); n != 10 {
			t.Errorf("within ten intervals it was tried %d times", n)
		}
		if s.status("a") != "passing" {
			t.Errorf("it is %s", s.status("a"))
		}
		s.register(registration{id: "a"})
		before := tries.Load()
		s.at(200 * time.Second)
		if tries.Load() != before {
			t.Error("a check that is gone is tried still")
		}
	})
}

// TestStagger wants checks that were registered together not to be tried together.
func TestStagger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first [8]atomic.Int64
		s := newStage(t)
		var all []registration
		for i := range first {
			id := string(rune('a' + i))
			s.tries(id, func(context.Context) result {
				first[i].CompareAndSwap(0, int64(time.Since(s.begun)))
				return result{"passing", ""}
			})
			all = append(all, every(id, time.Minute))
		}
		s.register(all...)
		s.at(time.Minute)
		seen := map[int64]bool{}
		for i := range first {
			seen[first[i].Load()] = true
		}
		if len(seen) < len(first) || seen[0] {
			t.Errorf("first tries after %v", seen)
		}
	})
}

func TestThresholds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.tries("a", always("passing", ""))
		s.register(every("a", time.Second, func(r *wire.CheckType) { r.FailuresBeforeCritical = 3 }))
		s.at(1500 * time.Millisecond)
		s.tries("a", always("critical", "no"))
		s.at(3 * time.Second)
		if s.status("a") != "passing" {
			t.Error("it is not passing after one failure or two")
		}
		s.at(6 * time.Second)
		if s.status("a") != "critical" {
			t.Error("it is not critical after three failures")
		}
	})
}

// TestRegisteredAgain registers a check anew between two tries: just as it was it
// keeps its schedule, otherwise it begins anew.
func TestRegisteredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int64
		s := newStage(t)
		s.tries("a", func(context.Context) result {
			tries.Add(1)
			return result{"passing", ""}
		})
		for i := range 50 { // a service that registers again and again
			s.at(time.Duration(i) * time.Second)
			s.register(every("a", 10*time.Second))
		}
		if n := tries.Load(); n < 4 || n > 5 {
			t.Errorf("in 50 s it was tried %d times, want every 10 s", n)
		}
		s.register(every("a", time.Hour))
		before := tries.Load()
		s.at(10 * time.Minute)
		if n := tries.Load() - before; n > 1 {
			t.Errorf("with an interval of an hour it was tried %d times in nine minutes", n)
		}
	})
}

// TestHangs has a try take longer than it may: the check is critical, no second try
// begins, and the check goes on once the first has ended.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most, tries atomic.Int64
		s := newStage(t)
		s.tries("a", func(context.Context) result {
			tries.Add(1)
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			time.Sleep(time.Minute) // whatever its context says
			return result{"passing", "late"}
		})
		s.register(every("a", time.Second, func(r *wire.CheckType) { r.Timeout = 10 * time.Second }))
		s.at(17 * time.Second)
		if got := s.told(); len(got) != 1 || !strings.HasSuffix(got[0], "a=critical Timed out (10s) running check") {
			t.Errorf("local was told %q", got)
		}
		s.at(3 * time.Minute)
		if most.Load() != 1 || tries.Load() < 2 {
			t.Errorf("%d tries, %d at once", tries.Load(), most.Load())
		}
		s.tries("a", always("passing", "fine"))
		s.at(5 * time.Minute)
		if s.status("a") != "passing" {
			t.Error("it does not recover")
		}
	})
}

// TestPanics has a try fail inside of the agent.
func TestPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.tries("a", func(context.Context) result { panic("boom") })
		s.register(every("a", time.Second), every("b", time.Second))
		s.at(5 * time.Second)
		c := s.view.Load().Checks["a"]
		if c.Status != "critical" || c.Output != "The check failed inside of the agent: boom" {
			t.Errorf("it is %s %q", c.Status, c.Output)
		}
		if s.status("b") != "passing" {
			t.Error("another check suffers")
		}
	})
}

// TestChildFails has the actor of one check fail again and again. It is critical
// meanwhile, comes back later each time, and no other check notices.
func TestChildFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.tries("b", always("passing", ""))
		s.register(every("a", time.Second), every("b", time.Second))
		s.at(2 * time.Second)
		if s.status("a") != "passing" {
			t.Fatal("it does not run")
		}
		s.fail("a", (*ended)(nil))
		synctest.Wait()
		if c := s.view.Load().Checks["a"]; c.Status != "critical" || !strings.Contains(c.Output, "failed inside of the agent") {
			t.Errorf("it is %s %q", c.Status, c.Output)
		}
		s.at(5 * time.Second)
		if s.status("a") != "passing" || s.status("b") != "passing" {
			t.Error("it does not come back")
		}
		for range 5 {
			s.fail("a", (*ended)(nil))
			synctest.Wait()
		}
		s.register(registration{id: "a"}) // while it is down
		s.at(5 * time.Minute)
		s.register(every("a", time.Second))
		s.at(6 * time.Minute)
		if s.status("a") != "passing" {
			t.Error("a check of the same ID does not run")
		}
	})
}

// TestNobodyIsBornOnTheWayOut has a check come up while the actor waits for its
// children to stop. A child spawned then would never be told to, and the bubble
// would not end.
func TestNobodyIsBornOnTheWayOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.register(every("a", time.Second))
		s.at(2 * time.Second)
		s.stopping = func() {
			s.change(every("b", time.Second).apply)
			s.health.Tell(&messages.ChecksChanged{})
			report := &messages.ReportCheck{ID: "b"}
			if _, err := ask.Do(context.Background(), s.health, report); !errors.Is(err, messages.ErrUnavailable) {
				t.Errorf("who asks on the way out is told %v", err)
			}
		}
		s.sys.Root.Stop(s.health.PID())
		synctest.Wait()
		if _, there := s.kids["b"]; there {
			t.Error("a child was spawned on the way out")
		}
		s.stopping = nil
	})
}

// TestTTLChildFails has the actor of a check fail that waits to be told: what it was
// told counts as long as it was to.
func TestTTLChildFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.register(withTTL("a", 10*time.Second, "passing"))
		s.at(5 * time.Second)
		s.fail("a", (*messages.ReportCheck)(nil))
		if err := s.report(t, "a", "passing", ""); !errors.Is(err, messages.ErrUnavailable) {
			t.Errorf("a report while it is down: %v", err)
		}
		s.at(9 * time.Second)
		s.want(t, "it failed")
		s.at(11 * time.Second)
		s.want(t, "its deadline", "10s a=critical TTL expired")
	})
}

func TestTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.register(withTTL("a", 10*time.Second, "passing"))
		s.want(t, "nothing is said by itself")
		s.at(9 * time.Second)
		if err := s.report(t, "a", "passing", "ok"); err != nil {
			t.Fatal(err)
		}
		s.want(t, "a report", "9s a=passing ok")
		s.at(18900 * time.Millisecond)
		s.want(t, "in time")
		s.at(19 * time.Second)
		s.want(t, "too late", "19s a=critical TTL expired (last output before timeout follows): ok")
		s.at(time.Hour)
		s.want(t, "once is enough")
		if err := s.report(t, "a", "warning", strings.Repeat("x", 5000)); err != nil {
			t.Fatal(err)
		}
		if got := s.told(); len(got) != 1 || !strings.HasSuffix(got[0], "x ... (captured 4096 of 5000 bytes)") {
			t.Errorf("a long output: %q", got)
		}
		s.at(time.Hour + 10*time.Second)
		if got := s.told(); len(got) != 1 || !strings.HasPrefix(got[0], "1h0m10s a=critical TTL expired") {
			t.Errorf("after a second deadline local was told %q", got)
		}
	})
}

// TestTTLResumes starts the health checker with a deadline that is under way: it is
// not put off, nor brought forward.
func TestTTLResumes(t *testing.T) {
	for name, tt := range map[string]struct {
		left time.Duration
		want []string
	}{
		"under_way": {4 * time.Second, []string{"4s a=critical TTL expired (last output before timeout follows): ok"}},
		"over":      {-time.Second, []string{"0s a=critical TTL expired (last output before timeout follows): ok"}},
		"too_far":   {time.Hour, []string{"10s a=critical TTL expired (last output before timeout follows): ok"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				s.register(withTTL("b", time.Minute, "passing"))
				s.change(func(v *messages.LocalView) {
					withTTL("a", 10*time.Second, "passing").apply(v)
					v.Checks["a"].Output = "ok"
					v.Expires["a"] = time.Now().Add(tt.left)
				})
				s.health.Tell((*messages.ReportCheck)(nil)) // the actor fails, and starts again
				s.at(30 * time.Second)
				s.want(t, name, tt.want...)
			})
		})
	}
}

// TestTTLReminds has local start again without what it was told last: it is told once
// more, whether the deadline is to come or over.
func TestTTLReminds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.register(withTTL("a", 10*time.Second, "passing"))
		s.at(4 * time.Second)
		s.change(func(v *messages.LocalView) { delete(v.Expires, "a") })
		s.health.Tell(&messages.ChecksChanged{Anew: true})
		s.want(t, "nothing has happened to the check")
		if left := s.view.Load().Expires["a"].Sub(s.begun); left != 10*time.Second {
			t.Errorf("the deadline is after %v, want it where it was", left)
		}
		s.at(11 * time.Second)
		s.want(t, "the deadline", "10s a=critical TTL expired")
		s.change(func(v *messages.LocalView) {
			c := *v.Checks["a"]
			c.Status, c.Output = wire.HealthPassing, ""
			v.Checks["a"] = &c
		})
		s.health.Tell(&messages.ChecksChanged{Anew: true})
		s.want(t, "what local has not heard of", "11s a=critical TTL expired")
	})
}

// TestTTLRegisteredAgain takes a registration for a sign of life: the time begins
// anew, the status stays.
func TestTTLRegisteredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.register(withTTL("a", 10*time.Second, "passing"))
		s.at(9 * time.Second)
		s.register(withTTL("a", 10*time.Second, ""))
		s.at(18 * time.Second)
		s.want(t, "registered again")
		s.register(withTTL("a", 30*time.Second, "")) // and with another TTL
		s.at(47 * time.Second)
		s.want(t, "with more time")
		s.at(48 * time.Second)
		s.want(t, "and then", "48s a=critical TTL expired")
		s.register(withTTL("a", 30*time.Second, ""))
		if s.status("a") != "critical" {
			t.Error("to be registered again does not make it pass")
		}
	})
}

func TestReportsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.register(every("a", time.Second))
		if err := s.report(t, "nope", "passing", ""); !errors.Is(err, messages.ErrUnknownCheck) || !strings.Contains(err.Error(), `"nope". Ensure that the check ID is passed`) {
			t.Errorf("unknown: %v", err)
		}
		if err := s.report(t, "a", "passing", ""); !errors.Is(err, messages.ErrNoTTL) || err.Error() != `CheckID "a" does not have associated TTL` {
			t.Errorf("one that finds out itself: %v", err)
		}
		// Local has published a check, and its news is still on the way.
		s.change(withTTL("b", time.Minute, "").apply)
		if err := s.report(t, "b", "passing", ""); err != nil {
			t.Errorf("one that is new: %v", err)
		}
		s.want(t, "and it counts", "0s b=passing")
	})
}

func TestAliasOfAService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		alias := registration{id: "alias", service: "web-sidecar-proxy", run: &wire.CheckType{AliasService: "web"}}
		s.register(alias)
		s.want(t, "no such service", "0s alias=critical Service web could not be found on node")
		s.register(withTTL("a", time.Minute, "passing"))
		s.want(t, "its service comes", "0s alias=passing All checks passing.")
		if err := s.report(t, "a", "warning", "hm"); err != nil {
			t.Fatal(err)
		}
		s.want(t, "its service warns", "0s a=warning hm", `0s alias=warning Aliased check "a" failing: hm`)
		s.register(alias)
		if got := s.told(); len(got) > 1 {
			t.Errorf("registered again it says %q", got)
		}
		s.change(func(v *messages.LocalView) {
			withTTL("a", 0, "").apply(v)
			delete(v.Services, "web")
			delete(v.Checks, "a")
			delete(v.Runs, "a")
		})
		s.health.Tell(&messages.ChecksChanged{})
		s.want(t, "its service goes", "0s alias=critical Service web could not be found on node")
	})
}

// TestAliasesRecover has aliases that can see each other, or themselves: when what
// they stand for passes again, so do they.
func TestAliasesRecover(t *testing.T) {
	for name, aliases := range map[string][]registration{
		"of_the_node_itself": {{id: "x", run: &wire.CheckType{AliasNode: "n1"}}},
		"of_one_service":     {{id: "x", run: &wire.CheckType{AliasService: "web"}}, {id: "y", run: &wire.CheckType{AliasService: "web"}}},
		"of_each_other": {
			{id: "x", service: "db", run: &wire.CheckType{AliasService: "web"}},
			{id: "y", service: "web", run: &wire.CheckType{AliasService: "db"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				s.asks(func(context.Context, string, uint64) (NodeChecks, error) {
					return NodeChecks{}, errors.New("nobody is to be asked")
				})
				failing := withTTL("a", time.Hour, "critical")
				if aliases[0].run.AliasNode != "" {
					failing.service = "" // of the node
				}
				s.register(append([]registration{failing}, aliases...)...)
				s.told()
				s.at(5 * time.Minute)
				for _, a := range aliases {
					if got := s.view.Load().Checks[a.id]; got.Status != "critical" || got.Output != `Aliased check "a" failing: ` {
						t.Errorf("%s is %s: %q", a.id, got.Status, got.Output)
					}
				}
				if err := s.report(t, "a", "passing", ""); err != nil {
					t.Fatal(err)
				}
				for _, a := range aliases {
					if got := s.status(a.id); got != "passing" {
						t.Errorf("%s stays %s", a.id, got)
					}
				}
			})
		})
	}
}

func TestAliasOfANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		answer := make(chan string)
		var asked atomic.Uint64
		s.asks(func(ctx context.Context, node string, index uint64) (NodeChecks, error) {
			asked.Store(index)
			select {
			case status := <-answer:
				if status == "" {
					return NodeChecks{}, errors.New("no leader")
				}
				return NodeChecks{Index: index + 1, Known: true, Checks: wire.HealthChecks{{Node: node, CheckID: "c", Name: "c", Status: status}}}, nil
			case <-ctx.Done():
				return NodeChecks{}, ctx.Err()
			}
		})
		s.register(registration{id: "alias", run: &wire.CheckType{AliasNode: "n2"}})
		answer <- "passing"
		s.want(t, "the first answer", "0s alias=passing All checks passing.")
		s.at(10 * time.Second)
		if asked.Load() != 1 {
			t.Errorf("it asks for news since %d, want since the last answer", asked.Load())
		}
		answer <- "critical"
		s.want(t, "news", `10s alias=critical Aliased check "c" failing:`)
		s.at(20 * time.Second)
		answer <- "passing"
		s.want(t, "good news", "20s alias=passing All checks passing.")
		s.at(30 * time.Second)
		answer <- ""
		s.want(t, "one failure says nothing")
		s.at(40 * time.Second)
		answer <- ""
		s.want(t, "two say that nobody knows", "40s alias=critical Failure checking aliased node or service: no leader")
		s.at(50 * time.Second)
		answer <- "passing"
		s.want(t, "and it recovers", "50s alias=passing All checks passing.")
	})
}

func TestDeregistersWhatIsCriticalForTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.tries("a", always("passing", ""))
		s.register(every("a", time.Second, func(r *wire.CheckType) { r.DeregisterCriticalServiceAfter = 2 * time.Minute }))
		s.at(10 * time.Minute)
		s.told()
		s.tries("a", always("critical", ""))
		s.at(12 * time.Minute)
		for _, line := range s.told() {
			if strings.Contains(line, "deregister") {
				t.Errorf("too early: %s", line)
			}
		}
		s.at(12*time.Minute + 31*time.Second)
		if got := s.told(); !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, "deregister web") }) {
			t.Errorf("local was told %q", got)
		}
	})
}

// TestCriticalSurvivesTheActor keeps since when a service is critical when the
// actor fails.
func TestCriticalSurvivesTheActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.tries("a", always("critical", ""))
		s.register(every("a", time.Second, func(r *wire.CheckType) { r.DeregisterCriticalServiceAfter = time.Minute }))
		s.at(50 * time.Second)
		s.health.Tell((*messages.ReportCheck)(nil))
		s.at(100 * time.Second)
		if got := s.told(); !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, "deregister web") }) {
			t.Errorf("local was told %q", got)
		}
	})
}
