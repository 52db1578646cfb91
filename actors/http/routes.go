package http

import (
	"net/http"
	"strings"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// A route is one line of the API: a path, and what can be done there.
type route struct {
	path string // one that ends in "/" takes a tail: /v1/kv/ serves /v1/kv/a/b
	on   []verb // in the order in which Allow lists them
	bare bool   // not of Consul's API: there is no ACL policy to tell
}

// A verb is what one method does at a route.
type verb struct {
	method string
	handle handler
	takes  bodySize
	apart  bool // may last as long as the agent: a drain does not wait for it
}

// A handler answers a request that has been let in. An error is shown to the
// client: a *problem as it says, another one as fail decides.
type handler func(*request) (*answer, error)

// bodySize is how much of a body is read before the handler is called.
type bodySize int

const (
	noBody bodySize = iota
	someBody
	valueBody // of the KV store
	txnBody   // a transaction
)

func (v *verb) body(l Limits) int64 {
	switch v.takes {
	case someBody:
		return l.MaxBodyBytes
	case valueBody:
		return l.KVMaxValueSize
	case txnBody:
		return max(l.TxnMaxReqLen, l.KVMaxValueSize)
	default:
		return 0
	}
}

// key is the key of the configuration that sets the size.
func (b bodySize) key() string {
	if b == txnBody {
		return "txn_max_req_len"
	}
	return "kv_max_value_size"
}

// writes reports whether the verb may change something.
func (v *verb) writes() bool { return v.method != http.MethodGet && v.method != http.MethodHead }

func (r *route) verb(method string) (*verb, bool) {
	for i := range r.on {
		if r.on[i].method == method {
			return &r.on[i], true
		}
	}
	return nil, false
}

// allow is the value of the header Allow.
func (r *route) allow() string {
	methods := []string{http.MethodOptions}
	for _, v := range r.on {
		methods = append(methods, v.method)
	}
	return strings.Join(methods, ",")
}

// label is the route as metrics name it: /v1/kv/ is v1_kv_.
func (r *route) label() string { return strings.ReplaceAll(r.path[1:], "/", "_") }

// table finds routes. A route that takes a tail is kept under its path.
type table map[string]*route

func newTable(routes []route) table {
	t := make(table, len(routes))
	for i := range routes {
		t[routes[i].path] = &routes[i]
	}
	return t
}

// find returns the route for a path, and what of the path is beyond it: the route
// of the very path, or the longest one that takes a tail.
func (t table) find(path string) (line *route, tail string, ok bool) {
	if line, ok = t[path]; ok {
		return line, "", true
	}
	for end := strings.LastIndexByte(path, '/'); end > 0; end = strings.LastIndexByte(path[:end], '/') {
		if line, ok = t[path[:end+1]]; ok {
			return line, path[end+1:], true
		}
	}
	return nil, "", false
}

// get, head, put and del make verbs.

func get(h handler) verb { return verb{method: http.MethodGet, handle: h} }

func head(h handler) verb { return verb{method: http.MethodHead, handle: h} }

func put(h handler) verb { return verb{method: http.MethodPut, handle: h, takes: someBody} }

// post makes a verb whose handler reads the body itself.
func post(h handler) verb { return verb{method: http.MethodPost, handle: h} }

func del(h handler) verb { return verb{method: http.MethodDelete, handle: h} }

// lasting marks a verb that may last as long as the agent.
func lasting(v verb) verb {
	v.apart = true
	return v
}

// sized sets how much of a body a verb takes.
func sized(v verb, size bodySize) verb {
	v.takes = size
	return v
}

// at makes a route.
func at(path string, on ...verb) route { return route{path: path, on: on} }

// routes is the API, path by path.
func routes(cfg Config) []route { //nolint:funlen // a table
	all := []route{
		at("/v1/status/leader", get(statusLeader)),
		at("/v1/status/peers", get(statusPeers)),

		at("/v1/agent/self", get(agentSelf)),
		at("/v1/agent/host", get(agentHost)),
		at("/v1/agent/version", get(agentVersion)),
		at("/v1/agent/actors", get(agentActors)),
		at("/v1/agent/members", get(agentMembers)),
		at("/v1/agent/join/", put(agentJoin)),
		at("/v1/agent/leave", lasting(put(agentLeave))),
		at("/v1/agent/force-leave/", put(agentForceLeave)),
		at("/v1/agent/reload", put(agentReload)),
		at("/v1/agent/monitor", lasting(get(agentMonitor))),
		at("/v1/agent/metrics", get(agentMetrics)),
		at("/v1/agent/metrics/stream", lasting(get(agentMetricsStream))),

		at("/v1/agent/services", get(agentServices)),
		at("/v1/agent/service/", get(agentService)),
		at("/v1/agent/service/register", put(agentRegister)),
		at("/v1/agent/service/deregister/", put(agentDeregister)),
		at("/v1/agent/service/maintenance/", put(agentServiceMaintenance)),
		at("/v1/agent/maintenance", put(agentMaintenance)),
		at("/v1/agent/checks", get(agentChecks)),
		at("/v1/agent/check/register", put(agentCheckRegister)),
		at("/v1/agent/check/deregister/", put(agentCheckDeregister)),
		at("/v1/agent/check/pass/", put(agentCheckResult(wire.HealthPassing))),
		at("/v1/agent/check/warn/", put(agentCheckResult(wire.HealthWarning))),
		at("/v1/agent/check/fail/", put(agentCheckResult(wire.HealthCritical))),
		at("/v1/agent/check/update/", put(agentCheckUpdate)),
		at("/v1/agent/health/service/id/", get(agentHealthID)),
		at("/v1/agent/health/service/name/", get(agentHealthName)),
		at("/v1/agent/token/", put(aclDisabled)),

		at("/v1/agent/connect/ca/roots", get(agentConnectRoots)),
		at("/v1/agent/connect/ca/leaf/", get(agentConnectLeaf)),
		at("/v1/agent/connect/authorize", sized(post(agentConnectAuthorize), someBody)),
		at("/v1/connect/intentions", get(intentionList), sized(post(intentionCreate), someBody)),
		at("/v1/connect/intentions/match", get(intentionMatch)),
		at("/v1/connect/intentions/check", get(intentionCheck)),
		at("/v1/connect/intentions/exact", get(intentionExact), put(intentionPut), del(intentionRemove)),
		at("/v1/connect/intentions/", get(intentionGet), put(intentionUpdate), del(intentionDelete)),
		at("/v1/connect/ca/roots", get(connectRoots)),
		at("/v1/connect/ca/configuration", get(connectConfiguration), put(connectConfigure)),

		at("/v1/catalog/register", put(counted("catalog_register", register))),
		at("/v1/catalog/deregister", put(counted("catalog_deregister", deregister))),
		at("/v1/catalog/datacenters", get(counted("catalog_datacenters", catalogDatacenters))),
		at("/v1/catalog/nodes", get(counted("catalog_nodes", catalogNodes))),
		at("/v1/catalog/services", get(counted("catalog_services", catalogServices))),
		at("/v1/catalog/service/", get(counted("catalog_service_nodes", catalogService))),
		at("/v1/catalog/connect/", get(counted("catalog_connect_service_nodes", catalogConnect))),
		at("/v1/catalog/gateway-services/", get(counted("catalog_gateway_services", catalogGatewayServices))),
		at("/v1/catalog/node/", get(counted("catalog_node_services", catalogNode))),
		at("/v1/catalog/node-services/", get(counted("catalog_node_service_list", catalogNodeServices))),

		at("/v1/health/node/", get(healthNode)),
		at("/v1/health/checks/", get(healthChecks)),
		at("/v1/health/service/", get(healthService)),
		at("/v1/health/connect/", get(healthConnect)),
		at("/v1/health/ingress/", get(healthIngress)),
		at("/v1/health/state/", get(healthState)),

		at("/v1/kv/", get(kvRead), sized(put(kvPut), valueBody), del(kvDelete)),

		at("/v1/txn", sized(put(txn), txnBody)),

		at("/v1/acl/", get(aclDisabled), put(aclDisabled), post(aclDisabled), del(aclDisabled)),

		at("/v1/config", put(configApply)),
		at("/v1/config/", get(configRead), del(configDelete)),

		at("/v1/session/create", put(sessionCreate)),
		at("/v1/session/destroy/", put(sessionDestroy)),
		at("/v1/session/renew/", put(sessionRenew)),
		at("/v1/session/info/", get(sessionInfo)),
		at("/v1/session/node/", get(sessionNode)),
		at("/v1/session/list", get(sessionList)),

		at("/v1/query", get(queryList), sized(post(queryCreate), someBody)),
		at("/v1/query/", get(queryRead), put(queryWrite(queryUpdate)), del(queryWrite(queryDelete))),

		at("/v1/event/fire/", put(eventFire)),
		at("/v1/event/list", get(eventList)),

		at("/v1/coordinate/datacenters", get(coordinateDatacenters)),
		at("/v1/coordinate/nodes", get(coordinateNodes)),
		at("/v1/coordinate/node/", get(coordinateNode)),
		at("/v1/coordinate/update", put(coordinateUpdate)),

		at("/v1/operator/raft/configuration", get(raftConfiguration)),
		at("/v1/operator/raft/peer", del(raftRemovePeer)),
		at("/v1/operator/raft/transfer-leader", post(raftTransferLeader)),
		at("/v1/operator/raft/recovery", get(raftRecovery(false)), put(raftRecovery(true))),
		at("/v1/operator/autopilot/configuration", get(autopilotGet), put(autopilotSet)),
		at("/v1/operator/autopilot/health", get(autopilotHealth)),
		at("/v1/operator/autopilot/state", get(autopilotState)),
		at("/v1/operator/keyring", get(keyringOf(messages.ListKeys)), sized(post(keyringOf(messages.InstallKey)), someBody),
			put(keyringOf(messages.UseKey)), sized(del(keyringOf(messages.RemoveKey)), someBody)),
		at("/v1/operator/usage", get(operatorUsage)),

		at("/v1/snapshot", get(snapshotSave), streamed(put(snapshotRestore))),

		{path: "/", on: []verb{get(index), head(index)}, bare: true},
		{path: "/robots.txt", on: []verb{get(robots)}, bare: true},
	}
	return append(all, pprofRoutes(cfg.EnableDebug)...)
}
