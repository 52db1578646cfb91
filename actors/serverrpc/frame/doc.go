// Package frame is how port 8300 is spoken: what the first byte of a connection
// means, how requests and answers are laid out, and how they are carried side by
// side over one connection.
//
//	serverrpc, serverrpc/client ──▶ frame
//
// All of it is Consul's. A connection begins with a byte, its Kind. On an RPC
// connection, and on each stream of a multiplexed one, follow requests: a Request
// and its arguments, both msgpack. The answer is a Response and the reply, which is
// an empty map when Response.Error says why there is none. This is the framing of
// net/rpc with the codec of github.com/hashicorp/net-rpc-msgpackrpc, except that
// nothing is allocated for what a sender only announces.
//
// The package has no connection of its own and no clock.
package frame
