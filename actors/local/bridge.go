package local

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// callTimeout bounds each call of the catalog.
const callTimeout = 30 * time.Second

// turn lets one goroutine at a time do something that may take long.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits for the turn, or for the end of ctx. Who has it passes it on.
func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) pass() { <-t }

// fetch returns what the catalog has of the node of that name. It runs on a
// goroutine.
func fetch(ctx context.Context, name string, read func(context.Context) (*wire.NodeServices, wire.HealthChecks, error)) (remote, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	node, checks, err := read(ctx)
	if err != nil {
		return remote{}, err
	}
	return newRemote(name, node, checks), nil
}

// pen is the one way to write to the catalog. It outlives the instances of the
// actor: a write that one has on its way is not overtaken by the next, and a node
// that was withdrawn is not written again.
type pen struct {
	register   func(context.Context, *wire.RegisterRequest) error
	deregister func(context.Context, *wire.DeregisterRequest) error

	turn  turn
	down  atomic.Bool // withdrawn
	life  context.Context
	abort context.CancelFunc
}

func newPen(cfg *Config) *pen {
	p := &pen{register: cfg.Register, deregister: cfg.Deregister, turn: newTurn()}
	p.life, p.abort = context.WithCancel(context.Background())
	return p
}

// carryOut makes the writes of a plan, whatever becomes of each, and tells what
// has. It stops when there is nobody to write to, when ctx has ended and when the
// node is withdrawn.
func (p *pen) carryOut(ctx context.Context, pl plan) (done []outcome) {
	if pl.node != nil {
		err := p.write(ctx, pl.node)
		done = append(done, outcome{pl.node, err})
		if err != nil && (!pl.known || !denied(err)) {
			return done
		}
	}
	return p.each(ctx, pl.rest, done)
}

func (p *pen) each(ctx context.Context, writes []*write, done []outcome) []outcome {
	for _, w := range writes {
		err := p.write(ctx, w)
		done = append(done, outcome{w, err})
		if err == nil {
			done = p.each(ctx, w.then, done)
		} else if pointless(err) || ctx.Err() != nil {
			return done
		}
	}
	return done
}

func (p *pen) write(ctx context.Context, w *write) error {
	if err := p.turn.take(ctx); err != nil {
		return err
	}
	defer p.turn.pass()
	if p.down.Load() {
		return messages.ErrLeaving
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()
	if w.register != nil {
		return p.register(ctx, w.register)
	}
	return p.deregister(ctx, w.deregister)
}

// withdraw takes the node from the catalog within budget. The caller has put the
// pen down, so that no other write begins. One that is under way would put the
// node back when it came last: it has half of the time to end, and is then broken
// off.
func (p *pen) withdraw(r *wire.DeregisterRequest, budget time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), budget)
	defer cancel()
	impatient := time.AfterFunc(budget/2, p.abort)
	defer impatient.Stop()
	if err := p.turn.take(ctx); err != nil {
		return errors.New("a write to the catalog is under way and does not end")
	}
	defer p.turn.pass()
	impatient.Stop()
	return p.deregister(ctx, r)
}

// denied says whether a write was refused for want of rights. To try again soon is
// no use.
func denied(err error) bool {
	return errors.Is(err, wire.ErrPermissionDenied) || // below, as text from another server
		strings.Contains(err.Error(), wire.ErrPermissionDenied.Error()) || strings.Contains(err.Error(), "ACL not found")
}

// pointless says whether the writes that remain would fail for the same reason.
func pointless(err error) bool {
	for _, nobody := range []error{messages.ErrNoLeader, wire.ErrNoLeader, wire.ErrNoServers, messages.ErrUnavailable, messages.ErrLeaving} {
		if errors.Is(err, nobody) {
			return true
		}
	}
	return false
}
