// Package client asks other servers, over their port 8300.
//
//	invoke, raft ──Call, AskPeers──▶ Pool ──yamux, msgpack──▶ serverrpc of another server
//	invoke ──Snapshot──────────────▶      ──an archive──────▶
//
// It is no actor: any number of goroutines may use a Pool. To each address it keeps
// one connection, which carries many streams side by side (yamux), and a stream
// carries one call at a time. A connection that nobody has used for a while is
// closed.
//
// # What an error says
//
// A call that fails may have been carried out. The types of the errors tell:
//
//   - *invoke.Unsent: nothing was done, and another server may be asked. The server
//     could not be reached, or the connection broke before it had the whole request;
//     or the call was a read, which does nothing.
//   - RemoteError: the server has answered, and this is what it said.
//   - ErrOutcomeUnknown: the connection broke later. The call may have been carried
//     out.
package client
