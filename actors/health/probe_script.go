package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// script returns the probe that runs a program, by the rules of Nagios: it passes
// with the exit code 0, warns with 1, and is critical with any other.
func script(command []string, most int, limit time.Duration) probe {
	return func(ctx context.Context) result {
		out := &tail{most: most}
		err := runGroup(ctx, command, out)
		switch {
		case ctx.Err() != nil:
			return failing("%s", timedOut(limit, out.String()))
		case err == nil:
			return result{wire.HealthPassing, out.String()}
		case out.total == 0:
			return result{exitStatus(err), err.Error()} // better than nothing
		default:
			return result{exitStatus(err), out.String()}
		}
	}
}

func exitStatus(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return wire.HealthWarning
	}
	return wire.HealthCritical
}

// osService returns the probe that asks the operating system how a service of its
// own is: systemd, here.
func osService(name string, limit time.Duration) probe {
	return func(ctx context.Context) result {
		out := &tail{most: 200}
		err := runGroup(ctx, []string{"systemctl", "is-active", "--", name}, out)
		if ctx.Err() != nil {
			return failing("%s", timedOut(limit, ""))
		}
		switch state := strings.TrimSpace(out.String()); state {
		case "active":
			return passing("Service \"%s\" is healthy", name)
		case "activating", "deactivating", "reloading", "refreshing", "maintenance":
			return result{wire.HealthWarning, "service status: " + state}
		case "":
			return failing("the state of service %q is not known: %v", name, err)
		default:
			return failing("service status: %s - OS Service unhealthy", state)
		}
	}
}

// leftover is how long is waited for the output of what a program has started and
// what was then killed with it, and for the end of who has left the process group.
const leftover = time.Second

// runGroup runs a program in a process group of its own and waits for its end. The
// group is killed when ctx ends, and when the program has ended before what it has
// started; so are those who have left the group, where it can be told whose they are.
// Its output goes to out, which is not written to any more afterwards.
func runGroup(ctx context.Context, command []string, out io.Writer) error {
	from, to, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	defer from.Close()
	cmd := exec.Command(command[0], command[1:]...)
	// Files, and no writers: os/exec would wait for everybody who has them open.
	cmd.Stdout, cmd.Stderr = to, to
	err = startGroup(cmd)
	to.Close()
	if err != nil {
		return err
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(out, from) // it ends when there is nobody to write, or with the deadline
	}()
	err = waitGroup(ctx, cmd)
	_ = from.SetReadDeadline(time.Now().Add(leftover))
	<-copied
	return err
}
