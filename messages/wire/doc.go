// Package wire holds the values that Consul's protocols carry: what the catalog,
// the KV store and sessions look like in a raft log entry, in a snapshot, in an
// RPC on port 8300 and in the JSON of the HTTP API.
//
// Field names are the protocol. One Go field is one msgpack key and, unless a tag
// says otherwise, one JSON key, so a field here is never renamed, and its order is
// the order clients see. Names and order are those of Consul up to 1.16, as the
// public API documents them.
//
// A value that has been handed to someone else (sent, applied, published in a
// snapshot) is never changed again: it is shared between goroutines without
// copies. Who wants to change one makes a copy first, maps and slices included.
//
// The files follow the protocols: catalog.go, health.go, kv.go, session.go,
// coordinate.go, autopilot.go, operator.go, txn.go; query.go has what every request
// and reply embeds, log.go the types of raft log entries, codec.go the encoding.
//
// The package depends on nothing of ours. It decodes whatever has the right shape;
// validate.go has the few rules about values that are the same everywhere. What a
// request must look like is in actors/catalog/endpoint.
package wire
