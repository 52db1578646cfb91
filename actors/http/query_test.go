package http

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// waiting starts a blocking query and returns what will hold its answer.
func waiting(a http.Handler, target string) <-chan *httptest.ResponseRecorder {
	answered := make(chan *httptest.ResponseRecorder, 1)
	go func() { answered <- call(a, "GET", target, "") }()
	return answered
}

func TestBlocking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newStage(t).api(t)
		call(a, "PUT", "/v1/kv/k", "one")
		index := call(a, "GET", "/v1/kv/k", "").Header().Get("X-Consul-Index")

		news := waiting(a, "/v1/kv/k?raw&wait=1m&index="+index)
		synctest.Wait()
		call(a, "PUT", "/v1/kv/other", "x")
		synctest.Wait()
		select {
		case got := <-news:
			t.Fatalf("an unrelated write woke the query: %s", got.Body)
		default:
		}
		call(a, "PUT", "/v1/kv/k", "two")
		if got := <-news; got.Body.String() != "two" || got.Header().Get("X-Consul-Index") == index {
			t.Errorf("woken with %q at index %s", got.Body, got.Header().Get("X-Consul-Index"))
		}

		start := time.Now()
		index = call(a, "GET", "/v1/kv/k", "").Header().Get("X-Consul-Index")
		got := <-waiting(a, "/v1/kv/k?raw&wait=16s&index="+index)
		if took := time.Since(start); took < 16*time.Second || took > 17*time.Second || got.Body.String() != "two" || got.Header().Get("X-Consul-Index") != index {
			t.Errorf("after %v: %q at index %s; want the same after 16s and at most a sixteenth", took, got.Body, got.Header().Get("X-Consul-Index"))
		}
	})
}

// TestWake wants those who wait to be answered with what there is when the listener
// drains, in whatever state the server is by then.
func TestWake(t *testing.T) {
	tests := []struct {
		name   string
		target string
		before func(*stage) // happens before the drain
		status int
		level  string
	}{
		{name: "while_leading", target: "/v1/catalog/nodes?index=99", level: "leader"},
		{name: "stale", target: "/v1/catalog/nodes?stale&index=99", level: "stale"},
		{name: "when_nobody_leads_any_more", target: "/v1/catalog/nodes?index=99", before: func(s *stage) { s.follow(0) }, level: "leader"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				a := s.api(t)
				s.self(t, a)
				news := waiting(a, tt.target)
				synctest.Wait()
				if tt.before != nil {
					tt.before(s)
				}
				a.wake()
				got := <-news
				if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), nodeName) {
					t.Errorf("woken with %d %s", got.Code, got.Body)
				}
				if level := got.Header().Get("X-Consul-Effective-Consistency"); level != tt.level {
					t.Errorf("consistency %q, want %q", level, tt.level)
				}
			})
		})
	}
}

// TestWokenWhereNobodyLeads wants a query whose state changed without a leader,
// which is on its way to ask for one, to have the stale answer and to be told so.
func TestWokenWhereNobodyLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		a := s.api(t)
		s.self(t, a)
		index := call(a, "GET", "/v1/catalog/nodes", "").Header().Get("X-Consul-Index")
		lost, strict := waiting(a, "/v1/catalog/nodes?index="+index), waiting(a, "/v1/catalog/nodes?consistent&index="+index)
		synctest.Wait()
		s.register(t, a, `{"Node":"n9","Address":"127.0.0.9"}`)
		s.follow(0) // before they ask a quorum
		a.wake()
		if got := <-lost; got.Code != http.StatusOK {
			t.Errorf("woken with %d %s", got.Code, got.Body)
		}
		if got := <-strict; got.Code == http.StatusOK && got.Header().Get("X-Consul-Effective-Consistency") != "consistent" {
			t.Error("a consistent read was answered with less")
		}
	})
}

func TestNobodyWaitsAfterTheWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newStage(t).api(t)
		a.wake()
		start := time.Now()
		if got := call(a, "GET", "/v1/catalog/nodes?index=99", ""); got.Code != http.StatusOK {
			t.Errorf("%d %s", got.Code, got.Body)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("waited %v", took)
		}
	})
}

// TestTooStale wants an answer that is older than the client said to be asked for
// again, of the leader.
func TestTooStale(t *testing.T) {
	s := newStage(t)
	a := s.api(t)
	s.self(t, a)
	s.follow(10 * time.Second)
	got := call(a, "GET", "/v1/catalog/nodes?max_stale=1h", "")
	if h := got.Header(); got.Code != http.StatusOK || h.Get("X-Consul-Effective-Consistency") != "stale" || h.Get("X-Consul-LastContact") < "10000" {
		t.Errorf("stale enough: %d %v", got.Code, h)
	}
	got = call(a, "GET", "/v1/catalog/nodes?max_stale=1s", "")
	if got.Code != http.StatusInternalServerError || got.Body.String() != "No cluster leader" {
		t.Errorf("too stale, and nobody leads: %d %s", got.Code, got.Body)
	}
}

func TestNoLeader(t *testing.T) {
	s := newStage(t)
	a := s.api(t)
	s.follow(0)
	for _, request := range []string{"GET /v1/catalog/nodes", "PUT /v1/kv/a", "GET /v1/kv/a?consistent"} {
		method, target, _ := strings.Cut(request, " ")
		if got := call(a, method, target, ""); got.Code != http.StatusInternalServerError || got.Body.String() != "No cluster leader" {
			t.Errorf("%s: %d %s", request, got.Code, got.Body)
		}
	}
}

func TestSessions(t *testing.T) {
	s := newStage(t)
	a := s.api(t)
	s.self(t, a)
	create := func(body string) (id string) {
		t.Helper()
		got := call(a, "PUT", "/v1/session/create", body)
		var made struct{ ID string }
		if err := json.Unmarshal(got.Body.Bytes(), &made); err != nil || made.ID == "" {
			t.Fatalf("create %s: %d %s", body, got.Code, got.Body)
		}
		return made.ID
	}
	checks := []struct{ name, body, want string }{
		{"default", ``, `"NodeChecks":["serfHealth"],"ServiceChecks":null`},
		{"none", `{"NodeChecks":[]}`, `"NodeChecks":[],"ServiceChecks":null`},
		{"none_the_old_way", `{"Checks":[]}`, `"NodeChecks":[],"ServiceChecks":null`},
		{"the_old_way", `{"Checks":["serfHealth"]}`, `"NodeChecks":[],"ServiceChecks":null,"Checks":["serfHealth"]`},
		{"delay_and_behaviour", `{"LockDelay":"2s","Behavior":"delete","TTL":"15s","Name":"s"}`, `"LockDelay":2000000000,"Behavior":"delete","TTL":"15s"`},
		{"default_delay", `{"Name":"x"}`, `"LockDelay":15000000000,"Behavior":"release","TTL":""`},
	}
	for _, tt := range checks {
		t.Run(tt.name, func(t *testing.T) {
			if got := call(a, "GET", "/v1/session/info/"+create(tt.body), ""); !strings.Contains(got.Body.String(), tt.want) {
				t.Errorf("%s, want %s", got.Body, tt.want)
			}
		})
	}

	id := create(`{"TTL":"15s","LockDelay":"0s","Behavior":"delete"}`)
	steps := []step{
		{request: "PUT /v1/kv/lock?acquire=" + id, body: "me", want: "true"},
		{request: "PUT /v1/kv/lock?acquire=" + id, body: "me2", want: "true"},
		{request: "PUT /v1/kv/lock?release=" + id, body: "me3", want: "true"},
		{request: "PUT /v1/kv/lock?release=" + id, body: "me3", want: "false"},
		{request: "GET /v1/session/info/nope", want: "[]", headers: silent},
		{request: "PUT /v1/session/renew/nope", status: 404, want: "Session id 'nope' not found"},
		{request: "PUT /v1/session/renew/", status: 400, want: "Missing session"},
		{request: "PUT /v1/session/create", body: `{"TTL":"1s"}`, status: 500, want: "Invalid Session TTL '1000000000', must be between [10s=24h0m0s]"},
		{request: "PUT /v1/session/create", body: `{"Behavior":"odd"}`, status: 500, want: "Invalid Behavior setting 'odd'"},
		{request: "PUT /v1/session/create", body: `{"Node":"nope"}`, status: 500, want: "apply failed: Missing node registration"},
		{request: "PUT /v1/session/create", body: `{"TTL":`, status: 400, want: "Request decode failed: unexpected EOF"},
		{request: "PUT /v1/session/destroy/" + id, want: "true"},
		{request: "PUT /v1/session/destroy/" + id, want: "true"},
		{request: "PUT /v1/session/destroy/", status: 400, want: "Missing session"},
	}
	if got := call(a, "PUT", "/v1/session/renew/"+id, ""); !strings.Contains(got.Body.String(), id) || got.Header().Get("X-Consul-Index") != "" {
		t.Errorf("renew: %d %v %s", got.Code, got.Header(), got.Body)
	}
	for _, target := range []string{"/v1/session/list", "/v1/session/node/" + nodeName, "/v1/session/info/" + id} {
		if got := call(a, "GET", target, ""); !strings.Contains(got.Body.String(), id) || got.Header().Get("X-Consul-Index") == "" {
			t.Errorf("%s: %d %s", target, got.Code, got.Body)
		}
	}
	for _, s := range steps {
		s.play(t, a)
	}
}
