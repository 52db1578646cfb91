package raft

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/actor-consul/consul/messages"
)

// tail is where the log of a server ends, or why that is not known.
type tail struct {
	term, index uint64
	err         error
}

func (t tail) compare(o tail) int {
	return cmp.Or(cmp.Compare(t.term, o.term), cmp.Compare(t.index, o.index))
}

// planRecovery says how this server could go on without the servers that are gone:
// peers is the peer set, leader who leads as far as is known, and tails what the
// servers have said of their logs, by ID.
func planRecovery(self string, peers []messages.RaftServer, leader string, pool *messages.PoolView, tails map[string]tail) messages.RecoveryPlan {
	var plan messages.RecoveryPlan
	for _, p := range peers {
		t, asked := tails[p.ID]
		if !asked {
			t.err = fmt.Errorf("it was not asked")
		}
		s := messages.RecoveryServer{
			ID: p.ID, Address: p.Address, Voter: p.Voter, Self: p.ID == self, Status: messages.MemberNone,
			LastTerm: t.term, LastIndex: t.index, Keep: t.err == nil,
		}
		if t.err != nil {
			s.Problem = t.err.Error()
		}
		if pool != nil {
			for _, m := range pool.Members {
				if isServer(m) && m.Tags["id"] == p.ID && s.Status != messages.MemberAlive {
					s.Node, s.Status = m.Name, m.Status
				}
			}
		}
		if p.Voter {
			plan.Voters++
			if s.Problem == "" || s.Status == messages.MemberAlive {
				plan.Present++
			}
		}
		plan.Servers = append(plan.Servers, s)
	}
	plan.Quorum = plan.Voters/2 + 1
	slices.SortFunc(plan.Servers, func(a, b messages.RecoveryServer) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.ID, b.ID))
	})
	plan.Objection = objectToRecovery(plan, self, leader, tails)
	return plan
}

// objectToRecovery returns what speaks against a plan, for a person to act upon.
func objectToRecovery(plan messages.RecoveryPlan, self, leader string, tails map[string]tail) string {
	if leader != "" {
		return fmt.Sprintf("%s leads, so nothing is lost; a server that is gone is removed with consul operator raft remove-peer", nameIn(plan, leader))
	}
	if plan.Voters == 0 {
		return "this server has no peer set yet: it waits to be taken in, or for bootstrap_expect"
	}
	if !slices.ContainsFunc(plan.Servers, func(s messages.RecoveryServer) bool { return s.Self }) {
		return "this server is not in the peer set that it knows; ask one that is"
	}
	if plan.Present >= plan.Quorum {
		return fmt.Sprintf("%d of %d voters are there (%s), which is a quorum; wait until one of them leads, or, if they do not reach each other at port 8300, mend that",
			plan.Present, plan.Voters, strings.Join(present(plan), ", "))
	}
	for _, s := range plan.Servers {
		if s.Problem == "" && tails[s.ID].compare(tails[self]) > 0 {
			return fmt.Sprintf("%s has a newer log (term %d, index %d) than this server (term %d, index %d); run it there",
				nameIn(plan, s.ID), s.LastTerm, s.LastIndex, tails[self].term, tails[self].index)
		}
	}
	return ""
}

func nameIn(plan messages.RecoveryPlan, id string) string {
	for _, s := range plan.Servers {
		if s.ID == id {
			return fmt.Sprintf("server %q (ID %s, %s)", s.Node, s.ID, s.Address)
		}
	}
	return fmt.Sprintf("server %s", id)
}

// present names the voters that count as there.
func present(plan messages.RecoveryPlan) (all []string) {
	for _, s := range plan.Servers {
		if s.Voter && (s.Problem == "" || s.Status == messages.MemberAlive) {
			all = append(all, cmp.Or(s.Node, s.ID))
		}
	}
	return all
}

// survivors returns the peer set that a plan leads to. Who carries it out votes.
func survivors(plan messages.RecoveryPlan) (all []messages.RaftServer) {
	for _, s := range plan.Servers {
		if s.Keep {
			all = append(all, messages.RaftServer{ID: s.ID, Address: s.Address, Voter: s.Voter || s.Self})
		}
	}
	return all
}
