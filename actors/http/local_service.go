package http

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	consul "github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/definition"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/agent/service, of what is registered at this very agent:
// https://developer.hashicorp.com/consul/api-docs/agent/service.

// local returns what is registered at this agent.
func (r *request) local() *messages.LocalView {
	if view := load(r.api.cfg.LocalView); view != nil {
		return view
	}
	return &messages.LocalView{}
}

// agentServices lists the services, by ID.
func agentServices(r *request) (*answer, error) {
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	fits, err := endpoint.CompileFilter[*consul.AgentService](r.param("filter"))
	if err != nil {
		return nil, err
	}
	shown := map[string]*consul.AgentService{}
	for id, s := range r.local().Services {
		a, err := agentServiceOf(s, r.api.cfg.Facts.Datacenter)
		if err != nil {
			return nil, err
		}
		if fits(a) {
			shown[id] = a
		}
	}
	return with(shown), nil
}

// The times that a request waits for a service to change: when it does not say how
// long, and at most. Up to a sixteenth is added, so that those who wait together do
// not come back together.
const (
	hashWait     = 5 * time.Minute
	hashWaitMost = 10 * time.Minute
	hashJitter   = 16
)

// agentService answers with one service. With ?hash it waits until the service is
// another than the one with that hash.
func agentService(r *request) (*answer, error) {
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	var opts wire.QueryOptions
	if err := r.waiting(&opts); err != nil {
		return nil, err
	}
	wait := min(cmp.Or(opts.MaxQueryTime, hashWait), hashWaitMost)
	enough := time.NewTimer(wait + rand.N(wait/hashJitter+1))
	defer enough.Stop()
	for over := false; ; {
		view := r.local()
		a, hash, err := hashedService(r, view)
		if err != nil {
			return nil, err
		}
		if over || hash != r.param("hash") {
			ans := with(a)
			ans.header = http.Header{"X-Consul-Contenthash": {hash}}
			return ans, nil
		}
		select {
		case <-view.Changed:
		case <-enough.C:
			over = true
		case <-r.api.leaving.Done():
			over = true
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// hashedService returns the service that is asked for, and its hash.
func hashedService(r *request, view *messages.LocalView) (*consul.AgentService, string, error) {
	s := view.Services[r.tail]
	if s == nil {
		return nil, "", refusal(http.StatusNotFound, "unknown service ID: "+r.tail)
	}
	a, err := agentServiceOf(s, r.api.cfg.Facts.Datacenter)
	if err != nil {
		return nil, "", err
	}
	hash, err := contentHash(a)
	if err != nil {
		return nil, "", err
	}
	a.ContentHash = hash
	return a, hash, nil
}

// agentRegister registers a service, its checks and its sidecar.
func agentRegister(r *request) (*answer, error) {
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	var d wire.ServiceDefinition
	if err := r.decodeHere(&d); err != nil {
		return nil, err
	}
	d.Token = r.token()
	msg, err := definition.Service(&d)
	if err != nil {
		return nil, refusal(http.StatusBadRequest, err.Error())
	}
	replace := r.param("replace-existing-checks")
	msg.ReplaceChecks = r.has("replace-existing-checks") && (replace == "" || replace == "true")
	if msg.Sidecar != nil {
		msg.Sidecar.ReplaceChecks = msg.ReplaceChecks
	}
	return change(r, msg)
}

// agentDeregister takes a service and its checks away.
func agentDeregister(r *request) (*answer, error) {
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	return change(r, &messages.DeregisterService{ID: r.tail})
}

// agentServiceMaintenance takes a service out of use, or back into it.
func agentServiceMaintenance(r *request) (*answer, error) {
	if r.tail == "" {
		return nil, missing("service ID")
	}
	on, err := r.enable()
	if err != nil {
		return nil, err
	}
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	s := r.local().Services[r.tail]
	if s == nil {
		return nil, refusal(http.StatusNotFound, fmt.Sprintf("%s %q. Ensure that the service ID is passed, not the service name.", messages.ErrUnknownService, r.tail))
	}
	return r.maintain(on, &wire.HealthCheck{
		CheckID:   wire.ServiceMaintPrefix + s.ID,
		Name:      "Service Maintenance Mode",
		Notes:     cmp.Or(r.param("reason"), "Maintenance mode is enabled for this service, but no reason was provided. This is a default message."),
		ServiceID: s.ID,
	})
}

// agentMaintenance takes the whole node out of use, or back into it.
func agentMaintenance(r *request) (*answer, error) {
	on, err := r.enable()
	if err != nil {
		return nil, err
	}
	return r.maintain(on, &wire.HealthCheck{
		CheckID: wire.NodeMaint,
		Name:    "Node Maintenance Mode",
		Notes:   cmp.Or(r.param("reason"), "Maintenance mode is enabled for this node, but no reason was provided. This is a default message."),
	})
}

// enable reads what maintenance mode is to be.
func (r *request) enable() (bool, error) {
	if !r.has("enable") {
		return false, missing("value for enable")
	}
	on, err := strconv.ParseBool(r.param("enable"))
	if err != nil {
		return false, refusal(http.StatusBadRequest, fmt.Sprintf("Invalid value for enable: %q", r.param("enable")))
	}
	return on, nil
}

// maintain registers the critical check that maintenance mode is, or takes it away.
// The mode that is on stays as it is.
func (r *request) maintain(on bool, check *wire.HealthCheck) (*answer, error) {
	is := r.local().Checks[check.CheckID] != nil
	switch {
	case on == is:
		return nothing, nil
	case !on:
		return change(r, &messages.DeregisterCheck{ID: check.CheckID})
	default:
		check.Status, check.Type = wire.HealthCritical, "maintenance"
		return change(r, &messages.RegisterCheck{
			CheckDefinition: messages.CheckDefinition{Check: check}, Token: r.token(),
		})
	}
}

// syncPatience is how long an answer is held for the catalog to be told.
const syncPatience = 3 * time.Second

// change has local make a change, and the catalog told of it.
func change(r *request, msg ask.Request[messages.Unit]) (*answer, error) {
	if _, err := ask.Do(r.Context(), r.api.cfg.Local, msg); err != nil {
		return nil, err
	}
	// Who registers something looks for it in the catalog next. It is registered all
	// the same when the catalog cannot be told yet.
	ctx, cancel := context.WithTimeout(r.Context(), syncPatience)
	defer cancel()
	_, _ = ask.Do(ctx, r.api.cfg.Local, &messages.AwaitSync{})
	return nothing, nil
}
