package http

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestPreparedQueries(t *testing.T) {
	s := newStage(t)
	a := s.api(t)
	s.self(t, a)
	var made struct{ ID string }
	got := call(a, "POST", "/v1/query", `{"Name":"a/b","Service":{"Service":"web"},"DNS":{"TTL":"7s"}}`)
	if err := json.Unmarshal(got.Body.Bytes(), &made); err != nil || made.ID == "" {
		t.Fatalf("create: %d %s", got.Code, got.Body)
	}
	const service = `"Service":{"Service":"web","SamenessGroup":"","Failover":{"NearestN":0,"Datacenters":null,"Targets":null},"OnlyPassing":false,` +
		`"IgnoreCheckIDs":null,"Near":"","Tags":null,"NodeMeta":null,"ServiceMeta":null,"Connect":false,"Peer":""}`
	for _, tt := range []struct {
		name, request, body string
		status              int
		want                string // part of the answer
	}{
		{"get", "GET /v1/query/" + made.ID, "", 200, `[{"ID":"` + made.ID + `","Name":"a/b","Session":"","Token":"","Template":{"Type":"","Regexp":"","RemoveEmptyTags":false},` + service + `,"DNS":{"TTL":"7s"},"CreateIndex":`},
		{"list", "GET /v1/query", "", 200, `[{"ID":"` + made.ID},
		{"execute", "GET /v1/query/a/b/execute?limit=2&near=_agent&connect=false", "", 200, `{"Service":"web","Nodes":[],"DNS":{"TTL":"7s"},"Datacenter":"dc1","PeerName":"","Failovers":0,"Index":`},
		{"explain", "GET /v1/query/a/b/explain", "", 200, `{"Query":{"ID":"` + made.ID},
		{"get_missing", "GET /v1/query/nope", "", 404, "Query not found"},
		{"execute_missing", "GET /v1/query/nope/execute", "", 404, "Query not found"},
		{"explain_missing", "GET /v1/query/nope/explain", "", 404, "Query not found"},
		{"bad_limit", "GET /v1/query/a/b/execute?limit=x", "", 500, `Bad limit: strconv.Atoi: parsing "x": invalid syntax`},
		{"bad_connect", "GET /v1/query/a/b/execute?connect=x", "", 500, `Error parsing 'connect' value: strconv.ParseBool: parsing "x": invalid syntax`},
		{"execute_is_read", "PUT /v1/query/a/b/execute", "", 405, "method PUT not allowed"},
		{"explain_is_read", "DELETE /v1/query/a/b/explain", "", 405, "method DELETE not allowed"},
		{"create_badly", "POST /v1/query", `{"Name":`, 400, "Request decode failed: unexpected EOF"},
		{"taken", "POST /v1/query", `{"Name":"A/B","Service":{"Service":"x"}}`, 500, "raft apply failed: name 'A/B' aliases an existing query name"},
		{"update", "PUT /v1/query/" + made.ID, `{"ID":"another","Name":"c","Service":{"Service":"db"}}`, 200, ""},
		{"update_with_nothing", "PUT /v1/query/" + made.ID, "", 500, "Invalid prepared query: Must be bound to a session"},
		{"after_the_update", "GET /v1/query/c/explain", "", 200, `"Service":{"Service":"db"`},
		{"delete", "DELETE /v1/query/" + made.ID, "", 200, ""},
		{"delete_again", "DELETE /v1/query/" + made.ID, "", 500, "Cannot modify non-existent prepared query: '" + made.ID + "'"},
		{"empty_list", "GET /v1/query", "", 200, "[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			method, url, _ := strings.Cut(tt.request, " ")
			got := call(a, method, url, tt.body)
			if got.Code != tt.status || !strings.HasPrefix(got.Body.String(), tt.want) && !strings.Contains(got.Body.String(), tt.want) {
				t.Errorf("%d %s, want %d %s", got.Code, got.Body, tt.status, tt.want)
			}
			if read := method == "GET" && tt.status != 500; (got.Header().Get("X-Consul-Index") != "") != read {
				t.Errorf("headers %v", got.Header())
			}
		})
	}
}

func TestExecuteShowsInstances(t *testing.T) {
	s := newStage(t)
	a := s.api(t)
	s.self(t, a)
	call(a, "PUT", "/v1/catalog/register", `{"Node":"n","Address":"10.0.0.9","Service":{"Service":"db"},"Check":{"Name":"c","Status":"passing"}}`)
	call(a, "POST", "/v1/query", `{"Name":"q","Service":{"Service":"db"}}`)
	got := call(a, "GET", "/v1/query/q/execute?cached", "")
	for _, want := range []string{`"Address":"10.0.0.9"`, `"Tags":[]`, `"ServiceTags":[]`} {
		if !strings.Contains(got.Body.String(), want) {
			t.Errorf("%s lacks %s", got.Body, want)
		}
	}
	if got.Header().Get("X-Cache") != "MISS" {
		t.Errorf("headers %v", got.Header())
	}
}
