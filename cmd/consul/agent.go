package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/hashicorp/cli"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/logs"
	"github.com/actor-consul/consul/cmd/consul/config"
	"github.com/actor-consul/consul/cmd/consul/datadir"
	"github.com/actor-consul/consul/supervisor"
)

// agentCommand runs an agent until it is told to stop.
type agentCommand struct {
	command
	values *config.FlagValues
}

func newAgentCommand(ui cli.Ui) cli.Command {
	c := &agentCommand{command: newCommand(ui, words{
		name:     "agent",
		synopsis: "Runs a Consul agent",
		about: `Starts an agent and runs until an interrupt is received. An agent is a server,
which keeps the state of its datacenter, or a client, which registers the
services of its machine and forwards what is asked of it.

Ctrl-C leaves the cluster step by step and then stops; a second one stops at
once. SIGHUP reads the configuration again.`,
		example: `$ consul agent -dev
a server for this machine alone, that forgets everything when it stops

$ consul agent -server -bootstrap -data-dir /var/lib/consul
the first server of a datacenter

$ consul agent -data-dir /var/lib/consul -retry-join 10.0.0.10
a client that joins it`,
	})}
	c.values = config.Flags(c.flags)
	return c
}

// Run implements cli.Command.
func (c *agentCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	if err := c.run(); err != nil {
		c.ui.Error("==> " + err.Error())
		return 1
	}
	return 0
}

// run is the life of an agent's process. Its output is the page's: warnings, what
// is being started, the banner, and then the log.
func (c *agentCommand) run() error {
	signals := catchSignals() // from the start: an early Ctrl-C is no surprise either

	rt, err := c.load()
	if err != nil {
		return err
	}
	home, err := openHome(rt)
	if err != nil {
		return err
	}
	defer home.close()

	log, control, gate, err := openLog(rt, os.Stdout)
	if err != nil {
		return err
	}
	defer log.Sync() //nolint:errcheck // there is nobody left to tell

	c.ui.Output("==> Starting Consul agent...")
	sup := settings(rt, home.nodeID)
	sup.Logger, sup.LogControl = log, control
	if sup.Services.Definitions, sup.Services.Checks, err = definitions(rt); err != nil {
		return err
	}
	r := &reloader{values: c.values, started: rt, latest: rt}
	sup.Reload = r.reload

	agent, err := c.start(signals, sup)
	if err != nil {
		gate.Open() //nolint:errcheck // what is kept may tell more of why
		return fmt.Errorf("Error starting agent: %w", err)
	}
	c.ui.Output("==> Starting Consul agent RPC...")
	c.ui.Output("==> Consul agent running!")
	c.ui.Output(banner(rt))
	c.ui.Output("==> Log data will now stream in as it occurs:\n")
	if _, err := gate.Open(); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	log.Named("agent").Info(farewells(rt), zap.String("node_id", home.nodeID))
	return attend(agent, signals, manners{
		leaveOnInterrupt: !rt.SkipLeaveOnInterrupt,
		leaveOnTerminate: rt.LeaveOnTerminate,
		log:              log.Named("agent"),
	})
}

// load reads the configuration and tells of what is odd about it.
func (c *agentCommand) load() (*config.Runtime, error) {
	rt, warnings, err := config.Load(config.Args{Flags: c.values, Host: config.ThisHost()})
	for _, w := range warnings {
		c.ui.Output("==> WARNING: " + w.String())
	}
	return rt, err
}

// start starts the agent; a signal to stop ends that.
func (c *agentCommand) start(signals *signals, cfg supervisor.Config) (*supervisor.Agent, error) {
	ctx, cancel := signals.untilStop(context.Background())
	defer cancel()
	return supervisor.Start(ctx, cfg)
}

// home is what an agent has on its machine: its data directory, its identity and
// its PID file.
type home struct {
	nodeID  string
	dir     *datadir.Dir // nil with -dev
	pidFile string
}

func openHome(rt *config.Runtime) (*home, error) {
	h := &home{}
	if err := h.open(rt); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *home) open(rt *config.Runtime) (err error) {
	if rt.DataDir == "" {
		h.nodeID, err = datadir.PassingNodeID(rt.NodeID)
	} else {
		if h.dir, err = datadir.Open(rt.DataDir); err != nil {
			return err
		}
		h.nodeID, err = h.dir.NodeID(rt.NodeID)
	}
	if err != nil || rt.PidFile == "" {
		return err
	}
	if err := os.WriteFile(rt.PidFile, []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		return fmt.Errorf("PID file %s cannot be written: %w; choose another with -pid-file", rt.PidFile, errors.Unwrap(err))
	}
	h.pidFile = rt.PidFile
	return nil
}

func (h *home) close() {
	if h.pidFile != "" {
		os.Remove(h.pidFile)
	}
	if h.dir != nil {
		h.dir.Close()
	}
}

// openLog makes the root logger. What it writes to out waits behind the gate until
// the banner is out.
func openLog(rt *config.Runtime, out io.Writer) (*zap.Logger, *logs.Control, *logs.Gate, error) {
	level, err := logs.ParseLevel(rt.LogLevel)
	if err != nil {
		return nil, nil, nil, err
	}
	gate := logs.NewGate(out)
	sinks := []io.Writer{gate}
	if rt.LogFile != "" {
		file, err := logs.OpenFile(logFile(rt))
		if err != nil {
			return nil, nil, nil, err
		}
		sinks = append(sinks, file)
	}
	log, control := logs.NewLogger(logs.Options{Level: level, JSON: rt.LogJSON, Sinks: sinks})
	return log, control, gate, nil
}
