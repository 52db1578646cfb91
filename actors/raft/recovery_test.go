package raft

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/actor-consul/consul/messages"
)

func TestPlanRecovery(t *testing.T) {
	peers := []messages.RaftServer{{ID: "a", Address: "a:1", Voter: true}, {ID: "b", Address: "b:1", Voter: true}, {ID: "c", Address: "c:1", Voter: true}, {ID: "d", Address: "d:1"}}
	pool := func(alive string) *messages.PoolView {
		v := &messages.PoolView{}
		for _, id := range []string{"a", "b", "c", "d"} {
			m := server(id)
			if m.Status = messages.MemberFailed; strings.Contains(alive, id) {
				m.Status = messages.MemberAlive
			}
			v.Members = append(v.Members, m)
		}
		return v
	}
	gone := tail{err: errors.New("connection refused")}
	tests := []struct {
		name   string
		self   string
		peers  []messages.RaftServer
		leader string
		pool   *messages.PoolView
		tails  map[string]tail
		want   string // who remains, or a part of the objection
	}{
		{"alone", "a", peers, "", pool("a"), map[string]tail{"a": {term: 2, index: 9}, "b": gone, "c": gone, "d": gone}, "a"},
		{"with_one_that_has_no_vote", "a", peers, "", pool("ad"), map[string]tail{"a": {term: 2, index: 9}, "b": gone, "c": gone, "d": {term: 2, index: 9}}, "a d-"},
		{"the_only_one_has_no_vote", "d", peers, "", pool("d"), map[string]tail{"a": gone, "b": gone, "c": gone, "d": {term: 2, index: 9}}, "d"},
		{"without_a_pool", "a", peers, "", nil, map[string]tail{"a": {term: 2, index: 9}, "b": gone, "c": gone}, "a"},
		{"somebody_leads", "a", peers, "b", pool("ab"), map[string]tail{"a": {}, "b": {}}, `server "node-b" (ID b, b:1) leads, so nothing is lost`},
		{"a_quorum_answers", "a", peers, "", pool("a"), map[string]tail{"a": {}, "b": {}, "c": gone}, "2 of 3 voters are there (node-a, node-b), which is a quorum"},
		{"a_quorum_is_alive", "a", peers, "", pool("ab"), map[string]tail{"a": {}, "b": gone, "c": gone}, "if they do not reach each other at port 8300, mend that"},
		{"another_has_more", "a", peers, "", pool("ad"), map[string]tail{"a": {term: 2, index: 9}, "b": gone, "c": gone, "d": {term: 2, index: 10}},
			`server "node-d" (ID d, d:1) has a newer log (term 2, index 10) than this server (term 2, index 9); run it there`},
		{"another_has_a_newer_term", "a", peers, "", pool("ad"), map[string]tail{"a": {term: 2, index: 9}, "b": gone, "c": gone, "d": {term: 3, index: 3}}, "run it there"},
		{"not_in_the_peer_set", "e", peers, "", pool(""), map[string]tail{"e": {}, "a": gone}, "this server is not in the peer set"},
		{"no_peer_set", "a", nil, "", pool("a"), map[string]tail{"a": {}}, "this server has no peer set yet"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan := planRecovery(tt.self, tt.peers, tt.leader, tt.pool, tt.tails)
			var remain []string
			for _, p := range survivors(plan) {
				if !p.Voter {
					p.ID += "-"
				}
				remain = append(remain, p.ID)
			}
			if plan.Objection == "" && strings.Join(remain, " ") != tt.want || plan.Objection != "" && !strings.Contains(plan.Objection, tt.want) {
				t.Errorf("remain %q, objection %q; want %s", remain, plan.Objection, tt.want)
			}
		})
	}
}

// TestRecoveryCutShort: who asks what could be done is answered, even when the server
// stops while it asks the others.
func TestRecoveryCutShort(t *testing.T) {
	asked := make(chan struct{}, 2)
	all := newCluster(t, func(c *Config) {
		c.DataDir = t.TempDir()
		c.AskLog = func(ctx context.Context, _ string) (term, index uint64, err error) {
			asked <- struct{}{}
			<-ctx.Done()
			return 0, 0, ctx.Err()
		}
	})
	leader, _ := leaderOf(t, all...)
	answer := make(chan error, 1)
	go func() {
		_, err := do(leader, &messages.RecoverPeers{})
		answer <- err
	}()
	<-asked
	leader.stop()
	if err := <-answer; !errors.Is(err, messages.ErrLeaving) {
		t.Errorf("answered %v", err)
	}
}

// TestRecovery has one of three servers go on alone, without a restart, and take in
// another of them later.
func TestRecovery(t *testing.T) {
	var all []*testServer
	all = newCluster(t, func(c *Config) {
		c.DataDir = t.TempDir()
		c.AskLog = func(_ context.Context, address string) (term, index uint64, err error) {
			for _, s := range all {
				if s.cfg.Advertise == address && s.up.Load() {
					_, err := fmt.Sscan(s.status.Load().Stats()["last_log_term"]+" "+s.status.Load().Stats()["last_log_index"], &term, &index)
					return term, index, err
				}
			}
			return 0, 0, errors.New("connection refused")
		}
	})
	pool := all[0].cfg.Pool
	leader, followers := leaderOf(t, all...)
	leader.leads()
	leader.mustPut("x", "y")
	last, lost := followers[0], followers[1]
	await(t, "all have it", func() bool { return slices.Equal(last.words.get(), []string{"x", "y"}) })
	if plan, err := do(last, &messages.RecoverPeers{}); err != nil || !strings.Contains(plan.Objection, "leads, so nothing is lost") {
		t.Errorf("while somebody leads: %+v, %v", plan, err)
	}
	if _, err := do(last, &messages.RecoverPeers{Confirm: true}); err == nil || !strings.Contains(err.Error(), "leads, so nothing is lost") {
		t.Errorf("while somebody leads: %v", err)
	}

	lost.stop()
	leader.stop()
	pool.Publish(poolOf(last))
	await(t, "nobody leads", func() bool { return last.status.Load().LeaderID == "" })
	plan, err := do(last, &messages.RecoverPeers{})
	if err != nil || plan.Objection != "" || plan.Present != 1 || plan.Quorum != 2 || plan.Done {
		t.Fatalf("plan = %+v, %v", plan, err)
	}
	if _, err := do(last, &messages.GetRaftConfiguration{}); err != nil || last.status.Load().LeaderID != "" {
		t.Fatalf("a plan alone has changed something: %v", err)
	}
	plan, err = do(last, &messages.RecoverPeers{Confirm: true})
	if err != nil || !plan.Done {
		t.Fatalf("recovery = %+v, %v", plan, err)
	}
	last.leads()
	last.mustPut("z")
	if got := last.words.get(); !slices.Equal(got, []string{"x", "y", "z"}) {
		t.Errorf("the state is %v", got)
	}
	if conf, err := do(last, &messages.GetRaftConfiguration{}); err != nil || len(conf.Servers) != 1 {
		t.Errorf("the peer set is %+v, %v", conf, err)
	}

	lost.start()
	pool.Publish(poolOf(last, lost))
	if _, err := do(last, &messages.PutPeer{Server: messages.RaftServer{ID: lost.cfg.NodeID, Address: lost.cfg.Advertise, Voter: true}}); err != nil {
		t.Fatal(err)
	}
	await(t, "who comes back has everything", func() bool { return slices.Equal(lost.words.get(), []string{"x", "y", "z"}) })
	last.stop()
	lost.stop()
	last.start()
	lost.start()
	leaderOf(t, last, lost)
	for _, s := range []*testServer{last, lost} {
		await(t, "all is there after a restart", func() bool { return slices.Equal(s.words.get(), []string{"x", "y", "z"}) })
	}
}
