package invoke

import (
	"context"
	"errors"

	"github.com/hashicorp/serf/coordinate"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// CoordinateUpdate tells the leader where a node is. It is answered before that is
// written.
var CoordinateUpdate = &Duty[wire.CoordinateUpdateRequest, struct{}]{method: "Coordinate.Update", run: updateCoordinate}

// The reasons for which a coordinate is refused, as Consul has them.
var (
	errInvalidCoordinate      = errors.New("invalid coordinate")
	errIncompatibleCoordinate = errors.New("incompatible coordinate")
)

// origin is a coordinate as all have to be: of so many dimensions.
var origin = coordinate.NewCoordinate(coordinate.DefaultConfig())

func updateCoordinate(ctx context.Context, inv *Invoker, args *wire.CoordinateUpdateRequest, _ *struct{}) error {
	switch {
	case args.Node == "":
		return errors.New("Must provide node")
	case args.Coord == nil || !args.Coord.IsValid():
		return errInvalidCoordinate
	case !args.Coord.IsCompatibleWith(origin):
		return errIncompatibleCoordinate
	case !inv.cfg.Status.Load().Leads():
		return messages.ErrNotLeader
	}
	known, err := endpoint.CoordinateMayTell(inv.env(), args.Node)
	if err != nil || !known { // not yet, or not any more; the next one will do
		return err
	}
	_, err = ask.Do(ctx, inv.cfg.Coordinates, &messages.UpdateCoordinate{
		Coordinate: &wire.Coordinate{Node: args.Node, Segment: args.Segment, Coord: args.Coord},
	})
	return err
}
