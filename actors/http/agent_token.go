package http

import "net/http"

// agentToken would replace a token that the agent itself uses. This agent has no
// ACLs yet, and says so as Consul does where they are turned off.
func agentToken(*request) (*answer, error) {
	return nil, refusal(http.StatusUnauthorized, "ACL support disabled")
}
