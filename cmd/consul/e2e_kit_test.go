package main

import (
	"syscall"
	"testing"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// TestKit shows that the test kit does to an agent what it says.
func TestKit(t *testing.T) {
	t.Parallel()
	a := agenttest.Start(t, agenttest.Options{Name: "kit", Args: agenttest.Bootstrap()})
	if leader := a.AwaitLeader(); leader != a.ServerAddr {
		t.Errorf("the leader is %s, want %s", leader, a.ServerAddr)
	}
	a.AwaitOutput(`consul: member 'kit' joined, marking health alive$`)
	if stdout, stderr, status := a.Consul("members", "-status=alive"); status != 0 || stderr != "" || stdout[:4] != "kit " {
		t.Errorf("consul members = %d, %q, %q", status, stdout, stderr)
	}

	pid := a.Pid()
	a.Restart()
	if a.AwaitLeader(); a.Pid() == pid {
		t.Error("it is the same process after a restart")
	}
	a.Interrupt()
	if status := a.Wait(); status != 0 {
		t.Errorf("exit status after Ctrl-C = %d", status)
	}

	a.Restart()
	a.Signal(syscall.SIGKILL)
	if status := a.Wait(); status != -1 {
		t.Errorf("exit status after a kill = %d", status)
	}
}

// TestKitLaunch shows an agent that is to fail.
func TestKitLaunch(t *testing.T) {
	t.Parallel()
	a := agenttest.Launch(t, agenttest.Options{Args: []string{"-bogus"}})
	if status := a.Wait(); status != 1 {
		t.Errorf("exit status = %d, want 1", status)
	}
	a.AwaitOutput(`^consul agent: unknown flag -bogus`)
}
