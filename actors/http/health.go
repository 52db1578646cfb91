package http

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/health: https://developer.hashicorp.com/consul/api-docs/health.
var (
	healthNode = query[wire.NodeSpecificRequest, wire.IndexedHealthChecks]{
		read: endpoint.NodeChecks, args: onNode, show: showChecks, worth: true, form: as("checks"),
	}.handle

	healthChecks = query[wire.ServiceSpecificRequest, wire.IndexedHealthChecks]{
		read: endpoint.ServiceChecks, show: showChecks, worth: true, form: as("checks"),
		args: func(r *request, args *wire.ServiceSpecificRequest) error {
			err := ofService(r, args)
			args.ServiceTags, args.TagFilter = nil, false // passed over here
			return err
		},
	}.handle

	healthState = query[wire.ChecksInStateRequest, wire.IndexedHealthChecks]{
		read: endpoint.ChecksInState, show: showChecks, worth: true, form: as("checks"),
		args: func(r *request, args *wire.ChecksInStateRequest) error {
			if r.tail == "" {
				return missing("check state")
			}
			args.State = r.tail
			args.Datacenter = r.datacenter()
			args.Source = r.source()
			args.NodeMetaFilters = r.nodeMeta()
			return nil
		},
	}.handle

	healthService = query[wire.ServiceSpecificRequest, wire.IndexedCheckServiceNodes]{
		read: endpoint.HealthServiceNodes, args: ofInstances, cached: true, worth: true,
		show: showInstances, form: formOfInstances, tell: tellOfInstances,
	}.handle
)

// ofInstances reads the arguments of what is asked of a service's instances and
// their checks.
func ofInstances(r *request, args *wire.ServiceSpecificRequest) error {
	if _, err := r.passing(); err != nil { // before anything is asked
		return err
	}
	return ofService(r, args)
}

func showChecks(_ *request, reply *wire.IndexedHealthChecks) (*answer, error) {
	return with(mended(reply.HealthChecks, taggedCheck)), nil
}

func showInstances(r *request, reply *wire.IndexedCheckServiceNodes) (*answer, error) {
	passing, err := r.passing()
	if err != nil {
		return nil, err
	}
	shown := make(wire.CheckServiceNodes, 0, len(reply.Nodes))
	for _, n := range reply.Nodes {
		if passing && !allPassing(n.Checks) {
			continue
		}
		n.Checks = mended(n.Checks, taggedCheck)
		n.Service = taggedService(n.Service)
		shown = append(shown, n)
	}
	return with(shown), nil
}

// formOfInstances tells what showInstances makes of a request.
func formOfInstances(r *request) string {
	if passing, _ := r.passing(); passing {
		return "passing instances"
	}
	return "instances"
}

func tellOfInstances(r *request, meta *wire.QueryMeta) {
	if r.has("cached") && !r.has("near") && !strings.HasPrefix(r.URL.Path, "/v1/health/ingress/") {
		meta.KnownLeader = false // Consul's cache is filled from a stream, which does not say
	}
}

// passing reports whether only instances whose checks all pass are asked for. The
// parameter needs no value.
func (r *request) passing() (bool, error) {
	text := r.param("passing")
	if text == "" {
		return r.has("passing"), nil
	}
	only, err := strconv.ParseBool(text)
	if err != nil {
		return false, refusal(http.StatusBadRequest, "Invalid value for ?passing")
	}
	return only, nil
}

func allPassing(checks wire.HealthChecks) bool {
	for _, c := range checks {
		if c.Status != wire.HealthPassing {
			return false
		}
	}
	return true
}
