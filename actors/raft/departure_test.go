package raft

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/actor-consul/consul/messages"
)

func TestObjection(t *testing.T) {
	voter := func(id string) messages.RaftServer {
		return messages.RaftServer{ID: id, Address: id + ":8300", Voter: true}
	}
	learner := messages.RaftServer{ID: "a", Address: "a:8300"}
	alive := func(ids ...string) *messages.PoolView {
		v := &messages.PoolView{}
		for i, id := range ids {
			v.Members = append(v.Members, messages.Member{
				Name: id, Status: messages.MemberAlive, Addr: netip.MustParseAddr("127.0.0.1"),
				Tags: map[string]string{"role": "consul", "id": id, "port": fmt.Sprint(i + 1), "dc": "dc1"},
			})
		}
		return v
	}
	tests := []struct {
		name    string
		peers   []messages.RaftServer
		pool    *messages.PoolView
		silent  string // does not answer
		nobody  bool   // leads
		objects bool
	}{
		{name: "alone", peers: []messages.RaftServer{voter("a")}, pool: alive("a")},
		{name: "three_alive", peers: []messages.RaftServer{voter("a"), voter("b"), voter("c")}, pool: alive("a", "b", "c")},
		{name: "one_of_three_is_gone", peers: []messages.RaftServer{voter("a"), voter("b"), voter("c")}, pool: alive("a", "b"), objects: true},
		{name: "one_of_three_is_not_missed_yet", peers: []messages.RaftServer{voter("a"), voter("b"), voter("c")}, pool: alive("a", "b", "c"), silent: "127.0.0.1:3", objects: true},
		{name: "nobody_leads", peers: []messages.RaftServer{voter("a"), voter("b"), voter("c")}, pool: alive("a", "b", "c"), nobody: true, objects: true},
		{name: "alone_and_leaderless", peers: []messages.RaftServer{voter("a")}, pool: alive("a"), nobody: true},
		{name: "one_of_five_is_gone", peers: []messages.RaftServer{voter("a"), voter("b"), voter("c"), voter("d"), voter("e")}, pool: alive("a", "b", "c", "d")},
		{name: "two_of_five_are_gone", peers: []messages.RaftServer{voter("a"), voter("b"), voter("c"), voter("d"), voter("e")}, pool: alive("a", "b", "c"), objects: true},
		{name: "has_no_vote", peers: []messages.RaftServer{learner, voter("b"), voter("c")}, pool: alive("a", "b")},
		{name: "nobody_knows_who_is_alive", peers: []messages.RaftServer{voter("a"), voter("b")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Departure{Self: "a", Peers: tt.peers, Leader: "a:8300", Pool: tt.pool, Ping: func(_ context.Context, address string) error {
				if address == tt.silent {
					return errors.New("no answer")
				}
				return nil
			}}
			if tt.nobody {
				d.Leader = ""
			}
			if err := d.Objection(t.Context()); (err != nil) != tt.objects {
				t.Errorf("Objection = %v, want one: %v", err, tt.objects)
			}
		})
	}
}
