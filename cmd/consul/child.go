package main

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// killGrace is how long a child has to end by itself once it was asked to.
const killGrace = 5 * time.Second

// childCommand returns the command that the words after a command's flags name: as a
// line for the user's shell, or as a program and its arguments.
func childCommand(args []string, shell bool) *exec.Cmd {
	if !shell {
		return exec.Command(args[0], args[1:]...)
	}
	return exec.Command(cmp.Or(os.Getenv("SHELL"), "/bin/sh"), "-c", strings.Join(args, " "))
}

// apart has a command run in a process group of its own, so that all it starts can
// be ended with it.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// kill ends a child, and its group if it has one: with TERM, and with KILL when that
// does not help. Of ended, which is closed or sent to when the child is gone, it
// takes one value.
func kill(cmd *exec.Cmd, ended <-chan error) error {
	if err := signalChild(cmd, syscall.SIGTERM); err != nil {
		return err
	}
	late := time.NewTimer(killGrace)
	defer late.Stop()
	select {
	case <-ended:
		return nil
	case <-late.C:
		return signalChild(cmd, syscall.SIGKILL)
	}
}

// signalChild sends a signal to a child that has been started. One that has ended
// is as it should be.
func signalChild(cmd *exec.Cmd, sig syscall.Signal) error {
	pid := cmd.Process.Pid
	if cmd.SysProcAttr != nil && cmd.SysProcAttr.Setpgid {
		pid = -pid
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}
