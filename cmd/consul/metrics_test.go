package main

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// TestStatsd wants the figures of an agent to reach a collector, but for those that
// are filtered.
func TestStatsd(t *testing.T) {
	t.Parallel()
	collector, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	agenttest.Start(t, agenttest.Options{Args: agenttest.Bootstrap("-hcl", fmt.Sprintf(
		`telemetry { statsd_address = %q, disable_hostname = true, prefix_filter = ["-consul.raft", "+consul.raft.state"] }`, collector.LocalAddr()))})
	buf := make([]byte, 65536)
	for leads := false; !leads; {
		_ = collector.SetReadDeadline(time.Now().Add(agenttest.Patience))
		n, _, err := collector.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(buf[:n])) {
			if strings.HasPrefix(line, "consul.raft.") && !strings.HasPrefix(line, "consul.raft.state") {
				t.Errorf("the collector got %q", line)
			}
			leads = leads || strings.HasPrefix(line, "consul.raft.state.leader:1")
		}
	}
}
