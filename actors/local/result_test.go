package local

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// until is a result that counts for a while from now.
func until(id, status, output string, d time.Duration) *messages.SetCheckStatus {
	return &messages.SetCheckStatus{ID: id, Status: status, Output: output, Expires: time.Now().Add(d)}
}

// shown is what the view has of the check a.
func (s *stage) shown() (status, output string, left time.Duration) {
	v := s.view.Load()
	if expires, ok := v.Expires["a"]; ok {
		left = time.Until(expires)
	}
	return v.Checks["a"].Status, v.Checks["a"].Output, left
}

// TestResultsSurvive restarts the actor and then the agent between two reports of a
// service: its result and its deadline are those that they were.
func TestResultsSurvive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, c := t.TempDir(), newCatalog()
		inDir := func(cfg *Config) { cfg.DataDir = dir }
		s := newStageOn(t, c, inDir)
		must(t, s, web("w", ttl("a", "")))
		must(t, s, until("a", "passing", "ok", 10*time.Second))
		time.Sleep(3 * time.Second)
		s.crash()
		synctest.Wait()
		if status, output, left := s.shown(); status != "passing" || output != "ok" || left != 7*time.Second {
			t.Errorf("after a crash of the actor it is %s %q for %v", status, output, left)
		}
		s.stop()
		s.want(t, "so far", "node", "w+a", "a")

		time.Sleep(3 * time.Second)
		s = newStageOn(t, c, inDir)
		if status, output, left := s.shown(); status != "passing" || output != "ok" || left != 4*time.Second {
			t.Errorf("after a restart of the agent it is %s %q for %v", status, output, left)
		}
		s.want(t, "it never was critical in the catalog")
		s.stop()

		time.Sleep(5 * time.Second)
		s = newStageOn(t, c, inDir)
		if status, output, left := s.shown(); status != "critical" || output != "ok" || left != -time.Second {
			t.Errorf("after the deadline it is %s %q for %v", status, output, left)
		}
		s.want(t, "the catalog hears of it", "a")
	})
}

// TestResultsOfAnotherClock restarts an agent whose clock was a day ahead when it kept
// a result, and has been set right.
func TestResultsOfAnotherClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, c := t.TempDir(), newCatalog()
		inDir := func(cfg *Config) { cfg.DataDir = dir }
		s := newStageOn(t, c, inDir)
		must(t, s, web("w", ttl("a", "")))
		must(t, s, until("a", "passing", "ok", 24*time.Hour))
		s.stop()
		s = newStageOn(t, c, inDir)
		if status, _, left := s.shown(); status != "passing" || left > time.Minute {
			t.Errorf("it is %s for %v, want no longer than its TTL", status, left)
		}
	})
}

func TestResultsGoWithTheirChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := newStage(t, func(cfg *Config) { cfg.DataDir = dir })
		kept := func() int {
			files, _ := os.ReadDir(filepath.Join(dir, "checks", "state"))
			return len(files)
		}
		must(t, s, web("w", ttl("a", "")))
		must(t, s, checkOf("", "n"))
		must(t, s, until("a", "passing", "", time.Minute))
		must(t, s, until("n", "passing", "", time.Minute))
		if kept() != 2 {
			t.Errorf("%d results are kept, want 2", kept())
		}
		must(t, s, &messages.DeregisterService{ID: "w"})
		must(t, s, &messages.DeregisterCheck{ID: "n"})
		if kept() != 0 {
			t.Errorf("%d results outlive their checks", kept())
		}
		if len(s.view.Load().Expires) != 0 {
			t.Errorf("deadlines outlive their checks: %v", s.view.Load().Expires)
		}
	})
}

func TestDeadlineAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		must(t, s, web("w", ttl("a", "")))
		s.want(t, "so far", "node", "w+a")
		must(t, s, result("a", "warning", "hm"))
		s.want(t, "and now", "a")
		reads := s.asked()
		must(t, s, until("a", "", "", time.Minute))
		synctest.Wait()
		if status, output, left := s.shown(); status != "warning" || output != "hm" || left != time.Minute {
			t.Errorf("it is %s %q for %v", status, output, left)
		}
		if s.asked() != reads {
			t.Error("the catalog was asked although it does not know of deadlines")
		}
		if err := refused(t, s, until("a", "odd", "", time.Minute)); err == nil {
			t.Error("an odd status was taken")
		}
		if err := refused(t, s, until("b", "passing", "", time.Minute)); err == nil {
			t.Error("a check that is not there has a result")
		}
	})
}

func TestHealthHearsOfStatuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		must(t, s, web("w", ttl("a", "")))
		must(t, s, result("a", "passing", "1"))
		must(t, s, result("a", "passing", "2")) // the output alone
		must(t, s, until("a", "critical", "3", time.Minute))
		synctest.Wait()
		want := []string{"ChecksChanged{Anew:true}", "ChecksChanged{Anew:false}", "CheckStatusChanged{ID:a}", "CheckStatusChanged{ID:a}"}
		if got := s.health.Got(); !slices.Equal(got, want) {
			t.Errorf("health was told %q, want %q", got, want)
		}
	})
}

func TestChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		before := s.view.Load()
		over := func() bool {
			select {
			case <-before.Changed:
				return true
			default:
				return false
			}
		}
		if over() {
			t.Error("the newest view says that there is a newer one")
		}
		must(t, s, web("w"))
		if !over() {
			t.Error("a view does not say that there is a newer one")
		}
		before = s.view.Load()
		s.crash()
		synctest.Wait()
		if !over() {
			t.Error("who waits does not hear of the view after a restart")
		}
	})
}

// TestDefinitionsReplaced replaces definitions while the agent runs, and starts the
// actor again.
func TestDefinitionsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(cfg *Config) {
			cfg.DataDir = t.TempDir()
			cfg.Services = []*messages.RegisterService{fromConfig(web("w", ttl("a", "")))}
			cfg.SidecarMinPort, cfg.SidecarMaxPort = 21000, 21255
		})
		must(t, s, result("a", "passing", "ok"))
		s.want(t, "at the start", "node", "w+a", "a")
		must(t, s, &messages.ReplaceDefinitions{
			Services: []*messages.RegisterService{fromConfig(web("w", ttl("a", ""))), fromConfig(withSidecar("x"))},
		})
		if status, _, _ := s.shown(); status != wire.HealthPassing {
			t.Error("a check flaps when its definition is read again")
		}
		s.want(t, "what is new", "x", "x-sidecar-proxy+service:x-sidecar-proxy:1+service:x-sidecar-proxy:2")
		s.crash()
		synctest.Wait()
		if v := s.view.Load(); len(v.Services) != 3 || v.Services["x-sidecar-proxy"].Port != 21000 {
			t.Errorf("after a crash there are %v", v.Services)
		}
		must(t, s, &messages.ReplaceDefinitions{})
		s.want(t, "what is gone", "-w", "-x", "-x-sidecar-proxy")
		if v := s.view.Load(); len(v.Services) != 0 || len(v.Checks) != 0 {
			t.Errorf("left are %v %v", v.Services, v.Checks)
		}
	})
}
