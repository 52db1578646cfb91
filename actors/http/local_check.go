package http

import (
	"fmt"
	"net/http"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/definition"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/agent/check, of the checks of this very agent:
// https://developer.hashicorp.com/consul/api-docs/agent/check.

// agentChecks lists the checks, by ID.
func agentChecks(r *request) (*answer, error) {
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	fits, err := endpoint.CompileFilter[*wire.HealthCheck](r.param("filter"))
	if err != nil {
		return nil, err
	}
	shown := map[string]*wire.HealthCheck{}
	for id, c := range r.local().Checks {
		if fits(c) {
			shown[id] = taggedCheck(c)
		}
	}
	return with(shown), nil
}

// agentCheckRegister registers a check of the node or of a service.
func agentCheckRegister(r *request) (*answer, error) {
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	var d wire.CheckDefinition
	if err := r.decodeHere(&d); err != nil {
		return nil, err
	}
	d.Token = r.token()
	msg, err := definition.Check(&d)
	if err != nil {
		return nil, refusal(http.StatusBadRequest, err.Error())
	}
	if id := msg.Check.ServiceID; id != "" && r.local().Services[id] == nil {
		return nil, refusal(http.StatusNotFound, fmt.Sprintf("ServiceID %q does not exist", id))
	}
	return change(r, msg)
}

// agentCheckDeregister takes a check away.
func agentCheckDeregister(r *request) (*answer, error) {
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	return change(r, &messages.DeregisterCheck{ID: r.tail})
}

// agentCheckResult returns the handler that reports one status of a check with a
// TTL.
func agentCheckResult(status string) handler {
	return func(r *request) (*answer, error) {
		return r.report(status, r.param("note"))
	}
}

// agentCheckUpdate reports the result of a check with a TTL.
func agentCheckUpdate(r *request) (*answer, error) {
	var update struct{ Status, Output string }
	if err := r.decode(&update); err != nil {
		return nil, err
	}
	if !wire.ValidStatus(update.Status) {
		return nil, refusal(http.StatusBadRequest, fmt.Sprintf("Invalid check status: '%s'", update.Status))
	}
	return r.report(update.Status, update.Output)
}

// report tells the health checker what a service says of itself.
func (r *request) report(status, output string) (*answer, error) {
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	msg := &messages.ReportCheck{ID: r.tail, Status: status, Output: output}
	if _, err := ask.Do(r.Context(), r.api.cfg.Health, msg); err != nil {
		return nil, err
	}
	return nothing, nil
}
