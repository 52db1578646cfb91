package endpoint

import (
	"errors"
	"slices"

	"github.com/actor-consul/consul/messages/wire"
)

func canReadCheck(a Authorizer, c *wire.HealthCheck) bool {
	return a.NodeRead(c.Node) && (c.ServiceName == "" || a.ServiceRead(c.ServiceName))
}

func canReadInstance(a Authorizer, n wire.CheckServiceNode) bool {
	return a.NodeRead(n.Node.Node) && a.ServiceRead(n.Service.Service)
}

// answerChecks fills in a reply with the checks that the filter and the asker's
// rights leave.
func answerChecks(env *Env, expr string, reply *wire.IndexedHealthChecks, query func() (uint64, wire.HealthChecks)) error {
	filter, err := compile[*wire.HealthCheck](expr)
	if err != nil {
		return err
	}
	reply.Index, reply.HealthChecks = query()
	reply.HealthChecks = filter.slice(reply.HealthChecks)
	reply.HealthChecks = visible(env, &reply.QueryMeta, reply.HealthChecks, canReadCheck)
	return nil
}

func nodeOfCheck(c *wire.HealthCheck) string { return c.Node }

// ChecksInState lists the checks in a state.
var ChecksInState = Read[wire.ChecksInStateRequest, wire.IndexedHealthChecks]{"Health.ChecksInState", ours(checksInState)}

func checksInState(env *Env, args *wire.ChecksInStateRequest, reply *wire.IndexedHealthChecks) error {
	err := answerChecks(env, args.Filter, reply, func() (uint64, wire.HealthChecks) {
		return env.View.ChecksInState(env.Watch, args.State, args.NodeMetaFilters)
	})
	sortNear(env, args.Datacenter, &args.Source, reply.HealthChecks, nodeOfCheck)
	return err
}

// NodeChecks lists the checks on a node.
var NodeChecks = Read[wire.NodeSpecificRequest, wire.IndexedHealthChecks]{"Health.NodeChecks", ours(nodeChecks)}

func nodeChecks(env *Env, args *wire.NodeSpecificRequest, reply *wire.IndexedHealthChecks) error {
	return answerChecks(env, args.Filter, reply, func() (uint64, wire.HealthChecks) {
		return env.View.NodeChecks(env.Watch, args.Node)
	})
}

// ServiceChecks lists the checks of a service.
var ServiceChecks = Read[wire.ServiceSpecificRequest, wire.IndexedHealthChecks]{"Health.ServiceChecks", ours(serviceChecks)}

func serviceChecks(env *Env, args *wire.ServiceSpecificRequest, reply *wire.IndexedHealthChecks) error {
	if args.TagFilter {
		return errors.New("Tag filtering is not supported")
	}
	err := answerChecks(env, args.Filter, reply, func() (uint64, wire.HealthChecks) {
		return env.View.ServiceChecks(env.Watch, args.ServiceName, args.NodeMetaFilters)
	})
	sortNear(env, args.Datacenter, &args.Source, reply.HealthChecks, nodeOfCheck)
	return err
}

// HealthServiceNodes lists the instances of a service with nodes and checks,
// whatever their state.
var HealthServiceNodes = Read[wire.ServiceSpecificRequest, wire.IndexedCheckServiceNodes]{"Health.ServiceNodes", ours(healthServiceNodes)}

func healthServiceNodes(env *Env, args *wire.ServiceSpecificRequest, reply *wire.IndexedCheckServiceNodes) error {
	if args.ServiceName == "" {
		return errNoServiceName
	}
	filter, err := compile[wire.CheckServiceNode](args.Filter)
	if err != nil {
		return err
	}
	switch {
	case args.Connect:
		reply.Index, reply.Nodes = env.View.CheckConnectServiceNodes(env.Watch, args.ServiceName)
	case args.Ingress:
		reply.Index, reply.Nodes = env.View.CheckIngressServiceNodes(env.Watch, args.ServiceName)
	default:
		reply.Index, reply.Nodes = env.View.CheckServiceTagNodes(env.Watch, args.ServiceName, args.Tags())
	}
	if len(args.NodeMetaFilters) > 0 {
		reply.Nodes = slices.DeleteFunc(reply.Nodes, func(n wire.CheckServiceNode) bool {
			return !wire.SatisfiesMeta(n.Node.Meta, args.NodeMetaFilters)
		})
	}
	reply.Nodes = filter.slice(reply.Nodes)
	reply.Nodes = visible(env, &reply.QueryMeta, reply.Nodes, canReadInstance)
	sortNear(env, args.Datacenter, &args.Source, reply.Nodes, func(n wire.CheckServiceNode) string { return n.Node.Node })
	return nil
}
