package raft

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

const (
	// askBudget bounds how long one server is asked for its peer set.
	askBudget = 5 * time.Second
	// bootstrapAgain is how long to wait until the servers are asked again of whom
	// one gave no answer.
	bootstrapAgain = time.Second
)

// What comes of waiting for bootstrap_expect.
type (
	bootstrapDue struct{}
	peersAsked   struct {
		servers []messages.RaftServer // with whom we would begin
		has     string                // who has a peer set already
		err     error                 // who gave no answer
	}
)

// maybeBootstrap begins the peer set once all expected servers are there and each
// of them has said that it has none. It is called whenever the pool has changed.
func (a *raftActor) maybeBootstrap() {
	if a.expect == 0 || a.asking || a.cfg.Pool == nil || a.cfg.AskPeers == nil {
		return
	}
	e := expectation{servers: a.expect, self: a.cfg.NodeID, datacenter: a.cfg.Datacenter}
	v := e.judge(a.cfg.Pool.Load())
	if v.problem != a.problem {
		if a.problem = v.problem; v.problem != "" {
			a.log.Error("bootstrap_expect waits: " + v.problem)
		}
	}
	if len(v.peers) == 0 {
		return
	}
	a.asking = true
	a.node.askPeers(v.peers)
}

func (a *raftActor) peersAsked(msg *peersAsked) {
	a.asking = false
	switch {
	case a.expect == 0:
	case msg.err != nil:
		a.log.Info("bootstrap_expect waits for an answer", zap.Error(msg.err))
		a.nextAsk = a.after(bootstrapAgain, &bootstrapDue{})
	case msg.has != "":
		a.log.Info("server " + msg.has + " has a peer set already, waiting to be taken in")
		a.expect = 0
	default:
		a.expect = 0
		a.log.Info("found the expected number of servers, beginning the peer set", zap.String("servers", names(msg.servers)))
		a.node.bootstrap(msg.servers)
	}
}

func names(servers []messages.RaftServer) string {
	var all []string
	for _, s := range servers {
		all = append(all, s.ID+"="+s.Address)
	}
	return strings.Join(all, ", ")
}

// askPeers asks all others whether they have a peer set. One who has would take us
// in, and two peer sets could not be joined later.
func (n *node) askPeers(servers []messages.RaftServer) {
	n.running.Go(func() {
		msg := &peersAsked{servers: servers}
		for _, s := range servers {
			if s.ID == n.cfg.NodeID {
				continue
			}
			ctx, cancel := context.WithTimeout(n.stream.done, askBudget)
			peers, err := n.cfg.AskPeers(ctx, s.Address)
			cancel()
			if err != nil {
				msg.err = err
				break
			}
			if len(peers) > 0 {
				msg.has = s.Address
				break
			}
		}
		n.tell(msg)
	})
}

// bootstrap begins the peer set. All who are in it do the same.
func (n *node) bootstrap(servers []messages.RaftServer) {
	n.running.Go(func() {
		err := n.raft.BootstrapCluster(configuration(servers)).Error()
		if err != nil && !errors.Is(err, raft.ErrCantBootstrap) { // another was faster, and we are in its peer set
			n.log.Error("beginning the peer set", zap.Error(err))
		}
	})
}

// configuration returns a peer set as the library has it.
func configuration(servers []messages.RaftServer) (conf raft.Configuration) {
	for _, s := range servers {
		suffrage := raft.Voter
		if !s.Voter {
			suffrage = raft.Nonvoter
		}
		conf.Servers = append(conf.Servers, raft.Server{ID: raft.ServerID(s.ID), Address: raft.ServerAddress(s.Address), Suffrage: suffrage})
	}
	return conf
}
