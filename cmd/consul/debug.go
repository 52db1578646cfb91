package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// captures is all that debug can record, in the order in which it tells.
var captures = []string{"metrics", "logs", "pprof", "host", "agent", "members"}

// The shortest times that make sense: metrics come every ten seconds.
const (
	debugMinInterval = 5 * time.Second
	debugMinDuration = 10 * time.Second
)

// debugTime is how the names of files say when they were made.
const debugTime = "2006-01-02T15-04-05Z0700"

// debugCommand records what an agent does for a while.
type debugCommand struct {
	httpCommand
	what               list
	interval, duration time.Duration
	archive            bool
	output             string
}

func newDebugCommand(ui cli.Ui) cli.Command {
	c := &debugCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "debug",
		synopsis: "Records a debugging archive for operators",
		about: `
Records what the agent does for a while, for somebody who looks into it later: its
log at TRACE, its metrics, its configuration without secrets, its host, the members,
and profiles, which the agent gives out only with enable_debug. The archive is of
files in JSON and of Go's profiles. What is in the log may be confidential.

Ctrl-C ends the recording, and keeps what there is.`,
		example: `
$ consul debug -duration=1m
Starting debugger and capturing static information...
 Agent Version: '1.19.2'
      Interval: '30s'
      Duration: '1m0s'
        Output: 'consul-debug-2026-03-04T05-06-07Z.tar.gz'
       Capture: 'metrics, logs, pprof, host, agent, members'
...
Saved debug archive: consul-debug-2026-03-04T05-06-07Z.tar.gz`,
	})}
	c.flags.BoolVar(&c.archive, "archive", true, "pack the directory into an archive, and remove it")
	c.flags.Var(&c.what, "capture", "record `WHAT` only: "+strings.Join(captures, ", ")+"; may be given several times")
	c.flags.DurationVar(&c.duration, "duration", 5*time.Minute, "record for `DURATION`, 10s at least")
	c.flags.DurationVar(&c.interval, "interval", 30*time.Second, "take heap and goroutines every `DURATION`, 5s at least")
	c.flags.StringVar(&c.output, "output", "", "write to the directory `PATH`, and to PATH.tar.gz (default consul-debug- and the time)")
	return c
}

// Run implements cli.Command.
func (c *debugCommand) Run(args []string) int {
	agent, _, ok := c.open(args, 0, 0)
	if !ok {
		return 1
	}
	if err := c.sense(); err != nil {
		return c.misused(err)
	}
	self, err := agent.Agent().Self()
	if err != nil {
		return c.refused("querying Consul agent", err)
	}
	if debug, _ := self["DebugConfig"]["EnableDebug"].(bool); !debug && slices.Contains(c.what, "pprof") {
		c.ui.Warn("[WARN] Unable to capture pprof. Set enable_debug to true on target agent to enable profiling.")
		c.what = slices.DeleteFunc(c.what, func(what string) bool { return what == "pprof" })
	}
	if err := os.Mkdir(c.output, 0o700); err != nil {
		return c.failed("Error creating the directory for what is recorded: %s", err)
	}
	version, _ := self["Config"]["Version"].(string)
	user, stop := interruptible() // before the user is told that there is something to end
	defer stop()
	c.announce(version)
	r := &recording{debugCommand: c, agent: agent}
	r.run(user)
	if err := r.index(version); err != nil {
		return c.failed("Error creating index document: %s", err)
	}
	if err := c.pack(); err != nil {
		return c.failed("Archive creation failed: %s; what was recorded is in %s", err, c.output)
	}
	c.ui.Output("Saved debug archive: " + c.saved())
	return 0
}

// sense says what in the command line makes none, and fills in the rest.
func (c *debugCommand) sense() error {
	for _, what := range c.what {
		if !slices.Contains(captures, what) {
			return fmt.Errorf("-capture takes %s, and not %q", strings.Join(captures, ", "), what)
		}
	}
	if len(c.what) == 0 {
		c.what = slices.Clone(captures)
	}
	switch {
	case c.interval < debugMinInterval:
		return fmt.Errorf("-interval is %s, and %s at least", c.interval, debugMinInterval)
	case c.duration < debugMinDuration:
		return fmt.Errorf("-duration is %s, and %s at least", c.duration, debugMinDuration)
	case c.duration < c.interval:
		return fmt.Errorf("-duration %s is shorter than -interval %s", c.duration, c.interval)
	}
	if c.output == "" {
		c.output = "consul-debug-" + time.Now().UTC().Format(debugTime)
	}
	return nil
}

// saved is the name of what is left in the end.
func (c *debugCommand) saved() string {
	if c.archive {
		return c.output + archiveEnd
	}
	return c.output
}

func (c *debugCommand) announce(version string) {
	c.ui.Output("Starting debugger and capturing static information...")
	for _, line := range [][2]string{
		{" Agent Version", version}, {"      Interval", c.interval.String()}, {"      Duration", c.duration.String()},
		{"        Output", c.saved()}, {"       Capture", strings.Join(c.what, ", ")},
	} {
		c.ui.Output(fmt.Sprintf("%s: '%s'", line[0], printable(line[1])))
	}
}

// pack makes the archive, and removes what is in it.
func (c *debugCommand) pack() error {
	if !c.archive {
		return nil
	}
	if err := tarGz(c.output, c.saved()); err != nil {
		return err
	}
	return os.RemoveAll(c.output)
}

// recording is what goes on while debug records. Each part writes files of its own.
type recording struct {
	*debugCommand
	agent *api.Client
}

// run records until the time is up or the user ends it. What cannot be recorded is
// told and does not keep the rest from it.
func (r *recording) run(user context.Context) {
	ctx, cancel := context.WithTimeout(user, r.duration)
	defer cancel()
	all := []struct {
		of, name string
		record   func(context.Context) error
	}{
		{"host", "host.json", r.json("host.json", func() (any, error) { return r.agent.Agent().Host() })},
		{"agent", "agent.json", r.json("agent.json", func() (any, error) { return r.agent.Agent().Self() })},
		{"members", "members.json", r.json("members.json", func() (any, error) { return r.agent.Agent().Members(true) })},
		{"metrics", "metrics.json", r.stream("metrics.json", r.agent.Agent().MetricsStream)},
		{"logs", "consul.log", r.log},
		{"pprof", "profile.prof", r.stream("profile.prof", func(context.Context) (io.ReadCloser, error) {
			return r.agent.Debug().PProf(user, "profile", int(r.duration.Seconds())) // it comes when the time is up
		})},
		{"pprof", "heap and goroutines", r.snapshots},
	}
	type outcome struct {
		name string
		err  error
	}
	ended, begun := make(chan outcome), 0
	for _, part := range all {
		if slices.Contains(r.what, part.of) {
			begun++
			go func() { ended <- outcome{part.name, part.record(ctx)} }()
		}
	}
	for range begun {
		if o := <-ended; o.err != nil && !errors.Is(o.err, context.DeadlineExceeded) && !errors.Is(o.err, context.Canceled) {
			r.ui.Warn(fmt.Sprintf("[WARN] %s could not be recorded: %s", o.name, r.http.explain(o.err)))
		}
	}
}

// json records an answer of the agent.
func (r *recording) json(name string, ask func() (any, error)) func(context.Context) error {
	return func(context.Context) error {
		answer, err := ask()
		if err != nil {
			return err
		}
		return r.writeJSON(name, answer)
	}
}

func (r *recording) writeJSON(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.output, name), append(text, '\n'), 0o600)
}

// stream records an answer that comes bit by bit. It is at its end when the time is.
func (r *recording) stream(name string, ask func(context.Context) (io.ReadCloser, error)) func(context.Context) error {
	return func(ctx context.Context) error {
		answer, err := ask(ctx)
		if err != nil {
			return err
		}
		defer answer.Close()
		return r.copy(name, answer)
	}
}

func (r *recording) copy(name string, from io.Reader) error {
	f, err := os.OpenFile(filepath.Join(r.output, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// log records the log.
func (r *recording) log(ctx context.Context) error {
	lines, err := r.agent.Agent().Monitor("TRACE", ctx.Done(), nil)
	if err != nil {
		return err
	}
	reader, writer := io.Pipe()
	go func() {
		defer writer.Close()
		for {
			select {
			case line, more := <-lines:
				if !more {
					return
				}
				if _, err := io.WriteString(writer, line+"\n"); err != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	defer reader.Close()
	return r.copy("consul.log", reader)
}

// snapshots takes the heap and the goroutines at once and after each interval.
func (r *recording) snapshots(ctx context.Context) error {
	tick := time.NewTicker(r.interval)
	defer tick.Stop()
	for n := 0; ; n++ {
		at := time.Now().UTC()
		dir := at.Format(debugTime)
		if err := os.MkdirAll(filepath.Join(r.output, dir), 0o700); err != nil {
			return err
		}
		for name, ask := range map[string]func() ([]byte, error){"heap.prof": r.agent.Debug().Heap, "goroutine.prof": r.agent.Debug().Goroutine} {
			profile, err := ask()
			if err == nil {
				err = os.WriteFile(filepath.Join(r.output, dir, name), profile, 0o600)
			}
			if err != nil {
				return err
			}
		}
		r.ui.Output(fmt.Sprintf("Capture successful %s (%d)", at.Format(time.RFC3339), n))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// index records what was recorded.
func (r *recording) index(version string) error {
	return r.writeJSON("index.json", struct {
		Version, AgentVersion, Interval, Duration string
		Targets                                   []string
	}{"1", version, r.interval.String(), r.duration.String(), r.what})
}
