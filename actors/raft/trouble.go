package raft

import (
	"fmt"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

const (
	// probeEvery is how often a server whose log cannot be written looks whether it
	// can again, and probeSize how many bytes it then writes.
	probeEvery = time.Second
	probeSize  = 1 << 20
)

// logTrouble says, once, that the log cannot be written, or that it can again.
func (a *raftActor) logTrouble(err error) {
	if err == nil {
		a.failing = nil
		a.log.Info("the raft log can be written again, writes are taken on")
		a.node.setTiming(timingFor(a.cfg.RaftMultiplier))
		return
	}
	a.failing = fmt.Errorf("%w: %w", messages.ErrLogUnwritable, err)
	a.log.Error("the raft log cannot be written: writes are refused and reads go on until it can; make room on its disk, or mend it",
		zap.String("path", filepath.Join(a.node.dir, "wal")), zap.Int("new_file_mib", a.cfg.SegmentSize>>20), zap.Error(err))
	a.node.setTiming(passive)
	a.nextProbe = a.after(probeEvery, &probe{})
}

func (a *raftActor) probed(err error) {
	if err != nil && a.failing != nil {
		a.nextProbe = a.after(probeEvery, &probe{})
	}
}

// logTrouble is told by the journal that the log cannot be written, or can again.
func (n *node) logTrouble(err error) {
	if n.journal == nil || !n.journal.running.Load() {
		n.trouble = err
		return
	}
	n.tell(&logTrouble{err})
}

// probe looks whether the log can be written again.
func (n *node) probe() {
	n.running.Go(func() {
		err := n.disk.probe(probeSize)
		if err == nil {
			n.journal.works(&n.journal.log)
		}
		n.tell(&probed{err})
	})
}
