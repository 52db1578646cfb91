package rpc

import (
	"context"
	"runtime"
	"strconv"

	"github.com/actor-consul/consul/messages"
)

// StatsConfig is what the figures of `consul info` are made of.
type StatsConfig struct {
	Version, VersionMetadata, Prerelease, Revision string

	Server    bool
	Bootstrap bool

	LAN  *messages.Published[messages.PoolView]   // required
	WAN  *messages.Published[messages.PoolView]   // nil where there is no WAN pool
	Raft *messages.Published[messages.RaftStatus] // nil on clients

	// Agent returns the figures of the agent's own services and checks, in Consul's
	// names: check_monitors, check_ttls, checks, services. It may be nil.
	Agent func() map[string]string
}

// NewStats returns the source of `consul info`: the groups agent, build, consul,
// runtime, serf_lan, and on servers raft and serf_wan, in Consul's names. The maps
// that it returns are the caller's to read.
func NewStats(cfg StatsConfig) func(context.Context) map[string]map[string]string {
	return func(context.Context) map[string]map[string]string {
		lan, wan, raft := load(cfg.LAN), load(cfg.WAN), load(cfg.Raft)
		stats := map[string]map[string]string{
			"agent": {},
			"build": {
				"version":          cfg.Version,
				"version_metadata": cfg.VersionMetadata,
				"prerelease":       cfg.Prerelease,
				"revision":         cfg.Revision[:min(len(cfg.Revision), 8)],
			},
			"consul":  consulStats(cfg, lan, wan, raft),
			"runtime": runtimeStats(),
		}
		if cfg.Agent != nil {
			stats["agent"] = cfg.Agent()
		}
		if lan != nil {
			stats["serf_lan"] = lan.Stats
		}
		if wan != nil {
			stats["serf_wan"] = wan.Stats
		}
		if raft != nil && raft.Stats != nil {
			stats["raft"] = raft.Stats()
		}
		return stats
	}
}

func load[T any](c *messages.Published[T]) *T {
	if c == nil {
		return nil
	}
	return c.Load()
}

// consulStats is the group that says what this agent is to its cluster.
func consulStats(cfg StatsConfig, lan, wan *messages.PoolView, raft *messages.RaftStatus) map[string]string {
	if !cfg.Server {
		return map[string]string{
			"server":        "false",
			"known_servers": strconv.Itoa(len(servers(lan))),
			"acl":           "disabled",
		}
	}
	leader := ""
	if raft != nil {
		leader = raft.LeaderAddr
	}
	datacenters := map[string]bool{}
	for _, m := range servers(wan) {
		datacenters[m.Tags["dc"]] = true
	}
	return map[string]string{
		"server":            "true",
		"leader":            strconv.FormatBool(raft.Leads()),
		"leader_addr":       leader,
		"bootstrap":         strconv.FormatBool(cfg.Bootstrap),
		"known_datacenters": strconv.Itoa(max(1, len(datacenters))),
		"acl":               "disabled",
	}
}

// servers returns the servers of a pool that are alive.
func servers(v *messages.PoolView) []messages.Member {
	if v == nil {
		return nil
	}
	var alive []messages.Member
	for _, m := range v.Members {
		if m.Status == messages.MemberAlive && m.Tags["role"] == "consul" {
			alive = append(alive, m)
		}
	}
	return alive
}

func runtimeStats() map[string]string {
	return map[string]string{
		"os":         runtime.GOOS,
		"arch":       runtime.GOARCH,
		"version":    runtime.Version(),
		"max_procs":  strconv.Itoa(runtime.GOMAXPROCS(0)),
		"goroutines": strconv.Itoa(runtime.NumGoroutine()),
		"cpu_count":  strconv.Itoa(runtime.NumCPU()),
	}
}
