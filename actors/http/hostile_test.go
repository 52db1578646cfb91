package http

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

func TestDeeperThan(t *testing.T) {
	tests := []struct {
		text string
		want bool
	}{
		{"", false}, {"[[[]]]", false}, {"[[[[", true}, {`{"a":{"b":{"c":1}}}`, false}, {`{"a":{"b":{"c":{}}}}`, true},
		{`["[[[[["]`, false}, {`["\"[[[[["]`, false}, {`["\\",[[[[`, true}, {"[][][][]", false}, {"]]]]", false}, {`"\`, false},
	}
	for _, tt := range tests {
		if got := deeperThan([]byte(tt.text), 3); got != tt.want {
			t.Errorf("deeperThan(%s) = %t, want %t", tt.text, got, tt.want)
		}
	}
}

// TestHostileBodies wants whatever is sent to be refused with a text, and quickly:
// a body that costs seconds would make the test time out.
func TestHostileBodies(t *testing.T) {
	deep := func(open, shut string, n int) string { return strings.Repeat(open, n) + strings.Repeat(shut, n) }
	bodies := map[string]string{
		"not_json":    "\x00\xff\xfe",
		"a_list":      `[1,2,3]`,
		"a_number":    `1e999999`,
		"deep_lists":  deep("[", "]", 400_000),
		"deep_maps":   deep(`{"Service":`, "}", 80_000),
		"deep_mesh":   `{"Node":"n","Address":"a","Service":` + deep(`{"Connect":{"Sidecar_Service":`, "}}", 20_000) + `}`,
		"half":        `{"Node":"n","Service":{"Meta":{"a":"`,
		"wrong_types": `{"Node":{"Node":"n"},"Address":[],"Service":7}`,
		"null_things": `{"Node":null,"Service":null,"Check":null,"Checks":[null]}`,
		"huge_port":   `{"Node":"n","Address":"a","Service":{"Service":"s","Port":1e30}}`,
	}
	a := newStage(t).api(t)
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			for _, target := range []string{"/v1/catalog/register", "/v1/catalog/deregister", "/v1/session/create", "/v1/operator/autopilot/configuration"} {
				got := call(a, "PUT", target, body)
				if got.Code < 400 && target == "/v1/catalog/register" {
					t.Errorf("%s: %d %s", target, got.Code, got.Body)
				}
				if got.Code >= 400 && got.Body.Len() == 0 {
					t.Errorf("%s: %d without a word", target, got.Code)
				}
				if strings.Contains(got.Body.String(), "internal error") {
					t.Errorf("%s: panicked", target)
				}
			}
		})
	}
}

func TestBodyLimit(t *testing.T) {
	s := newStage(t)
	s.cfg.Limits.MaxBodyBytes, s.cfg.Limits.KVMaxValueSize = 64, 16
	a := s.api(t)
	tests := []struct {
		name, target string
		body         string
		chunked      bool
		status       int
	}{
		{name: "fits", target: "/v1/kv/a", body: strings.Repeat("x", 16), status: 200},
		{name: "too_long", target: "/v1/kv/a", body: strings.Repeat("x", 17), status: 413},
		{name: "too_long_and_not_announced", target: "/v1/kv/a", body: strings.Repeat("x", 1000), chunked: true, status: 413},
		{name: "other_bodies", target: "/v1/catalog/register", body: strings.Repeat(" ", 65), status: 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequest("PUT", tt.target, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if tt.chunked {
				r.ContentLength = -1
			}
			if got := serveOne(a, r); got.Code != tt.status || got.Code == 413 && !strings.Contains(got.Body.String(), "too large") {
				t.Errorf("%d %s, want %d", got.Code, got.Body, tt.status)
			}
		})
	}
}

func TestUnprintablePath(t *testing.T) {
	a := newStage(t).api(t)
	for _, path := range []string{"/v1/kv/a%0Ab", "/v1/kv/%00", "/v1/kv/%E2%80%AE"} {
		if got := call(a, "PUT", path, "x"); got.Code != http.StatusBadRequest || got.Body.Len() == 0 {
			t.Errorf("%s: %d %q", path, got.Code, got.Body)
		}
	}
	if got := call(a, "GET", "/v1/kv/a?x=%zz", ""); got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), "query string") {
		t.Errorf("a bad query string: %d %q", got.Code, got.Body)
	}
}

// TestPanic wants a handler that panics to cost its own request an answer, one line
// of log, and nothing else.
func TestPanic(t *testing.T) {
	s := newStage(t)
	s.cfg.Facts.DebugConfig = map[string]any{"Broken": broken{}}
	a := s.api(t)
	got := call(a, "GET", "/v1/agent/self?token=s3cret", "")
	if want := "internal error: the agent failed on this request; its log says why"; got.Code != http.StatusInternalServerError || got.Body.String() != want {
		t.Errorf("%d %q, want %q", got.Code, got.Body, want)
	}
	if got := call(a, "GET", "/v1/status/leader", ""); got.Code != http.StatusOK {
		t.Errorf("the next request: %d %s", got.Code, got.Body)
	}
	var lines, stacks int
	for _, e := range s.logs.All() {
		for _, f := range e.Context {
			if strings.Contains(f.String, "s3cret") {
				t.Errorf("the log has the token: %+v", e)
			}
		}
		switch {
		case strings.HasPrefix(e.Message, "failed on a request: boom"):
			lines++
		case e.Message == "the stack of a failure":
			stacks++
		}
	}
	if lines != 1 || stacks != 1 {
		t.Errorf("%d lines and %d stacks in the log, want one of each", lines, stacks)
	}
	if n, _ := a.flight.settled(); n != 0 || len(a.requests) != 0 || len(a.writes) != 0 {
		t.Errorf("%d requests are still in flight; gates hold %d and %d", n, len(a.requests), len(a.writes))
	}
}

// broken panics when it is shown.
type broken struct{}

func (broken) MarshalJSON() ([]byte, error) { panic("boom") }

// TestOverload wants more requests than there is room for to be refused with words.
func TestOverload(t *testing.T) {
	s := newStage(t)
	s.cfg.Limits.MaxWrites, s.cfg.Limits.MaxRequests = 1, 2
	held, release := make(chan struct{}), make(chan struct{})
	s.answers["gossip-lan"] = func(ctx actor.Context) bool {
		if join, ok := ctx.Message().(*messages.JoinPool); ok {
			close(held)
			<-release
			join.Answer(1)
		}
		return true
	}
	a := s.api(t)
	joined := make(chan int, 1)
	go func() { joined <- call(a, "PUT", "/v1/agent/join/x", "").Code }()
	<-held

	got := call(a, "PUT", "/v1/kv/a", "x")
	if got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") == "" || !strings.Contains(got.Body.String(), "too many writes in flight") {
		t.Errorf("a write too many: %d %v %q", got.Code, got.Header(), got.Body)
	}
	if got := call(a, "GET", "/v1/status/leader", ""); got.Code != http.StatusOK {
		t.Errorf("a read beside it: %d %s", got.Code, got.Body)
	}
	a.requests.enter()
	if got := call(a, "GET", "/v1/status/leader", ""); got.Code != http.StatusTooManyRequests || !strings.Contains(got.Body.String(), "too many requests in flight") {
		t.Errorf("a request too many: %d %q", got.Code, got.Body)
	}
	a.requests.leave()
	close(release)
	if code := <-joined; code != http.StatusOK {
		t.Errorf("who came first: %d", code)
	}
	if got := call(a, "PUT", "/v1/kv/a", "x"); got.Code != http.StatusOK {
		t.Errorf("a write afterwards: %d %s", got.Code, got.Body)
	}
}

// TestLimitsAreTold: an operator sees that requests are refused, and for what, but not
// each of them.
func TestLimitsAreTold(t *testing.T) {
	s := newStage(t)
	s.cfg.Limits.KVMaxValueSize = 16
	a := s.api(t)
	many := "[" + strings.Repeat(`{"KV":{"Verb":"get","Key":"k"}},`, 128) + `{"KV":{"Verb":"get","Key":"k"}}]`
	for range 3 {
		call(a, "PUT", "/v1/kv/a", strings.Repeat("x", 17))
		call(a, "PUT", "/v1/txn", many)
	}
	var told []any
	for _, l := range s.logs.FilterLevelExact(zap.WarnLevel).All() {
		told = append(told, l.ContextMap()["limit"])
	}
	if !slices.Equal(told, []any{"kv_max_value_size", "txn_operations"}) {
		t.Errorf("told of %v", told)
	}
}
