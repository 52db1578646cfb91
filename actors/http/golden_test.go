package http

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// A step is a request and what Consul 1.19.2 answers to it.
type step struct {
	name    string
	request string // method and target
	body    string
	status  int    // 0 is 200
	want    string // the body: JSON, as an object without what is in masked, or text
	headers string // what golden headers there are beside the content type, "name=value name=value"
}

// masked are the fields that nobody promises.
var masked = []string{"CreateIndex", "ModifyIndex", "LockIndex", "Index", "LastContact"}

// The headers of a read. Keys and sessions do not tell the consistency.
const (
	leader  = "x-consul-knownleader=true x-consul-effective-consistency=leader"
	silent  = "x-consul-knownleader=true"
	checkOf = `"Definition":{},"ExposedPort":0,"Interval":"","Timeout":"","Notes":""`
	proxy   = `"Proxy":{"Expose":{},"MeshGateway":{},"Mode":""},"Connect":{},"PeerName":"","EnableTagOverride":false`
)

var (
	extNode   = `{"Node":"ext","Address":"10.1.2.3","Datacenter":"dc1","ID":"","Meta":{"rack":"r1"},"TaggedAddresses":null}`
	extDB     = `{"ID":"db1","Service":"db","Address":"","Port":5432,"Tags":["primary"],"Meta":null,"Weights":{"Passing":1,"Warning":1},` + proxy + `,"TaggedAddresses":{"lan":{"Address":"10.1.2.4","Port":1},"wan":{"Address":"1.2.3.4","Port":2}}}`
	sixDB     = `{"ID":"db2","Service":"db","Address":"","Port":5432,"Tags":["replica"],"Meta":null,"Weights":{"Passing":1,"Warning":1},` + proxy + `}`
	dbCheck   = `{"Node":"ext","CheckID":"db:check","Name":"db check","Status":"passing","Output":"fine","ServiceID":"db1","ServiceName":"db","ServiceTags":["primary"],"Type":"",` + checkOf + `}`
	serfCheck = `{"Node":"n1","CheckID":"serfHealth","Name":"Serf Health Status","Status":"passing","Output":"Agent alive and reachable","ServiceID":"","ServiceName":"","ServiceTags":[],"Type":"",` + checkOf + `}`
	oddCheck  = `{"Node":"ext","CheckID":"c","Name":"c","Status":"odd","Output":"","ServiceID":"","ServiceName":"","ServiceTags":[],"Type":"",` + checkOf + `}`
	nodeOne   = `{"Node":"n1","Address":"127.0.0.1","Datacenter":"dc1","ID":"` + nodeID + `","Meta":null,"TaggedAddresses":null}`
	onExt     = `"Node":"ext","Address":"10.1.2.3","Datacenter":"dc1","ID":"","NodeMeta":{"rack":"r1"},"TaggedAddresses":null`
	noService = `"ServiceAddress":"","ServiceConnect":{},"ServiceEnableTagOverride":false,"ServiceKind":"","ServiceLocality":null,"ServiceMeta":{},"ServicePort":5432,"ServiceProxy":{"Expose":{},"MeshGateway":{},"Mode":""},"ServiceSocketPath":"","ServiceWeights":{"Passing":1,"Warning":1}`
)

var catalogSteps = []step{
	{name: "nodes", request: "GET /v1/catalog/nodes", want: "[" + nodeOne + "]", headers: leader},
	{name: "services_empty", request: "GET /v1/catalog/services", want: `{}`, headers: leader},
	{name: "datacenters", request: "GET /v1/catalog/datacenters", want: `["dc1","dc2"]`},
	{name: "status_leader", request: "GET /v1/status/leader", want: `"127.0.0.1:8300"`},
	{name: "status_peers", request: "GET /v1/status/peers", want: `["127.0.0.1:8300","127.0.0.2:8300"]`},
	{name: "status_elsewhere", request: "GET /v1/status/leader?dc=nope", status: 500, want: "No path to datacenter"},
	{name: "ext", request: "PUT /v1/catalog/register", want: `true`,
		body: `{"Node":"ext","Address":"10.1.2.3","NodeMeta":{"rack":"r1"},"Service":{"Service":"db","ID":"db1","Port":5432,"Tags":["primary"],
			"TaggedAddresses":{"lan":{"Address":"10.1.2.4","Port":1},"wan":{"Address":"1.2.3.4","Port":2}}},
			"Check":{"CheckID":"db:check","Name":"db check","Status":"passing","ServiceID":"db1","Output":"fine"}}`},
	{name: "ext6", request: "PUT /v1/catalog/register", want: `true`,
		body: `{"Node":"six","Address":"2001:db8::5","Service":{"Service":"db","ID":"db2","Port":5432,"Tags":["replica"]}}`},
	{name: "no_node", request: "PUT /v1/catalog/register", body: `{"Address":"10.1.2.3"}`, status: 500, want: "Must provide node"},
	{name: "odd_status", request: "PUT /v1/catalog/register", want: `true`,
		body: `{"Node":"ext","Address":"10.1.2.3","NodeMeta":{"rack":"r1"},"Check":{"Name":"c","Status":"odd"}}`},
	{name: "unknown_field", request: "PUT /v1/catalog/register", want: `true`,
		body: `{"Node":"n1","Address":"127.0.0.1","ID":"` + nodeID + `","FromTheFuture":{"a":[1]}}`},
	{name: "bad_json", request: "PUT /v1/catalog/register", body: `{"Node":`, status: 400, want: "Request decode failed: unexpected EOF"},
	{name: "no_json", request: "PUT /v1/catalog/register", status: 400, want: "Request decode failed: EOF"},
	{name: "services", request: "GET /v1/catalog/services", want: `{"db":["primary","replica"]}`, headers: leader},
	{name: "services_by_meta", request: "GET /v1/catalog/services?node-meta=rack:none", want: `{}`, headers: leader},
	{name: "service", request: "GET /v1/catalog/service/db?tag=primary", headers: leader,
		want: `[{` + onExt + `,"ServiceID":"db1","ServiceName":"db","ServiceTags":["primary"],` + noService + `,"ServiceTaggedAddresses":{"lan":{"Address":"10.1.2.4","Port":1},"wan":{"Address":"1.2.3.4","Port":2}}}]`},
	{name: "service_unknown", request: "GET /v1/catalog/service/nope", want: `[]`, headers: leader},
	{name: "service_no_name", request: "GET /v1/catalog/service/", status: 400, want: "Missing service name"},
	{name: "service_all_tags", request: "GET /v1/catalog/service/db?tag=primary&tag=replica", want: `[]`, headers: leader},
	{name: "node", request: "GET /v1/catalog/node/ext", want: `{"Node":` + extNode + `,"Services":{"db1":` + extDB + `}}`, headers: leader},
	{name: "far", request: "PUT /v1/catalog/register", body: `{"Node":"cname","Address":"db.example.com","Service":{"Service":"far","Port":1}}`, want: `true`},
	{name: "node_without_tags", request: "GET /v1/catalog/node/cname", headers: leader,
		want: `{"Node":{"Node":"cname","Address":"db.example.com","Datacenter":"dc1","ID":"","Meta":null,"TaggedAddresses":null},
			"Services":{"far":{"ID":"far","Service":"far","Address":"","Port":1,"Tags":[],"Meta":null,"Weights":{"Passing":1,"Warning":1},` + proxy + `}}}`},
	{name: "node_unknown", request: "GET /v1/catalog/node/nope", want: `null`, headers: leader},
	{name: "node_services", request: "GET /v1/catalog/node-services/ext", want: `{"Node":` + extNode + `,"Services":[` + extDB + `]}`, headers: leader},
	{name: "nodes_by_filter", request: "GET /v1/catalog/nodes?filter=Meta.rack==r1", want: "[" + extNode + "]", headers: leader},
	{name: "nodes_by_meta", request: "GET /v1/catalog/nodes?node-meta=rack:none", want: `[]`, headers: leader},
	{name: "bad_index", request: "GET /v1/catalog/nodes?index=x", status: 400, want: "Invalid index"},
	{name: "bad_wait", request: "GET /v1/catalog/nodes?index=1&wait=x", status: 400, want: "Invalid wait time"},
	{name: "delete_nodes", request: "DELETE /v1/catalog/nodes", status: 405, want: "method DELETE not allowed", headers: "allow=OPTIONS,GET"},
	{name: "not_found", request: "GET /v1/nope", status: 404, want: "Invalid URL path: not a recognized HTTP API endpoint\n"},
	{name: "not_the_api", request: "GET /nope", status: 404, want: "Invalid URL path: if attempting to use the HTTP API, ensure the path starts with '/v1/'\n"},
	{name: "pprof_off", request: "GET /debug/pprof/heap", status: 404},
}

var healthSteps = []step{
	{name: "ext", request: "PUT /v1/catalog/register", want: `true`, body: catalogSteps[6].body},
	{name: "ext6", request: "PUT /v1/catalog/register", want: `true`, body: catalogSteps[7].body},
	{name: "odd", request: "PUT /v1/catalog/register", want: `true`, body: catalogSteps[9].body},
	{name: "node", request: "GET /v1/health/node/n1", want: "[" + serfCheck + "]", headers: leader},
	{name: "checks", request: "GET /v1/health/checks/db", want: "[" + dbCheck + "]", headers: leader},
	{name: "checks_unknown", request: "GET /v1/health/checks/nope", want: `[]`, headers: leader},
	{name: "state", request: "GET /v1/health/state/odd", want: "[" + oddCheck + "]", headers: leader},
	{name: "state_any", request: "GET /v1/health/state/any?filter=CheckID==serfHealth", want: "[" + serfCheck + "]", headers: leader},
	{name: "state_none", request: "GET /v1/health/state/", status: 400, want: "Missing check state"},
	{name: "service", request: "GET /v1/health/service/db?tag=primary", headers: leader,
		want: `[{"Node":` + extNode + `,"Service":` + extDB + `,"Checks":[` + oddCheck + `,` + dbCheck + `]}]`},
	{name: "passing", request: "GET /v1/health/service/db?passing", headers: leader,
		want: `[{"Node":{"Node":"six","Address":"2001:db8::5","Datacenter":"dc1","ID":"","Meta":null,"TaggedAddresses":null},"Service":` + sixDB + `,"Checks":[]}]`},
	{name: "not_only_passing", request: "GET /v1/health/service/db?passing=false&tag=primary&filter=Checks.Status==critical", want: `[]`, headers: leader},
	{name: "bad_passing", request: "GET /v1/health/service/db?passing=maybe", status: 400, want: "Invalid value for ?passing"},
	{name: "node_meta", request: "GET /v1/health/service/db?node-meta=rack:none", want: `[]`, headers: leader},
	{name: "near", request: "GET /v1/health/service/nope?near=_agent", want: `[]`, headers: leader},
	{name: "stale", request: "GET /v1/health/service/nope?stale", want: `[]`, headers: "x-consul-knownleader=true x-consul-effective-consistency=stale"},
	{name: "consistent", request: "GET /v1/health/service/nope?consistent", want: `[]`, headers: "x-consul-knownleader=true x-consul-effective-consistency=consistent"},
	{name: "both", request: "GET /v1/health/service/db?stale&consistent", status: 400, want: "Cannot specify ?stale with ?consistent, conflicting semantics."},
	// Consul says here that no leader is known, which is not so.
	{name: "cached", request: "GET /v1/health/service/nope?cached", want: `[]`, headers: "x-consul-knownleader=false x-consul-effective-consistency=leader x-cache=MISS"},
	{name: "elsewhere", request: "GET /v1/health/service/db?dc=nope", status: 500, want: "No path to datacenter"},
	{name: "tenant", request: "PUT /v1/catalog/register", body: `{"Node":"n","Address":"127.0.0.1","Service":{"Service":"s","Namespace":"x"}}`, status: 400, want: `Request decode failed: json: unknown field "Namespace" - Namespaces are a Consul Enterprise feature`},
	{name: "the_only_tenant", request: "PUT /v1/catalog/register", body: `{"Node":"other","Address":"127.0.0.9","Namespace":"default","Partition":"","Unknown":1}`, want: `true`},
	{name: "namespace", request: "GET /v1/health/service/db?ns=x", status: 400, want: `Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature`},
}

var keySteps = []step{
	{name: "put", request: "PUT /v1/kv/a/b", body: "hello", want: `true`},
	{name: "put_flags", request: "PUT /v1/kv/a/c?flags=42", body: "x", want: `true`},
	{name: "bad_flags", request: "PUT /v1/kv/a/c?flags=z", body: "x", status: 500, want: `strconv.ParseUint: parsing "z": invalid syntax`},
	{name: "empty_key", request: "PUT /v1/kv/", body: "x", status: 400, want: "Missing key name"},
	{name: "get", request: "GET /v1/kv/a/b", want: `[{"Key":"a/b","Flags":0,"Value":"aGVsbG8="}]`, headers: silent},
	{name: "get_nothing", request: "GET /v1/kv/", status: 400, want: "Missing key name"},
	{name: "raw", request: "GET /v1/kv/a/b?raw", want: "hello", headers: silent + " content-security-policy=sandbox"},
	{name: "recurse", request: "GET /v1/kv/a?recurse", want: `[{"Key":"a/b","Flags":0,"Value":"aGVsbG8="},{"Key":"a/c","Flags":42,"Value":"eA=="}]`, headers: silent},
	{name: "keys", request: "GET /v1/kv/?keys", want: `["a/b","a/c"]`, headers: silent},
	{name: "keys_to_a_separator", request: "GET /v1/kv/?keys&separator=/", want: `["a/"]`, headers: silent},
	{name: "keys_as_once_spelt", request: "GET /v1/kv/?keys&seperator=/", want: `["a/"]`, headers: silent},
	{name: "missing", request: "GET /v1/kv/none", status: 404, headers: silent},
	{name: "missing_recurse", request: "GET /v1/kv/none?recurse", status: 404, headers: silent},
	{name: "missing_keys", request: "GET /v1/kv/none?keys", status: 404, headers: silent},
	{name: "cas_of_what_is_there", request: "PUT /v1/kv/a/b?cas=0", body: "z", want: `false`},
	{name: "cas_of_what_is_not", request: "PUT /v1/kv/a/new?cas=0", body: "z", want: `true`},
	{name: "bad_cas", request: "PUT /v1/kv/a/b?cas=x", body: "z", status: 500, want: `strconv.ParseUint: parsing "x": invalid syntax`},
	{name: "cas_and_acquire", request: "PUT /v1/kv/a/b?cas=1&acquire=x&token=s3cret", body: "z", status: 400, want: "Conflicting flags: acquire=x&cas=1\n"},
	{name: "no_such_session", request: "PUT /v1/kv/a/b?acquire=nope", body: "z", status: 500, want: `raft apply failed: invalid session "nope"`},
	{name: "delete_cas", request: "DELETE /v1/kv/a/b?cas=1", want: `false`},
	{name: "delete", request: "DELETE /v1/kv/a/b", want: `true`},
	{name: "delete_again", request: "DELETE /v1/kv/a/b", want: `true`},
	{name: "delete_recurse", request: "DELETE /v1/kv/a?recurse", want: `true`},
	{name: "delete_both", request: "DELETE /v1/kv/a?recurse&cas=1", status: 400, want: "Conflicting flags: cas=1&recurse=\n"},
	{name: "delete_nothing", request: "DELETE /v1/kv/", status: 400, want: "Missing key name"},
	{name: "post", request: "POST /v1/kv/a", status: 405, want: "method POST not allowed", headers: "allow=OPTIONS,GET,PUT,DELETE"},
	{name: "too_big", request: "PUT /v1/kv/big", body: strings.Repeat("x", 524289), status: 413,
		want: "Request body(524289 bytes) too large, max size: 524288 bytes. See https://www.consul.io/docs/agent/config/config-files#kv_max_value_size."},
	{name: "just_fits", request: "PUT /v1/kv/big", body: strings.Repeat("x", 524288), want: `true`},
	{name: "two_slashes", request: "PUT /v1/kv/a//b?flags=1", body: "x", status: 301, headers: "location=/v1/kv/a/b?flags=1"},
	{name: "other_letters", request: "PUT /v1/kv/%C3%BC%20x", body: "x", want: `true`},
	{name: "other_letters_back", request: "GET /v1/kv/%C3%BC%20x", want: `[{"Key":"ü x","Flags":0,"Value":"eA=="}]`, headers: silent},
	{name: "a_slash_that_is_quoted", request: "PUT /v1/kv/q%2Fr", body: "x", want: `true`},
	{name: "and_back", request: "GET /v1/kv/q/r?raw", want: "x", headers: silent + " content-security-policy=sandbox"},
	{name: "options", request: "OPTIONS /v1/kv/a", headers: "allow=OPTIONS,GET,PUT,DELETE"},
}

var operatorSteps = []step{
	{name: "raft", request: "GET /v1/operator/raft/configuration", want: `{"Servers":[
		{"ID":"` + nodeID + `","Node":"n1","Address":"127.0.0.1:8300","Leader":true,"ProtocolVersion":"3","Voter":true,"LastIndex":7},
		{"ID":"other","Node":"(unknown)","Address":"127.0.0.2:8300","Leader":false,"ProtocolVersion":"unknown","Voter":false,"LastIndex":0}]}`},
	{name: "autopilot_before_there_is_one", request: "GET /v1/operator/autopilot/configuration", status: 500, want: "autopilot config not initialized yet"},
	{name: "autopilot_defaults", request: "PUT /v1/operator/autopilot/configuration", body: `{"MaxTrailingLogs":99,"LastContactThreshold":"1s","ServerStabilizationTime":2000000000}`, want: `true`},
	{name: "autopilot", request: "GET /v1/operator/autopilot/configuration", want: `{"CleanupDeadServers":true,"DisableUpgradeMigration":false,"LastContactThreshold":"1s",
		"MaxTrailingLogs":99,"MinQuorum":0,"RedundancyZoneTag":"","ServerStabilizationTime":"2s","UpgradeVersionTag":""}`},
	{name: "autopilot_cas", request: "PUT /v1/operator/autopilot/configuration?cas=1", body: `{}`, want: `false`},
	{name: "autopilot_bad_cas", request: "PUT /v1/operator/autopilot/configuration?cas=x", body: `{}`, status: 400, want: `Error parsing cas value: strconv.ParseUint: parsing "x": invalid syntax`},
	{name: "autopilot_bad_duration", request: "PUT /v1/operator/autopilot/configuration", body: `{"LastContactThreshold":"soon"}`, status: 400, want: `Error parsing autopilot config: time: invalid duration "soon"`},
	{name: "coordinates", request: "GET /v1/coordinate/nodes", want: `[]`, headers: silent},
	{name: "coordinate_unknown", request: "GET /v1/coordinate/node/nope", status: 404},
	{name: "coordinates_of_datacenters", request: "GET /v1/coordinate/datacenters", want: `[
		{"Datacenter":"dc1","AreaID":"wan","Coordinates":[{"Node":"n1","Segment":"","Coord":{"Adjustment":0,"Error":1.5,"Height":1e-05,"Vec":[0,0,0,0,0,0,0,0]}}]},
		{"Datacenter":"dc2","AreaID":"wan","Coordinates":[]}]`},
	{name: "index", request: "GET /", want: "Consul Agent: there is no web UI here. The HTTP API is below /v1/.\n"},
	{name: "robots", request: "GET /robots.txt", want: "User-agent: *\nDisallow: /\n"},
}

// TestGolden plays what Consul was asked and compares with what it answered.
func TestGolden(t *testing.T) {
	for name, steps := range map[string][]step{"catalog": catalogSteps, "health": healthSteps, "kv": keySteps, "operator": operatorSteps, "agent": agentSteps} {
		t.Run(name, func(t *testing.T) {
			a := newStage(t).api(t)
			if name == "catalog" || name == "health" {
				call(a, "PUT", "/v1/catalog/register", `{"Node":"n1","ID":"`+nodeID+`","Address":"127.0.0.1",
					"Check":{"CheckID":"serfHealth","Name":"Serf Health Status","Status":"passing","Output":"Agent alive and reachable"}}`)
			}
			for _, s := range steps {
				t.Run(s.name, func(t *testing.T) { s.play(t, a) })
			}
		})
	}
}

func (s step) play(t *testing.T, a *api) {
	method, target, _ := strings.Cut(s.request, " ")
	got := call(a, method, target, s.body)
	if want := max(s.status, 200); got.Code != want {
		t.Errorf("status %d, want %d", got.Code, want)
	}
	var have, want any
	if json.Unmarshal([]byte(s.want), &want) == nil && got.Header().Get("Content-Type") == typeJSON {
		if err := json.Unmarshal(got.Body.Bytes(), &have); err != nil {
			t.Error(err)
		}
		if have = unmasked(have); !reflect.DeepEqual(have, want) {
			t.Errorf("answer %s\nwant   %s", got.Body, s.want)
		}
	} else if got.Body.String() != s.want {
		t.Errorf("answer %q, want %q", got.Body, s.want)
	}
	for _, name := range []string{"allow", "x-cache", "location", "content-security-policy", "x-consul-knownleader", "x-consul-effective-consistency", "x-consul-reason"} {
		want := ""
		for pair := range strings.FieldsSeq(s.headers) {
			if n, v, _ := strings.Cut(pair, "="); n == name {
				want = strings.ReplaceAll(v, "_", " ")
			}
		}
		if have := got.Header().Get(name); have != want {
			t.Errorf("%s: %q, want %q", name, have, want)
		}
	}
	if (got.Header().Get("X-Consul-Index") != "") != (got.Header().Get("X-Consul-KnownLeader") != "") {
		t.Error("an index without a leader, or a leader without an index")
	}
	if (got.Header().Get("Content-Type") != "") != (got.Body.Len() > 0) {
		t.Errorf("content type %q of %d bytes", got.Header().Get("Content-Type"), got.Body.Len())
	}
}

// unmasked leaves out of JSON what nobody promises.
func unmasked(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range masked {
			delete(v, name)
		}
		for k, x := range v {
			v[k] = unmasked(x)
		}
	case []any:
		for i, x := range v {
			v[i] = unmasked(x)
		}
	}
	return v
}
