package raft

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/raft"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

// Recovery without a restart: a server whose peer set has lost its quorum for good
// notes a new peer set at the end of its log, as if one had been committed, and
// runs raft anew on that. The others of the new peer set follow whoever leads then;
// they need no change of their own.

const (
	// surveyBudget is how long a server may take to say where its log ends.
	surveyBudget = 2 * time.Second
	// recoveryLeap is by how much the term grows: somewhere a majority that is
	// thought to be gone may have gone on, and no two leaders may share a term.
	recoveryLeap = 1000
)

// What comes of a recovery on its way.
type (
	surveyed struct {
		req   *messages.RecoverPeers
		tails map[string]tail
	}
	preserved struct {
		req  *messages.RecoverPeers
		plan messages.RecoveryPlan
		err  error
	}
	// nodeEnded comes after all that the goroutines of a node have told.
	nodeEnded struct{}
)

// recovery is one that is being carried out: the node is closed and opened anew.
type recovery struct {
	req  *messages.RecoverPeers
	plan messages.RecoveryPlan
}

// recoverPeers asks all others where their logs end.
func (a *raftActor) recoverPeers(msg *messages.RecoverPeers) {
	switch {
	case a.recovering != nil:
		msg.Refuse(errors.New("a recovery is under way already"))
		return
	case a.cfg.DataDir == "":
		msg.Refuse(errors.New("this server keeps its log in memory only, and there is nothing to recover it from"))
		return
	}
	a.recovering = msg
	a.node.survey(msg)
}

func (n *node) survey(msg *messages.RecoverPeers) {
	n.running.Go(func() {
		ctx, cancel := context.WithTimeout(n.stream.done, surveyBudget)
		defer cancel()
		own := n.raft.Stats()
		term, _ := strconv.ParseUint(own["last_log_term"], 10, 64)
		index, _ := strconv.ParseUint(own["last_log_index"], 10, 64)
		var mu sync.Mutex
		tails := map[string]tail{n.cfg.NodeID: {term: term, index: index}}
		var all sync.WaitGroup
		for _, p := range n.peers() {
			if p.ID == n.cfg.NodeID {
				continue
			}
			all.Go(func() {
				t := n.ask(ctx, p)
				mu.Lock()
				defer mu.Unlock()
				tails[p.ID] = t
			})
		}
		all.Wait()
		n.tell(&surveyed{msg, tails})
	})
}

func (n *node) ask(ctx context.Context, p messages.RaftServer) (t tail) {
	if n.cfg.AskLog == nil {
		return tail{err: errors.New("it cannot be asked")}
	}
	address := p.Address
	if n.cfg.Pool != nil {
		if at, ok := addressOf(n.cfg.Pool.Load(), p.ID); ok {
			address = at
		}
	}
	t.term, t.index, t.err = n.cfg.AskLog(ctx, address)
	return t
}

// surveyed makes the plan, and answers with it or begins with it.
func (a *raftActor) surveyed(msg *surveyed) {
	plan := planRecovery(a.cfg.NodeID, a.node.peers(), a.standing.leaderID, a.poolView(), msg.tails)
	switch {
	case !msg.req.Confirm:
		a.recovering = nil
		msg.req.Answer(plan)
	case plan.Objection != "":
		a.recovering = nil
		msg.req.Refuse(errors.New(plan.Objection))
	default:
		a.node.preserve(msg.req, plan)
	}
}

// preserve makes a snapshot of the state as it is: the state machine goes back to
// it when the node is opened anew, and takes in again what came after it.
func (n *node) preserve(req *messages.RecoverPeers, plan messages.RecoveryPlan) {
	n.running.Go(func() {
		err := n.raft.Snapshot().Error()
		if errors.Is(err, raft.ErrNothingNewToSnapshot) {
			err = nil
		}
		n.tell(&preserved{req, plan, err})
	})
}

// preserved closes the node and opens it anew with the new peer set.
func (a *raftActor) preserved(msg *preserved) {
	err := msg.err
	if err == nil && a.standing.leaderID != "" {
		err = fmt.Errorf("%s has begun to lead", nameIn(msg.plan, a.standing.leaderID))
	}
	if err != nil {
		a.recovering = nil
		msg.req.Refuse(fmt.Errorf("nothing was changed: %w", err))
		return
	}
	peers := survivors(msg.plan)
	a.log.Warn("an operator has the peer set recovered: the servers that are gone are left behind, with all that only they had",
		zap.String("peers", names(peers)), zap.Int("voters_before", msg.plan.Voters))
	n, cfg, tell := a.node, a.cfg, a.tell
	cfg.forced = peers
	a.quiesce()
	a.standing = standing{state: messages.Follower, term: a.standing.term}
	a.publish()
	a.node, a.failing, a.recovered = nil, nil, &recovery{msg.req, msg.plan}
	result := make(chan *opened, 1)
	a.opening = result
	go func() {
		n.stop()
		tell(&nodeEnded{})
		next, err := open(cfg, tell)
		result <- &opened{next, err}
		tell(&openedNow{})
	}()
}

// reopened takes over the node with the new peer set.
func (a *raftActor) reopened(ctx actor.Context, msg *opened) {
	r := a.recovered
	a.recovered, a.recovering = nil, nil
	if msg.err != nil {
		err := fmt.Errorf("the peer set was not recovered, and the agent ends: %w", msg.err)
		r.req.Refuse(err)
		ctx.Request(ctx.Parent(), &messages.StartFailed{Err: err})
		return
	}
	a.node = msg.node
	a.publish()
	a.takeEarly(ctx)
	r.plan.Done = true
	r.req.Answer(r.plan)
}

// forcePeers notes the peer set at the end of the log. Raft goes by the newest one
// that is there, committed or not; who leads by it commits all that is before it.
func (n *node) forcePeers(peers []messages.RaftServer) error {
	last, err := n.journal.LastIndex()
	if err != nil {
		return err
	}
	term, err := n.journal.GetUint64(keyCurrentTerm)
	if err != nil {
		return err
	}
	if all, err := n.snapshots.List(); err == nil && len(all) > 0 {
		last = max(last, all[0].Index)
	}
	term += recoveryLeap
	entry := &raft.Log{Index: last + 1, Term: term, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(configuration(peers))}
	if err := n.journal.SetUint64(keyCurrentTerm, term); err != nil {
		return err
	}
	return n.journal.StoreLogs([]*raft.Log{entry})
}
