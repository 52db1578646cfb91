package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// autopilotGetCommand shows the autopilot configuration.
type autopilotGetCommand struct{ httpCommand }

func newAutopilotGetCommand(ui cli.Ui) cli.Command {
	c := &autopilotGetCommand{newHTTPCommand(ui, words{
		name:     "operator autopilot get-config",
		synopsis: "Display the current Autopilot configuration",
		about: `
Shows when the leader gives a server a vote and when it removes one that has
failed.`,
		example: `
$ consul operator autopilot get-config
CleanupDeadServers = true
LastContactThreshold = 200ms
MaxTrailingLogs = 250
MinQuorum = 0
ServerStabilizationTime = 10s
RedundancyZoneTag = ""
DisableUpgradeMigration = false
UpgradeVersionTag = ""`,
	})}
	c.datacenterFlag()
	c.staleFlag()
	return c
}

// Run implements cli.Command.
func (c *autopilotGetCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	agent, ok := c.client()
	if !ok {
		return 1
	}
	config, err := agent.Operator().AutopilotGetConfiguration(&api.QueryOptions{AllowStale: c.http.stale})
	if err != nil {
		return c.failed("Error querying Autopilot configuration: %s", c.http.explain(err))
	}
	c.ui.Output(autopilotConfigText(config))
	return 0
}

// autopilotConfigText has a line for each setting.
func autopilotConfigText(c *api.AutopilotConfiguration) string {
	return strings.Join([]string{
		fmt.Sprintf("CleanupDeadServers = %v", c.CleanupDeadServers),
		fmt.Sprintf("LastContactThreshold = %v", c.LastContactThreshold),
		fmt.Sprintf("MaxTrailingLogs = %v", c.MaxTrailingLogs),
		fmt.Sprintf("MinQuorum = %v", c.MinQuorum),
		fmt.Sprintf("ServerStabilizationTime = %v", c.ServerStabilizationTime),
		fmt.Sprintf("RedundancyZoneTag = %q", c.RedundancyZoneTag),
		fmt.Sprintf("DisableUpgradeMigration = %v", c.DisableUpgradeMigration),
		fmt.Sprintf("UpgradeVersionTag = %q", c.UpgradeVersionTag),
	}, "\n")
}

// autopilotSetCommand changes the autopilot configuration.
type autopilotSetCommand struct {
	httpCommand
	wanted api.AutopilotConfiguration
}

func newAutopilotSetCommand(ui cli.Ui) cli.Command {
	c := &autopilotSetCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "operator autopilot set-config",
		synopsis: "Modify the current Autopilot configuration",
		about: `
Changes when the leader gives a server a vote and when it removes one that has
failed. What is not named here stays as it is.`,
		example: `
$ consul operator autopilot set-config -server-stabilization-time=30s -cleanup-dead-servers=false
Configuration updated!`,
	})}
	c.datacenterFlag()
	w := &c.wanted
	w.LastContactThreshold, w.ServerStabilizationTime = new(api.ReadableDuration), new(api.ReadableDuration)
	c.flags.BoolVar(&w.CleanupDeadServers, "cleanup-dead-servers", false, "whether to remove servers that have failed once others have replaced them")
	c.flags.Uint64Var(&w.MaxTrailingLogs, "max-trailing-logs", 0, "a server is not healthy when its log is more than `N` entries behind")
	c.flags.UintVar(&w.MinQuorum, "min-quorum", 0, "never remove a server that has failed when fewer than `N` voters would be left")
	c.flags.Var((*readable)(w.LastContactThreshold), "last-contact-threshold", "a server is not healthy when it has not heard of the leader for longer than `TIME`, such as 200ms")
	c.flags.Var((*readable)(w.ServerStabilizationTime), "server-stabilization-time", "a new server has to be healthy for `TIME` to become a voter")
	const idle = " (Consul Enterprise's; it is kept and does nothing)"
	c.flags.StringVar(&w.RedundancyZoneTag, "redundancy-zone-tag", "", "the `TAG` of redundancy zones"+idle)
	c.flags.BoolVar(&w.DisableUpgradeMigration, "disable-upgrade-migration", false, "whether to leave out upgrade migrations"+idle)
	c.flags.StringVar(&w.UpgradeVersionTag, "upgrade-version-tag", "", "the `TAG` of versions"+idle)
	return c
}

// readable is the value of a flag that takes a duration.
type readable api.ReadableDuration

// String implements flag.Value. The flag package calls it on a nil value too.
func (d *readable) String() string {
	if d == nil || *d == 0 {
		return ""
	}
	return time.Duration(*d).String()
}

// Set implements flag.Value.
func (d *readable) Set(text string) error {
	parsed, err := time.ParseDuration(text)
	if err == nil && parsed < 0 {
		err = errors.New("it is negative")
	}
	*d = readable(parsed)
	return err
}

// Run implements cli.Command.
func (c *autopilotSetCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	if !c.change(&api.AutopilotConfiguration{}) {
		return c.misused(errors.New("needs something to change"))
	}
	agent, ok := c.client()
	if !ok {
		return 1
	}
	config, err := agent.Operator().AutopilotGetConfiguration(nil)
	if err != nil {
		return c.failed("Error querying Autopilot configuration: %s", c.http.explain(err))
	}
	c.change(config)
	switch done, err := agent.Operator().AutopilotCASConfiguration(config, nil); {
	case err != nil:
		return c.failed("Error setting Autopilot configuration: %s", c.http.explain(err))
	case !done:
		return c.failed("Configuration could not be atomically updated, please try again: somebody else has changed it meanwhile")
	}
	c.ui.Output("Configuration updated!")
	return 0
}

// change puts what was named on the command line into a configuration, and reports
// whether there was anything.
func (c *autopilotSetCommand) change(config *api.AutopilotConfiguration) (changed bool) {
	put := map[string]func(){
		"cleanup-dead-servers":      func() { config.CleanupDeadServers = c.wanted.CleanupDeadServers },
		"max-trailing-logs":         func() { config.MaxTrailingLogs = c.wanted.MaxTrailingLogs },
		"min-quorum":                func() { config.MinQuorum = c.wanted.MinQuorum },
		"last-contact-threshold":    func() { config.LastContactThreshold = c.wanted.LastContactThreshold },
		"server-stabilization-time": func() { config.ServerStabilizationTime = c.wanted.ServerStabilizationTime },
		"redundancy-zone-tag":       func() { config.RedundancyZoneTag = c.wanted.RedundancyZoneTag },
		"disable-upgrade-migration": func() { config.DisableUpgradeMigration = c.wanted.DisableUpgradeMigration },
		"upgrade-version-tag":       func() { config.UpgradeVersionTag = c.wanted.UpgradeVersionTag },
	}
	c.flags.Visit(func(f *flag.Flag) {
		if do := put[f.Name]; do != nil {
			do()
			changed = true
		}
	})
	return changed
}
