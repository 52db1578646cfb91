package supervisor

import (
	"time"

	"go.uber.org/zap"
)

// What has happened to an actor, or to the agent.
type What string

// The happenings, in the order of a life.
const (
	Started    What = "started"
	Running    What = "running" // all actors are
	Restarting What = "restarting"
	Lost       What = "lost" // failed once too often
	Stopping   What = "stopping"
	Stopped    What = "stopped"
	Overdue    What = "overdue" // not stopped within its budget, and left behind
	Ended      What = "ended"   // all actors have
)

// An Event is one line in the story of the tree. The log and the tests read the
// same one.
type Event struct {
	What  What
	Actor string        // empty for the agent
	Took  time.Duration // how long it took, or, for Restarting, how long is waited
}

func (e Event) log(log *zap.Logger) {
	name, took := zap.String("actor", e.Actor), zap.Duration("took", e.Took)
	switch e.What {
	case Started:
		log.Debug("actor started", name, took)
	case Running:
		log.Debug("all actors run")
	case Restarting:
		log.Warn("restarting a failed actor", name, zap.Duration("after", e.Took))
	case Lost:
		log.Error("gave up on an actor, the agent ends", name)
	case Stopping:
		log.Debug("stopping", name)
	case Stopped:
		log.Debug("actor stopped", name, took)
	case Overdue:
		log.Error("an actor did not stop in time and is left behind", name, took)
	case Ended:
		log.Debug("all actors have stopped")
	}
}
