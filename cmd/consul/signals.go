package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/supervisor"
)

const (
	// stopDeadline is how long an agent has to leave and stop, all in all. Every
	// step has a budget of its own; this is for what nobody thought of.
	stopDeadline = 90 * time.Second
	// echo is how soon a second signal is still taken for the first: who passes
	// signals on, such as timeout(1), may do so twice.
	echo = 250 * time.Millisecond
	// lastWords is how long a process that ends at once takes to say what it
	// leaves behind.
	lastWords = 200 * time.Millisecond
)

// errStopped is why a start ended that was told to.
var errStopped = errors.New("interrupted")

// signals are those that reach the process, from the moment they are caught to its
// end: one that comes while the process exits must not change how it exits.
type signals struct {
	stop   chan os.Signal // INT and TERM
	reload chan os.Signal // HUP
}

func catchSignals() *signals {
	s := &signals{stop: make(chan os.Signal, 2), reload: make(chan os.Signal, 1)}
	signal.Notify(s.stop, os.Interrupt, syscall.SIGTERM)
	signal.Notify(s.reload, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE) // a log reader that goes away is no reason to end
	return s
}

// untilStop returns a context that ends when the process is told to stop.
func (s *signals) untilStop(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	go func() {
		select {
		case <-s.stop:
			cancel(errStopped)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// manners are what an agent does on which signal.
type manners struct {
	leaveOnInterrupt bool
	leaveOnTerminate bool
	log              *zap.Logger
}

// leaves says whether the signal makes the agent leave before it stops.
func (m manners) leaves(sig os.Signal) bool {
	if sig == os.Interrupt {
		return m.leaveOnInterrupt
	}
	return m.leaveOnTerminate
}

// attend waits on a running agent until it has ended, and does what signals ask
// for. The error is why the process fails: the agent could not go on, did not stop
// in time, or was told to end at once.
func attend(agent *supervisor.Agent, s *signals, m manners) error {
	for {
		select {
		case <-agent.Done():
			return agent.Err()
		case <-s.reload:
			go reload(agent, m.log)
		case sig := <-s.stop:
			m.log.Info("caught signal: "+sig.String(), zap.Bool("leave", m.leaves(sig)))
			if m.leaves(sig) {
				go leave(agent, sig, m.log)
			} else {
				agent.Stop()
			}
			return awaitEnd(agent, s)
		}
	}
}

// leave begins the leave plan. The coordinator logs each step.
func leave(agent *supervisor.Agent, sig os.Signal, log *zap.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), stopDeadline)
	defer cancel()
	begun, err := agent.Leave(ctx, sig.String())
	if err != nil {
		log.Error("cannot leave; stopping without telling the peers", zap.Error(err))
		agent.Stop()
		return
	}
	for range begun.Progress { // to the end, so that nobody waits for us to hear it
	}
	begun.Heard()
}

// awaitEnd waits for an agent that has been told to stop. A second signal, or the
// deadline, ends the process at once.
func awaitEnd(agent *supervisor.Agent, s *signals) error {
	first := time.Now()
	deadline := time.NewTimer(stopDeadline)
	defer deadline.Stop()
	for {
		select {
		case <-agent.Done():
			return agent.Err()
		case <-s.reload: // too late
		case sig := <-s.stop:
			if time.Since(first) > echo {
				return abandon(agent, fmt.Sprintf("caught a second signal (%s)", sig))
			}
		case <-deadline.C:
			return abandon(agent, fmt.Sprintf("did not stop within %v", stopDeadline))
		}
	}
}

// abandon says what is left behind.
func abandon(agent *supervisor.Agent, why string) error {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	standing := agent.Standing(ctx)
	if len(standing) == 0 {
		return fmt.Errorf("%s; everything had stopped", why)
	}
	return fmt.Errorf("%s; not stopped: %s", why, strings.Join(standing, ", "))
}

func reload(agent *supervisor.Agent, log *zap.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), stopDeadline)
	defer cancel()
	log.Info("reloading the configuration")
	report, err := agent.Reload(ctx)
	if err != nil {
		return // the supervisor has said so
	}
	tellReload(log, report)
}

func tellReload(log *zap.Logger, report messages.ReloadReport) {
	for _, key := range report.Applied {
		log.Info("reload: applied " + key)
	}
	for _, key := range report.NeedsRestart {
		log.Warn("reload: needs a restart: " + key)
	}
	for _, file := range report.Certificates {
		log.Info("reload: loaded the certificates in " + file + " anew")
	}
	log.Info("reloaded the configuration", zap.Int("unchanged", report.Unchanged))
}
