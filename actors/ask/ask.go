// Package ask lets goroutines that are not actors speak to actors: listeners,
// commands and the bridges to libraries.
//
//	http, dns, rpc ──ask.Do──▶ any actor
//	               ◀──answer──
//
// A request carries its own answer box (messages.Asked), so an answer costs a
// channel and nothing else, a second answer is dropped, and a panic or a missing
// actor is an error at once instead of a timeout. The framework's futures are not
// used: they race with their own timeouts.
//
// An actor never calls Do. It has nobody to wait on.
package ask

import (
	"context"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/messages"
)

// An Address is where an actor is reached from outside of the actor system. The
// zero value is nobody.
type Address struct {
	root *actor.RootContext
	pid  *actor.PID
}

// At returns the address of pid.
func At(sys *actor.ActorSystem, pid *actor.PID) Address {
	return Address{root: sys.Root, pid: pid}
}

// PID returns the actor's PID, for use inside of actors.
func (a Address) PID() *actor.PID { return a.pid }

// Tell sends a message that needs no answer. It never blocks.
func (a Address) Tell(msg any) {
	if a.pid != nil {
		a.root.Send(a.pid, msg)
	}
}

// A Request is a message that embeds messages.Asked[R].
type Request[R any] interface {
	messages.Refuser
	Expect() <-chan messages.Result[R]
}

// Do sends req and waits for its answer, or for the end of ctx. When ctx ends
// first, whether the request took effect is unknown; the error says so by
// wrapping ctx's.
func Do[R any](ctx context.Context, to Address, req Request[R]) (R, error) {
	box := req.Expect()
	if to.pid == nil {
		req.Refuse(messages.ErrUnavailable)
	} else {
		to.root.Send(to.pid, req)
	}
	select {
	case r := <-box:
		return r.Value, r.Err
	case <-ctx.Done():
		var none R
		return none, fmt.Errorf("%s gave no answer in time: %w", to.name(), context.Cause(ctx))
	}
}

func (a Address) name() string {
	if a.pid == nil {
		return "nobody"
	}
	return a.pid.Id
}

// DeadLetters refuses the requests that reach nobody, so that their askers need
// not wait. It returns a function that ends it.
func DeadLetters(sys *actor.ActorSystem) (stop func()) {
	sub := sys.EventStream.Subscribe(func(event any) {
		if dead, ok := event.(*actor.DeadLetterEvent); ok {
			if r, ok := dead.Message.(messages.Refuser); ok {
				r.Refuse(messages.ErrUnavailable)
			}
		}
	})
	return func() { sys.EventStream.Unsubscribe(sub) }
}
