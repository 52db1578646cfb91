package supervisor

import (
	"time"

	"github.com/hashicorp/go-metrics"

	"github.com/actor-consul/consul/messages"
)

// report tells the metrics how much of everything there is, under Consul's names:
// https://developer.hashicorp.com/consul/docs/agent/telemetry
func (p *plot) report() {
	in := []metrics.Label{{Name: "datacenter", Value: p.cfg.Node.Datacenter}}
	set := func(value int, name ...string) { metrics.SetGaugeWithLabels(name, float32(value), in) }
	view := p.fsm.View()
	_, usage := view.ServiceUsage(nil)
	set(usage.Nodes, "state", "nodes")
	set(usage.Services, "state", "services")
	set(usage.ServiceInstances, "state", "service_instances")
	set(usage.BillableServiceInstances, "state", "billable_service_instances")
	set(view.KVCount(), "state", "kv_entries")
	for kind, n := range usage.ConnectServiceInstances {
		metrics.SetGaugeWithLabels([]string{"state", "connect_instances"}, float32(n), append(in[:1:1], metrics.Label{Name: "kind", Value: kind}))
	}
	servers, clients := p.countMembers()
	set(servers, "members", "servers")
	set(clients, "members", "clients")
	metrics.SetGauge([]string{"rpc", "queries_blocking"}, float32(p.invoker.Waiting()))
	metrics.SetGaugeWithLabels([]string{"version"}, 1, []metrics.Label{
		{Name: "version", Value: p.cfg.Version.Compat}, {Name: "pre_release", Value: ""},
	})
	leads := p.raft.Load().Leads()
	metrics.SetGauge([]string{"server", "isLeader"}, map[bool]float32{true: 1}[leads])
	if !leads {
		return
	}
	_, roots, _ := view.CARoots(nil)
	for _, r := range roots {
		if r.Active {
			metrics.SetGauge([]string{"mesh", "active-root-ca", "expiry"}, float32(time.Until(r.NotAfter).Seconds()))
		}
	}
}

// countMembers counts who is alive in the LAN pool.
func (p *plot) countMembers() (servers, clients int) {
	pool := p.lan.Load()
	if pool == nil {
		return 0, 0
	}
	for _, m := range pool.Members {
		switch {
		case m.Status != messages.MemberAlive:
		case m.Tags["role"] == "consul":
			servers++
		default:
			clients++
		}
	}
	return servers, clients
}
