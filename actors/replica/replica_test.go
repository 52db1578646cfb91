package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages/wire"
)

// server is a store that is followed, and follower what was made of it.
type server struct {
	mu       sync.Mutex
	store    *state.Store
	index    uint64
	changed  chan struct{}
	down     bool
	follower *state.Store
	loads    int
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{store: state.NewStore(), index: 10, changed: make(chan struct{}), follower: state.NewStore()}
	actortest.Spawn(t, actortest.System(t), New(Config{
		Logger: zap.NewNop(), Snapshot: s.snapshot, Changes: s.changes, Load: s.load, Apply: s.apply,
	}), Name)
	return s
}

// register registers a node on the server.
func (s *server) register(name string) { s.registerWith(name, "") }

func (s *server) registerWith(name, rack string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index++
	req := &wire.RegisterRequest{Node: name, Address: "127.0.0.1", NodeMeta: map[string]string{"rack": rack}, Service: &wire.NodeService{ID: "web", Service: "web"}}
	entry, err := wire.Encode(wire.RegisterRequestType, req)
	if err != nil {
		panic(err)
	}
	if err := s.store.Update(s.index, time.Now(), func(tx *state.Tx) error { return tx.EnsureRegistration(req) }); err != nil {
		panic(err)
	}
	s.store.Record(s.index, entry)
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *server) reach(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
	close(s.changed)
	s.changed = make(chan struct{})
}

var errDown = errors.New("nobody there")

func (s *server) snapshot(_ context.Context, args *wire.ReplicaSnapshotRequest) (*wire.ReplicaSnapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errDown
	}
	page := &wire.ReplicaSnapshot{}
	page.Index, page.Records, page.Next = s.store.View().Registrations(args.After, 3) // small pages
	return page, nil
}

func (s *server) changes(ctx context.Context, args *wire.ReplicaChangesRequest) (*wire.ReplicaChanges, error) {
	for {
		s.mu.Lock()
		down, view, changed := s.down, s.store.View(), s.changed
		s.mu.Unlock()
		if down {
			return nil, errDown
		}
		reply := new(wire.ReplicaChanges)
		if err := endpoint.ReplicaChanges.Eval(&endpoint.Env{View: view}, args, reply); err != nil {
			return nil, err
		}
		if reply.Index > args.MinQueryIndex {
			return reply, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *server) load(index uint64, records []*wire.RegisterRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads++
	r := state.NewRestorer(index)
	for _, rec := range records {
		if _, err := r.Record(wire.RegisterRequestType, func(into any) error { *into.(*wire.RegisterRequest) = *rec; return nil }); err != nil {
			return err
		}
	}
	s.follower = r.Commit()
	return nil
}

func (s *server) apply(index uint64, entry []byte) error {
	_, body, err := wire.Split(entry)
	if err != nil {
		return err
	}
	var req wire.RegisterRequest
	if err := wire.Decode(body, 1<<20, &req); err != nil {
		return err
	}
	return s.follower.Update(index, time.Now(), func(tx *state.Tx) error { return tx.EnsureRegistration(&req) })
}

// nodes returns the nodes that the follower has, with the number of their services.
func (s *server) nodes() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, nodes := s.follower.View().Nodes(nil, nil)
	for _, n := range nodes {
		_, services := s.follower.View().NodeServices(nil, n.Node)
		all = append(all, fmt.Sprintf("%s:%d", n.Node, len(services.Services)))
	}
	return all
}

func (s *server) want(t *testing.T, when string, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := s.nodes(); !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", when, got, want)
	}
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.want(t, "nothing there")
		s.register("a")
		s.want(t, "a change", "a:1")
		s.register("b")
		s.register("c")
		s.want(t, "more", "a:1", "b:1", "c:1")

		s.reach(true)
		s.register("d")
		s.want(t, "while the server is away, what is known stays", "a:1", "b:1", "c:1")
		s.reach(false)
		time.Sleep(retryMost)
		s.want(t, "it is back", "a:1", "b:1", "c:1", "d:1")
		if s.loads != 1 {
			t.Errorf("loaded the catalog %d times, want once", s.loads)
		}
	})
}

func TestPagesAndStartingOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.want(t, "nothing there")
		s.reach(true)
		synctest.Wait()
		var want []string
		for i := range 20 { // more than a server goes back, which is 8 MiB
			s.registerWith(fmt.Sprintf("n%02d", i), strings.Repeat("x", 1<<19))
			want = append(want, fmt.Sprintf("n%02d:1", i))
		}
		s.reach(false)
		time.Sleep(retryMost)
		s.want(t, "taken over anew, in pages", want...)
		if s.loads != 2 {
			t.Errorf("loaded the catalog %d times, want twice", s.loads)
		}
	})
}
