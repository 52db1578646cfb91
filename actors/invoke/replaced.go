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
var errReplaced = errors.New("another server has taken its place by now")

const (
	// lookInterval is how often it is looked whether the server that was called is
	// still the one to answer, and replacedFor how many looks in a row have to say no:
	// a leader that hands over, or a server that leaves, still answers what it has.
	lookInterval = 500 * time.Millisecond
	replacedFor  = 4
)

// callWhile is call, as long as the server is the one to answer. One that stands
// still, or that nobody can reach any more, does not say so, and its connection may
// look well for a long time after the others have found another leader. A read is then
// worth another try. Of a write nobody knows whether it was carried out.
func (inv *Invoker) callWhile(ctx context.Context, still func() bool, dc, address, method string, args wire.Request, reply any) error {
	attempt, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	look := time.AfterFunc(lookInterval, func() {
		for gone := 0; ; {
			if gone++; still() {
				gone = 0
			}
			if gone == replacedFor {
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

// leads says whether nobody else is known to lead.
func (inv *Invoker) leads(address string) bool {
	s := inv.cfg.Status.Load()
	return s == nil || s.LeaderAddr == "" || s.LeaderAddr == address
}

// knows says whether a server is one that can be asked.
func (inv *Invoker) knows(server messages.Server) bool {
	return slices.ContainsFunc(inv.servers(server.Datacenter), func(s messages.Server) bool { return s.Addr == server.Addr })
}
