package supervisor

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/messages"
)

// gauge counts what happens to one actor. It is written from the goroutines of
// everybody who sends, and read when somebody asks for the live tree.
type gauge struct {
	posted  atomic.Int64
	handled atomic.Int64
}

var _ actor.MailboxMiddleware = (*gauge)(nil)

// MailboxStarted implements actor.MailboxMiddleware.
func (g *gauge) MailboxStarted() {}

// MessagePosted implements actor.MailboxMiddleware.
func (g *gauge) MessagePosted(any) { g.posted.Add(1) }

// MessageReceived implements actor.MailboxMiddleware.
func (g *gauge) MessageReceived(any) { g.handled.Add(1) }

// MailboxEmpty implements actor.MailboxMiddleware.
func (g *gauge) MailboxEmpty() {}

// depth returns how many messages wait.
func (g *gauge) depth() int64 {
	handled := g.handled.Load() // before posted, or it could look negative
	return max(0, g.posted.Load()-handled)
}

// vitals is what the root knows of one actor's life.
type vitals struct {
	state     messages.ActorState
	since     time.Time // of the last start
	restarts  int
	record    record
	failure   string
	failureAt time.Time
}

func (v *vitals) failed(now time.Time, reason any) {
	v.failure = fmt.Sprint(reason)
	v.failureAt = now
}

func (v *vitals) info(name string, g *gauge) messages.ActorInfo {
	return messages.ActorInfo{
		Name:          name,
		State:         v.state,
		MailboxDepth:  g.depth(),
		Handled:       g.handled.Load(),
		Restarts:      v.restarts,
		Since:         v.since,
		LastFailure:   v.failure,
		LastFailureAt: v.failureAt,
	}
}
