package http

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages"
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
	if !r.api.cfg.Facts.Server {
		return nil, messages.ErrNotServer
	}
	byDC := map[string]wire.Coordinates{}
	if view := load(r.api.cfg.WANView); view != nil {
		for _, m := range view.Members {
			dc := m.Tags["dc"]
			if dc == "" || m.Status == messages.MemberLeft {
				continue
			}
			byDC[dc] = append(byDC[dc], located(view, m, strings.TrimSuffix(m.Name, "."+dc))...)
		}
	}
	all := make([]wire.DatacenterMap, 0, len(byDC))
	for _, dc := range slices.Sorted(maps.Keys(byDC)) {
		all = append(all, wire.DatacenterMap{Datacenter: dc, AreaID: "wan", Coordinates: orEmpty(byDC[dc])})
	}
	return with(all), nil
}

// located returns the coordinate of a member under a name, or none when it has
// none yet.
func located(view *messages.PoolView, m messages.Member, name string) wire.Coordinates {
	if view.Coordinate == nil {
		return nil
	}
	coord := view.Coordinate(m.Name)
	if coord == nil {
		return nil
	}
	return wire.Coordinates{{Node: name, Segment: m.Tags["segment"], Coord: coord}}
}
