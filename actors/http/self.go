package http

import (
	"cmp"
	"runtime"
	"strconv"

	"github.com/hashicorp/serf/coordinate"

	"github.com/actor-consul/consul/messages"
)

// self is the answer of /v1/agent/self.
type self struct {
	Config      selfConfig
	DebugConfig map[string]any
	Coord       *coordinate.Coordinate
	Member      *member
	Stats       map[string]map[string]string
	Meta        map[string]string
}

type selfConfig struct {
	Datacenter        string
	PrimaryDatacenter string
	NodeName          string
	NodeID            string
	Revision          string
	Server            bool
	Version           string
	BuildDate         string
}

// agentSelf answers with what this agent knows about itself.
func agentSelf(r *request) (*answer, error) {
	cfg := &r.api.cfg
	f := &cfg.Facts
	s := self{
		Config: selfConfig{
			Datacenter:        f.Datacenter,
			PrimaryDatacenter: cmp.Or(f.PrimaryDatacenter, f.Datacenter),
			NodeName:          f.NodeName,
			NodeID:            f.NodeID,
			Revision:          f.Revision,
			Server:            f.Server,
			Version:           f.Version,
			BuildDate:         f.BuildDate,
		},
		DebugConfig: f.DebugConfig,
		Stats:       stats(cfg),
		Meta:        f.NodeMeta,
	}
	if view := load(cfg.LANView); view != nil {
		if m, ok := view.Member(view.Local); ok {
			shown := shownMember(m)
			s.Member = &shown
			if view.Coordinate != nil {
				s.Coord = view.Coordinate(view.Local)
			}
		}
	}
	return with(s), nil
}

// stats are the figures that `consul info` prints, by the part of the agent.
func stats(cfg *Config) map[string]map[string]string {
	f := &cfg.Facts
	all := map[string]map[string]string{
		"agent": load(cfg.LocalView).Stats(),
		"build": {
			"prerelease": "", "version_metadata": "",
			"revision": f.Revision, "version": f.Version, "own_version": f.OwnVersion,
		},
		"consul": {
			"acl":    "disabled",
			"server": strconv.FormatBool(f.Server),
		},
		"runtime": {
			"arch":       runtime.GOARCH,
			"cpu_count":  strconv.Itoa(runtime.NumCPU()),
			"goroutines": strconv.Itoa(runtime.NumGoroutine()),
			"max_procs":  strconv.Itoa(runtime.GOMAXPROCS(0)),
			"os":         runtime.GOOS,
			"version":    runtime.Version(),
		},
	}
	for name, cell := range map[string]*messages.Published[messages.PoolView]{"serf_lan": cfg.LANView, "serf_wan": cfg.WANView} {
		if view := load(cell); view != nil {
			all[name] = view.Stats
		}
	}
	if !f.Server {
		all["consul"]["known_servers"] = strconv.Itoa(len(servers(load(cfg.LANView))))
		return all
	}
	status := load(cfg.RaftStatus)
	all["consul"]["bootstrap"] = strconv.FormatBool(f.Bootstrap)
	all["consul"]["known_datacenters"] = strconv.Itoa(len(cfg.Invoker.Datacenters()))
	all["consul"]["leader"] = strconv.FormatBool(status.Leads())
	all["consul"]["leader_addr"] = ""
	if status != nil {
		all["consul"]["leader_addr"] = status.LeaderAddr
		if status.Stats != nil {
			all["raft"] = status.Stats()
		}
	}
	return all
}
