package health

import (
	"context"
	"errors"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// startGroup starts a program in a process group of its own.
func startGroup(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return kin.start(cmd)
}

// waitGroup waits for the end of a program, and kills its group then, or when ctx
// ends before. The group goes before its leader is forgotten: until then nobody else
// can have its number. Then those go that have left the group (orphans_linux.go).
func waitGroup(ctx context.Context, cmd *exec.Cmd) error {
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		for errors.Is(unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
		}
	}()
	select {
	case <-exited:
	case <-ctx.Done():
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // an error: nobody is left
	<-exited
	return kin.wait(cmd)
}
