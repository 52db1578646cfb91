package raft

import (
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
		for _, id := range ids {
			v.Members = append(v.Members, messages.Member{
				Name: id, Status: messages.MemberAlive, Addr: netip.MustParseAddr("127.0.0.1"),
				Tags: map[string]string{"role": "consul", "id": id, "port": "8300", "dc": "dc1"},
			})
		}
		return v
	}
	tests := []struct {
		name    string
		peers   []messages.RaftServer
		pool    *messages.PoolView
		objects bool
	}{
		{name: "alone", peers: []messages.RaftServer{voter("a")}, pool: alive("a")},
		{name: "three_alive", peers: []messages.RaftServer{voter("a"), voter("b"), voter("c")}, pool: alive("a", "b", "c")},
		{name: "one_of_three_is_gone", peers: []messages.RaftServer{voter("a"), voter("b"), voter("c")}, pool: alive("a", "b"), objects: true},
		{name: "one_of_five_is_gone", peers: []messages.RaftServer{voter("a"), voter("b"), voter("c"), voter("d"), voter("e")}, pool: alive("a", "b", "c", "d")},
		{name: "two_of_five_are_gone", peers: []messages.RaftServer{voter("a"), voter("b"), voter("c"), voter("d"), voter("e")}, pool: alive("a", "b", "c"), objects: true},
		{name: "has_no_vote", peers: []messages.RaftServer{learner, voter("b"), voter("c")}, pool: alive("a", "b")},
		{name: "nobody_knows_who_is_alive", peers: []messages.RaftServer{voter("a"), voter("b")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := Objection(tt.peers, tt.pool, "a"); (err != nil) != tt.objects {
				t.Errorf("Objection = %v, want one: %v", err, tt.objects)
			}
		})
	}
}
