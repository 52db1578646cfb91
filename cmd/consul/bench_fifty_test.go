package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// TestBenchFifty runs three servers and 47 client agents on this machine, and
// measures how soon all of them know of one more that joins, leaves or dies, and what
// each of them weighs. Nothing is asserted but that they get to know.
func TestBenchFifty(t *testing.T) {
	if !*bench {
		return
	}
	binary, err := filepath.Abs(*benchBinary)
	if err != nil {
		t.Fatal(err)
	}
	f := &fifty{t: t, cluster: &cluster{t: t, apis: map[*agenttest.Agent]*api.Client{}}, binary: binary}
	began := time.Now()
	f.start()
	f.tell("all fifty see each other", time.Since(began))
	<-time.After(20 * time.Second) // until what a start leaves is collected
	f.weigh("client agent, idle", f.clients)
	f.weigh("server, idle", f.cluster.servers)

	guest := agenttest.Start(t, f.agent(len(f.all()), f.join...))
	f.know("all see a join", guest, serfAlive)
	guest.Interrupt()
	f.know("all see it leave", guest, serfLeft)
	guest.Wait()
	guest.Restart()
	f.know("all see it come back", guest, serfAlive)
	guest.Kill()
	f.know("all see it fail", guest, serfFailed)
	fmt.Printf("\n%s\n", strings.Join(f.lines, "\n"))
}

// fifty is a cluster of fifty agents.
type fifty struct {
	t       *testing.T
	cluster *cluster
	clients []*agenttest.Agent
	binary  string
	join    []string // the arguments of a client agent
	lines   []string // of the report
}

func (f *fifty) agent(n int, args ...string) agenttest.Options {
	args = append([]string{"-log-level", "warn"}, args...)
	return agenttest.Options{Name: fmt.Sprintf("n%02d", n), Addr: fmt.Sprintf("127.15.2.%d", n+1), Binary: f.binary, Args: args}
}

func (f *fifty) start() {
	var servers []agenttest.Options
	var lan []string
	for i := range 3 {
		o := f.agent(i)
		o.Ports = agenttest.Reserve(f.t, o.Addr)
		servers = append(servers, o)
		lan = append(lan, net.JoinHostPort(o.Addr, fmt.Sprint(o.Ports.SerfLAN)))
	}
	f.join = retryJoin(lan)
	for _, o := range servers {
		o.Args = append(append(o.Args, "-server", "-bootstrap-expect", "3"), f.join...)
		f.cluster.servers = append(f.cluster.servers, agenttest.Launch(f.t, o))
	}
	for i := 3; i < 50; i++ {
		f.clients = append(f.clients, agenttest.Launch(f.t, f.agent(i, f.join...)))
	}
	for _, a := range f.all() {
		a.AwaitOutput(`^==> Consul agent running!$`)
	}
	f.cluster.awaitLeader(f.cluster.servers...)
	for _, a := range f.all() {
		a.Await("see all fifty", func() bool {
			members, _ := f.cluster.api(a).Agent().Members(false)
			return len(members) == 50
		})
	}
}

func (f *fifty) all() []*agenttest.Agent {
	return append(slices.Clone(f.cluster.servers), f.clients...)
}

// know waits until all agents see the guest so.
func (f *fifty) know(what string, guest *agenttest.Agent, status int) {
	f.t.Helper()
	began := time.Now()
	f.cluster.awaitMember(guest.Name, status, f.all()...)
	f.tell(what, time.Since(began))
}

func (f *fifty) tell(what string, took time.Duration) {
	f.lines = append(f.lines, fmt.Sprintf("%-28s %8.2f s", what, took.Seconds()))
}

// weigh tells the memory of agents: what each has resident, and its share of it when
// pages that several have are divided among them.
func (f *fifty) weigh(what string, agents []*agenttest.Agent) {
	var resident, share []float64
	for _, a := range agents {
		resident = append(resident, mapped(f.t, a.Pid(), "Rss:"))
		share = append(share, mapped(f.t, a.Pid(), "Pss:"))
	}
	slices.Sort(resident)
	slices.Sort(share)
	f.lines = append(f.lines, fmt.Sprintf("%-28s %8.1f MiB resident (%.1f at most), %.1f MiB its share",
		what, resident[len(resident)/2], resident[len(resident)-1], share[len(share)/2]))
}

// mapped returns a figure of the memory of a process in MiB; 0 where the system does
// not tell.
func mapped(t *testing.T, pid int, figure string) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	var kib float64
	for line := range strings.Lines(string(text)) {
		fmt.Sscanf(line, figure+" %f kB", &kib) //nolint:errcheck // most lines are others
	}
	return kib / 1024
}
