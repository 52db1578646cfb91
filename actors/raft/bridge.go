package raft

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

const (
	// settleBudget is for how long a stop waits for the entries that are on their
	// way, endBudget for raft's goroutines. The supervisor gives 5 s to both.
	settleBudget = time.Second
	endBudget    = 3 * time.Second

	// recheck is how often the standing is read again although nobody said that it
	// has changed: of a new term alone the library says nothing.
	recheck = time.Second
)

// node is a running raft with its log, and the goroutines that wait for it. What
// the actor calls does not block; results come back through tell.
type node struct {
	cfg  Config
	log  *zap.Logger
	dir  string // DIR/raft
	tell func(any)

	disk      *disk // nil when all is in memory
	journal   *journal
	snapshots raft.SnapshotStore
	machine   *machine
	stream    *stream
	transport *electorate
	replay    replay
	replayed  atomic.Bool // it is over
	raft      *raft.Raft
	hadState  bool  // there was a log or a snapshot when it was opened
	trouble   error // why the log could not be written while it was opened

	requests chan any // *messages.ApplyEntry, *messages.Barrier
	pending  chan *pending
	current  atomic.Pointer[pending] // the one that is waited for
	inFlight atomic.Int64
	bytes    atomic.Int64

	observed chan raft.Observation
	notified chan bool
	done     chan struct{}
	running  sync.WaitGroup // all goroutines but those that wait for the entries
	settled  sync.WaitGroup // those
}

func newNode(cfg Config, tell func(any)) *node {
	n := &node{
		cfg:      cfg,
		log:      cfg.Logger.Named(Name),
		tell:     tell,
		requests: make(chan any, maxInFlight),
		pending:  make(chan *pending, maxInFlight),
		observed: make(chan raft.Observation, 1),
		notified: make(chan bool, 8),
		done:     make(chan struct{}),
	}
	if cfg.DataDir != "" {
		n.dir = filepath.Join(cfg.DataDir, Name)
	}
	return n
}

// run starts the goroutines of a node whose raft has started.
func (n *node) run() {
	n.journal.running.Store(true)
	n.raft.RegisterObserver(raft.NewObserver(n.observed, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState:
			return true
		default:
			return false
		}
	}))
	n.running.Go(n.watch)
	n.settled.Go(n.submit)
	n.settled.Go(n.complete)
	if n.lone() {
		n.kick()
	}
}

// kick makes a follower look at its heartbeat timer now instead of when it is due:
// nobody leads a server without peers, so there is nothing to wait for. The library
// looks when the timeout gets shorter.
func (n *node) kick() {
	t := timingFor(n.cfg.RaftMultiplier)
	n.setTiming(timing{heartbeat: t.heartbeat + time.Millisecond, election: t.election + time.Millisecond})
	n.setTiming(t)
}

func (n *node) setTiming(t timing) {
	conf := n.raft.ReloadableConfig()
	conf.HeartbeatTimeout, conf.ElectionTimeout = t.heartbeat, t.election
	if err := n.raft.ReloadConfig(conf); err != nil {
		panic(fmt.Errorf("the library refuses our timing: %w", err))
	}
}

// watch tells the actor whenever the standing has changed. Observations may be
// lost, but only while there is one that was not yet looked at, and the truth is
// read after each.
func (n *node) watch() {
	tick := time.NewTicker(recheck)
	defer tick.Stop()
	var seen standing
	for {
		if now := n.standing(); now != seen {
			seen = now
			n.tell(&stood{now})
		}
		select {
		case <-n.observed:
		case <-n.notified:
		case <-tick.C:
		case <-n.done:
			return
		}
	}
}

// standing reads what raft says of this server, all of it of one term.
func (n *node) standing() standing {
	for {
		term, state := n.raft.CurrentTerm(), n.raft.State()
		addr, id := n.raft.LeaderWithID()
		if n.raft.State() != state || n.raft.CurrentTerm() != term {
			continue
		}
		if state == raft.Leader { // the library says a moment later who it is
			id, addr = raft.ServerID(n.cfg.NodeID), raft.ServerAddress(n.cfg.Advertise)
		}
		return standing{messages.RaftState(state.String()), term, string(id), string(addr)}
	}
}

// peers returns the newest peer set, committed or not; none before raft has
// started. Raft's goroutines call it, too.
func (n *node) peers() []messages.RaftServer {
	if !n.journal.running.Load() {
		return nil
	}
	var peers []messages.RaftServer
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		peers = append(peers, messages.RaftServer{ID: string(s.ID), Address: string(s.Address), Voter: s.Suffrage == raft.Voter})
	}
	return peers
}

// lone reports whether this server is the only voter.
func (n *node) lone() bool { return soleVoter(n.peers(), n.cfg.NodeID) }

// stop ends the node in order: what is on its way is answered, raft ends, and the
// log is closed. It may take settleBudget and endBudget, and no longer.
func (n *node) stop() {
	close(n.requests)
	if !within(settleBudget, n.settled.Wait) {
		n.log.Warn("entries are still on their way, whether they are committed is not known", zap.Int64("entries", n.inFlight.Load()))
	}
	n.close()
}

// close ends a node, or what there is of one that could not be opened.
func (n *node) close() {
	ended := true
	if n.journal != nil {
		close(n.journal.giveUp)
	}
	if n.raft != nil {
		shutdown := n.raft.Shutdown()
		n.closeTransport() // or raft would wait for its peers
		close(n.done)
		ended = within(endBudget, func() {
			_ = shutdown.Error()
			n.running.Wait()
		})
		n.abandon()
	}
	n.closeTransport()
	switch {
	case !ended:
		n.log.Warn("raft did not end in time, its log is left open")
	case n.disk != nil:
		var err error
		if n.raft != nil {
			err = n.disk.noteStop()
		}
		if err := errors.Join(err, n.disk.Close()); err != nil {
			n.log.Warn("closing the raft log", zap.Error(err))
		}
	}
}

// abandon tells those who still wait that nobody will know. There are none unless
// raft was in trouble.
func (n *node) abandon() {
	if p := n.current.Load(); p != nil {
		p.settle(messages.ErrLeadershipLost)
	}
	for {
		select {
		case p, ok := <-n.pending:
			if !ok {
				return
			}
			p.settle(messages.ErrLeadershipLost)
		default:
			return
		}
	}
}

func (n *node) closeTransport() {
	if n.transport != nil {
		_ = n.transport.Close()
	}
	if n.stream != nil {
		_ = n.stream.Close()
	}
}

// within runs wait and reports whether it came back in time.
func within(budget time.Duration, wait func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	select {
	case <-done:
		return true
	case <-time.After(budget):
		return false
	}
}
