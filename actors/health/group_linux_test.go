package health

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
		})
	}
}
