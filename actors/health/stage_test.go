package health

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a health checker whose probes do what the test says, and a local that
// keeps what it is told.
type stage struct {
	sys    *actor.ActorSystem
	health ask.Address
	parent *actortest.Probe
	view   *messages.Published[messages.LocalView]
	logs   *observer.ObservedLogs
	begun  time.Time
	mu     sync.Mutex
	log    []string // what local was told, with the second
	try    map[string]probe
	kids   map[string]*actor.PID

	stopping func() // runs while a child stops

	nodes func(ctx context.Context, node string, index uint64) (NodeChecks, error)
}

func newStage(t *testing.T) *stage {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	s := &stage{
		sys: actortest.System(t), view: new(messages.Published[messages.LocalView]), logs: logs,
		try: map[string]probe{}, kids: map[string]*actor.PID{}, begun: time.Now(),
	}
	s.view.Publish(&messages.LocalView{})
	local := actortest.NewProbeFunc(t, s.sys, "local", s.local)
	s.health, s.parent = actortest.Parent(t, s.sys, New(Config{
		Logger: zap.New(core), View: s.view, Local: local.Address(s.sys), NodeName: "n1",
		NodeChecks: func(ctx context.Context, node string, index uint64) (NodeChecks, error) {
			s.mu.Lock()
			nodes := s.nodes
			s.mu.Unlock()
			return nodes(ctx, node, index)
		},
		Guard: s.guard,
		probes: func(_ *Config, run *wire.CheckType) probe {
			return func(ctx context.Context) result {
				s.mu.Lock()
				try := s.try[run.TCP]
				s.mu.Unlock()
				if try == nil {
					return result{wire.HealthPassing, ""}
				}
				return try(ctx)
			}
		},
	}), Name)
	synctest.Wait()
	return s
}

// guard learns where the children are.
func (s *stage) guard(produce actor.Producer) actor.Producer {
	return func() actor.Actor {
		a := produce()
		return actor.ReceiveFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*actor.Stopping); ok && s.stopping != nil {
				s.stopping()
			}
			if _, ok := ctx.Message().(*actor.Started); ok {
				_, name, _ := strings.Cut(ctx.Self().Id, "/")
				id, _, _ := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], "$")
				s.mu.Lock()
				s.kids[id] = ctx.Self()
				s.mu.Unlock()
			}
			a.Receive(ctx)
		})
	}
}

// fail has the child of a check panic on a message.
func (s *stage) fail(id string, msg any) {
	s.mu.Lock()
	pid := s.kids[id]
	s.mu.Unlock()
	s.sys.Root.Send(pid, msg)
	synctest.Wait()
}

// local plays the actor local.
func (s *stage) local(ctx actor.Context) bool {
	switch msg := ctx.Message().(type) {
	case *messages.SetCheckStatus:
		s.set(msg)
	case *messages.DeregisterService:
		s.note("deregister %s", msg.ID)
		msg.Answer(messages.Unit{})
	}
	return true
}

func (s *stage) set(msg *messages.SetCheckStatus) {
	before := s.view.Load().Checks[msg.ID]
	if before == nil {
		msg.Refuse(messages.ErrUnknownCheck)
		return
	}
	s.change(func(v *messages.LocalView) {
		c := *before
		if msg.Status != "" {
			c.Status, c.Output = msg.Status, msg.Output
			s.note("%s=%s %s", msg.ID, msg.Status, msg.Output)
		}
		v.Checks[msg.ID] = &c
		if !msg.Expires.IsZero() {
			v.Expires[msg.ID] = msg.Expires
		}
	})
	msg.Answer(messages.Unit{})
	if msg.Status != "" && msg.Status != before.Status {
		s.health.Tell(&messages.CheckStatusChanged{ID: msg.ID})
	}
}

// change publishes a view in which something is otherwise.
func (s *stage) change(do func(*messages.LocalView)) {
	old := s.view.Load()
	v := &messages.LocalView{
		Services: copied(old.Services), Checks: copied(old.Checks), Runs: copied(old.Runs), Expires: copied(old.Expires),
	}
	do(v)
	s.view.Publish(v)
}

func copied[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return maps.Clone(m)
}

func (s *stage) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := time.Since(s.begun).Truncate(100 * time.Millisecond)
	s.log = append(s.log, strings.TrimSpace(fmt.Sprintf("%v "+format, append([]any{at}, args...)...)))
}

// told returns what local was told since the last time.
func (s *stage) told() []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.log
	s.log = nil
	return log
}

func (s *stage) want(t *testing.T, when string, want ...string) {
	t.Helper()
	if got := s.told(); !slices.Equal(got, want) {
		t.Errorf("%s: local was told %q, want %q", when, got, want)
	}
}

// tries makes a probe do something from now on.
func (s *stage) tries(target string, do probe) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.try[target] = do
}

func (s *stage) asks(nodes func(ctx context.Context, node string, index uint64) (NodeChecks, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = nodes
}

// at sleeps until so long after the beginning.
func (s *stage) at(after time.Duration) {
	time.Sleep(time.Until(s.begun.Add(after)))
	synctest.Wait()
}

// register is what local does when a check is registered, or taken away.
func (s *stage) register(all ...registration) {
	for _, r := range all {
		s.change(r.apply)
	}
	s.health.Tell(&messages.ChecksChanged{})
	synctest.Wait()
}

// report says something of a service, and returns what is answered.
func (s *stage) report(t *testing.T, id, status, output string) error {
	t.Helper()
	msg := &messages.ReportCheck{ID: id, Status: status, Output: output}
	box := msg.Expect()
	s.health.Tell(msg)
	synctest.Wait()
	select {
	case r := <-box:
		return r.Err
	default:
		t.Errorf("nobody answers a report of %s", id)
		return nil
	}
}

func (s *stage) status(id string) string { return s.view.Load().Checks[id].Status }

// A registration is a check, its run, and whatever else the view is to have.
type registration struct {
	id, service string
	run         *wire.CheckType // nil: the check goes
	status      string
}

func (r registration) apply(v *messages.LocalView) {
	if r.run == nil {
		delete(v.Checks, r.id)
		delete(v.Runs, r.id)
		delete(v.Expires, r.id)
		return
	}
	v.Runs[r.id] = r.run
	if v.Checks[r.id] != nil {
		return // it keeps its result
	}
	c := &wire.HealthCheck{Node: "n1", CheckID: r.id, Name: r.id, ServiceID: r.service, Status: wire.HealthCritical, Type: r.run.Type()}
	if r.status != "" {
		c.Status = r.status
	}
	v.Checks[r.id] = c
	if r.service != "" {
		v.Services[r.service] = &wire.NodeService{ID: r.service}
	}
}

// every is a check that tries its target again and again.
func every(id string, interval time.Duration, change ...func(*wire.CheckType)) registration {
	run := &wire.CheckType{TCP: id, Interval: interval}
	for _, c := range change {
		c(run)
	}
	return registration{id: id, service: "web", run: run}
}

func withTTL(id string, ttl time.Duration, status string) registration {
	return registration{id: id, service: "web", run: &wire.CheckType{TTL: ttl}, status: status}
}

func always(status, output string) probe {
	return func(context.Context) result { return result{status, output} }
}
