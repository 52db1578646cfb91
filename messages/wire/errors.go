package wire

import "errors"

// Errors whose text crosses the wire. Clients compare the text, so it stays as
// Consul has it.
var (
	// ErrNoLeader is returned when no server is known to lead.
	ErrNoLeader = errors.New("No cluster leader") //nolint:revive,staticcheck // clients match the text
	// ErrNoDCPath is returned when no server of the datacenter is known.
	ErrNoDCPath = errors.New("No path to datacenter") //nolint:revive,staticcheck // clients match the text
	// ErrDCNotAvailable is returned when no server of the datacenter can be reached.
	ErrDCNotAvailable = errors.New("Remote DC has no server currently reachable") //nolint:revive,staticcheck // clients match the text
	// ErrNoServers is returned when a client agent knows no server.
	ErrNoServers = errors.New("No known Consul servers") //nolint:revive,staticcheck // clients match the text
	// ErrNotReadyForConsistentReads is returned by a leader that has not yet
	// applied what was committed before its term.
	ErrNotReadyForConsistentReads = errors.New("Not ready to serve consistent reads") //nolint:revive,staticcheck // clients match the text
	// ErrQueryNotFound is returned when there is no such prepared query.
	ErrQueryNotFound = errors.New("Query not found") //nolint:revive,staticcheck // clients match the text
	// ErrPermissionDenied is returned when the token may not do what was asked.
	ErrPermissionDenied = errors.New("Permission denied") //nolint:revive,staticcheck // clients match the text
)
