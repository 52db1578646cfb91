package http

import "net/http"

// aclDisabled answers whatever is about ACLs. This agent has none yet, and says so
// as Consul does where they are turned off.
func aclDisabled(*request) (*answer, error) {
	return nil, refusal(http.StatusUnauthorized, "ACL support disabled")
}
