package endpoint

import (
	"errors"
	"maps"
	"slices"

	"github.com/actor-consul/consul/messages/wire"
)

// Errors of requests that lack something. Clients match the texts.
var (
	errNoNode        = errors.New("Must provide node")
	errNoServiceName = errors.New("Must provide service name")
)

// ListNodes lists the nodes of the catalog.
var ListNodes = Read[wire.DCSpecificRequest, wire.IndexedNodes]{"Catalog.ListNodes", ours(listNodes)}

func listNodes(env *Env, args *wire.DCSpecificRequest, reply *wire.IndexedNodes) error {
	filter, err := compile[*wire.Node](args.Filter)
	if err != nil {
		return err
	}
	reply.Index, reply.Nodes = env.View.Nodes(env.Watch, args.NodeMetaFilters)
	if unmodified(&args.QueryOptions, &reply.QueryMeta) {
		reply.Nodes = nil
		return nil
	}
	reply.Nodes = filter.slice(reply.Nodes)
	reply.Nodes = visible(env, &reply.QueryMeta, reply.Nodes, canReadNode)
	sortNear(env, args.Datacenter, &args.Source, reply.Nodes, func(n *wire.Node) string { return n.Node })
	return nil
}

func canReadNode(a Authorizer, n *wire.Node) bool { return a.NodeRead(n.Node) }

// ListServices lists the names of services with their tags.
var ListServices = Read[wire.DCSpecificRequest, wire.IndexedServices]{"Catalog.ListServices", ours(listServices)}

func listServices(env *Env, args *wire.DCSpecificRequest, reply *wire.IndexedServices) error {
	filter, err := compile[*wire.ServiceNode](args.Filter)
	if err != nil {
		return err
	}
	if filter == nil {
		reply.Index, reply.Services = env.View.Services(env.Watch, args.NodeMetaFilters)
	} else {
		reply.Index, reply.Services = env.View.ServicesWhere(env.Watch, args.NodeMetaFilters, filter.match)
	}
	if unmodified(&args.QueryOptions, &reply.QueryMeta) {
		reply.Services = nil
		return nil
	}
	if env.Authz != nil {
		all := len(reply.Services)
		maps.DeleteFunc(reply.Services, func(name string, _ []string) bool { return !env.Authz.ServiceRead(name) })
		reply.ResultsFilteredByACLs = len(reply.Services) != all
	}
	return nil
}

// ServiceList lists the names of services.
var ServiceList = Read[wire.DCSpecificRequest, wire.IndexedServiceList]{"Catalog.ServiceList", ours(serviceList)}

func serviceList(env *Env, args *wire.DCSpecificRequest, reply *wire.IndexedServiceList) error {
	idx, services := env.View.Services(env.Watch, args.NodeMetaFilters)
	reply.Index = idx
	for _, name := range slices.Sorted(maps.Keys(services)) {
		reply.Services = append(reply.Services, wire.ServiceName{Name: name})
	}
	reply.Services = visible(env, &reply.QueryMeta, reply.Services, func(a Authorizer, s wire.ServiceName) bool { return a.ServiceRead(s.Name) })
	return nil
}

// ServiceNodes lists the instances of a service with their nodes.
var ServiceNodes = Read[wire.ServiceSpecificRequest, wire.IndexedServiceNodes]{"Catalog.ServiceNodes", ours(serviceNodes)}

func serviceNodes(env *Env, args *wire.ServiceSpecificRequest, reply *wire.IndexedServiceNodes) error {
	if args.ServiceName == "" && args.ServiceAddress == "" {
		return errNoServiceName
	}
	filter, err := compile[*wire.ServiceNode](args.Filter)
	if err != nil {
		return err
	}
	switch {
	case args.Connect:
		reply.Index, reply.ServiceNodes = env.View.ConnectServiceNodes(env.Watch, args.ServiceName)
	case args.ServiceAddress != "":
		reply.Index, reply.ServiceNodes = env.View.ServiceAddressNodes(env.Watch, args.ServiceAddress)
	default:
		reply.Index, reply.ServiceNodes = env.View.ServiceNodes(env.Watch, args.ServiceName, args.Tags())
	}
	if len(args.NodeMetaFilters) > 0 {
		reply.ServiceNodes = slices.DeleteFunc(reply.ServiceNodes, func(s *wire.ServiceNode) bool {
			return !wire.SatisfiesMeta(s.NodeMeta, args.NodeMetaFilters)
		})
	}
	reply.ServiceNodes = filter.slice(reply.ServiceNodes)
	reply.ServiceNodes = visible(env, &reply.QueryMeta, reply.ServiceNodes, func(a Authorizer, s *wire.ServiceNode) bool {
		return a.NodeRead(s.Node) && a.ServiceRead(s.ServiceName)
	})
	sortNear(env, args.Datacenter, &args.Source, reply.ServiceNodes, func(s *wire.ServiceNode) string { return s.Node })
	return nil
}

// NodeServices returns a node with its services by ID.
var NodeServices = Read[wire.NodeSpecificRequest, wire.IndexedNodeServices]{"Catalog.NodeServices", ours(nodeServices)}

func nodeServices(env *Env, args *wire.NodeSpecificRequest, reply *wire.IndexedNodeServices) error {
	if args.Node == "" {
		return errNoNode
	}
	filter, err := compile[*wire.NodeService](args.Filter)
	if err != nil {
		return err
	}
	idx, ns := env.View.NodeServices(env.Watch, args.Node)
	reply.Index = idx
	if ns == nil {
		return nil
	}
	if env.may(func(a Authorizer) bool { return a.NodeRead(ns.Node.Node) }) != nil {
		reply.ResultsFilteredByACLs = true
		return nil
	}
	maps.DeleteFunc(ns.Services, func(_ string, s *wire.NodeService) bool {
		if env.may(func(a Authorizer) bool { return a.ServiceRead(s.Service) }) != nil {
			reply.ResultsFilteredByACLs = true
			return true
		}
		return !filter.match(s)
	})
	reply.NodeServices = ns
	return nil
}

// NodeServiceList returns a node with its services in a list.
var NodeServiceList = Read[wire.NodeSpecificRequest, wire.IndexedNodeServiceList]{"Catalog.NodeServiceList", ours(nodeServiceList)}

func nodeServiceList(env *Env, args *wire.NodeSpecificRequest, reply *wire.IndexedNodeServiceList) error {
	if args.Node == "" {
		return errNoNode
	}
	filter, err := compile[*wire.NodeService](args.Filter)
	if err != nil {
		return err
	}
	idx, ns := env.View.NodeServiceList(env.Watch, args.Node)
	reply.Index = idx
	if ns == nil {
		return nil
	}
	if env.may(func(a Authorizer) bool { return a.NodeRead(ns.Node.Node) }) != nil {
		reply.ResultsFilteredByACLs = true
		return nil
	}
	ns.Services = filter.slice(ns.Services)
	ns.Services = visible(env, &reply.QueryMeta, ns.Services, func(a Authorizer, s *wire.NodeService) bool { return a.ServiceRead(s.Service) })
	reply.NodeServices = *ns
	return nil
}

// GatewayServices lists the services behind a gateway of the mesh.
var GatewayServices = Read[wire.ServiceSpecificRequest, wire.IndexedGatewayServices]{"Catalog.GatewayServices", gatewayServices}

func gatewayServices(env *Env, args *wire.ServiceSpecificRequest, reply *wire.IndexedGatewayServices) error {
	if args.ServiceName == "" {
		return errNoServiceName
	}
	filter, err := compile[*wire.GatewayService](args.Filter)
	if err != nil {
		return err
	}
	reply.Index, reply.Services = env.View.GatewayServices(env.Watch, args.ServiceName)
	reply.Services = filter.slice(reply.Services)
	reply.Services = visible(env, &reply.QueryMeta, reply.Services, func(a Authorizer, s *wire.GatewayService) bool {
		return a.ServiceRead(s.Service.Name)
	})
	return nil
}
