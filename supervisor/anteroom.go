package supervisor

import (
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// anteroom is a mailbox whose actor others may speak to from the moment its name
// is known. The framework makes the name known first, then tells the mailbox where
// its messages go, and then posts Started. A message that comes in between would
// be handled before Started, or would find no way at all, and take its sender
// down. Here, it waits until the actor is told to start.
type anteroom struct {
	actor.Mailbox
	open atomic.Bool

	mu      sync.Mutex // senders are on all goroutines
	waiting []func()   // what comes before the start, in order
}

var _ actor.Mailbox = (*anteroom)(nil)

// withAnteroom puts an anteroom before each mailbox that produce makes.
func withAnteroom(produce actor.MailboxProducer) actor.MailboxProducer {
	return func() actor.Mailbox { return &anteroom{Mailbox: produce()} }
}

// PostUserMessage implements actor.Mailbox.
func (a *anteroom) PostUserMessage(msg any) {
	if a.open.Load() {
		a.Mailbox.PostUserMessage(msg)
		return
	}
	a.early(func() { a.Mailbox.PostUserMessage(msg) })
}

// PostSystemMessage implements actor.Mailbox.
func (a *anteroom) PostSystemMessage(msg any) {
	if _, first := msg.(*actor.Started); first || a.open.Load() {
		a.Mailbox.PostSystemMessage(msg)
		return
	}
	a.early(func() { a.Mailbox.PostSystemMessage(msg) })
}

// early keeps a message back, unless the actor has been told to start meanwhile.
func (a *anteroom) early(post func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open.Load() {
		post()
		return
	}
	a.waiting = append(a.waiting, post)
}

// Start implements actor.Mailbox. Started has been posted.
func (a *anteroom) Start() {
	a.mu.Lock()
	for _, post := range a.waiting {
		post()
	}
	a.waiting = nil
	a.open.Store(true)
	a.mu.Unlock()
	a.Mailbox.Start()
}
