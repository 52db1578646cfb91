package endpoint

import (
	"fmt"
	"testing"
	"time"

	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages/wire"
)

var noon = time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)

const (
	idA    = "aaaaaaaa-0000-0000-0000-000000000000"
	idSess = "11111111-2222-3333-4444-555555555555"
)

// write applies what cannot fail as the next log entry.
func write(t testing.TB, s *state.Store, fn func(*state.Tx) error) {
	t.Helper()
	if err := s.Update(s.View().LastIndex()+1, noon, fn); err != nil {
		t.Fatal(err)
	}
}

// filled is a store with two nodes, two services, keys and a session.
func filled(t testing.TB) *state.Store {
	s := state.NewStore()
	write(t, s, func(tx *state.Tx) error {
		return tx.EnsureRegistration(&wire.RegisterRequest{
			Datacenter: "dc1", ID: idA, Node: "n1", Address: "10.0.0.1", NodeMeta: map[string]string{"rack": "r1", "os": "linux"},
			Service: &wire.NodeService{ID: "w1", Service: "web", Tags: []string{"v1", "blue"}, Port: 80, Meta: map[string]string{"os": "linux"}},
			Checks: wire.HealthChecks{
				{Node: "n1", CheckID: "serfHealth", Name: "Serf", Status: "passing"},
				{Node: "n1", CheckID: "c1", Name: "web check", Status: "warning", ServiceID: "w1"},
			},
		})
	})
	write(t, s, func(tx *state.Tx) error {
		return tx.EnsureRegistration(&wire.RegisterRequest{
			Datacenter: "dc1", Node: "n2", Address: "10.0.0.2",
			Service: &wire.NodeService{ID: "w2", Service: "web", Tags: []string{"v2"}, Port: 81},
			Check:   &wire.HealthCheck{Node: "n2", CheckID: "c2", Status: "critical", ServiceID: "w2"},
		})
	})
	write(t, s, func(tx *state.Tx) error { return tx.EnsureService("n2", &wire.NodeService{ID: "d", Service: "db"}) })
	for _, k := range []string{"a/1", "a/b/2", "secret/x"} {
		write(t, s, func(tx *state.Tx) error {
			tx.KVSSet(&wire.DirEntry{Key: k, Value: []byte("v")})
			return nil
		})
	}
	write(t, s, func(tx *state.Tx) error {
		return tx.SessionCreate(&wire.Session{ID: idSess, Node: "n1", LockDelay: 15 * time.Second})
	})
	return s
}

// only allows what is done to the names in it, and the operator nothing.
type only map[string]bool

func (o only) NodeRead(name string) bool         { return o[name] }
func (o only) NodeWrite(name string) bool        { return o[name] }
func (o only) ServiceRead(name string) bool      { return o[name] }
func (o only) ServiceWrite(name string) bool     { return o[name] }
func (o only) KeyRead(key string) bool           { return o[key] }
func (o only) KeyList(prefix string) bool        { return o[prefix] }
func (o only) KeyWrite(key string) bool          { return o[key] }
func (o only) KeyWritePrefix(prefix string) bool { return o[prefix] }
func (o only) SessionRead(node string) bool      { return o[node] }
func (o only) SessionWrite(node string) bool     { return o[node] }
func (o only) PreparedQueryRead(n string) bool   { return o[n] }
func (o only) PreparedQueryWrite(n string) bool  { return o[n] }
func (o only) ACLWrite() bool                    { return o["acl"] }
func (o only) OperatorRead() bool                { return false }
func (o only) OperatorWrite() bool               { return false }

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func errorIs(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil && want != "" || err != nil && fmt.Sprint(err) != want {
		t.Errorf("err = %v, want %q", err, want)
	}
}
