// Package supervisor starts the agent's actors, restarts those that fail and
// stops them in order. It is the only package that knows them all.
//
// The tree of a server, in start order (a client agent goes without catalog,
// watch, serverrpc, gossip-wan, raft, leader, session and autopilot, and has a
// replica of the catalog before dns); stopping goes from the bottom up, after the
// leave plan (plan.go). TestDoc keeps the picture true.
//
//	logs        what was logged, for who watches
//	catalog     the replicated state; a failure ends the agent
//	certs       the certificates of this agent
//	watch       what is waited for, evaluated when it changes
//	serverrpc   port 8300
//	router      which servers can be asked
//	gossip-wan  the servers of all datacenters
//	gossip-lan  the agents of this datacenter
//	event       the user events of this datacenter
//	raft        the log that the servers agree on; a failure ends the agent
//	leader      what only the leader does
//	session     the deadlines of sessions, while this server leads
//	autopilot   who is in the raft peer set, and how the servers are
//	local       what is registered at this agent
//	health      how that is: one child a check
//	coordinate  where the agents are in the round-trip space
//	dns         port 8600
//	http        port 8500
//	rpc         port 8400
//	leave       the way out
//
// # A failure
//
// Every actor has a guard around it: the stack goes to the log, whoever asked has
// an answer at once, and the actor is started again under the same address, after
// a wait that grows when it keeps failing (policy.go). One that cannot stand is
// given up, and the agent with it, with an error that says which and why.
//
// # A stop
//
// Actors are stopped one after the other, each with a budget. One that hangs is
// left behind and named at the end. The order is decided by plain values
// (state.go), and told as events that the log and the tests read alike.
package supervisor
