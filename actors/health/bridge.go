package health

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// bridge is how the goroutines of a check speak to it.
type bridge struct {
	root    *actor.RootContext
	self    *actor.PID
	timeout time.Duration
}

// overtime is how long a try that was told to end may take to say so. It is then
// reported as hanging.
const overtime = 5 * time.Second

// try tries once and tells what came of it. A try that hangs is told of at once, and
// once more when it has ended.
func (b bridge) try(base context.Context, try probe, of *repeatActor) {
	ctx, cancel := context.WithTimeout(base, b.timeout)
	defer cancel()
	done := make(chan result, 1)
	go func() { done <- contained(ctx, try) }()
	late := time.NewTimer(b.timeout + overtime)
	defer late.Stop()
	select {
	case r := <-done:
		b.root.Send(b.self, &ended{of, &r, true})
	case <-late.C:
		b.root.Send(b.self, &ended{of, &result{wire.HealthCritical, timedOut(b.timeout, "")}, false})
		<-done
		b.root.Send(b.self, &ended{of, nil, true})
	}
}

// contained tries, and makes a panic of the try a result like any other.
func contained(ctx context.Context, try probe) (r result) {
	defer func() {
		if reason := recover(); reason != nil {
			r = result{wire.HealthCritical, fmt.Sprintf("The check failed inside of the agent: %v", reason)}
		}
	}()
	return try(ctx)
}

// errNoNodeChecks is returned when this agent cannot look at other nodes.
var errNoNodeChecks = errors.New("this agent cannot look at the checks of other nodes")

// ask asks the catalog for the checks of another node.
func (b bridge) ask(base context.Context, nodeChecks func(context.Context, string, uint64) (NodeChecks, error), of *aliasActor) {
	ctx, cancel := context.WithTimeout(base, b.timeout)
	defer cancel()
	answer := &answered{of: of, err: errNoNodeChecks}
	if nodeChecks != nil {
		answer.node, answer.err = nodeChecks(ctx, of.run.AliasNode, of.index)
	}
	b.root.Send(b.self, answer)
}

// deregister takes a service away and logs when it cannot be.
func deregister(local ask.Address, service string, log *zap.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), reapEvery)
	defer cancel()
	if _, err := ask.Do(ctx, local, &messages.DeregisterService{ID: service}); err != nil {
		log.Error("could not deregister a service that has been critical for too long", zap.String("service", service), zap.Error(err))
	}
}
