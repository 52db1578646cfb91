package raft

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/actor-consul/consul/messages"
)

// Departure is what there is to know of a server that is about to leave the peer set.
type Departure struct {
	Self   string // its node ID
	Peers  []messages.RaftServer
	Leader string             // its address; empty: nobody leads
	Pool   *messages.PoolView // nil: not known, which speaks against nobody

	// Ping asks the server at an address whether it answers; nil: the pool's word is
	// enough. The pool takes seconds to miss a server.
	Ping func(ctx context.Context, address string) error
}

// pingPatience is how long a server may take to say that it is there.
const pingPatience = time.Second

// Objection returns why the server had better not leave: nobody could take it from the
// peer set; or the voters that remain could not agree on anything, so that the
// datacenter would take no writes. It is nil when nothing speaks against it, and for the
// only voter, whose peer set waits for it to come back. It may wait.
func (d Departure) Objection(ctx context.Context) error {
	if otherVoters(d.Peers, d.Self) == 0 || !votes(d.Peers, d.Self) {
		return nil
	}
	present, missing := d.remaining(ctx)
	remain := len(present) + len(missing)
	switch {
	case !isQuorum(len(present), remain):
		return fmt.Errorf("leaving would cost the datacenter its quorum: of the %d other voters %d must be alive, but only %d are (gone: %s); bring those back first, or leave with -force",
			remain, remain/2+1, len(present), strings.Join(missing, ", "))
	case d.Leader == "":
		return errors.New("nobody leads at the moment, so nobody can take this server from the peer set, and it would count as one that is gone; wait until there is a leader, or leave with -force")
	default:
		return nil
	}
}

// keepsQuorum reports whether the voters that remain can still agree. It may wait.
func (d Departure) keepsQuorum(ctx context.Context) bool {
	present, missing := d.remaining(ctx)
	return isQuorum(len(present), len(present)+len(missing))
}

func isQuorum(n, of int) bool { return n >= of/2+1 }

// remaining returns the addresses of the other voters that are there, and of those that
// are not.
func (d Departure) remaining(ctx context.Context) (present, missing []string) {
	ctx, cancel := context.WithTimeout(ctx, pingPatience)
	defer cancel()
	others := slices.DeleteFunc(slices.Clone(d.Peers), func(p messages.RaftServer) bool { return !p.Voter || p.ID == d.Self })
	there := make([]bool, len(others))
	var all sync.WaitGroup
	for i, p := range others {
		all.Go(func() { there[i] = d.isThere(ctx, p) })
	}
	all.Wait()
	for i, p := range others {
		if there[i] {
			present = append(present, p.Address)
		} else {
			missing = append(missing, p.Address)
		}
	}
	return present, missing
}

func (d Departure) isThere(ctx context.Context, p messages.RaftServer) bool {
	if d.Pool == nil {
		return true
	}
	address, alive := addressOf(d.Pool, p.ID)
	return alive && (d.Ping == nil || d.Ping(ctx, address) == nil)
}

func votes(peers []messages.RaftServer, id string) bool {
	for _, p := range peers {
		if p.ID == id {
			return p.Voter
		}
	}
	return false
}
