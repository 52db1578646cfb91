package gossip

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/serf/serf"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

// A joinReason is why an attempt to join was made.
type joinReason int

const (
	askedJoin    joinReason = iota // a JoinPool
	startJoin                      // -join
	repeatedJoin                   // -retry-join
	restartJoin                    // the peers from before a restart
)

// userEventLimit is how long the name of a user event and its payload may be
// together, in bytes. It has to fit into a packet with what else is gossiped.
const userEventLimit = 512

// inPool says whether there is a pool to ask, and refuses the request when not.
func (a *gossipActor) inPool(req messages.Refuser) bool {
	switch {
	case a.seat.leaving:
		req.Refuse(messages.ErrLeaving)
	case a.lib == nil:
		req.Refuse(messages.ErrUnavailable)
	default:
		return true
	}
	return false
}

func (a *gossipActor) join(msg *messages.JoinPool) {
	if !a.inPool(msg) {
		return
	}
	a.log.Info(fmt.Sprintf("%s joining: %v", a.cfg.title(), msg.Addresses))
	a.bridge.join(a.lib, joined{why: askedJoin, req: msg, addrs: msg.Addresses}, msg.Replay)
}

// contact joins addrs on the actor's own account.
func (a *gossipActor) contact(why joinReason, addrs []string) {
	if a.seat.leaving || a.lib == nil {
		return
	}
	a.log.Info(fmt.Sprintf("%s joining: %v", a.cfg.title(), addrs))
	a.bridge.join(a.lib, joined{why: why, addrs: addrs}, false)
}

// rejoin contacts peers from before a restart that Serf does not know yet, and
// does so again until it knows them or they are forgotten. Serf does the same by
// itself from a snapshot, but once, and it does not say how it went.
func (a *gossipActor) rejoin() {
	peers := a.carried.wanted()
	var addrs []string
	for _, m := range peers[:min(len(peers), fewPeers)] {
		addrs = append(addrs, address(m))
	}
	if len(addrs) > 0 {
		a.contact(restartJoin, addrs)
	}
}

// rejoined regards as failed whom the peers do not know either, or who could not
// be found for a while.
func (a *gossipActor) rejoined(ctx actor.Context, msg *joined) {
	if msg.n > 0 || a.back.counted > 1 {
		a.carried.miss()
		a.refresh(ctx, nil)
	}
	if len(a.carried.wanted()) > 0 {
		wait, _ := a.back.next()
		a.arm(rejoin, wait)
	}
}

func (a *gossipActor) joined(ctx actor.Context, msg *joined) {
	a.refresh(ctx, nil)
	if msg.n > 0 {
		a.log.Info(fmt.Sprintf("%s joined: %d", a.cfg.title(), msg.n))
	}
	switch msg.why {
	case askedJoin:
		if msg.n > 0 {
			msg.err = nil // the answer is a number: some were reached
		}
		msg.req.Settle(msg.n, msg.err)
	case startJoin:
		if msg.n == 0 {
			err := a.cfg.errorf("-join %v reached nobody: %w; start an agent there first, or use -retry-join, which keeps trying", msg.addrs, msg.err)
			a.tellParent(ctx, &messages.StartFailed{Err: err})
			return
		}
		a.ready(ctx)
	case repeatedJoin:
		a.retried(ctx, msg)
	case restartJoin:
		a.rejoined(ctx, msg)
	}
}

// retried plans the next attempt of a retry-join, if there is to be one.
func (a *gossipActor) retried(ctx actor.Context, msg *joined) {
	others := othersAlive(a.cfg.View.Load().Members, a.cfg.NodeName)
	if joinedEnough(msg.n, len(msg.addrs), len(others)) {
		return
	}
	wait, more := a.retry.next()
	switch {
	case more:
		a.log.Warn(fmt.Sprintf("%s join failed, retrying in %s", a.cfg.title(), wait), zap.Error(msg.err))
		a.arm(retryJoin, wait)
	case msg.n == 0:
		err := a.cfg.errorf("-retry-join %v reached nobody in %d attempts: %w; start an agent there, or set retry_max to 0 to keep trying", msg.addrs, a.cfg.RetryMax, msg.err)
		a.tellParent(ctx, &messages.StartFailed{Err: err})
	}
}

func (a *gossipActor) forceLeave(ctx actor.Context, msg *messages.ForceLeave) {
	if !a.inPool(msg) {
		return
	}
	s, b := a.lib.serf, a.bridge
	member, known := a.cfg.View.Load().Member(msg.Node)
	if a.carried.forceLeave(msg.Node, msg.Prune) {
		a.refresh(ctx, nil)
	} else if !known {
		await(b, msg, func() (messages.Unit, error) { return messages.Unit{}, a.cfg.forget(msg.Node) })
		return
	}
	a.log.Info(fmt.Sprintf("%s force leaving node %q", a.cfg.title(), msg.Node), zap.Bool("prune", msg.Prune))
	if _, waits := a.forced[msg.Node]; waits {
		a.forced[msg.Node] = a.forced[msg.Node] || msg.Prune
		a.refresh(ctx, nil)
		msg.Answer(messages.Unit{})
		return
	}
	if told(member.Status) == messages.MemberAlive {
		a.forceAlive(msg, member)
		return
	}
	await(b, msg, func() (messages.Unit, error) {
		if msg.Prune {
			return messages.Unit{}, s.RemoveFailedNodePrune(msg.Node)
		}
		return messages.Unit{}, s.RemoveFailedNode(msg.Node)
	})
}

// forgetPatience is how long it may take to take a node from the catalog.
const forgetPatience = 10 * time.Second

// forget has a node leave that the pool does not know.
func (c Config) forget(node string) error {
	found, err := false, error(nil)
	if c.Forget != nil {
		ctx, cancel := context.WithTimeout(context.Background(), forgetPatience)
		defer cancel()
		found, err = c.Forget(ctx, node)
	}
	if err == nil && !found {
		err = fmt.Errorf("agent: No node found with name '%s'", node) // clients match the text
	}
	return err
}

// forceAlive takes a member for gone that was up when last heard of. If it is, it
// says so and stays. It is pruned only when it cannot be reached: Serf would forget
// it, and not learn of it again while it is up.
func (a *gossipActor) forceAlive(msg *messages.ForceLeave, member messages.Member) {
	s, b := a.lib.serf, a.bridge
	await(b, msg, func() (messages.Unit, error) {
		err := s.RemoveFailedNode(msg.Node)
		b.question(s, member, msg) // with one other in the pool, Serf tells nobody
		return messages.Unit{}, err
	})
}

// doubt asks those who are leaving, and do not go, whether they mean it.
func (a *gossipActor) doubt(members []messages.Member) {
	if a.seat.leaving {
		return
	}
	ask, more := a.doubts.review(members, a.cfg.NodeName, time.Now())
	for _, m := range ask {
		if !a.doubts[m.Name].silent {
			a.log.Info(fmt.Sprintf("%s %s is said to leave and is still there, asking it", a.cfg.title(), describe(m)))
		}
		a.bridge.question(a.lib.serf, m, nil)
	}
	if more && !a.doubting {
		a.doubting = true
		a.arm(doubt, goodbyePatience)
	}
}

// questioned takes the word of an operator for it that a member is gone which cannot
// be reached either. Others are gone when the pool has missed them.
func (a *gossipActor) questioned(ctx actor.Context, msg *questioned) {
	who, forced := describe(msg.member), msg.order != nil
	switch {
	case msg.err == nil:
		if forced && msg.order.Prune {
			a.log.Warn(fmt.Sprintf("%s %s is not pruned, since it is up; prune it once it has failed or left", a.cfg.title(), who))
		}
		return
	case forced:
		a.log.Info(fmt.Sprintf("%s %s cannot be reached, so it counts as left from now on", a.cfg.title(), who), zap.Bool("prune", msg.order.Prune))
		a.forced[msg.member.Name] = msg.order.Prune
	}
	a.refresh(ctx, nil)
	if news := a.doubts.unanswered(msg.member.Name); news && !forced {
		a.log.Info(fmt.Sprintf("%s %s cannot be asked; it counts as left once the pool has missed it", a.cfg.title(), who))
	}
}

// inquire finds out whether a member that is said to be elsewhere has moved.
func (a *gossipActor) inquire(c claim) {
	if !a.seat.leaving && a.inquiries.begin(c.known.Name, time.Now()) {
		a.bridge.inquire(a.lib, c)
	}
}

// inquired tells of a member that has moved; Serf's events tell the subscribers. Of one
// that has not moved memberlist has told.
func (a *gossipActor) inquired(msg *inquired) {
	a.inquiries.end(msg.claim.known.Name, time.Now())
	if msg.verdict != moved {
		return
	}
	who, to := describe(msg.claim.known), address(msg.claim.said)
	if msg.err != nil {
		a.log.Warn(fmt.Sprintf("%s %s has moved to %s; it is taken there once the pool has missed it", a.cfg.title(), who, to), zap.Error(msg.err))
		return
	}
	a.log.Info(fmt.Sprintf("%s %s has moved to %s, and does not answer where it was", a.cfg.title(), who, to))
}

func (a *gossipActor) changeKeyring(msg *messages.ChangeKeyring) {
	if !a.inPool(msg) {
		return
	}
	if msg.Verb != messages.ListKeys {
		if _, err := decodeKey(msg.Key); err != nil {
			msg.Refuse(err)
			return
		}
	}
	pool, keys := a.cfg.Pool, a.lib.serf.KeyManager()
	await(a.bridge, msg, func() (messages.KeyringChanged, error) {
		return changeKeys(pool, keys, msg)
	})
}

// changeKeys asks all members; it returns what they answered with the error too.
func changeKeys(pool messages.Pool, keys *serf.KeyManager, msg *messages.ChangeKeyring) (messages.KeyringChanged, error) {
	var resp *serf.KeyResponse
	var err error
	options := &serf.KeyRequestOptions{RelayFactor: msg.RelayFactor}
	switch msg.Verb {
	case messages.ListKeys:
		resp, err = keys.ListKeysWithOptions(options)
	case messages.InstallKey:
		resp, err = keys.InstallKeyWithOptions(msg.Key, options)
	case messages.UseKey:
		resp, err = keys.UseKeyWithOptions(msg.Key, options)
	case messages.RemoveKey:
		resp, err = keys.RemoveKeyWithOptions(msg.Key, options)
	default:
		err = fmt.Errorf("keyring has no operation %q; list, install, use and remove are those it has", msg.Verb)
	}
	if resp == nil {
		return messages.KeyringChanged{Pool: pool}, err
	}
	delete(resp.PrimaryKeys, "") // counts those who were not asked for one
	return messages.KeyringChanged{
		Pool:        pool,
		NumNodes:    resp.NumNodes,
		NumResp:     resp.NumResp,
		NumErr:      resp.NumErr,
		Messages:    resp.Messages,
		Keys:        resp.Keys,
		PrimaryKeys: resp.PrimaryKeys,
	}, err
}

func (a *gossipActor) fireUserEvent(msg *messages.FireUserEvent) {
	if !a.inPool(msg) {
		return
	}
	if size := len(msg.Name) + len(msg.Payload); size > userEventLimit {
		msg.Refuse(fmt.Errorf("user event %.64q is %d bytes long with its payload, the limit is %d", msg.Name, size, userEventLimit))
		return
	}
	s := a.lib.serf
	await(a.bridge, msg, func() (messages.Unit, error) {
		return messages.Unit{}, s.UserEvent(msg.Name, msg.Payload, msg.Coalesce)
	})
}

// setTags changes the tags for this instance and those after it.
func (a *gossipActor) setTags(msg *messages.SetTags) {
	tags, changed := changeTags(a.seat.tags, msg)
	if !changed {
		return
	}
	if err := checkTags(tags); err != nil {
		a.log.Error(a.cfg.title()+" tags stay as they are", zap.Error(err))
		return
	}
	a.seat.tags = tags
	if a.lib != nil && !a.seat.leaving {
		a.tellTags()
	}
}

// tellTags tells the pool of the tags, once it knows of those before.
func (a *gossipActor) tellTags() {
	if a.tagging {
		a.retag = true
		return
	}
	a.tagging = true
	a.bridge.setTags(a.lib.serf, a.seat.tags)
}

func (a *gossipActor) tagged(ctx actor.Context, err error) {
	if err != nil {
		a.log.Warn(a.cfg.title()+" the pool may learn of the new tags late", zap.Error(err))
	}
	a.refresh(ctx, nil)
	a.tagging = false
	if a.retag {
		a.retag = false
		a.tellTags()
	}
}

func (a *gossipActor) leave(ctx actor.Context, msg *messages.LeavePool) {
	to := goodbye{to: ctx.Sender(), step: msg.Step}
	switch {
	case a.left:
		to.done(ctx, a.farewell.note, a.farewell.err)
		return
	case a.lib == nil:
		to.done(ctx, "was not in the pool", nil)
		return
	}
	a.goodbyes = append(a.goodbyes, to)
	if a.seat.leaving {
		return
	}
	a.seat.leaving = true
	others := othersAlive(a.cfg.View.Load().Members, a.cfg.NodeName)
	stay := propagation(len(others), a.lib.list.GossipInterval, a.lib.list.RetransmitMult)
	a.bridge.goodbye(a.lib, others, stay, msg.Budget)
}

func (a *gossipActor) saidGoodbye(ctx actor.Context, msg *saidGoodbye) {
	a.left, a.farewell = true, *msg
	a.refresh(ctx, nil)
	for _, g := range a.goodbyes {
		g.done(ctx, msg.note, msg.err)
	}
	a.goodbyes = nil
}

func (g goodbye) done(ctx actor.Context, note string, err error) {
	if g.to != nil {
		ctx.Send(g.to, &messages.StepDone{Step: g.step, Note: note, Err: err})
	}
}
