package invoke

import (
	"github.com/hashicorp/go-metrics"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages/wire"
)

// timed has the methods whose time is measured where they are carried out, and under
// which name. The names in this file are Consul's:
// https://developer.hashicorp.com/consul/docs/agent/telemetry
var timed = map[string][]string{
	"Catalog.Register":            {"catalog", "register"},
	"Catalog.Deregister":          {"catalog", "deregister"},
	"ConfigEntry.Apply":           {"config_entry", "apply"},
	"ConfigEntry.Delete":          {"config_entry", "delete"},
	"ConfigEntry.Get":             {"config_entry", "get"},
	"ConfigEntry.List":            {"config_entry", "list"},
	"KVS.Apply":                   {"kvs", "apply"},
	"PreparedQuery.Apply":         {"prepared-query", "apply"},
	"PreparedQuery.Execute":       {"prepared-query", "execute"},
	"PreparedQuery.ExecuteRemote": {"prepared-query", "execute_remote"},
	"PreparedQuery.Explain":       {"prepared-query", "explain"},
	"Session.Apply":               {"session", "apply"},
	"Session.Renew":               {"session", "renew"},
	"Txn.Apply":                   {"txn", "apply"},
	"Txn.Read":                    {"txn", "read"},
}

// ofService has the reads that are counted for each service.
var ofService = map[string]string{"Catalog.ServiceNodes": "catalog", "Health.ServiceNodes": "health"}

// counted counts a read that was answered.
func counted(m endpoint.Method, args wire.Request, reply any) {
	metrics.IncrCounter([]string{"rpc", "query"}, 1)
	area, ok := ofService[m.Name()]
	if !ok {
		return
	}
	asked, ok := args.(*wire.ServiceSpecificRequest)
	if !ok || asked.ServiceName == "" {
		return
	}
	label := []metrics.Label{{Name: "service", Value: asked.ServiceName}}
	metrics.IncrCounterWithLabels([]string{area, "service", "query"}, 1, label)
	var found int
	switch r := reply.(type) {
	case *wire.IndexedServiceNodes:
		found = len(r.ServiceNodes)
	case *wire.IndexedCheckServiceNodes:
		found = len(r.Nodes)
	}
	if found == 0 {
		metrics.IncrCounterWithLabels([]string{area, "service", "not-found"}, 1, label)
	}
}

// Waiting is how many blocking queries wait here at this moment.
func (inv *Invoker) Waiting() int64 { return inv.waiting.Load() }
