package health

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/actor-consul/consul/messages/wire"
)

// alive says whether the process that a file names does not end.
func alive(t *testing.T, file string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int((10 * time.Second).Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return n == 0
		}
	}
}

// TestNothingIsLeft looks for what a program has started: it is gone when the
// program hangs, and when it ends and leaves something behind.
func TestNothingIsLeft(t *testing.T) {
	waits(t, time.Minute)
	for name, tt := range map[string]struct {
		script string
		within time.Duration
		want   result
	}{
		"hangs":       {"sleep 1000 & echo $! > $F; wait", soon, result{"critical", "Timed out (300ms) running check"}},
		"is_deaf":     {"trap '' TERM INT HUP; sleep 1000 & echo $! > $F; wait", soon, result{"critical", "Timed out (300ms) running check"}},
		"leaves":      {"sleep 1000 & echo $! > $F; echo fine", enough, result{"passing", "fine\n"}},
		"grandchild":  {"(sleep 1000 & echo $! > $F) ; exit 1", enough, result{"warning", "exit status 1"}},
		"holds_pipe":  {"sh -c 'sleep 1000; echo late' & echo $! > $F; exit 3", enough, result{"critical", "exit status 3"}},
		"many":        {"for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo $! > $F", enough, result{"passing", ""}},
		"looks_after": {"nohup sleep 1000 >/dev/null 2>&1 & echo $! > $F", enough, result{"passing", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			got := tried(t, wire.CheckType{ScriptArgs: wire.ShellCommand("", "F="+file+"; "+tt.script)}, tt.within)
			if got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			if alive(t, file) {
				t.Error("what it has started goes on")
			}
			childless(t)
		})
	}
}

// waits has the children of this process waited for as long as it takes, and looked at
// again after so long, while a test runs.
func waits(t *testing.T, every time.Duration) {
	t.Helper()
	set := func(patience, every time.Duration) {
		kin.mu.Lock()
		defer kin.mu.Unlock()
		kin.patience, kin.every = patience, every
		if kin.look != nil {
			kin.look.Stop()
			kin.look = nil
		}
	}
	set(enough, every)
	t.Cleanup(func() { set(leftover, time.Minute) })
}

// childless wants this process to have no children any more, dead ones included.
func childless(t *testing.T) {
	t.Helper()
	if err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); !errors.Is(err, unix.ECHILD) {
		t.Errorf("there are children left: %v", err)
	}
}

// TestEscaped looks for what has left the group of its program. Each waits until it
// has left: F then has its PID.
func TestEscaped(t *testing.T) {
	waits(t, time.Minute)
	const left = `until [ -s $F ]; do :; done; `
	for name, tt := range map[string]struct {
		script string
		within time.Duration
		want   result
	}{
		"leaves":       {`setsid sh -c 'echo $$ > $F; exec sleep 1000' & ` + left + `echo fine`, enough, result{"passing", "fine\n"}},
		"hangs":        {`setsid sh -c 'echo $$ > $F; exec sleep 1000' & wait`, soon, result{"critical", "Timed out (300ms) running check"}},
		"is_deaf":      {`setsid sh -c 'trap "" TERM INT HUP; echo $$ > $F; sleep 1000; sleep 1000' & ` + left + `exit 1`, enough, result{"warning", "exit status 1"}},
		"has_children": {`setsid sh -c 'sleep 1000 & echo $! > $F; sleep 1000' & ` + left, enough, result{"passing", ""}},
		"again":        {`setsid sh -c 'setsid sh -c "setsid sleep 1000 & echo \$! > $F; sleep 1000" & sleep 1000' & ` + left, enough, result{"passing", ""}},
		"as_a_daemon":  {`(setsid sh -c '(setsid sleep 1000 & echo $! > $F) & exit 0' &) ; ` + left, enough, result{"passing", ""}},
		"other_env":    {`setsid sh -c 'env -i sleep 1000 & echo $! > $F; sleep 1000' & ` + left, enough, result{"passing", ""}},
		"many":         {`for i in 1 2 3 4 5 6 7 8; do setsid sleep 1000 & done; echo $! > $F`, enough, result{"passing", ""}},
		"has_ended":    {`setsid sh -c 'echo $$ > $F' & ` + left, enough, result{"passing", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			got := tried(t, wire.CheckType{ScriptArgs: wire.ShellCommand("", "export F="+file+"; "+tt.script)}, tt.within)
			if got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			if alive(t, file) {
				t.Error("what it has started goes on")
			}
			childless(t)
		})
	}
}

// TestSpared leaves alone who may be somebody else's, and buries it when it ends,
// though no program is run after it.
func TestSpared(t *testing.T) {
	waits(t, time.Millisecond)
	file := filepath.Join(t.TempDir(), "pid")
	script := "env -i setsid sh -c 'echo $$ > " + file + "; exec sleep 1000' & until [ -s " + file + " ]; do :; done"
	wants(t, tried(t, wire.CheckType{ScriptArgs: wire.ShellCommand("", script)}, enough), "passing", "")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatalf("it was not spared: %v", err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(enough); !errors.Is(unix.Kill(pid, 0), unix.ESRCH); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("it is not buried")
		}
	}
	childless(t)
}

// TestOthersWait runs many programs that leave others behind, while this process waits
// for children of its own: everybody is told how those have ended that he waits for.
func TestOthersWait(t *testing.T) {
	own := exec.Command("sh", "-c", "exit 7")
	if err := own.Start(); err != nil {
		t.Fatal(err)
	}
	waits(t, time.Minute)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			script := fmt.Sprintf("(setsid sleep 1000 &); (true &); setsid true & exit %d", i%4)
			cmd := exec.Command("sh", "-c", script)
			if err := startGroup(cmd); err != nil {
				t.Error(err)
				return
			}
			if _ = waitGroup(t.Context(), cmd); cmd.ProcessState.ExitCode() != i%4 {
				t.Errorf("%v, want the code %d", cmd.ProcessState, i%4)
			}
		})
	}
	all.Wait()
	if _ = own.Wait(); own.ProcessState.ExitCode() != 7 {
		t.Errorf("somebody else's child has ended with %v", own.ProcessState)
	}
	childless(t)
}
