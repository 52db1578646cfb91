package messages

import "errors"

// The reasons for which an actor refuses a request. They travel in a Result or in
// the Err field of an answer; none of them is a crash.
var (
	// ErrUnavailable is returned when the actor that was asked is not there: not
	// started yet, being restarted, or stopped.
	ErrUnavailable = errors.New("this part of the agent is not running at the moment; try again")

	// ErrCrashed is returned when the actor failed while it worked on the request.
	// Whether the request took effect is unknown.
	ErrCrashed = errors.New("this part of the agent failed on the request and is being restarted; its outcome is unknown")

	// ErrNoLeader is returned when a request needs the leader and none is known.
	// Clients match the text.
	ErrNoLeader = errors.New("No cluster leader")

	// ErrNotLeader is returned when a server that does not lead is asked for what
	// only the leader does. It is for the router, which forwards.
	ErrNotLeader = errors.New("node is not the leader")

	// ErrLeadershipLost is returned when leadership went while a write was on its
	// way. Whether it took effect is unknown.
	ErrLeadershipLost = errors.New("leadership lost while committing log")

	// ErrOverloaded is returned when more requests are in flight than an actor
	// takes on. Nothing was done.
	ErrOverloaded = errors.New("too many requests in flight; try again")

	// ErrLeaving is returned when the agent is leaving or stopping and takes on
	// nothing new.
	ErrLeaving = errors.New("the agent is leaving")

	// ErrNotServer is returned when a client agent is asked for what only a server
	// has.
	ErrNotServer = errors.New("this agent is a client; ask a server")
)
