package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/leave"
	"github.com/actor-consul/consul/messages"
)

// Name is the name of the actor at the top, and the first part of every PID.
const Name = "agent"

// NewSystem returns the actor system that an agent lives in. What the framework
// itself has to say goes to log. There is one a process.
func NewSystem(log *slog.Logger) *actor.ActorSystem {
	return actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return log }),
		actor.WithDeadLetterThrottleCount(3),
		actor.WithDeadLetterThrottleInterval(time.Second),
		actor.WithDeadLetterRequestLogging(false),
	)
}

// Agent is a running tree.
type Agent struct {
	sys   *actor.ActorSystem
	root  ask.Address
	leave ask.Address
	done  chan struct{}
	end   outcome // valid once done is closed
}

// options is what start needs beside the children.
type options struct {
	log    *zap.Logger
	reload func() (*messages.Reconfigure, messages.ReloadReport, error)
	trace  func(Event)
	ended  func() // is called when all is over; optional
}

// begin spawns the children one after the other, each when the one before it is
// ready. When one cannot start, those that did are stopped again and the error
// says why. The end of ctx stops the start.
func begin(ctx context.Context, sys *actor.ActorSystem, children []child, opts options) (*Agent, error) {
	begun, ended := make(chan error, 1), make(chan outcome, 1)
	r := &root{
		log:      opts.log,
		children: children,
		reload:   opts.reload,
		trace:    opts.trace,
		begun:    begun,
		ended:    ended,
		order:    newOrder(len(children)),
		nodes:    make([]node, len(children)),
		byPID:    make(map[string]int, len(children)),
	}
	ask.DeadLetters(sys) // for as long as there is the system: who asks after the end is answered, too
	a := &Agent{sys: sys, done: make(chan struct{})}
	props := actor.PropsFromProducer(func() actor.Actor { return r },
		actor.WithGuardian(actor.NewOneForOneStrategy(0, 0, actor.DefaultDecider)))
	pid, err := sys.Root.SpawnNamed(props, Name)
	if err != nil {
		return nil, fmt.Errorf("supervisor: %w", err)
	}
	a.root = ask.At(sys, pid)
	a.leave = ask.At(sys, sys.NewLocalPID(path(leave.Name)))
	go a.await(ended, opts.ended)

	select {
	case err := <-begun:
		if err == nil {
			return a, nil
		}
		<-a.done
		return nil, tidy(err)
	case <-ctx.Done():
		a.Stop()
		<-a.done
		return nil, context.Cause(ctx)
	}
}

// tidy leaves out errStopped where there is a better reason.
func tidy(err error) error {
	if j, ok := err.(interface{ Unwrap() []error }); ok && len(j.Unwrap()) > 1 {
		return j.Unwrap()[0]
	}
	return err
}

func (a *Agent) await(ended <-chan outcome, after func()) {
	a.end = <-ended
	if after != nil {
		after()
	}
	close(a.done)
}

// Leave begins the leave plan on behalf of a signal, after which the agent stops:
// peers are told, work is handed over. Progress can be watched; see
// messages.LeaveBegun.
func (a *Agent) Leave(ctx context.Context, why string) (messages.LeaveBegun, error) {
	return ask.Do(ctx, a.leave, &messages.BeginLeave{Why: why, Signal: true})
}

// Stop begins the ordered stop without telling the peers. It does not wait.
func (a *Agent) Stop() { a.root.Tell(&halt{}) }

// Done is closed when the agent has ended, whether it was stopped, left, or could
// not go on.
func (a *Agent) Done() <-chan struct{} { return a.done }

// Err returns why the agent ended, once Done is closed: nil when it was asked to
// and every actor stopped in time.
func (a *Agent) Err() error {
	var late error
	if len(a.end.standing) > 0 {
		late = fmt.Errorf("did not stop in time: %s", strings.Join(a.end.standing, ", "))
	}
	return errors.Join(a.end.err, late)
}

// Reload reads the configuration again and says what became of each key.
func (a *Agent) Reload(ctx context.Context) (messages.ReloadReport, error) {
	return ask.Do(ctx, a.root, &messages.Reload{})
}

// Actors returns the live tree, in start order.
func (a *Agent) Actors(ctx context.Context) ([]messages.ActorInfo, error) {
	return ask.Do(ctx, a.root, &messages.ListActors{})
}

// Standing returns the names of the actors that have not stopped, for the last
// words of an agent that was told to end at once. It gives up when ctx ends.
func (a *Agent) Standing(ctx context.Context) []string {
	var names []string
	actors, err := a.Actors(ctx)
	if err != nil {
		return nil // the root is gone, and with it everybody
	}
	for _, info := range actors {
		if info.State != messages.ActorStopped {
			names = append(names, info.Name)
		}
	}
	return names
}

// path returns the ID of a child's PID.
func path(name string) string { return Name + "/" + name }
