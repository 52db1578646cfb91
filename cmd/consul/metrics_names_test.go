package main

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// everyAgent has the metrics of agents of both kinds, without the prefix and as
// Prometheus spells them, that dashboards made for Consul look at.
var everyAgent = strings.Fields(`
	api_http runtime_alloc_bytes runtime_sys_bytes runtime_num_goroutines runtime_heap_objects runtime_total_gc_pause_ns
	memberlist_gossip memberlist_msg_alive memberlist_udp_sent memberlist_udp_received memberlist_tcp_sent
	serf_member_join serf_coordinate_adjustment_ms
	client_api_catalog_nodes client_api_success_catalog_nodes client_api_catalog_register client_api_success_catalog_register
	client_rpc_error_catalog_register client_api_catalog_service_nodes dns_domain_query
`)

// everyServer has those of a server that leads.
var everyServer = strings.Fields(`
	raft_apply raft_commitTime raft_state_candidate raft_state_leader raft_leader_dispatchLog raft_leader_oldestLogAge
	raft_thread_main_saturation raft_thread_fsm_saturation raft_peers
	server_isLeader version autopilot_healthy autopilot_failure_tolerance members_servers members_clients
	state_nodes state_services state_service_instances state_billable_service_instances state_kv_entries state_connect_instances
	leader_barrier leader_reconcile leader_reconcileMember mesh_active_root_ca_expiry
	rpc_accept_conn rpc_request rpc_request_error rpc_query rpc_queries_blocking
	catalog_register catalog_deregister catalog_service_query catalog_service_not_found health_service_query health_service_not_found
	kvs_apply txn_apply txn_read session_apply session_renew session_ttl_active config_entry_apply config_entry_get
	prepared_query_apply prepared_query_execute prepared_query_explain
	fsm_register fsm_deregister fsm_kvs fsm_session fsm_txn fsm_prepared_query fsm_config_entry fsm_autopilot fsm_ca
`)

// TestMetricNames does a little of everything through a client agent and a server, and
// wants each to tell of it under Consul's names.
func TestMetricNames(t *testing.T) {
	t.Parallel()
	const figures = `telemetry { prometheus_retention_time = "1h", disable_hostname = true }`
	server := agenttest.Start(t, agenttest.Options{Name: "server", Addr: loopback(81), Args: agenttest.Bootstrap("-hcl", figures)})
	client := agenttest.Start(t, agenttest.Options{Name: "client", Addr: loopback(82), Args: []string{"-retry-join", server.LANAddr, "-hcl", figures}})
	for _, a := range []*agenttest.Agent{server, client} {
		a.AwaitLeader()
		exercise(t, a)
	}
	wantMetrics(t, server, slices.Concat(everyAgent, everyServer))
	wantMetrics(t, client, append(everyAgent, "client_rpc"))
}

// exercise asks an agent for a little of everything.
func exercise(t *testing.T, a *agenttest.Agent) {
	t.Helper()
	c := a.Client()
	must := func(what string, err error) {
		if err != nil {
			t.Fatalf("%s: %s: %v", a.Name, what, err)
		}
	}
	_, err := c.KV().Put(&api.KVPair{Key: "a"}, nil)
	must("put", err)
	_, _, _, err = c.Txn().Txn(api.TxnOps{{KV: &api.KVTxnOp{Verb: api.KVSet, Key: "b"}}}, nil)
	must("a transaction that writes", err)
	_, _, _, err = c.Txn().Txn(api.TxnOps{{KV: &api.KVTxnOp{Verb: api.KVGet, Key: "b"}}}, nil)
	must("a transaction that reads", err)
	id, _, err := c.Session().CreateNoChecks(&api.SessionEntry{TTL: "20s"}, nil)
	must("create a session", err)
	_, _, err = c.Session().Renew(id, nil)
	must("renew it", err)
	_, err = c.Catalog().Register(&api.CatalogRegistration{Node: "n", Address: "10.0.0.1", Service: &api.AgentService{Service: "web"}}, nil)
	must("register", err)
	if _, err = c.Catalog().Register(&api.CatalogRegistration{Node: "n"}, nil); err == nil {
		t.Error("a node without an address was registered")
	}
	_, _, err = c.Catalog().Nodes(nil)
	must("nodes", err)
	for _, name := range []string{"web", "none"} {
		_, _, err = c.Catalog().Service(name, "", nil)
		must("catalog", err)
		_, _, err = c.Health().Service(name, "", false, nil)
		must("health", err)
	}
	_, _, err = c.ConfigEntries().Set(&api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "web"}, nil)
	must("set a config entry", err)
	_, _, err = c.ConfigEntries().Get(api.ServiceDefaults, "web", nil)
	must("get it", err)
	query, _, err := c.PreparedQuery().Create(&api.PreparedQueryDefinition{Name: "of-" + a.Name, Service: api.ServiceQuery{Service: "web"}}, nil)
	must("define a query", err)
	_, _, err = c.PreparedQuery().Execute(query, nil)
	must("execute it", err)
	explained, err := a.HTTPClient().Get("http://" + a.HTTPAddr + "/v1/query/" + query + "/explain")
	must("explain it", err)
	_ = explained.Body.Close()
	_, err = c.Catalog().Deregister(&api.CatalogDeregistration{Node: "n"}, nil)
	must("deregister", err)
	_, err = c.Session().Destroy(id, nil)
	must("destroy the session", err)
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, a.DNSAddr)
	}}
	_, _ = resolver.LookupHost(t.Context(), "web.service.consul.") // whether it is found is no matter
}

// wantMetrics waits until an agent tells all metrics of those names.
func wantMetrics(t *testing.T, a *agenttest.Agent, names []string) {
	t.Helper()
	var missing []string
	defer func() {
		if len(missing) > 0 {
			t.Errorf("%s does not tell %s", a.Name, strings.Join(missing, ", "))
		}
	}()
	c := a.HTTPClient()
	a.Await("all metrics", func() bool {
		answer, err := c.Get("http://" + a.HTTPAddr + "/v1/agent/metrics?format=prometheus")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		missing = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			return strings.Contains(string(text), "\n# TYPE consul_"+name+" ")
		})
		return err == nil && len(missing) == 0
	})
}
