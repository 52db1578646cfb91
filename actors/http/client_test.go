package http

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	consul "github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/messages"
)

// official returns Consul's own client, speaking to a listener over a socket.
func official(t *testing.T, s *stage) *consul.Client {
	t.Helper()
	_, _, socks := s.listening(t)
	c, err := consul.NewClient(&consul.Config{Address: strings.TrimPrefix(socks.url(somewhere, ""), "http://"), HttpClient: client(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOfficialCatalogClient(t *testing.T) {
	c := official(t, newStage(t))
	_, err := c.Catalog().Register(&consul.CatalogRegistration{
		Node: "web-1", Address: "10.0.0.1", NodeMeta: map[string]string{"rack": "r1"},
		Service: &consul.AgentService{ID: "web1", Service: "web", Port: 80, Tags: []string{"v1", "blue"}, Weights: consul.AgentWeights{Passing: 3, Warning: 1}},
		Checks: consul.HealthChecks{{Node: "web-1", CheckID: "c", Name: "c", Status: consul.HealthPassing, ServiceID: "web1",
			Definition: consul.HealthCheckDefinition{HTTP: "http://x", IntervalDuration: 5 * time.Second}}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	entries, meta, err := c.Health().ServiceMultipleTags("web", []string{"v1", "blue"}, true, &consul.QueryOptions{NodeMeta: map[string]string{"rack": "r1"}})
	if err != nil || len(entries) != 1 || entries[0].Service.Weights.Passing != 3 || entries[0].Checks[0].Definition.IntervalDuration != 5*time.Second {
		t.Fatalf("health: %+v, %v", entries, err)
	}
	if meta.LastIndex == 0 || !meta.KnownLeader {
		t.Errorf("meta: %+v", meta)
	}
	if services, _, err := c.Catalog().Services(nil); err != nil || strings.Join(services["web"], ",") != "blue,v1" && strings.Join(services["web"], ",") != "v1,blue" {
		t.Errorf("services: %v, %v", services, err)
	}
	if node, _, err := c.Catalog().Node("nope", nil); err != nil || node != nil {
		t.Errorf("a node that is not there: %v, %v", node, err)
	}
	if _, err := c.Catalog().Deregister(&consul.CatalogDeregistration{Node: "web-1"}, nil); err != nil {
		t.Error(err)
	}
	if nodes, _, err := c.Catalog().Nodes(&consul.QueryOptions{AllowStale: true}); err != nil || len(nodes) != 0 {
		t.Errorf("nodes: %v, %v", nodes, err)
	}
	if _, _, err := c.Catalog().Service("web", "", &consul.QueryOptions{Namespace: "x"}); !isStatus(err, http.StatusBadRequest) {
		t.Errorf("a namespace: %v", err)
	}
}

func isStatus(err error, code int) bool {
	var status consul.StatusError
	return errors.As(err, &status) && status.Code == code
}

func TestOfficialKeysClient(t *testing.T) {
	s := newStage(t)
	c := official(t, s)
	kv := c.KV()
	if _, err := kv.Put(&consul.KVPair{Key: "a/b", Value: []byte("v"), Flags: 7}, nil); err != nil {
		t.Fatal(err)
	}
	pair, _, err := kv.Get("a/b", nil)
	if err != nil || string(pair.Value) != "v" || pair.Flags != 7 {
		t.Fatalf("get: %+v, %v", pair, err)
	}
	if ok, _, err := kv.CAS(&consul.KVPair{Key: "a/b", Value: []byte("w"), ModifyIndex: pair.ModifyIndex}, nil); !ok || err != nil {
		t.Errorf("cas: %t, %v", ok, err)
	}
	if ok, _, err := kv.DeleteCAS(pair, nil); ok || err != nil {
		t.Errorf("delete-cas of an old pair: %t, %v", ok, err)
	}
	if keys, _, err := kv.Keys("a/", "/", nil); err != nil || len(keys) != 1 {
		t.Errorf("keys: %v, %v", keys, err)
	}
	if none, _, err := kv.Get("none", nil); none != nil || err != nil {
		t.Errorf("get of nothing: %v, %v", none, err)
	}
	if _, err := kv.Put(&consul.KVPair{Key: "big", Value: make([]byte, 512<<10+1)}, nil); !isStatus(err, http.StatusRequestEntityTooLarge) {
		t.Errorf("too big: %v", err)
	}

	if _, err := c.Catalog().Register(&consul.CatalogRegistration{Node: nodeName, Address: "127.0.0.1"}, nil); err != nil {
		t.Fatal(err)
	}
	id, _, err := c.Session().CreateNoChecks(&consul.SessionEntry{TTL: "10s", LockDelay: time.Millisecond}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := kv.Acquire(&consul.KVPair{Key: "lock", Session: id}, nil); !ok || err != nil {
		t.Errorf("acquire: %t, %v", ok, err)
	}
	if entry, _, err := c.Session().Renew(id, nil); err != nil || entry.LockDelay != time.Millisecond {
		t.Errorf("renew: %+v, %v", entry, err)
	}
	if _, err := c.Session().Destroy(id, nil); err != nil {
		t.Error(err)
	}
	if gone, _, err := c.Session().Info(id, nil); gone != nil || err != nil {
		t.Errorf("info of what is gone: %v, %v", gone, err)
	}
	if _, err := kv.DeleteTree("", nil); err != nil {
		t.Error(err)
	}
}

func TestOfficialConfigClient(t *testing.T) {
	entries := official(t, newStage(t)).ConfigEntries()
	web := &consul.ServiceConfigEntry{Kind: consul.ServiceDefaults, Name: "web", Protocol: "http"}
	if done, _, err := entries.Set(web, nil); !done || err != nil {
		t.Fatalf("set: %t, %v", done, err)
	}
	got, _, err := entries.Get(consul.ServiceDefaults, "web", nil)
	if err != nil || got.(*consul.ServiceConfigEntry).Protocol != "http" {
		t.Fatalf("get: %+v, %v", got, err)
	}
	if done, _, err := entries.CAS(web, 0, nil); done || err != nil {
		t.Errorf("cas of what was not there: %t, %v", done, err)
	}
	if list, _, err := entries.List(consul.ServiceDefaults, nil); err != nil || len(list) != 1 {
		t.Errorf("list: %v, %v", list, err)
	}
	if list, _, err := entries.List(consul.ServiceRouter, nil); err != nil || len(list) != 0 {
		t.Errorf("list of none: %v, %v", list, err)
	}
	if done, _, err := entries.DeleteCAS(consul.ServiceDefaults, "web", got.GetModifyIndex(), nil); !done || err != nil {
		t.Errorf("delete-cas: %t, %v", done, err)
	}
	if _, err := entries.Delete(consul.ServiceDefaults, "web", nil); err != nil {
		t.Errorf("delete of what is gone: %v", err)
	}
	if _, _, err := entries.Get(consul.ServiceDefaults, "web", nil); !isStatus(err, http.StatusNotFound) {
		t.Errorf("get of what is gone: %v", err)
	}
	if _, _, err := entries.List("odd", nil); !isStatus(err, http.StatusInternalServerError) || !strings.Contains(err.Error(), "invalid config entry kind: odd") {
		t.Errorf("an odd kind: %v", err)
	}
}

func TestOfficialIntentionsClient(t *testing.T) {
	c := official(t, newStage(t))
	connect := c.Connect()
	deny := &consul.Intention{SourceName: "*", DestinationName: "db", Action: consul.IntentionActionDeny}
	if _, err := connect.IntentionUpsert(deny, nil); err != nil {
		t.Fatal(err)
	}
	allow := &consul.Intention{SourceName: "web", DestinationName: "db", Action: consul.IntentionActionAllow}
	id, _, err := connect.IntentionCreate(allow, nil) //nolint:staticcheck // the old way is served as well
	if err != nil {
		t.Fatal(err)
	}
	authorized := func(client string) string {
		got, err := c.Agent().ConnectAuthorize(&consul.AgentAuthorizeParams{Target: "db", ClientCertURI: "spiffe://x.consul/ns/default/dc/ny1/svc/" + client})
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(got.Authorized, " ", got.Reason)
	}
	if got := authorized("web"); got != "true Matched intention: web => db (allow)" {
		t.Errorf("web: %s", got)
	}
	if got := authorized("api"); got != "false Matched intention: * => db (deny)" {
		t.Errorf("api: %s", got)
	}
	if _, _, err := connect.IntentionCreate(allow, nil); !isStatus(err, http.StatusBadRequest) { //nolint:staticcheck // the old way is served as well
		t.Errorf("created twice: %v", err)
	}
	allow.ID, allow.DestinationName = id, "x"
	if _, err := connect.IntentionUpdate(allow, nil); !isStatus(err, http.StatusBadRequest) { //nolint:staticcheck // the old way is served as well
		t.Errorf("moved: %v", err)
	}
	if exact, _, err := connect.IntentionGetExact("web", "db", nil); err != nil || exact.ID != id {
		t.Errorf("exact: %+v, %v", exact, err)
	}
	if none, _, err := connect.IntentionGetExact("x", "db", nil); err != nil || none != nil {
		t.Errorf("exact of none: %+v, %v", none, err)
	}
	if _, err := connect.IntentionDelete(id, nil); err != nil { //nolint:staticcheck // the old way is served as well
		t.Error(err)
	}
	if _, err := connect.IntentionDelete(id, nil); !isStatus(err, http.StatusNotFound) { //nolint:staticcheck // the old way is served as well
		t.Errorf("deleted twice: %v", err)
	}
	if _, err := connect.IntentionDeleteExact("*", "db", nil); err != nil {
		t.Error(err)
	}
	if _, err := connect.IntentionDeleteExact("*", "db", nil); err != nil {
		t.Errorf("deleted twice: %v", err)
	}
	if list, _, err := connect.Intentions(nil); err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
	if got := authorized("api"); got != "true Default behavior configured by ACLs" {
		t.Errorf("without intentions: %s", got)
	}
}

func TestIntentionRefusals(t *testing.T) {
	a := newStage(t).api(t)
	for _, request := range []string{
		"GET match", "GET match?by=source", "GET match?by=source&name=a/b/c", "GET check?source=a", "GET check?source=team/a&destination=b",
		"GET exact?source=a", "PUT exact?source=a", "DELETE exact?destination=a", "GET hello", "PUT hello", "DELETE hello", "PUT exact?source=a&destination=b",
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := call(a, method, "/v1/connect/intentions/"+path, `{}`); got.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", request, got.Code, got.Body)
		}
	}
	for _, body := range []string{`{`, `{"ID":"x","SourceName":"a","DestinationName":"b","Action":"allow"}`, `{"SourceNS":"team","SourceName":"a"}`, `{"SourceName":"a"}`} {
		if got := call(a, "POST", "/v1/connect/intentions", body); got.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, got.Code, got.Body)
		}
	}
}

func TestOfficialAgentClient(t *testing.T) {
	s := newStage(t)
	entries := make(chan messages.LogUpdate)
	logs := newLogbook(&messages.LogSubscription{ID: 1, Recent: []messages.LogEntry{entry(1)}, Entries: entries})
	s.answers["logs"] = logs.answer
	c := official(t, s)
	if self, err := c.Agent().Self(); err != nil || self["Config"]["NodeName"] != nodeName {
		t.Errorf("self: %v, %v", self, err)
	}
	if members, err := c.Agent().MembersOpts(consul.MembersOpts{WAN: true}); err != nil || len(members) != 2 {
		t.Errorf("members: %v, %v", members, err)
	}
	if leader, err := c.Status().Leader(); err != nil || leader != "127.0.0.1:8300" {
		t.Errorf("leader: %q, %v", leader, err)
	}
	if config, err := c.Operator().RaftGetConfiguration(nil); err != nil || len(config.Servers) != 2 || !config.Servers[0].Leader {
		t.Errorf("raft: %+v, %v", config, err)
	}
	auto := consul.NewAutopilotConfiguration()
	auto.MaxTrailingLogs = 9
	if err := c.Operator().AutopilotSetConfiguration(&auto, nil); err != nil {
		t.Error(err)
	}
	if got, err := c.Operator().AutopilotGetConfiguration(nil); err != nil || got.MaxTrailingLogs != 9 || got.ServerStabilizationTime.Duration() != 10*time.Second {
		t.Errorf("autopilot: %+v, %v", got, err)
	}
	if dcs, err := c.Coordinate().Datacenters(); err != nil || len(dcs) != 2 {
		t.Errorf("coordinates: %v, %v", dcs, err)
	}
	stop := make(chan struct{})
	defer close(stop)
	lines, err := c.Agent().Monitor("info", stop, nil)
	if err != nil {
		t.Fatal(err)
	}
	if line := <-lines; line != "[INFO] line 1" {
		t.Errorf("monitor: %q", line)
	}
}
