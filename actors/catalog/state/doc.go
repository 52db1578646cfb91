// Package state holds the replicated state as tables, and every rule about them:
// nodes, services, checks, keys, sessions, coordinates, prepared queries, the
// autopilot configuration.
//
//	raft's FSM goroutine ──Update──▶ Store ──View──▶ listeners, watches, the leader
//
// It is pure: no actor, no clock, no log, no goroutine. The same writes in the
// same order give the same tables on every server; the one thing that depends on
// the server's clock, the lock delays, every server keeps for itself, and the time
// comes in as an argument.
//
// A Store has one writer. Readers never wait: View returns an immutable snapshot,
// shared by all, that is replaced after each write. Every value a query returns is
// shared and must not be changed.
//
// # Indexes
//
// Every query returns, beside its result, the raft index of the last write that
// could have changed it, and adds to the WatchSet it is given what closes when the
// result may change. Both are fine-grained: a service, a node and a key prefix each
// have an index of their own, so that an unrelated write moves no index and wakes
// nobody. The rows are in index.go. An index of 0 means that nothing was ever
// written.
//
// # Names
//
// Names of nodes and services, and IDs of checks and sessions, are found without
// regard to case; keys are not.
//
// The package checks what must hold for the tables to make sense, with the error
// texts of Consul, which clients match. What a request must look like is checked
// by actors/catalog/endpoint before it enters the log.
package state
