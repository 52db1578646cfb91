package raft

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/messages"
)

// transferAgain is how long to wait until leadership is offered again: the peer
// may not have caught up, or another transfer may be under way.
const transferAgain = 100 * time.Millisecond

// defaultBudget bounds a handover that nobody has set a budget for.
const defaultBudget = 10 * time.Second

// handover is a wish that another server lead. It is done when one does.
type handover struct {
	id, address string // to whom; empty: whoever is furthest
	stubborn    bool   // offer again when it was declined
	done        func(leader string, err error)

	declined error       // why, the last time
	due      *time.Timer // ends it
	again    *time.Timer // offers again
}

// What comes of a handover.
type (
	transferred struct {
		h   *handover
		err error
	}
	handoverAgain struct{ h *handover }
	handoverDue   struct{ h *handover }
)

// transfer hands over because somebody wants it.
func (a *raftActor) transfer(msg *messages.TransferLeadership) {
	if !a.standing.leads() {
		msg.Refuse(messages.ErrNotLeader)
		return
	}
	a.offer(&handover{
		id:      msg.ID,
		address: msg.Address,
		done:    func(_ string, err error) { msg.Settle(messages.Unit{}, err) },
	}, defaultBudget)
}

// handOver hands over because this server leaves.
func (a *raftActor) handOver(ctx actor.Context, msg *messages.HandOver) {
	reply := replyTo(ctx, msg.Step)
	switch {
	case !a.standing.leads():
		reply("this server does not lead", nil)
	case otherVoters(a.node.peers(), a.cfg.NodeID) == 0:
		reply("there is no other voter to hand over to", nil)
	default:
		a.offer(&handover{stubborn: true, done: func(leader string, err error) {
			if err != nil {
				reply("", err)
				return
			}
			reply(leader+" leads now", nil)
		}}, msg.Budget)
	}
}

func (a *raftActor) offer(h *handover, budget time.Duration) {
	if budget <= 0 {
		budget = defaultBudget
	}
	a.handovers = append(a.handovers, h)
	h.due = a.after(budget, &handoverDue{h})
	a.node.transfer(h)
}

// transferred hears what the library made of an offer. That it went well means
// only that this server leads no more; stood says who does.
func (a *raftActor) transferred(msg *transferred) {
	switch {
	case msg.err == nil || !slices.Contains(a.handovers, msg.h):
	case msg.h.stubborn:
		msg.h.declined = msg.err
		msg.h.again = a.after(transferAgain, &handoverAgain{msg.h})
	default:
		a.conclude(msg.h, "", msg.err)
	}
	a.settleHandovers()
}

func (a *raftActor) handoverAgain(h *handover) {
	if slices.Contains(a.handovers, h) && a.standing.leads() {
		a.node.transfer(h)
	}
}

func (a *raftActor) handoverDue(h *handover) {
	err := errors.New("no other server has taken over in time")
	if h.declined != nil {
		err = fmt.Errorf("%w: %w", err, h.declined)
	}
	a.conclude(h, "", err)
}

// settleHandovers concludes what is done: another server leads.
func (a *raftActor) settleHandovers() {
	leader := a.standing.leaderID
	if a.standing.leads() || leader == "" {
		return
	}
	for _, h := range slices.Clone(a.handovers) {
		a.conclude(h, leader, nil)
	}
}

func (a *raftActor) conclude(h *handover, leader string, err error) {
	i := slices.Index(a.handovers, h)
	if i < 0 {
		return
	}
	a.handovers = slices.Delete(a.handovers, i, i+1)
	stop(h.due, h.again)
	h.done(leader, err)
}

// transfer offers leadership to another server.
func (n *node) transfer(h *handover) {
	n.running.Go(func() {
		var f raft.Future
		if h.id == "" {
			f = n.raft.LeadershipTransfer()
		} else {
			f = n.raft.LeadershipTransferToServer(raft.ServerID(h.id), raft.ServerAddress(h.address))
		}
		n.tell(&transferred{h, readError(f.Error())})
	})
}

// leavePeers takes this server from the peer set. A peer set that nobody would be
// left in, or that could not agree any more, is kept as it is.
func (a *raftActor) leavePeers(ctx actor.Context, msg *messages.LeavePeers) {
	reply := replyTo(ctx, msg.Step)
	peers, self := a.node.peers(), a.cfg.NodeID
	switch {
	case !slices.ContainsFunc(peers, func(p messages.RaftServer) bool { return p.ID == self }):
		reply("this server is not in the peer set", nil)
	case otherVoters(peers, self) == 0:
		reply("this is the only voter, so the peer set is kept for when it comes back", nil)
	case a.standing.leads():
		a.node.leave(msg, a.departure(), reply, func(context.Context) error {
			return writeError(a.node.raft.RemoveServer(raft.ServerID(self), 0, changeBudget).Error())
		})
	case a.cfg.RemoveSelf == nil:
		reply("this server stays in the peer set, since it cannot ask the leader", nil)
	default:
		a.node.leave(msg, a.departure(), reply, a.cfg.RemoveSelf)
	}
}

func (a *raftActor) departure() Departure {
	return Departure{Self: a.cfg.NodeID, Peers: a.node.peers(), Pool: a.poolView(), Ping: a.cfg.Ping}
}

func (a *raftActor) poolView() *messages.PoolView {
	if a.cfg.Pool == nil {
		return nil
	}
	return a.cfg.Pool.Load()
}

func (n *node) leave(msg *messages.LeavePeers, d Departure, reply func(string, error), remove func(context.Context) error) {
	budget := msg.Budget
	if budget <= 0 {
		budget = defaultBudget
	}
	n.running.Go(func() {
		ctx, cancel := context.WithTimeout(n.stream.done, budget)
		defer cancel()
		if !msg.Force && !d.keepsQuorum(ctx) {
			reply("the peer set is kept, since too few of the servers that remain are alive to agree on anything", nil)
			return
		}
		if err := remove(ctx); err != nil {
			reply("", fmt.Errorf("leave the peer set: %w", err))
			return
		}
		reply("the leader has taken this server from the peer set", nil)
	})
}

// replyTo returns how to say that a step is done, from any goroutine.
func replyTo(ctx actor.Context, step messages.StepID) func(note string, err error) {
	root, to := ctx.ActorSystem().Root, ctx.Sender()
	return func(note string, err error) {
		if to != nil {
			root.Send(to, &messages.StepDone{Step: step, Note: note, Err: err})
		}
	}
}
