// Package agenttest runs whole agents for tests: processes with their own ports,
// data and output, that can be interrupted, killed and started again.
//
//	test ──Start, Signal, Kill, Restart──▶ process of the program
//	     ◀──output, addresses, exit status──
//
// The program is the test binary itself, started under the name "consul", so that
// agents run with the race detector when the tests do. A package that uses the kit
// therefore has, in its TestMain,
//
//	testscript.Main(m, map[string]func(){"consul": main})
//
// or names another program in Options.Binary.
//
// Nothing outlives a test: its agents are killed when it ends. A test fails when
// one of its agents has shown a stack trace or a data race, whatever else it did.
// The kit does not look into an agent and knows none of its packages.
package agenttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	// Patience is how long anything may take before a test gives up on it. It is
	// for a machine that does something else as well.
	Patience = 60 * time.Second
	// pause is between two looks at something that is awaited.
	pause = 10 * time.Millisecond
	// attempts is how often a start is tried when somebody else has taken a port
	// in between.
	attempts = 5
	// inside is in the environment of every agent.
	inside = "AGENTTEST_INSIDE"
)

// Options say which agent is started. The zero value is a client agent.
type Options struct {
	Name    string   // of the node; default "agent"
	Addr    string   // loopback address of all its listeners; default 127.0.0.1
	Args    []string // what follows the flags for name, addresses, ports and data; see Bootstrap
	Env     []string // added to the environment
	DataDir string   // default: a new one, which goes with the test
	Binary  string   // the program; default: this test binary

	// Ports are taken from the system where they are 0.
	Ports Ports

	// Launch changes the command before it starts, for limits and the like.
	// Optional.
	Launch func(*exec.Cmd)

	// Host is where the agent runs; nil: this machine. On another one, its Ports are
	// to be given, and Client is the address there at which the test reaches it.
	Host   Host
	Client string // default: Addr
}

// Host is a machine of a package network.
type Host interface {
	Start(cmd *exec.Cmd) error
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// Bootstrap returns the arguments of a server that is a cluster of its own, and
// more.
func Bootstrap(more ...string) []string { return append([]string{"-server", "-bootstrap"}, more...) }

// Agent is a process that runs an agent, or has run one. Its methods are for one
// goroutine.
type Agent struct {
	Name    string
	DataDir string
	Ports   Ports

	// Addresses, each host:port, except for Addr, which is the host.
	Addr, HTTPAddr, DNSAddr, RPCAddr, ServerAddr, LANAddr, WANAddr string

	t      testing.TB
	opts   Options
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process is gone
	output *output
}

// Start starts an agent and waits until it runs and answers over HTTP. It does not
// wait for a leader: see AwaitLeader.
func Start(t testing.TB, o Options) *Agent {
	t.Helper()
	for range attempts {
		a := Launch(t, o)
		err := a.ready()
		if err == nil {
			return a
		}
		a.Kill()
		if !a.clash() {
			t.Fatalf("agent %s: %v; it said:\n%s", a.Name, err, a.Output())
		}
	}
	t.Fatal("somebody else took a port each time")
	return nil
}

// Launch starts an agent and waits for nothing: it may be one that is to fail.
func Launch(t testing.TB, o Options) *Agent {
	t.Helper()
	if os.Getenv(inside) != "" {
		t.Fatal("agenttest: the test binary does not know the command consul; its TestMain must call testscript.Main")
	}
	if o.Name == "" {
		o.Name = "agent"
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1"
	}
	if o.DataDir == "" {
		o.DataDir = filepath.Join(t.TempDir(), "data")
	}
	if err := o.Ports.fill(o.Addr); err != nil {
		t.Fatal(err)
	}
	p := o.Ports
	if o.Client == "" {
		o.Client = o.Addr
	}
	a := &Agent{
		Name: o.Name, DataDir: o.DataDir, Ports: p, Addr: o.Addr,
		HTTPAddr: at(o.Client, p.HTTP), DNSAddr: at(o.Client, p.DNS), RPCAddr: at(o.Client, p.RPC),
		ServerAddr: at(o.Addr, p.Server), LANAddr: at(o.Addr, p.SerfLAN), WANAddr: at(o.Addr, p.SerfWAN),
		t: t, opts: o, output: &output{},
	}
	a.launch()
	t.Cleanup(a.bury)
	return a
}

// launch starts the process.
func (a *Agent) launch() {
	a.t.Helper()
	a.cmd = command(a.t, a.opts.Binary, a.args()...)
	a.cmd.Env = append(a.cmd.Env, a.opts.Env...)
	a.cmd.Stdout, a.cmd.Stderr = a.output, a.output // one pipe, so the order is kept
	if a.opts.Launch != nil {
		a.opts.Launch(a.cmd)
	}
	if err := a.start(a.cmd); err != nil {
		a.t.Fatalf("start agent %s: %v", a.Name, err)
	}
	cmd, exited := a.cmd, make(chan struct{})
	a.exited = exited
	go func() {
		cmd.Wait() //nolint:errcheck // the status is read from cmd
		close(exited)
	}()
}

// start starts a command where the agent runs.
func (a *Agent) start(cmd *exec.Cmd) error {
	if a.opts.Host == nil {
		return cmd.Start()
	}
	return a.opts.Host.Start(cmd)
}

func (a *Agent) args() []string {
	args := []string{"agent", "-node", a.Name, "-data-dir", a.DataDir, "-bind", a.Addr, "-client", a.opts.Client}
	return append(append(args, a.Ports.flags()...), a.opts.Args...)
}

// command returns the program with a clean environment.
func command(t testing.TB, binary string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(binary, args...)
	if binary == "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd = exec.Command(self, args...)
		cmd.Args[0] = "consul" // by which testscript.Main knows what to run
	}
	cmd.Env = append(os.Environ(), inside+"=1", "COMP_LINE=", "CONSUL_RPC_ADDR=", "GORACE=atexit_sleep_ms=0")
	return cmd
}

var running = regexp.MustCompile(`(?m)^==> Consul agent running!$`)

// ready waits until the agent says that it runs and answers over HTTP.
func (a *Agent) ready() error {
	client := a.HTTPClient()
	defer client.CloseIdleConnections()
	answers := func() bool {
		resp, err := client.Get("http://" + a.HTTPAddr + "/v1/status/leader")
		if err != nil {
			return false
		}
		io.Copy(io.Discard, resp.Body) //nolint:errcheck // any answer will do
		resp.Body.Close()
		return true
	}
	if err := a.poll("say that it runs", func() bool { return running.MatchString(a.output.String()) }); err != nil {
		return err
	}
	return a.poll("answer over HTTP", answers)
}

// clash reports whether somebody else has one of the ports that the system had
// given.
func (a *Agent) clash() bool { return strings.Contains(a.Output(), "address already in use") }

// poll looks until what it waits for is there. It gives up when the process ends.
func (a *Agent) poll(what string, there func() bool) error {
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		if there() {
			return nil
		}
		select {
		case <-tick.C:
		case <-a.exited:
			if there() { // its last words
				return nil
			}
			return fmt.Errorf("ended before it did %s", what)
		case <-deadline.C:
			return fmt.Errorf("did not %s within %v", what, Patience)
		}
	}
}

// Await waits until there is true, and fails the test when that takes too long or
// the agent ends before it.
func (a *Agent) Await(what string, there func() bool) {
	a.t.Helper()
	if err := a.poll(what, there); err != nil {
		a.t.Fatalf("agent %s: %v; it said:\n%s", a.Name, err, a.Output())
	}
}

// AwaitLeader waits until the agent knows a leader, and returns its address.
func (a *Agent) AwaitLeader() (addr string) {
	a.t.Helper()
	status := a.Client().Status()
	a.Await("know a leader", func() bool {
		var err error
		addr, err = status.Leader()
		return err == nil && addr != ""
	})
	return addr
}

// AwaitOutput waits until the output since the last start matches the regular
// expression, in which ^ and $ are the ends of a line. It returns the match.
func (a *Agent) AwaitOutput(expr string) (match string) {
	a.t.Helper()
	re := regexp.MustCompile("(?m)" + expr)
	a.Await("print "+expr, func() bool {
		at := re.FindStringIndex(a.output.String())
		if at != nil {
			match = a.output.String()[at[0]:at[1]]
		}
		return at != nil
	})
	return match
}

// Output returns what the agent has written since its last start, to standard
// output and standard error.
func (a *Agent) Output() string { return a.output.String() }

// Client returns a client of the agent's HTTP API. No request takes longer than
// Patience.
func (a *Agent) Client() *api.Client {
	a.t.Helper()
	cfg := api.DefaultConfig()
	cfg.Address = a.HTTPAddr
	cfg.HttpClient = a.HTTPClient()
	client, err := api.NewClient(cfg)
	if err != nil {
		a.t.Fatal(err)
	}
	return client
}

// HTTPClient returns a client for HTTPAddr, with connections of its own. No request
// takes longer than Patience.
func (a *Agent) HTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if a.opts.Host != nil {
		transport.DialContext = a.opts.Host.Dial
	}
	return &http.Client{Transport: transport, Timeout: Patience}
}

// Consul runs a command of the program against the agent, and returns what it
// wrote and its exit status.
func (a *Agent) Consul(args ...string) (stdout, stderr string, status int) {
	a.t.Helper()
	cmd := command(a.t, a.opts.Binary, args...)
	cmd.Env = append(cmd.Env, "CONSUL_RPC_ADDR="+a.RPCAddr, "CONSUL_HTTP_ADDR="+a.HTTPAddr)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := a.start(cmd)
	if err == nil {
		late := time.AfterFunc(Patience, func() { cmd.Process.Kill() }) //nolint:errcheck // Wait tells
		err = cmd.Wait()
		late.Stop()
	}
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		a.t.Fatalf("consul %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Signal sends a signal to the process, if it has not ended.
func (a *Agent) Signal(sig os.Signal) {
	a.t.Helper()
	if err := a.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		a.t.Fatalf("signal %v to agent %s: %v", sig, a.Name, err)
	}
}

// Interrupt is Ctrl-C: a graceful leave, unless configured otherwise.
func (a *Agent) Interrupt() { a.t.Helper(); a.Signal(os.Interrupt) }

// Terminate is what a service manager does: a plain stop, unless configured
// otherwise.
func (a *Agent) Terminate() { a.t.Helper(); a.Signal(syscall.SIGTERM) }

// Pid returns the ID of the process.
func (a *Agent) Pid() int { return a.cmd.Process.Pid }

// Ended reports whether the process has ended.
func (a *Agent) Ended() bool {
	select {
	case <-a.exited:
		return true
	default:
		return false
	}
}

// Wait waits until the process has ended, and returns its exit status, or -1 when
// a signal ended it.
func (a *Agent) Wait() int {
	a.t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	select {
	case <-a.exited:
		return a.cmd.ProcessState.ExitCode()
	case <-deadline.C:
		a.t.Fatalf("agent %s did not end within %v; it said:\n%s", a.Name, Patience, a.Output())
		return 0
	}
}

// Kill ends the process as a crash would, and waits until it is gone. It may have
// ended before.
func (a *Agent) Kill() {
	a.cmd.Process.Signal(syscall.SIGKILL) //nolint:errcheck // it is gone, then
	<-a.exited
}

// Restart starts the agent again with the same data and ports, after a Kill if it
// still runs, and waits until it is ready. Output begins anew.
func (a *Agent) Restart() {
	a.t.Helper()
	a.Kill()
	for range attempts {
		a.inspect()
		a.output.reset()
		a.launch()
		err := a.ready()
		if err == nil {
			return
		}
		a.Kill()
		if !a.clash() {
			a.t.Fatalf("agent %s: %v; it said:\n%s", a.Name, err, a.Output())
		}
	}
	a.t.Fatalf("agent %s: its ports are taken", a.Name)
}

// bury ends the agent with the test.
func (a *Agent) bury() {
	a.Kill()
	a.inspect()
	if a.t.Failed() {
		a.t.Logf("agent %s said:\n%s", a.Name, a.Output())
	}
}

var disgrace = regexp.MustCompile(`(?m)^(panic:|fatal error:|goroutine \d+ \[|WARNING: DATA RACE|\s+\S+\.go:\d+ \+0x)`)

// inspect fails the test when the agent has shown what no user should see.
func (a *Agent) inspect() {
	if at := disgrace.FindString(a.Output()); at != "" {
		a.t.Errorf("agent %s showed %q; it said:\n%s", a.Name, strings.TrimSpace(at), a.Output())
	}
}

// output collects what a process writes.
type output struct {
	mu   sync.Mutex // the process writes while the test reads
	text []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

func (o *output) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = nil
}
