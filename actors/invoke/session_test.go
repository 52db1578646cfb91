package invoke_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

func TestSessionRenew(t *testing.T) {
	const leader, deposed, follower = "leader", "a leader that nobody confirms", "follower"
	tests := []struct {
		name    string
		role    string
		id      string
		stale   bool
		ended   bool // the actor that keeps the deadlines says so
		renewed time.Duration
		found   bool
		err     error
		called  string // the server that was asked
	}{
		{name: "with_a_ttl", role: leader, id: "ttl", renewed: 10 * time.Second, found: true},
		{name: "without_a_ttl", role: leader, id: "plain", found: true},
		{name: "missing", role: leader, id: "none"},
		{name: "too_late", role: leader, id: "ttl", renewed: 10 * time.Second, ended: true},
		{name: "nobody_confirms_the_leader", role: deposed, id: "ttl", err: messages.ErrNoLeader},
		{name: "on_a_follower", role: follower, id: "ttl", called: "10.0.0.2:8300"},
		{name: "stale_is_no_excuse", role: follower, id: "ttl", stale: true, called: "10.0.0.2:8300"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := state.NewStore()
				if err := store.Update(1, time.Now(), func(tx *state.Tx) error {
					return errors.Join(
						tx.EnsureNode(&wire.Node{Node: "n", Address: "10.0.0.9"}),
						tx.SessionCreate(&wire.Session{ID: "ttl", Node: "n", TTL: "10s"}),
						tx.SessionCreate(&wire.Session{ID: "plain", Node: "n"}))
				}); err != nil {
					t.Fatal(err)
				}
				sys := actortest.System(t)
				var renewed time.Duration
				played := actortest.NewProbeFunc(t, sys, "played", func(ctx actor.Context) bool {
					switch msg := ctx.Message().(type) {
					case *messages.ConfirmLeader:
						if tt.role != leader {
							msg.Refuse(messages.ErrNotLeader)
						}
						msg.Answer(messages.ReadIndex{})
					case *messages.RenewSession:
						renewed = msg.TTL
						msg.Answer(!tt.ended)
					}
					return true
				}).Address(sys)
				var status messages.Published[messages.RaftStatus]
				status.Publish(&messages.RaftStatus{State: messages.Leader, LeaderAddr: "10.0.0.1:8300"})
				if tt.role == follower {
					status.Publish(&messages.RaftStatus{State: messages.Follower, LeaderAddr: "10.0.0.2:8300"})
				}
				called := ""
				inv := invoke.New(invoke.Config{
					Datacenter: "dc1", View: store.View, Status: &status, Raft: played, Sessions: played,
					Call: func(_ context.Context, address, method string, _ wire.Request, _ any) error {
						if method != "Session.Renew" {
							t.Errorf("%s was called", method)
						}
						called = address
						return nil
					},
				})
				var reply wire.IndexedSessions
				args := &wire.SessionSpecificRequest{SessionID: tt.id, QueryOptions: wire.QueryOptions{AllowStale: tt.stale}}
				if err := invoke.Do(t.Context(), inv, invoke.SessionRenew, args, &reply); !errors.Is(err, tt.err) {
					t.Fatalf("err = %v, want %v", err, tt.err)
				}
				synctest.Wait()
				if found := len(reply.Sessions) > 0; found != tt.found || renewed != tt.renewed || called != tt.called {
					t.Errorf("found %v, renewed for %v, called %q", found, renewed, called)
				}
			})
		})
	}
}
