package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// monitorRetryTime is between two tries of the client to find out whether it still
// has the lock.
const monitorRetryTime = time.Second

// exitChild is the exit status of lock when the child failed and -child-exit-code
// asks for that.
const exitChild = 2

// lockCommand runs a program while it holds a lock.
type lockCommand struct {
	httpCommand
	childExitCode, passStdin, shell, verbose bool
	holders, monitorRetry                    int
	session                                  string
	timeout                                  time.Duration
}

func newLockCommand(ui cli.Ui) cli.Command {
	c := &lockCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "lock",
		operands: "PREFIX COMMAND...",
		synopsis: "Execute a command holding a lock",
		about: `
Waits for the lock below the prefix of the key-value store, runs COMMAND while it
holds it, and gives it back. When the lock is lost, COMMAND is ended: with TERM, and
with KILL after 5 s. With -n several may hold it at once, who all say the same -n.

COMMAND is a line for the shell unless -shell=false. CONSUL_LOCK_HELD is true in its
environment. INT and TERM end COMMAND first.`,
		example: `
$ consul lock jobs/nightly ./nightly.sh

$ consul lock -n=3 -timeout=10s -child-exit-code jobs/convert convert in.png`,
	})}
	c.passes = true
	c.serverFlags()
	c.flags.BoolVar(&c.childExitCode, "child-exit-code", false, "exit with 2 when COMMAND fails")
	c.flags.IntVar(&c.holders, "n", 1, "how many may hold the lock at once, `N`")
	c.flags.IntVar(&c.monitorRetry, "monitor-retry", 3, "try `N` times, a second apart, before servers that fail count as a lock that is lost")
	c.flags.StringVar(&c.session, "name", "", "call the lock's session `NAME` (default after COMMAND)")
	c.flags.BoolVar(&c.passStdin, "pass-stdin", false, "give COMMAND the standard input")
	c.flags.BoolVar(&c.shell, "shell", true, "have $SHELL run COMMAND")
	c.flags.DurationVar(&c.timeout, "timeout", 0, "give up when the lock is not free within `DURATION`")
	c.flags.DurationVar(&c.timeout, "try", 0, "the old name of -timeout, a `DURATION`")
	c.flags.BoolVar(&c.verbose, "verbose", false, "say what is being done")
	return c
}

// lock is a lock or a semaphore.
type lock struct {
	take  func(stop <-chan struct{}) (lost <-chan struct{}, err error)
	free  func() error
	clean func() error // of the key, which fails with busy while others want it
	busy  error
}

// Run implements cli.Command.
func (c *lockCommand) Run(args []string) int {
	agent, operands, ok := c.open(args, 2, -1)
	switch {
	case !ok:
		return 1
	case c.holders < 1:
		return c.misused(fmt.Errorf("-n is how many may hold the lock, and cannot be %d", c.holders))
	case c.monitorRetry < 0:
		return c.misused(fmt.Errorf("-monitor-retry cannot be %d", c.monitorRetry))
	case c.timeout < 0:
		return c.misused(fmt.Errorf("-timeout cannot be %s", c.timeout))
	}
	prefix, run := keyOf(operands), operands[1:]
	if c.session == "" {
		c.session = fmt.Sprintf("Consul lock for '%s' at '%s'", strings.Join(run, " "), prefix)
	}
	if _, err := agent.Agent().NodeName(); err != nil {
		return c.refused("querying Consul agent", err)
	}
	held, err := c.lock(agent, prefix)
	if err != nil {
		return c.failed("Lock setup failed: %s", err)
	}
	return c.hold(held, run)
}

// lock prepares the lock, or the semaphore, below a prefix. Both use the same key,
// so that they notice each other.
func (c *lockCommand) lock(agent *api.Client, prefix string) (*lock, error) {
	if c.holders > 1 {
		c.say("Setting up semaphore (limit %d) at prefix: %s", c.holders, prefix)
		s, err := agent.SemaphoreOpts(&api.SemaphoreOptions{
			Prefix: prefix, Limit: c.holders, SessionName: c.session,
			MonitorRetries: c.monitorRetry, MonitorRetryTime: monitorRetryTime,
			SemaphoreTryOnce: c.timeout > 0, SemaphoreWaitTime: c.timeout,
		})
		if err != nil {
			return nil, err
		}
		return &lock{take: s.Acquire, free: s.Release, clean: s.Destroy, busy: api.ErrSemaphoreInUse}, nil
	}
	key := path.Join(prefix, api.DefaultSemaphoreKey)
	c.say("Setting up lock at path: %s", key)
	l, err := agent.LockOpts(&api.LockOptions{
		Key: key, SessionName: c.session,
		MonitorRetries: c.monitorRetry, MonitorRetryTime: monitorRetryTime,
		LockTryOnce: c.timeout > 0, LockWaitTime: c.timeout,
	})
	if err != nil {
		return nil, err
	}
	return &lock{take: l.Lock, free: l.Unlock, clean: l.Destroy, busy: api.ErrLockInUse}, nil
}

// hold runs a program while it has the lock.
func (c *lockCommand) hold(l *lock, run []string) int {
	ctx, stop := interruptible()
	defer stop()
	c.say("Attempting lock acquisition")
	lost, err := l.take(ctx.Done())
	if err != nil {
		return c.failed("Lock acquisition failed: %s", c.http.explain(err))
	}
	if lost == nil {
		return c.failed("Shutdown triggered or timeout during lock acquisition")
	}
	failed := c.runChild(ctx, run, lost)
	if err := l.free(); err != nil {
		return c.failed("Lock release failed: %s", c.http.explain(err))
	}
	switch err := l.clean(); {
	case err == nil:
		c.say("Cleanup succeeded")
	case errors.Is(err, l.busy):
		c.say("Cleanup aborted, lock in use")
	default:
		return c.failed("Lock cleanup failed: %s", c.http.explain(err))
	}
	if failed && c.childExitCode {
		return exitChild
	}
	return 0
}

// runChild runs the program until it ends, the lock is lost, or the user ends it. It
// returns whether the program failed.
func (c *lockCommand) runChild(ctx context.Context, run []string, lost <-chan struct{}) (failed bool) {
	if ctx.Err() != nil {
		c.failed("Shutdown triggered during lock acquisition")
		return false
	}
	cmd := childCommand(run, c.shell)
	cmd.Env = append(os.Environ(), "CONSUL_LOCK_HELD=true")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if c.passStdin {
		cmd.Stdin = os.Stdin
	} else {
		apart(cmd) // one that reads the terminal must be in its foreground group
	}
	c.say("Starting handler")
	if err := cmd.Start(); err != nil {
		c.failed("Error starting handler: %s", err)
		return true
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			c.failed("Error running handler: %s", err)
		}
		c.say("Child terminated, releasing lock")
		return err != nil
	case <-lost:
		c.say("Lock lost, killing child")
	case <-ctx.Done():
		c.say("Shutdown triggered, killing child")
	}
	if err := kill(cmd, ended); err != nil {
		c.failed("Error ending handler: %s", err)
	}
	return true
}

// say tells what is being done, to those who want to know.
func (c *lockCommand) say(format string, args ...any) {
	if c.verbose {
		c.ui.Info(fmt.Sprintf(format, args...))
	}
}
