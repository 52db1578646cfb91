package http

import (
	"net/http"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/coordinate: https://developer.hashicorp.com/consul/api-docs/coordinate.
var (
	coordinateNodes = query[wire.DCSpecificRequest, wire.IndexedCoordinates]{
		read: endpoint.CoordinateListNodes, silent: true, names: noPartition, args: inDatacenter,
		show: func(r *request, reply *wire.IndexedCoordinates) (*answer, error) {
			return with(inSegment(r, reply.Coordinates)), nil
		},
	}.handle

	coordinateNode = query[wire.NodeSpecificRequest, wire.IndexedCoordinates]{
		read: endpoint.CoordinateNode, silent: true, names: noPartition, args: onNode,
		show: func(r *request, reply *wire.IndexedCoordinates) (*answer, error) {
			found := inSegment(r, reply.Coordinates)
			if len(found) == 0 {
				return &answer{status: http.StatusNotFound, unmarked: true}, nil
			}
			return with(found), nil
		},
	}.handle
)

// coordinateUpdate tells the leader where a node is.
var coordinateUpdate = duty[wire.CoordinateUpdateRequest, struct{}]{
	do: invoke.CoordinateUpdate,
	args: func(r *request, args *wire.CoordinateUpdateRequest) error {
		if err := r.decode(args); err != nil {
			return err
		}
		args.Datacenter = r.datacenter()
		args.SetTokenSecret(r.token())
		return nil
	},
	show: func(*request, *struct{}) (*answer, error) { return nothing, nil },
}.handle

// inSegment leaves the coordinates of the network segment that is asked for, if
// one is.
func inSegment(r *request, all wire.Coordinates) wire.Coordinates {
	if !r.has("segment") {
		return orEmpty(all)
	}
	found := wire.Coordinates{}
	for _, c := range all {
		if c.Segment == r.param("segment") {
			found = append(found, c)
		}
	}
	return found
}

// coordinateDatacenters lists the servers of each datacenter with where they are in
// the round-trip space of the WAN pool.
func coordinateDatacenters(r *request) (*answer, error) {
	var all []wire.DatacenterMap
	if err := invoke.Do(r.Context(), r.api.cfg.Invoker, invoke.DatacenterMaps, &wire.EmptyReadRequest{}, &all); err != nil {
		return nil, err
	}
	return with(orEmpty(all)), nil
}
