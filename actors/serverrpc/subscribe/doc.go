// Package subscribe is what Consul's client agents say and hear when they subscribe to
// changes, on the gRPC connections of port 8300: subscribe.StateChangeSubscription.
//
//	Subscribe(Request) ──▶ stream of Event
//
// A Request names a topic. A Listing is what an answer of the state is to those who
// have subscribed to it, encoded once for all of them. A Teller knows what one client
// has been told, and makes of the next Listing the events that it has to be told now:
// first all there is and that this was all, then what has changed.
//
// Field numbers and meanings are those of Consul's subscribe.proto, node.proto,
// service.proto, healthcheck.proto and common.proto. What has its zero value is left
// out, as in every encoding of proto3; messages that older agents look into without
// asking whether they are there are always there.
//
// The package is pure: connections, and who waits on them, are serverrpc's.
package subscribe
