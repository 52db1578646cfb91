package local

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// asked sends a request without waiting, and returns where its answer comes.
func asked[R any](s *stage, req ask.Request[R]) <-chan messages.Result[R] {
	box := req.Expect()
	s.local.Tell(req)
	return box
}

// answer returns what has been answered, and fails the test when nothing has.
func answer[R any](t *testing.T, box <-chan messages.Result[R]) error {
	t.Helper()
	select {
	case r := <-box:
		return r.Err
	default:
		t.Error("nobody answered")
		return nil
	}
}

func TestRegisterAndDeregister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(cfg *Config) { cfg.DataDir = t.TempDir() })
		s.want(t, "at the start", "node")
		if got := s.parent.Got(); !slices.Equal(got, []string{"Ready{}"}) {
			t.Errorf("the supervisor was told %q, want Ready", got)
		}

		must(t, s, web("w", ttl("a", ""), ttl("b", "")))
		if v := s.view.Load(); v.Services["w"] == nil || v.Checks["a"] == nil {
			t.Error("the view lacks what was registered when the answer came")
		}
		s.want(t, "a service goes with its checks", "w+a+b")
		if c := s.check("a"); c.ServiceName != "web" || c.Status != wire.HealthCritical {
			t.Errorf("the catalog has %+v", c)
		}
		if got := s.health.Got(); !slices.Equal(got, []string{"ChecksChanged{Anew:true}", "ChecksChanged{Anew:false}"}) {
			t.Errorf("health was told %q", got)
		}

		must(t, s, checkOf("w", "c"))
		s.want(t, "a check alone", "c")
		must(t, s, &messages.DeregisterCheck{ID: "c"})
		s.want(t, "and gone", "-c")
		must(t, s, &messages.DeregisterService{ID: "w"})
		s.want(t, "a service goes with its checks", "-w")
		if s.check("a") != nil || len(s.view.Load().Checks) != 0 {
			t.Error("a check outlives its service")
		}
		if err := refused(t, s, &messages.DeregisterService{ID: "w"}); !errors.Is(err, messages.ErrUnknownService) {
			t.Errorf("err = %v", err)
		}
		s.want(t, "a refusal writes nothing")
	})
}

func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(cfg *Config) { cfg.DataDir = t.TempDir() })
		var boxes []<-chan messages.Result[messages.Unit]
		// The last one of each ID is what remains, whoever is faster.
		for _, id := range []string{"a", "b", "a", "c", "b", "a"} {
			boxes = append(boxes, asked(s, web(id, ttl(id+"-check", ""))))
		}
		boxes = append(boxes, asked(s, &messages.DeregisterService{ID: "b"}))
		boxes = append(boxes, asked(s, checkOf("b", "x"))) // too late
		synctest.Wait()
		for i, box := range boxes {
			if err := answer(t, box); (err != nil) != (i == len(boxes)-1) {
				t.Errorf("request %d: %v", i, err)
			}
		}
		if got, want := outline(s.view.Load()), []string{"a: a-check=critical", "c: c-check=critical"}; !slices.Equal(got, want) {
			t.Errorf("registered %q, want %q", got, want)
		}
		time.Sleep(syncInterval)
		if s.service("a") == nil || s.service("b") != nil || s.service("c") == nil {
			t.Error("the catalog has something else")
		}
	})
}

func TestDiskThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := newStage(t, func(cfg *Config) { cfg.DataDir = dir })
		if err := os.WriteFile(filepath.Join(dir, "services"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s.told()
		err := refused(t, s, web("w", ttl("a", "")))
		if !strings.Contains(err.Error(), "service 'w' cannot be kept on disk") || !strings.Contains(err.Error(), dir) {
			t.Errorf("err = %v, want what and where", err)
		}
		if len(s.view.Load().Services) != 0 {
			t.Error("a service that was refused is registered")
		}
		must(t, s, checkOf("", "n"))
		s.want(t, "the next goes on", "n")
	})
}

func TestRestartedActorKnowsAll(t *testing.T) {
	for _, dir := range []string{"on_disk", "in_memory"} {
		t.Run(dir, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, func(cfg *Config) {
					if dir == "on_disk" {
						cfg.DataDir = t.TempDir()
					}
					cfg.Services = []*messages.RegisterService{web("configured", ttl("x", "")), web("deregistered")}
				})
				must(t, s, web("w", ttl("a", "")))
				must(t, s, result("a", wire.HealthPassing, "fine"))
				must(t, s, result("x", wire.HealthWarning, "hm"))
				must(t, s, &messages.DeregisterService{ID: "deregistered"})
				s.local.Tell(&messages.Reconfigure{NodeMeta: map[string]string{"rack": "r2"}})
				time.Sleep(syncInterval)
				s.told()
				before := outline(s.view.Load())

				s.crash()
				time.Sleep(2 * syncInterval)
				s.want(t, "a restart is no news")
				if got := outline(s.view.Load()); !slices.Equal(got, before) || s.view.Load().Checks["a"].Output != "fine" {
					t.Errorf("after a restart %q is registered, was %q", got, before)
				}
				if got := s.node().Meta["rack"]; got != "r2" {
					t.Errorf("the node is in rack %q, want r2", got)
				}
				if got := s.parent.Got(); !slices.Equal(got, []string{"Ready{}", "Ready{}"}) {
					t.Errorf("the supervisor was told %q", got)
				}
			})
		})
	}
}

// TestRestartAnswersEverybody has requests wait in all the places where they can
// when the actor fails.
func TestRestartAnswersEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := newStage(t, func(cfg *Config) { cfg.DataDir = dir })
		must(t, s, checkOf("", "n"))
		synctest.Wait()
		if err := s.last.shelf.turn.take(t.Context()); err != nil { // the disk is slow
			t.Fatal(err)
		}
		underWay := asked(s, web("under-way"))
		waiting := asked(s, web("waiting"))
		synctest.Wait()
		s.crash()
		synctest.Wait()
		if err := answer(t, underWay); !errors.Is(err, messages.ErrUnavailable) || !strings.Contains(err.Error(), "unknown") {
			t.Errorf("under way: %v, want that nobody knows", err)
		}
		if err := answer(t, waiting); !errors.Is(err, messages.ErrUnavailable) || strings.Contains(err.Error(), "unknown") {
			t.Errorf("waiting: %v", err)
		}

		early := asked(s, web("early", ttl("a", "")))
		unknown := asked(s, result("a", wire.HealthPassing, ""))
		known := asked(s, result("n", wire.HealthPassing, ""))
		s.local.Tell(&messages.NewLeader{ID: "x"})
		synctest.Wait()
		s.last.shelf.turn.pass()
		synctest.Wait()
		if err := answer(t, early); err != nil {
			t.Errorf("early: %v", err)
		}
		if err := answer(t, known); err != nil {
			t.Errorf("a result of a known check that came early: %v", err)
		}
		if err := answer(t, unknown); !errors.Is(err, messages.ErrUnknownCheck) {
			t.Errorf("a result before its check: %v", err)
		}
		if got, want := outline(s.view.Load()), []string{"-: n=passing", "early: a=critical"}; !slices.Equal(got, want) {
			t.Errorf("registered %q, want %q", got, want)
		}
		if got := files(t, dir); len(got) != 3 {
			t.Errorf("files %q: what is on disk is what is registered", got)
		}
	})
}

// TestKeptByAnInstanceThatFailed: the disk has it, the asker does not know, and
// the next instance does.
func TestKeptByAnInstanceThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(cfg *Config) { cfg.DataDir = t.TempDir() })
		keep(t, s.last.shelf, serviceRecord("w", 1), checkRecord("a", "w"))
		s.crash()
		synctest.Wait()
		if got := outline(s.view.Load()); !slices.Equal(got, []string{"w: a=critical"}) {
			t.Errorf("registered %q", got)
		}
	})
}

func TestStoppedActorAnswersEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		if err := s.last.shelf.turn.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		one, two := asked(s, web("one")), asked(s, web("two"))
		synctest.Wait()
		s.stop()
		for _, box := range []<-chan messages.Result[messages.Unit]{one, two} {
			if err := answer(t, box); !errors.Is(err, messages.ErrUnavailable) {
				t.Errorf("err = %v", err)
			}
		}
	})
}

func TestAgentStartsFromDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dir := newCatalog(), t.TempDir()
		onDisk := func(cfg *Config) { cfg.DataDir = dir }
		s := newStageOn(t, c, onDisk)
		svc := web("w", ttl("a", ""))
		svc.Token = "secret"
		must(t, s, svc)
		must(t, s, result("a", wire.HealthPassing, "fine"))
		synctest.Wait()
		s.stop()
		if err := os.WriteFile(filepath.Join(dir, "services", "x"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		c.told()

		s = newStageOn(t, c, onDisk, func(cfg *Config) {
			cfg.Services = []*messages.RegisterService{web("configured")}
		})
		s.want(t, "a check that has not run is critical", "configured", "a")
		if got := outline(s.view.Load()); !slices.Equal(got, []string{"configured:", "w: a=critical"}) {
			t.Errorf("registered %q", got)
		}
		if s.view.Load().Runs["a"] == nil {
			t.Error("how the check is run is lost")
		}
		if !s.logged("cannot be used") {
			t.Error("nothing was said of the damaged file")
		}
		if s.logged("secret") {
			t.Error("a token is in the log")
		}
		synctest.Wait()
		s.stop()
		c.told()
		s = newStageOn(t, c, onDisk)
		s.want(t, "what a configuration file has no more goes", "-configured")
	})
}

func TestStartFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "services"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		c := newCatalog()
		c.outside(t, &wire.RegisterRequest{Datacenter: "dc1", Node: nodeName, ID: nodeID, Address: "127.0.0.1", Service: &wire.NodeService{ID: "w", Service: "web"}})
		s := newStageOn(t, c, func(cfg *Config) { cfg.DataDir = dir })
		got := s.parent.Messages()
		if len(got) != 1 {
			t.Fatalf("the supervisor was told %v", got)
		}
		if failed, ok := got[0].(*messages.StartFailed); !ok || !strings.Contains(failed.Err.Error(), dir) {
			t.Errorf("the supervisor was told %+v", got[0])
		}
		time.Sleep(2 * syncInterval)
		s.want(t, "nothing is taken from the catalog")
		box := asked(s, web("x"))
		synctest.Wait()
		s.stop()
		if err := answer(t, box); !errors.Is(err, messages.ErrUnavailable) {
			t.Errorf("err = %v", err)
		}
	})
}

func TestUnexpectedMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.local.Tell(&messages.Ready{})
		synctest.Wait()
		if !s.logged("unexpected message") {
			t.Error("nothing was said")
		}
	})
}

// TestNew looks at what the stage puts together itself.
func TestNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.stop()
		s.told()
		made := New(s.cfg)().(*localActor)
		if made.lasting.shelf == nil || made.lasting.pen == nil || made.lasting.node != s.cfg.Node || made.state.node != s.cfg.Node {
			t.Errorf("New makes %+v", made)
		}
	})
}
