package http

import (
	"net/http"
	"strings"
	"testing"

	consul "github.com/hashicorp/consul/api"
)

// TestTxn has the golden answers, and the refusals that Consul's documentation
// names.
func TestTxn(t *testing.T) {
	const meta = `"Index":0,"LastContact":0,"KnownLeader":true,"ConsistencyLevel":"","NotModified":false,"Backend":0,"ResultsFilteredByACLs":false}`
	many := "[" + strings.Repeat(`{"KV":{"Verb":"get","Key":"k"}},`, 128) + `{"KV":{"Verb":"get","Key":"k"}}]`
	tests := []struct {
		name, target, body string
		status             int
		want               string
	}{
		{name: "write", body: `[{"KV":{"Verb":"set","Key":"t","Value":"dg==","Flags":1}},{"KV":{"Verb":"get","Key":"t"}},{"KV":{"Verb":"check-not-exists","Key":"q"}}]`, status: 200,
			want: `{"Results":[{"KV":{"LockIndex":0,"Key":"t","Flags":1,"Value":null,"CreateIndex":2,"ModifyIndex":2}},{"KV":{"LockIndex":0,"Key":"t","Flags":1,"Value":"dg==","CreateIndex":2,"ModifyIndex":2}}],"Errors":null}`},
		{name: "conflict", body: `[{"KV":{"Verb":"get","Key":"none"}},{"KV":{"Verb":"cas","Key":"t","Value":"dg==","Index":1}}]`, status: 409,
			want: `{"Results":null,"Errors":[{"OpIndex":0,"What":"key \"none\" doesn't exist"},{"OpIndex":1,"What":"failed to set key \"t\", index is stale"}]}`},
		{name: "read", body: `[{"KV":{"Verb":"get-tree","Key":"a"}}]`, status: 200, want: `{"Results":[],"Errors":null,` + meta},
		{name: "read_of_nothing", body: `[]`, status: 200, want: `{"Results":[],"Errors":null,` + meta},
		{name: "read_in_vain", body: `[{"Node":{"Verb":"get","Node":{"Node":"x"}}}]`, status: 409, want: `{"Results":null,"Errors":[{"OpIndex":0,"What":"node \"x\" doesn't exist"}],` + meta},
		{name: "odd_verb", body: `[{"KV":{"Verb":"odd","Key":"t"}}]`, status: 409,
			want: `{"Results":null,"Errors":[{"OpIndex":0,"What":"unknown KV operation: odd"}],` + strings.Replace(meta, "true", "false", 1)},
		{name: "too_many", body: many, status: 413, want: "Transaction contains too many operations (129 > 128)"},
		{name: "no_json", body: `[{`, status: 400, want: "Failed to parse body: unexpected EOF"},
		{name: "value_not_base64", body: `[{"KV":{"Verb":"set","Key":"t","Value":"?"}}]`, status: 400, want: "Failed to parse body: illegal base64 data at input byte 0"},
		{name: "no_operation", body: `[null]`, status: 400, want: "operation 0 of the transaction has none of KV, Node, Service and Check"},
		{name: "odd_operation", body: `[{"Session":{}}]`, status: 400, want: "operation 0 of the transaction has none of KV, Node, Service and Check"},
		{name: "odd_options", target: "?stale&consistent", body: `[]`, status: 400, want: "Cannot specify ?stale with ?consistent, conflicting semantics."},
		{name: "elsewhere", target: "?dc=nope", body: `[{"KV":{"Verb":"delete","Key":"t"}}]`, status: 500, want: "No path to datacenter"},
		{name: "a_namespace", target: "?ns=x", body: `[]`, status: 400, want: `Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := call(newStage(t).api(t), "PUT", "/v1/txn"+tt.target, tt.body)
			if got.Code != tt.status || got.Body.String() != tt.want {
				t.Errorf("%d %s\nwant %d %s", got.Code, got.Body, tt.status, tt.want)
			}
			if got.Header().Get("X-Consul-Index") != "" {
				t.Error("it has an index, and a transaction has none")
			}
		})
	}
}

func TestTxnSizes(t *testing.T) {
	s := newStage(t)
	s.cfg.Limits.KVMaxValueSize, s.cfg.Limits.TxnMaxReqLen = 3, 80
	a := s.api(t)
	for body, want := range map[string]string{
		`[{"KV":{"Verb":"set","Key":"t","Value":"YWJj"}}]`:                `{"Results"`,
		`[{"KV":{"Verb":"set","Key":"t","Value":"YWJjZA=="}}]`:            `Value for key "t" is too large (4 > 3 bytes)`,
		`[{"KV":{"Verb":"set","Key":"` + strings.Repeat("k", 80) + `"}}]`: "Request body(112 bytes) too large, max size: 80 bytes. See https://www.consul.io/docs/agent/config/config-files#txn_max_req_len.",
	} {
		got := call(a, "PUT", "/v1/txn", body)
		if refused := got.Code == http.StatusRequestEntityTooLarge; refused == (want[0] == '{') || !strings.HasPrefix(got.Body.String(), want) {
			t.Errorf("%s: %d %s, want %s", body, got.Code, got.Body, want)
		}
	}
}

func TestOfficialTxnClient(t *testing.T) {
	c := official(t, newStage(t))
	ok, got, _, err := c.Txn().Txn(consul.TxnOps{
		{Node: &consul.NodeTxnOp{Verb: consul.NodeSet, Node: consul.Node{Node: "n", Address: "10.0.0.1"}}},
		{Service: &consul.ServiceTxnOp{Verb: consul.ServiceSet, Node: "n", Service: consul.AgentService{ID: "s", Service: "s", Port: 7, Weights: consul.AgentWeights{Passing: 3, Warning: 2}}}},
		{Check: &consul.CheckTxnOp{Verb: consul.CheckSet, Check: consul.HealthCheck{Node: "n", CheckID: "c", Name: "c", Status: "passing", ServiceID: "s"}}},
		{KV: &consul.KVTxnOp{Verb: consul.KVSet, Key: "k", Value: []byte("v")}},
		{KV: &consul.KVTxnOp{Verb: consul.KVGet, Key: "k"}},
	}, nil)
	if err != nil || !ok || len(got.Results) != 5 {
		t.Fatalf("%t, %+v, %v", ok, got, err)
	}
	if n := got.Results[0].Node; n.Datacenter != "dc1" {
		t.Errorf("the node is %+v", n)
	}
	if s := got.Results[1].Service; s.Port != 7 || s.Weights.Passing != 3 {
		t.Errorf("the service is %+v", s)
	}
	if kv := got.Results[4].KV; string(kv.Value) != "v" {
		t.Errorf("the key is %+v", kv)
	}
	ok, got, _, err = c.Txn().Txn(consul.TxnOps{{KV: &consul.KVTxnOp{Verb: consul.KVCheckNotExists, Key: "k"}}}, nil)
	if err != nil || ok || len(got.Errors) != 1 || got.Errors[0].What != `key "k" exists` {
		t.Errorf("%t, %+v, %v", ok, got, err)
	}
}
