package local

import (
	"context"
	"errors"
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
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	catalogstate "github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	nodeName = "n1"
	nodeID   = "adf4238a-882b-9ddc-4a9d-5b6758e4159e"
)

func testNode() *wire.Node {
	return &wire.Node{
		ID: nodeID, Node: nodeName, Address: "127.0.0.1", Datacenter: "dc1",
		TaggedAddresses: map[string]string{"lan": "127.0.0.1"},
		Meta:            map[string]string{"rack": "r1", "consul-version": "1.19.2"},
	}
}

// catalog is the real one, without a log: the endpoints, the wire and the state.
// What is written to it can be told to fail, or to wait.
type catalog struct {
	store *catalogstate.Store

	mu     sync.Mutex
	index  uint64
	writes []string
	reads  int
	tokens []string // those of the writes
	fail   func(what string) error
	during func(ctx context.Context, what string) error // called before a write is made
	down   error                                        // of reads
	authz  endpoint.Authorizer
}

func newCatalog() *catalog { return &catalog{store: catalogstate.NewStore(), index: 1} }

func (c *catalog) read(context.Context) (*wire.NodeServices, wire.HealthChecks, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	if c.down != nil {
		return nil, nil, c.down
	}
	env := &endpoint.Env{View: c.store.View()}
	var services wire.IndexedNodeServices
	var checks wire.IndexedHealthChecks
	about := &wire.NodeSpecificRequest{Node: nodeName}
	err := errors.Join(endpoint.NodeServices.Eval(env, about, &services), endpoint.NodeChecks.Eval(env, about, &checks))
	return services.NodeServices, checks.HealthChecks, err
}

func (c *catalog) register(ctx context.Context, r *wire.RegisterRequest) error {
	what := "node"
	if r.Service != nil {
		what = r.Service.ID
	}
	for _, check := range r.Checks {
		what += "+" + check.CheckID
	}
	if r.SkipNodeUpdate {
		what = strings.TrimPrefix(what, "node+")
	}
	return c.write(ctx, what, r.Token, func(env *endpoint.Env) error {
		return prepared(env, &endpoint.Register, r)
	}, func() error { return c.apply(r) })
}

func (c *catalog) apply(r *wire.RegisterRequest) error {
	through := new(wire.RegisterRequest)
	entry, err := wire.Encode(wire.RegisterRequestType, r)
	if err != nil {
		return err
	}
	if err := wire.Decode(entry[1:], 1<<20, through); err != nil {
		return err
	}
	return c.store.Update(c.index, time.Now(), func(tx *catalogstate.Tx) error { return tx.EnsureRegistration(through) })
}

func (c *catalog) deregister(ctx context.Context, r *wire.DeregisterRequest) error {
	what := "-" + strings.Join(slices.DeleteFunc([]string{r.ServiceID, r.CheckID}, func(s string) bool { return s == "" }), "")
	if what == "-" {
		what = "-node"
	}
	return c.write(ctx, what, r.Token, func(env *endpoint.Env) error {
		return prepared(env, &endpoint.Deregister, r)
	}, func() error {
		return c.store.Update(c.index, time.Now(), func(tx *catalogstate.Tx) error {
			switch {
			case r.ServiceID != "":
				tx.DeleteService(r.Node, r.ServiceID)
			case r.CheckID != "":
				tx.DeleteCheck(r.Node, r.CheckID)
			default:
				tx.DeleteNode(r.Node)
			}
			return nil
		})
	})
}

func prepared[A any](env *endpoint.Env, m *endpoint.Write[A, struct{}], args *A) error {
	_, err := m.Prepare(env, args, &struct{}{})
	return err
}

func (c *catalog) write(ctx context.Context, what, token string, prepare func(*endpoint.Env) error, apply func() error) error {
	c.mu.Lock()
	during, fail, authz := c.during, c.fail, c.authz
	c.mu.Unlock()
	if during != nil {
		if err := during(ctx, what); err != nil {
			return err
		}
	}
	if fail != nil {
		if err := fail(what); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := prepare(&endpoint.Env{View: c.store.View(), Now: time.Now(), Authz: authz}); err != nil {
		return err
	}
	c.index++
	if err := apply(); err != nil {
		return err
	}
	c.writes, c.tokens = append(c.writes, what), append(c.tokens, token)
	return nil
}

// told returns the writes so far and forgets them.
func (c *catalog) told() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.writes
	c.writes, c.tokens = nil, nil
	return w
}

func (c *catalog) setFail(fail func(what string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = fail
}

func (c *catalog) setDuring(during func(ctx context.Context, what string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.during = during
}

// asked returns how often the catalog was read.
func (c *catalog) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads
}

func (c *catalog) setDown(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = err
}

// outside registers something that this agent knows nothing of.
func (c *catalog) outside(t *testing.T, r *wire.RegisterRequest) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index++
	if err := c.apply(r); err != nil {
		t.Fatal(err)
	}
}

func (c *catalog) service(id string) *wire.NodeService {
	_, s := c.store.View().NodeService(nil, nodeName, id)
	return s
}

func (c *catalog) check(id string) *wire.HealthCheck {
	_, check := c.store.View().NodeCheck(nil, nodeName, id)
	return check
}

func (c *catalog) node() *wire.Node {
	_, n := c.store.View().Node(nil, nodeName)
	return n
}

// stage is the actor with everybody around it.
type stage struct {
	*catalog
	sys    *actor.ActorSystem
	cfg    Config
	local  ask.Address
	parent *actortest.Probe
	health *actortest.Probe
	leave  *actortest.Probe
	view   *messages.Published[messages.LocalView]
	last   *lasting
	logs   *observer.ObservedLogs
}

func newStage(t *testing.T, options ...func(*Config)) *stage {
	t.Helper()
	return newStageOn(t, newCatalog(), options...)
}

func newStageOn(t *testing.T, c *catalog, options ...func(*Config)) *stage {
	t.Helper()
	sys := actortest.System(t)
	core, logs := observer.New(zap.DebugLevel)
	s := &stage{
		sys: sys, catalog: c, view: new(messages.Published[messages.LocalView]), logs: logs,
		health: actortest.NewProbe(t, sys, "health"), leave: actortest.NewProbe(t, sys, "leave"),
	}
	s.cfg = Config{
		Logger: zap.New(core), Node: testNode(), View: s.view, Health: s.health.Address(sys),
		Read: c.read, Register: c.register, Deregister: c.deregister,
	}
	for _, option := range options {
		option(&s.cfg)
	}
	// What New does, with what lasts in the hand of the test.
	s.last = &lasting{
		shelf: newShelf(s.cfg.DataDir, configured(s.cfg.Services, s.cfg.Checks)), pen: newPen(&s.cfg), node: s.cfg.Node,
	}
	s.local, s.parent = actortest.Parent(t, sys, produce(s.cfg, s.last), Name)
	synctest.Wait()
	return s
}

func (s *stage) want(t *testing.T, when string, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := s.told(); !slices.Equal(got, want) {
		t.Errorf("%s: written %q, want %q", when, got, want)
	}
}

// must asks and fails the test when refused.
func must[R any](t *testing.T, s *stage, req ask.Request[R]) {
	t.Helper()
	if _, err := ask.Do(t.Context(), s.local, req); err != nil {
		t.Fatalf("%T: %v", req, err)
	}
}

// refused asks and returns why it was refused.
func refused[R any](t *testing.T, s *stage, req ask.Request[R]) error {
	t.Helper()
	_, err := ask.Do(t.Context(), s.local, req)
	if err == nil {
		t.Fatalf("%T was not refused", req)
	}
	return err
}

// crash has the actor fail and start again.
func (s *stage) crash() { s.local.Tell((*messages.NewLeader)(nil)) }

// stop ends the agent.
func (s *stage) stop() { s.sys.Root.StopFuture(s.local.PID()).Wait() }

func (s *stage) logged(text string) bool {
	return slices.ContainsFunc(s.logs.All(), func(e observer.LoggedEntry) bool { return strings.Contains(e.Message, text) })
}

func web(id string, checks ...messages.CheckDefinition) *messages.RegisterService {
	return &messages.RegisterService{
		Service: &wire.NodeService{ID: id, Service: "web", Port: 80, Tags: []string{"v1"}}, Checks: checks,
	}
}

func checkOf(serviceID, id string) *messages.RegisterCheck {
	return &messages.RegisterCheck{CheckDefinition: ttl(id, serviceID)}
}

func ttl(id, serviceID string) messages.CheckDefinition {
	return messages.CheckDefinition{
		Check: &wire.HealthCheck{CheckID: id, Name: id, ServiceID: serviceID, Type: "ttl"},
		Run:   &wire.CheckType{TTL: 10 * time.Second},
	}
}

func result(id, status, output string) *messages.SetCheckStatus {
	return &messages.SetCheckStatus{ID: id, Status: status, Output: output}
}
