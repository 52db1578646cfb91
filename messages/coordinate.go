package messages

import "github.com/actor-consul/consul/messages/wire"

// UpdateCoordinate says where a node is in the round-trip space of the LAN pool.
//
// From:  invoke
// To:    coordinate
// Reply: Unit, once it is noted; it is written a moment later, with others, unless
// leadership is lost by then. ErrOverloaded when too many are waiting
type UpdateCoordinate struct {
	Asked[Unit]
	Coordinate *wire.Coordinate // nobody changes it
}
