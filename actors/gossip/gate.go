package gossip

import (
	"sync/atomic"

	"github.com/hashicorp/memberlist"

	"github.com/actor-consul/consul/messages"
)

// gate is where memberlist asks, on its own goroutines and under its lock, whether
// a node may come in. It reads what the actor last published and sends nothing; a
// refusal is logged by memberlist, and is what the node that wants to join gets to
// read.
//
// It stands in front of memberlist and not of Serf, whose own merge delegate is not
// told whether a node that it is asked about is up or has failed.
type gate struct {
	admission
	known   atomic.Pointer[holders]
	joining atomic.Int32 // attempts of this agent to join that are under way
}

var (
	_ memberlist.MergeDelegate = (*gate)(nil)
	_ memberlist.AliveDelegate = (*gate)(nil)
)

func newGate(cfg Config, self messages.Member) *gate {
	g := &gate{admission: admission{pool: cfg.Pool, datacenter: cfg.Datacenter}}
	g.known.Store(newHolders(self, nil))
	return g
}

// NotifyMerge is asked when this agent joins others, or others it.
func (g *gate) NotifyMerge(peers []*memberlist.Node) error {
	for _, n := range peers {
		if err := g.NotifyAlive(n); err != nil {
			return err
		}
	}
	return nil
}

// NotifyAlive is asked whenever somebody says that a node is alive.
func (g *gate) NotifyAlive(n *memberlist.Node) error {
	m, err := nodeMember(n)
	if err != nil {
		return err
	}
	if m.Status != messages.MemberAlive {
		return nil // it claims nothing, and memberlist will not make it a member
	}
	return g.admit(m, g.known.Load(), g.joining.Load() > 0)
}
