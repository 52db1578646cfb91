package main

import (
	"github.com/actor-consul/consul/cmd/consul/config"
	"github.com/actor-consul/consul/messages"
)

// reloader reads the configuration again and compares it with those before.
type reloader struct {
	values  *config.FlagValues
	started *config.Runtime // what the agent was started with
	latest  *config.Runtime // what the last reload read
}

// reload returns what the actors are to take over, and what became of each key. The
// supervisor calls it on a goroutine, one at a time. A key that needs a restart is
// reported until it gets one.
func (r *reloader) reload() (*messages.Reconfigure, messages.ReloadReport, error) {
	rt, _, err := config.Load(config.Args{Flags: r.values, Host: config.ThisHost()})
	if err != nil {
		return nil, messages.ReloadReport{}, err
	}
	services, checks, err := definitions(rt)
	if err != nil {
		return nil, messages.ReloadReport{}, err
	}
	changes, unchanged := config.Diff(r.latest, rt)
	report := messages.ReloadReport{
		Applied:   keys(changes, config.Applied),
		Unchanged: unchanged + len(changes),
	}
	since, _ := config.Diff(r.started, rt)
	report.NeedsRestart = keys(since, config.NeedsRestart)
	report.Unchanged -= len(report.Applied) + len(report.NeedsRestart)
	r.latest = rt
	return &messages.Reconfigure{
		LogLevel: rt.LogLevel,
		DNS:      dnsConfig(rt),
		HTTP:     messages.HTTPConfig{ResponseHeaders: rt.HTTP.ResponseHeaders, MaxConnsPerClient: rt.Limits.HTTPMaxConnsPerClient},
		TLS:      tlsConfig(rt),
		NodeMeta: nodeMeta(rt),
		Services: services,
		Checks:   checks,
	}, report, nil
}

func keys(changes []config.Change, effect config.Effect) (names []string) {
	for _, c := range changes {
		if c.Effect == effect {
			names = append(names, c.Key)
		}
	}
	return names
}
