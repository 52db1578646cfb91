// Package agentrpc is the protocol of port 8400: what the command line says to an
// agent and what it hears, byte for byte as Consul 0.1 to 0.7 had it, with a few
// commands of our own beside.
//
//	cmd/consul/rpcclient ──header, body──▶ actors/rpc
//	                     ◀─header, body──
//
// A connection is a stream of msgpack values in both directions. A request is a
// RequestHeader and, where the command has one, a body; an answer is a
// ResponseHeader with the same Seq and, where the command has one, a body. The
// first request is a handshake. A monitor goes on answering: each line of the log
// is a header with the Seq of the request and a LogRecord, in between the answers
// to other commands. A server closes the connection after a command that it does
// not know or that comes before the handshake, since it cannot tell where such a
// request ends.
//
// # What old programs see
//
// Field names are the protocol; none is renamed. Programs of Consul 0.1 to 0.7
// ignore fields that they do not know, so a field may be added to a body, but a
// body may not be added to an answer that had none. What is ours is marked so
// below, and old servers answer it with UnsupportedCommand.
//
// The package depends on nothing of ours. It has no connection and no clock.
package agentrpc
