package wire

import "github.com/hashicorp/serf/coordinate"

// Coordinate is where a node is in the round-trip space of a network segment.
type Coordinate struct {
	Node      string
	Segment   string
	Partition string `json:",omitempty"`
	Coord     *coordinate.Coordinate
}

// Coordinates is a list of coordinates. It is also a log entry, of type
// CoordinateBatchUpdateType.
type Coordinates []*Coordinate

// CoordinateUpdateRequest tells the leader where a node is. The leader gathers
// these into batches.
type CoordinateUpdateRequest struct {
	Datacenter string
	Node       string
	Segment    string
	Coord      *coordinate.Coordinate
	WriteRequest
}

// RequestDatacenter implements Request.
func (r *CoordinateUpdateRequest) RequestDatacenter() string { return r.Datacenter }

// DatacenterMap has the WAN coordinates of a datacenter's servers.
type DatacenterMap struct {
	Datacenter  string
	AreaID      string
	Coordinates Coordinates
}

// IndexedCoordinates answers Coordinate.ListNodes and Coordinate.Node.
type IndexedCoordinates struct {
	Coordinates Coordinates
	QueryMeta
}

// DatacentersRequest is the arguments of Catalog.ListDatacenters.
type DatacentersRequest struct {
	QueryOptions
}

// RequestDatacenter implements Request.
func (*DatacentersRequest) RequestDatacenter() string { return "" }
