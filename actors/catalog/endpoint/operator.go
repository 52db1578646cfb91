package endpoint

import (
	"errors"

	"github.com/actor-consul/consul/messages/wire"
)

// CoordinateListNodes lists the coordinates of all nodes.
var CoordinateListNodes = Read[wire.DCSpecificRequest, wire.IndexedCoordinates]{"Coordinate.ListNodes", coordinateListNodes}

func coordinateListNodes(env *Env, _ *wire.DCSpecificRequest, reply *wire.IndexedCoordinates) error {
	reply.Index, reply.Coordinates = env.View.Coordinates(env.Watch)
	reply.Coordinates = visible(env, &reply.QueryMeta, reply.Coordinates, func(a Authorizer, c *wire.Coordinate) bool { return a.NodeRead(c.Node) })
	return nil
}

// CoordinateNode lists the coordinates of a node.
var CoordinateNode = Read[wire.NodeSpecificRequest, wire.IndexedCoordinates]{"Coordinate.Node", coordinateNode}

func coordinateNode(env *Env, args *wire.NodeSpecificRequest, reply *wire.IndexedCoordinates) error {
	if err := env.may(func(a Authorizer) bool { return a.NodeRead(args.Node) }); err != nil {
		return err
	}
	reply.Index, reply.Coordinates = env.View.NodeCoordinates(env.Watch, args.Node)
	return nil
}

// CoordinateMayTell says whether the node is there whose coordinate somebody wants to
// tell, and whether he may. The leader's actor that gathers coordinates does the rest.
func CoordinateMayTell(env *Env, node string) (known bool, err error) {
	if err := env.may(func(a Authorizer) bool { return a.NodeWrite(node) }); err != nil {
		return false, err
	}
	_, found := env.View.Node(nil, node)
	return found != nil, nil
}

// AutopilotGetConfiguration returns the autopilot configuration.
var AutopilotGetConfiguration = Read[wire.DCSpecificRequest, wire.AutopilotConfig]{"Operator.AutopilotGetConfiguration", autopilotGetConfiguration}

func autopilotGetConfiguration(env *Env, _ *wire.DCSpecificRequest, reply *wire.AutopilotConfig) error {
	if err := env.may(Authorizer.OperatorRead); err != nil {
		return err
	}
	_, config := env.View.AutopilotConfig(env.Watch)
	if config == nil {
		return errors.New("autopilot config not initialized yet")
	}
	*reply = *config
	return nil
}

// AutopilotSetConfiguration replaces the autopilot configuration. The reply says
// whether it did.
var AutopilotSetConfiguration = Write[wire.AutopilotSetConfigRequest, bool]{
	"Operator.AutopilotSetConfiguration", wire.AutopilotRequestType,
	func(env *Env, _ *wire.AutopilotSetConfigRequest, _ *bool) (bool, error) {
		err := env.may(Authorizer.OperatorWrite)
		return err == nil, err
	},
	resultBool,
}

// OperatorUsage counts what is in the catalog.
var OperatorUsage = Read[wire.OperatorUsageRequest, wire.Usage]{"Operator.Usage", operatorUsage}

func operatorUsage(env *Env, args *wire.OperatorUsageRequest, reply *wire.Usage) error {
	if err := env.may(Authorizer.OperatorRead); err != nil {
		return err
	}
	idx, usage := env.View.ServiceUsage(env.Watch)
	reply.Index = idx
	reply.Usage = map[string]wire.ServiceUsage{args.Datacenter: usage}
	return nil
}
