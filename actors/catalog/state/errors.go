package state

import "errors"

// The errors of writes. Clients match their texts, which are Consul's.
var (
	// ErrMissingNode is returned when something is registered on a node that is
	// not in the catalog.
	ErrMissingNode = errors.New("Missing node registration")
	// ErrMissingService is returned when a check is registered for a service that
	// is not on the node.
	ErrMissingService = errors.New("Missing service registration")
	// ErrMissingSessionID is returned when a session to create has no ID.
	ErrMissingSessionID = errors.New("Missing session ID")
)
