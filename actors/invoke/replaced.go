package invoke

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// errReplaced is why a call ends whose server is not the one any more that is to
// answer.
var errReplaced = errors.New("it is not the server to ask any more")

const (
	// lookInterval is how often it is looked whether the server that was called is
	// still the one to answer.
	lookInterval = 500 * time.Millisecond
	// replacedFor is how long another has to be in its place: a leader that hands
	// over, or a server that leaves, still answers what it has.
	replacedFor = 2 * time.Second
)

// callWhile is call, as long as the server is the one to answer: gone returns 0, or for
// how long it may be gone before the call ends. A server that stands still, or that
// nobody can reach any more, does not say so, and its connection may look well for a
// long time after the others have found another leader. A read is then worth another
// try. Of a write nobody knows whether it was carried out.
func (inv *Invoker) callWhile(ctx context.Context, gone func() time.Duration, dc, address, method string, args wire.Request, reply any) error {
	attempt, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	look := time.AfterFunc(lookInterval, func() {
		for last := time.Now(); ; { // when it was there last
			now := time.Now()
			switch patience := gone(); {
			case patience == 0:
				last = now
			case now.Sub(last) >= patience:
				cancel(errReplaced)
				return
			}
			select {
			case <-time.After(lookInterval):
			case <-attempt.Done():
				return
			}
		}
	})
	defer look.Stop()
	err := inv.call(attempt, dc, address, method, args, reply)
	switch {
	case !errors.Is(err, errReplaced):
		return err
	case args.IsRead():
		return retriable{err}
	default:
		return fmt.Errorf("%w; whether the request was carried out is unknown", err)
	}
}

// deposed says for how long a call to the leader may go on, as callWhile wants it.
// While nobody leads, it is as long as other requests are held.
func (inv *Invoker) deposed(leader string) time.Duration {
	switch s := inv.cfg.Status.Load(); {
	case s == nil || s.LeaderAddr == leader:
		return 0
	case s.LeaderAddr == "":
		return inv.cfg.Hold
	default:
		return replacedFor
	}
}

// lost says for how long a call to a server may go on, as callWhile wants it.
func (inv *Invoker) lost(server messages.Server) time.Duration {
	if slices.ContainsFunc(inv.servers(server.Datacenter), func(s messages.Server) bool { return s.Addr == server.Addr }) {
		return 0
	}
	return replacedFor
}
