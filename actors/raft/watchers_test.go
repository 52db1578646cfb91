package raft

import (
	"testing"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// TestWatchers: whoever watches hears who leads, as the leader actor does.
func TestWatchers(t *testing.T) {
	sys := actortest.System(t)
	watcher := actortest.NewProbe(t, sys, "watcher")
	s := newServer(t, "a", func(cfg *Config) {
		cfg.Bootstrap = true
		cfg.Watchers = []ask.Address{{}, watcher.Address(sys)} // the first is nobody
	})
	s.start()
	if got := actortest.Next[*messages.NewLeader](t, watcher); got.ID != "a" {
		t.Errorf("the new leader is %+v, want a", got)
	}
	if got := actortest.Next[*messages.LeadershipChanged](t, watcher); !got.Leading {
		t.Errorf("leadership has changed to %+v", got)
	}
}
