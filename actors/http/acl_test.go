package http

import (
	"net/http"
	"strings"
	"testing"
)

func TestACLDisabled(t *testing.T) {
	a := newStage(t).api(t)
	for _, request := range []string{
		"PUT /v1/acl/bootstrap", "GET /v1/acl/tokens", "PUT /v1/acl/token", "DELETE /v1/acl/policy/x",
		"POST /v1/acl/login", "PUT /v1/agent/token/default", "PUT /v1/agent/token/odd",
	} {
		method, target, _ := strings.Cut(request, " ")
		got := call(a, method, target, `{}`)
		if got.Code != http.StatusUnauthorized || got.Body.String() != "ACL support disabled" || got.Header().Get("X-Consul-Default-Acl-Policy") != "allow" {
			t.Errorf("%s: %d %s %v", request, got.Code, got.Body, got.Header())
		}
	}
}
