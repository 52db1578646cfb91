package http

import (
	"net/http"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes of a service mesh, which this agent is no part of. Proxies and services
// that speak the protocol themselves may be registered, and are found; which services
// stand behind a gateway is told by its config entry.
var (
	catalogConnect = query[wire.ServiceSpecificRequest, wire.IndexedServiceNodes]{
		read: endpoint.ServiceNodes, cached: true, worth: true, form: as("service"),
		args: func(r *request, args *wire.ServiceSpecificRequest) error {
			args.Connect = true
			return ofService(r, args)
		},
		show: func(_ *request, reply *wire.IndexedServiceNodes) (*answer, error) {
			return with(mended(reply.ServiceNodes, taggedInstance)), nil
		},
	}.handle

	catalogGatewayServices = query[wire.ServiceSpecificRequest, wire.IndexedGatewayServices]{
		read: endpoint.GatewayServices,
		args: func(r *request, args *wire.ServiceSpecificRequest) error {
			if r.tail == "" {
				return refusal(http.StatusBadRequest, "Missing gateway name")
			}
			return ofService(r, args)
		},
		show: func(_ *request, reply *wire.IndexedGatewayServices) (*answer, error) {
			return with(orEmpty(reply.Services)), nil
		},
	}.handle

	healthConnect = query[wire.ServiceSpecificRequest, wire.IndexedCheckServiceNodes]{
		read: endpoint.HealthServiceNodes, cached: true, worth: true,
		show: showInstances, form: formOfInstances, tell: tellOfInstances,
		args: func(r *request, args *wire.ServiceSpecificRequest) error {
			args.Connect = true
			return ofInstances(r, args)
		},
	}.handle

	healthIngress = query[wire.ServiceSpecificRequest, wire.IndexedCheckServiceNodes]{
		read: endpoint.HealthServiceNodes, cached: true, worth: true,
		show: showInstances, form: formOfInstances, tell: tellOfInstances,
		args: func(r *request, args *wire.ServiceSpecificRequest) error {
			args.Ingress = true
			return ofInstances(r, args)
		},
	}.handle
)
