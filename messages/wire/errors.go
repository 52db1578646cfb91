package wire

import "errors"

// Errors whose text crosses the wire. Clients compare the text, so it stays as
// Consul has it.
var (
	// ErrNoLeader is returned when no server is known to lead.
	ErrNoLeader = errors.New("No cluster leader")
	// ErrNoDCPath is returned when no server of the datacenter is known.
	ErrNoDCPath = errors.New("No path to datacenter")
	// ErrDCNotAvailable is returned when no server of the datacenter can be reached.
	ErrDCNotAvailable = errors.New("Remote DC has no server currently reachable")
	// ErrNoServers is returned when a client agent knows no server.
	ErrNoServers = errors.New("No known Consul servers")
	// ErrNotReadyForConsistentReads is returned by a leader that has not yet
	// applied what was committed before its term.
	ErrNotReadyForConsistentReads = errors.New("Not ready to serve consistent reads")
	// ErrQueryNotFound is returned when there is no such prepared query.
	ErrQueryNotFound = errors.New("Query not found")
	// ErrPermissionDenied is returned when the token may not do what was asked.
	ErrPermissionDenied = errors.New("Permission denied")
)
