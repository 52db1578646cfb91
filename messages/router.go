package messages

// Routes is which servers can be asked, by datacenter. It is published whenever a
// server comes, goes or moves.
type Routes struct {
	// Servers are those that are alive, by datacenter, in an order that is this
	// agent's own, so that the agents of a datacenter spread over its servers.
	Servers map[string][]Server

	// Failed are those of other datacenters that the WAN pool regards as failed, by
	// datacenter and name: a datacenter that has only these is known, and cannot be
	// reached.
	Failed map[string][]Server
}

// ServerFailed says that a server could not be reached, so that others are asked
// before it.
//
// From:  invoke
// To:    router
// Reply: none
type ServerFailed struct {
	Datacenter string
	Address    string // host:port
}
