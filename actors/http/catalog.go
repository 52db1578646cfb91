package http

import (
	"cmp"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/catalog: https://developer.hashicorp.com/consul/api-docs/catalog.
var (
	catalogNodes = query[wire.DCSpecificRequest, wire.IndexedNodes]{
		read: endpoint.ListNodes, args: inDatacenter, worth: true, form: as("nodes"), names: noPartition,
		show: func(_ *request, reply *wire.IndexedNodes) (*answer, error) {
			return with(orEmpty(reply.Nodes)), nil
		},
	}.handle

	catalogServices = query[wire.DCSpecificRequest, wire.IndexedServices]{
		read: endpoint.ListServices, args: inDatacenter, cached: true, worth: true, form: as("services"),
		show: func(_ *request, reply *wire.IndexedServices) (*answer, error) {
			if reply.Services == nil {
				return with(wire.Services{}), nil
			}
			return with(reply.Services), nil
		},
	}.handle

	catalogService = query[wire.ServiceSpecificRequest, wire.IndexedServiceNodes]{
		read: endpoint.ServiceNodes, args: ofService, cached: true, worth: true, form: as("service"),
		show: func(_ *request, reply *wire.IndexedServiceNodes) (*answer, error) {
			return with(mended(reply.ServiceNodes, taggedInstance)), nil
		},
	}.handle

	catalogNode = query[wire.NodeSpecificRequest, wire.IndexedNodeServices]{
		read: endpoint.NodeServices, args: onNode, worth: true, form: as("node"),
		show: func(_ *request, reply *wire.IndexedNodeServices) (*answer, error) {
			if reply.NodeServices == nil {
				return with(reply.NodeServices), nil // null, as ever
			}
			services := make(map[string]*wire.NodeService, len(reply.NodeServices.Services))
			for id, s := range reply.NodeServices.Services {
				services[id] = taggedService(s)
			}
			return with(&wire.NodeServices{Node: reply.NodeServices.Node, Services: services}), nil
		},
	}.handle

	catalogNodeServices = query[wire.NodeSpecificRequest, wire.IndexedNodeServiceList]{
		read: endpoint.NodeServiceList, args: onNode, worth: true, form: as("node services"),
		show: func(_ *request, reply *wire.IndexedNodeServiceList) (*answer, error) {
			list := reply.NodeServices
			if list.Node != nil {
				list.Services = mended(list.Services, taggedService)
			}
			return with(&list), nil
		},
	}.handle

	register = command[wire.RegisterRequest, struct{}]{
		write: endpoint.Register, show: done[wire.RegisterRequest, struct{}],
		args: func(r *request, args *wire.RegisterRequest) error {
			if err := r.decodeHere(args); err != nil {
				return err
			}
			args.Datacenter = cmp.Or(args.Datacenter, r.api.cfg.Facts.Datacenter)
			r.api.tellOdd(args)
			return nil
		},
	}.handle

	deregister = command[wire.DeregisterRequest, struct{}]{
		write: endpoint.Deregister, show: done[wire.DeregisterRequest, struct{}],
		args: func(r *request, args *wire.DeregisterRequest) error {
			if err := r.decodeHere(args); err != nil {
				return err
			}
			args.Datacenter = cmp.Or(args.Datacenter, r.api.cfg.Facts.Datacenter)
			return nil
		},
	}.handle
)

// catalogDatacenters lists the datacenters, our own first and then the nearest.
func catalogDatacenters(r *request) (*answer, error) {
	var args wire.DatacentersRequest
	if err := r.consistency(&args.QueryOptions); err != nil {
		return nil, err
	}
	args.Token = r.token()
	var names []string
	if err := invoke.Do(r.Context(), r.api.cfg.Invoker, invoke.ListDatacenters, &args, &names); err != nil {
		return nil, err
	}
	ans := with(orEmpty(names))
	if args.UseCache {
		ans.header = miss()
	}
	return ans, nil
}

// inDatacenter reads the arguments of what is asked of a whole datacenter.
func inDatacenter(r *request, args *wire.DCSpecificRequest) error {
	args.Datacenter = r.datacenter()
	args.Source = r.source()
	args.NodeMetaFilters = r.nodeMeta()
	return nil
}

// ofService reads the arguments of what is asked of a service.
func ofService(r *request, args *wire.ServiceSpecificRequest) error {
	if r.tail == "" {
		return missing("service name")
	}
	args.ServiceName = r.tail
	args.Datacenter = r.datacenter()
	args.Source = r.source()
	args.NodeMetaFilters = r.nodeMeta()
	args.ServiceTags, args.TagFilter = r.query["tag"], r.has("tag")
	args.MergeCentralConfig = r.has("merge-central-config")
	args.PeerName = r.param("peer")
	return nil
}

// onNode reads the arguments of what is asked of a node.
func onNode(r *request, args *wire.NodeSpecificRequest) error {
	if r.tail == "" {
		return missing("node name")
	}
	args.Node = r.tail
	args.Datacenter = r.datacenter()
	args.MergeCentralConfig = r.has("merge-central-config")
	return nil
}

// load reads a cell that may not be there.
func load[T any](cell *messages.Published[T]) *T {
	if cell == nil {
		return nil
	}
	return cell.Load()
}
