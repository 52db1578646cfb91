package autopilot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// report tells the actor what a goroutine has found out, unless that actor is no
// more: the one that is restarted in its place has not asked.
func report(life context.Context, root *actor.RootContext, self *actor.PID, msg any) {
	if life.Err() == nil {
		root.Send(self, msg)
	}
}

// fetch returns the peer set, by ID. It runs on a goroutine.
func fetch(ctx context.Context, raft ask.Address) ([]messages.RaftServer, error) {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	set, err := ask.Do(ctx, raft, &messages.GetRaftConfiguration{})
	if err != nil {
		return nil, fmt.Errorf("read the peer set: %w", err)
	}
	return slices.SortedFunc(slices.Values(set.Servers), func(a, b messages.RaftServer) int { return cmp.Compare(a.ID, b.ID) }), nil
}

// apply makes a change. It runs on a goroutine.
func apply(ctx context.Context, raft ask.Address, c change) error {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	var err error
	if c.remove {
		_, err = ask.Do(ctx, raft, &messages.RemovePeer{ID: c.peer.ID})
	} else {
		_, err = ask.Do(ctx, raft, &messages.PutPeer{Server: c.peer})
	}
	return err
}

// poll asks every server how it is, and those that are not in the peer set for their
// own, all at the same time. It runs on a goroutine.
func poll(ctx context.Context, cfg Config, servers []messages.Server, peers []messages.RaftServer) reading {
	r := reading{stats: make(map[string]stats, len(servers)+1)}
	r.term, r.index = ownLog(cfg.Status.Load())
	r.stats[cfg.NodeID] = stats{term: r.term, index: r.index}
	ctx, cancel := context.WithTimeout(ctx, statsTimeout)
	defer cancel()

	said, own := make([]stats, len(servers)), make([]allegiance, len(servers))
	var all sync.WaitGroup
	for i, s := range servers {
		if cfg.PeersOf != nil && addressOf(peers, s.ID) == "" {
			all.Go(func() {
				peers, err := cfg.PeersOf(ctx, s)
				own[i] = allegiance{peers, cause(err)}
			})
		}
		all.Go(func() { said[i].term, said[i].index, said[i].contact, said[i].err = cfg.Stats(ctx, s) })
	}
	all.Wait()
	if cfg.PeersOf != nil {
		r.own = map[string]allegiance{}
	}
	for i, s := range servers {
		r.stats[s.ID] = said[i]
		if cfg.PeersOf != nil && addressOf(peers, s.ID) == "" {
			r.own[s.ID] = own[i]
		}
	}
	return r
}

// ownLog returns where the log of this server ends.
func ownLog(s *messages.RaftStatus) (term, index uint64) {
	if s == nil || s.Stats == nil {
		return 0, 0
	}
	own := s.Stats()
	term, _ = strconv.ParseUint(own["last_log_term"], 10, 64)
	index, _ = strconv.ParseUint(own["last_log_index"], 10, 64)
	return term, index
}

// cause is what is behind an error of the network, whose ports are others each time.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
