package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// failing has the writes of those named fail with err.
func failing(err error, whats ...string) func(string) error {
	return func(what string) error {
		if slices.Contains(whats, what) {
			return err
		}
		return nil
	}
}

// TestRefusedWriteHoldsUpNobody is https://github.com/hashicorp/consul/issues/4771.
func TestRefusedWriteHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.want(t, "at the start", "node")
		s.setFail(failing(errors.New("no"), "b+bc"))
		s.setDown(errors.New("not yet"))
		for _, id := range []string{"a", "b", "c"} {
			must(t, s, web(id, ttl(id+"c", "")))
		}
		own := checkOf("b", "own") // of the refused service: it has nothing to be written to
		own.Token = "own"
		must(t, s, own)
		must(t, s, checkOf("", "n"))
		s.setDown(nil)
		s.local.Tell(&messages.NewLeader{ID: "x"})
		s.want(t, "all but one", "a+ac", "c+cc", "n")
		if !s.logged("could not sync service 'b'") {
			t.Error("nothing was said")
		}
		time.Sleep(time.Minute)
		s.want(t, "that one goes on failing, and the others are not written again")
		s.setFail(nil)
		time.Sleep(20 * time.Second)
		s.want(t, "once it may", "b+bc", "own")
	})
}

// TestRefusedForWantOfRights: to try again soon is no use.
func TestRefusedForWantOfRights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.want(t, "at the start", "node")
		var tries atomic.Int32
		s.setFail(func(what string) error {
			if what == "w" {
				tries.Add(1)
				return errors.New("rpc error: " + wire.ErrPermissionDenied.Error()) // over the wire only its text comes
			}
			return nil
		})
		must(t, s, web("w"))
		must(t, s, web("x"))
		s.want(t, "the other", "x")
		if !s.logged("ACLs keep this agent from syncing service 'w'") {
			t.Error("nothing was said")
		}
		before := tries.Load()
		time.Sleep(30 * time.Second)
		if tries.Load() != before {
			t.Errorf("tried %d times more within half a minute", tries.Load()-before)
		}
		time.Sleep(time.Minute)
		if tries.Load() == before {
			t.Error("never tried again")
		}
	})
}

// nobodyWritesNodes lets everybody do everything but write what a node says of
// itself.
type nobodyWritesNodes struct{ endpoint.Authorizer }

func (nobodyWritesNodes) NodeWrite(string) bool    { return false }
func (nobodyWritesNodes) NodeRead(string) bool     { return true }
func (nobodyWritesNodes) ServiceRead(string) bool  { return true }
func (nobodyWritesNodes) ServiceWrite(string) bool { return true }

func TestServicesOfANodeThatMayNotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCatalog()
		c.outside(t, &wire.RegisterRequest{Datacenter: "dc1", Node: nodeName, ID: nodeID, Address: "127.0.0.1"})
		c.authz = nobodyWritesNodes{}
		s := newStageOn(t, c)
		must(t, s, web("w"))
		s.want(t, "its services are written nevertheless", "w")
		if !s.logged("ACLs keep this agent from syncing node info") {
			t.Error("nothing was said")
		}
	})
}

// TestNodeOfAnotherThatMayNotBeWritten: what belongs to another node is not written
// to, whatever the rights.
func TestNodeOfAnotherThatMayNotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCatalog()
		c.outside(t, &wire.RegisterRequest{Datacenter: "dc1", Node: nodeName, ID: "11111111-882b-9ddc-4a9d-5b6758e4159e", Address: "127.0.0.9"})
		c.authz = nobodyWritesNodes{}
		s := newStageOn(t, c)
		must(t, s, web("w"))
		time.Sleep(syncInterval)
		s.want(t, "while another has the name")
	})
}

func TestNobodyLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCatalog()
		c.down = wire.ErrNoLeader
		s := newStageOn(t, c)
		must(t, s, web("w"))
		time.Sleep(5 * time.Minute)
		s.want(t, "while nobody leads")
		if !s.logged("failed to sync remote state: No cluster leader") {
			t.Error("nothing was said")
		}
		if n := c.asked(); n > 40 {
			t.Errorf("asked %d times in five minutes", n)
		}
		s.setDown(nil)
		s.local.Tell(&messages.NewLeader{})
		s.want(t, "nobody is no leader")
		s.local.Tell(&messages.NewLeader{ID: "x"})
		s.want(t, "at once when somebody does", "node", "w")
	})
}

// TestNoServerYet: before the first join that is no error, and later it is one.
func TestNoServerYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const text = "failed to sync remote state: No known Consul servers"
		c := newCatalog()
		c.down = wire.ErrNoServers
		s := newStageOn(t, c)
		must(t, s, web("w"))
		time.Sleep(time.Minute)
		if s.logged(text) || !s.logged("no server is known yet; services and checks are synced when one is") {
			t.Error("before the first join it is an error")
		}
		s.setDown(nil)
		time.Sleep(5 * time.Minute)
		s.want(t, "when there is one", "node", "w")
		s.setDown(wire.ErrNoServers)
		time.Sleep(5 * time.Minute)
		if !s.logged(text) {
			t.Error("that they have gone is no error")
		}
	})
}

// TestLeaderIsLostOnTheWay: writes wait for a leader, so that one is enough to know.
func TestLeaderIsLostOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCatalog()
		c.down = errors.New("not yet")
		s := newStageOn(t, c)
		var tries atomic.Int32
		for _, id := range []string{"a", "b", "c"} {
			must(t, s, web(id))
		}
		s.setFail(func(what string) error {
			if what == "node" {
				return nil
			}
			tries.Add(1)
			return messages.ErrNoLeader
		})
		synctest.Wait()
		s.setDown(nil)
		s.local.Tell(&messages.NewLeader{ID: "x"})
		s.want(t, "without a leader", "node")
		if tries.Load() != 1 {
			t.Errorf("tried %d writes, want one", tries.Load())
		}
		s.setFail(nil)
		time.Sleep(2 * time.Second)
		s.want(t, "soon after", "a", "b", "c")
	})
}

// TestChangesDuringASync are not lost.
func TestChangesDuringASync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.want(t, "at the start", "node")
		s.setDuring(func(context.Context, string) error { time.Sleep(time.Second); return nil })
		must(t, s, web("a"))
		synctest.Wait()
		must(t, s, web("b"))
		must(t, s, web("c"))
		must(t, s, &messages.DeregisterService{ID: "a"})
		time.Sleep(10 * time.Second)
		s.want(t, "one after the other", "a", "-a", "b", "c")
	})
}

func TestDeregistersWithTheTokenOfTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		svc := web("w")
		svc.Token = "secret"
		must(t, s, svc)
		synctest.Wait()
		must(t, s, &messages.DeregisterService{ID: "w"})
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if want := []string{"", "secret", "secret"}; !slices.Equal(s.tokens, want) {
			t.Errorf("written with the tokens %q, want %q", s.tokens, want)
		}
		if s.logged("secret") {
			t.Error("a token is in the log")
		}
	})
}

func TestResults(t *testing.T) {
	tests := []struct {
		name     string
		interval time.Duration
		discard  bool
		results  []*messages.SetCheckStatus
		want     []string // written at once
		output   string   // in the catalog at once
		later    []string // written within interval
	}{
		{name: "status", interval: 5 * time.Minute, results: []*messages.SetCheckStatus{result("c", "passing", "fine")}, want: []string{"c"}, output: "fine"},
		{name: "same", interval: 5 * time.Minute, results: []*messages.SetCheckStatus{result("c", "critical", "")}},
		{name: "output_waits", interval: 5 * time.Minute, results: []*messages.SetCheckStatus{result("c", "critical", "1"), result("c", "critical", "2")}, later: []string{"c"}},
		{name: "output_at_once", results: []*messages.SetCheckStatus{result("c", "critical", "1"), result("c", "critical", "2")}, want: []string{"c", "c"}, output: "2"},
		{name: "output_with_the_status", interval: 5 * time.Minute, results: []*messages.SetCheckStatus{result("c", "critical", "1"), result("c", "warning", "2")}, want: []string{"c"}, output: "2"},
		{name: "no_output", interval: 5 * time.Minute, discard: true, results: []*messages.SetCheckStatus{result("c", "critical", "1"), result("c", "passing", "2")}, want: []string{"c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, func(cfg *Config) {
					cfg.CheckUpdateInterval, cfg.DiscardCheckOutput = tt.interval, tt.discard
				})
				must(t, s, checkOf("", "c"))
				s.want(t, "at the start", "node", "c")
				for _, r := range tt.results {
					must(t, s, r)
					if got := s.view.Load().Checks["c"]; got.Status != r.Status || got.Output != r.Output && !tt.discard {
						t.Errorf("the view has %s %q when the answer comes", got.Status, got.Output)
					}
					synctest.Wait()
				}
				s.want(t, "at once", tt.want...)
				if got := s.check("c").Output; got != tt.output {
					t.Errorf("the catalog has the output %q, want %q", got, tt.output)
				}
				time.Sleep(2 * time.Minute)
				s.want(t, "two minutes later, in spite of a comparison")
				time.Sleep(4 * time.Minute)
				s.want(t, "six minutes later", tt.later...)
				if len(tt.later) > 0 && s.check("c").Output != s.view.Load().Checks["c"].Output {
					t.Errorf("the catalog has the output %q", s.check("c").Output)
				}
			})
		})
	}
}

// TestOutputInABigCluster reaches the catalog in time although comparisons are
// seldom, also when something else is written meanwhile.
func TestOutputInABigCluster(t *testing.T) {
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprintf("busy=%t", busy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, func(cfg *Config) {
					cfg.CheckUpdateInterval = 5 * time.Minute
					cfg.Members = func() int { return 5000 }
				})
				must(t, s, checkOf("", "c"))
				s.want(t, "at the start", "node", "c")
				must(t, s, result("c", wire.HealthCritical, "new"))
				if busy {
					must(t, s, web("w"))
					s.want(t, "the service alone", "w")
				}
				time.Sleep(5 * time.Minute)
				s.want(t, "five minutes later", "c")
			})
		})
	}
}

// TestRestlessOutput is written no more than twice in an interval, and no less
// than once.
func TestRestlessOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(cfg *Config) { cfg.CheckUpdateInterval = 5 * time.Minute })
		must(t, s, checkOf("", "c"))
		s.want(t, "at the start", "node", "c")
		const runs = 600
		for i := range runs {
			must(t, s, result("c", wire.HealthCritical, fmt.Sprint(i)))
			time.Sleep(5 * time.Second)
		}
		synctest.Wait()
		if n, least, most := len(s.told()), runs*5/60/5-1, 2*runs*5/60/5+1; n < least || n > most {
			t.Errorf("written %d times in %d minutes, want %d to %d", n, runs*5/60, least, most)
		}
	})
}

func TestUnknownResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.want(t, "at the start", "node")
		if err := refused(t, s, result("x", wire.HealthPassing, "")); !errors.Is(err, messages.ErrUnknownCheck) {
			t.Errorf("err = %v", err)
		}
		s.want(t, "nothing has changed")
	})
}

func TestRestoredStateIsMadeToAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		must(t, s, web("w"))
		s.want(t, "at the start", "node", "w")
		if err := s.deregister(t.Context(), &wire.DeregisterRequest{Node: nodeName}); err != nil {
			t.Fatal(err)
		}
		s.told()
		s.local.Tell(&messages.StateRestored{})
		s.want(t, "at once", "node", "w")
	})
}

// TestNewsForAnInstanceThatFailed does not reach the next: what the catalog had
// back then is no reason to write.
func TestNewsForAnInstanceThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCatalog()
		slow := make(chan struct{})
		var reads atomic.Int32
		s := newStageOn(t, c, func(cfg *Config) {
			cfg.Read = func(ctx context.Context) (*wire.NodeServices, wire.HealthChecks, error) {
				n, checks, err := c.read(ctx)
				if reads.Add(1) == 1 {
					<-slow
				}
				return n, checks, err
			}
		})
		s.want(t, "while the first read takes long")
		s.crash()
		s.want(t, "after a restart", "node")
		must(t, s, web("w"))
		s.want(t, "registered", "w")
		close(slow)
		s.want(t, "when it ends")
	})
}

func TestReconfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.want(t, "at the start", "node")
		s.local.Tell(&messages.Reconfigure{NodeMeta: map[string]string{"rack": "r2"}})
		s.want(t, "new metadata", "node")
		if got := s.node().Meta; got["rack"] != "r2" || got["consul-version"] != "1.19.2" {
			t.Errorf("the node's metadata is %v", got)
		}
		s.local.Tell(&messages.Reconfigure{NodeMeta: map[string]string{"rack": "r2"}})
		s.want(t, "the same once more")
	})
}

func TestBigClustersCompareLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(cfg *Config) { cfg.Members = func() int { return 1000 } })
		synctest.Wait()
		before := s.asked()
		time.Sleep(time.Hour)
		if n := s.asked() - before; n < 11 || n > 15 {
			t.Errorf("compared %d times in an hour, want about every 4 to 5 minutes", n)
		}
	})
}

// TestAwaitSync: who registers something finds it in the catalog next, when the
// catalog can be told at all.
func TestAwaitSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.want(t, "at the start", "node")
		must(t, s, web("a"))
		must(t, s, &messages.AwaitSync{})
		if s.service("a") == nil {
			t.Error("a is not in the catalog yet")
		}

		// What is registered while the catalog is being told of something else is
		// waited for as well.
		gate := make(chan struct{})
		s.setDuring(func(_ context.Context, what string) error {
			if what == "b" {
				<-gate
			}
			return nil
		})
		must(t, s, web("b"))
		synctest.Wait()
		must(t, s, web("c"))
		done := make(chan struct{})
		go func() {
			must(t, s, &messages.AwaitSync{})
			close(done)
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Error("answered before b was written")
		default:
		}
		close(gate)
		<-done
		if s.service("c") == nil {
			t.Error("c is not in the catalog yet")
		}

		s.setDown(errors.New("nobody is there"))
		must(t, s, web("d"))
		must(t, s, &messages.AwaitSync{}) // in vain, and answered
		if s.service("d") != nil {
			t.Error("d is in a catalog that is down")
		}
	})
}
