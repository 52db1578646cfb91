package invoke_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/actor-consul/consul/messages"
)

// TestNobodyLeads: who waits for a leader that is lost waits no longer than others.
func TestNobodyLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(false)
		c.status.Publish(&messages.RaftStatus{State: messages.Follower, LeaderAddr: "10.0.0.1:8300"})
		c.answer = func(ctx context.Context, _ string, _ any) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		began := time.Now()
		time.AfterFunc(time.Second, func() { c.status.Publish(&messages.RaftStatus{State: messages.Follower}) })
		if err := c.put(t.Context(), "dc1"); err == nil || errors.Is(err, messages.ErrNoLeader) {
			t.Errorf("a write: %v, want one that says that nobody knows", err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if len(c.called) != 1 {
			t.Errorf("%d calls, want 1", len(c.called))
		}
	})
}

// TestReplaced: who waits for a server that stands still waits no longer than for the
// others to find another, and what may have been written is not written again.
func TestReplaced(t *testing.T) {
	const stands, next = "10.0.0.1:8300", "10.0.0.2:8300"
	leader := func(c *caller, address string) {
		c.status.Publish(&messages.RaftStatus{State: messages.Follower, LeaderID: address, LeaderAddr: address})
	}
	servers := func(c *caller, addresses ...string) {
		var all []messages.Server
		for _, a := range addresses {
			all = append(all, serverAt("dc1", a))
		}
		c.routes.Publish(&messages.Routes{Servers: map[string][]messages.Server{"dc1": all}})
	}
	tests := []struct {
		name   string
		client bool
		begin  func(*caller)
		found  func(*caller) // after three seconds
		cut    bool
	}{
		{"by_another_leader", false, func(c *caller) { leader(c, stands) }, func(c *caller) { leader(c, next) }, true},
		{"by_nobody_for_a_while", false, func(c *caller) { leader(c, stands) }, func(c *caller) {
			leader(c, "")
			time.AfterFunc(6*time.Second, func() { leader(c, stands) })
		}, false},
		{"by_another_after_an_election", false, func(c *caller) { leader(c, stands) }, func(c *caller) {
			leader(c, "")
			time.AfterFunc(time.Second, func() { leader(c, next) })
		}, true},
		{"for_a_moment", false, func(c *caller) { leader(c, stands) }, func(c *caller) {
			leader(c, next)
			time.AfterFunc(time.Second, func() { leader(c, stands) })
		}, false},
		{"that_has_failed", true, func(c *caller) { servers(c, stands, next) }, func(c *caller) { servers(c, next) }, true},
		{"behind_another", true, func(c *caller) { servers(c, stands, next) }, func(c *caller) { servers(c, next, stands) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for what, ask := range map[string]func(*caller, context.Context) error{
					"read":  func(c *caller, ctx context.Context) error { return c.nodes(ctx, "dc1") },
					"write": func(c *caller, ctx context.Context) error { return c.put(ctx, "dc1") },
				} {
					c := newCaller(tt.client)
					tt.begin(c)
					c.answer = func(ctx context.Context, address string, _ any) error {
						if address != stands {
							return nil
						}
						select {
						case <-ctx.Done():
							return context.Cause(ctx)
						case <-time.After(time.Minute):
							return nil
						}
					}
					time.AfterFunc(3*time.Second, func() { tt.found(c) })
					began := time.Now()
					err := ask(c, t.Context())
					took := time.Since(began)
					switch asked := strings.Join(c.called, " "); {
					case !tt.cut && (err != nil || took != time.Minute || asked != stands):
						t.Errorf("%s: %v after %v, by %s, want its answer", what, err, took, asked)
					case tt.cut && took > 6*time.Second:
						t.Errorf("%s: waited for %v", what, took)
					case tt.cut && what == "read" && (err != nil || asked != stands+" "+next):
						t.Errorf("a read: %v, by %s", err, asked)
					case tt.cut && what == "write" && (err == nil || asked != stands):
						t.Errorf("a write: %v, by %s, want no second try", err, asked)
					}
				}
			})
		})
	}
}
