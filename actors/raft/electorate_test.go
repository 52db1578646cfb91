package raft

import (
	"slices"
	"testing"

	"github.com/actor-consul/consul/messages"
)

// TestVoterThatAnotherDoesNotKnow is of a sequence in which, of three servers, one
// was given its vote while another was away; then the third stopped. The two made a
// quorum and elected nobody: who had the newest log had no vote in the eyes of the
// other.
func TestVoterThatAnotherDoesNotKnow(t *testing.T) {
	all := newCluster(t, func(c *Config) { c.DataDir = t.TempDir() })
	leader, followers := leaderOf(t, all...)
	leader.leads()
	late, fresh := followers[0], followers[1]
	put := func(voter bool) {
		t.Helper()
		peer := messages.RaftServer{ID: fresh.cfg.NodeID, Address: fresh.cfg.Advertise, Voter: voter}
		if _, err := do(leader, &messages.PutPeer{Server: peer}); err != nil {
			t.Fatal(err)
		}
	}
	put(false)
	leader.mustPut("x")
	knows := func(s *testServer, voter bool) bool {
		return slices.ContainsFunc(s.status.Load().Peers(), func(p messages.RaftServer) bool { return p.ID == fresh.cfg.NodeID && p.Voter == voter })
	}
	await(t, "all know that it has no vote", func() bool { return knows(late, false) && knows(fresh, false) })
	late.stop()
	put(true)
	leader.mustPut("y")
	await(t, "it knows of its vote", func() bool { return knows(fresh, true) })
	leader.stop()
	late.start()
	if !knows(late, false) {
		t.Fatal("the other knows of its vote, so this shows nothing")
	}
	fresh.leads()
	fresh.mustPut("z")
	await(t, "the other has everything", func() bool { return slices.Equal(late.words.get(), []string{"x", "y", "z"}) })
}
