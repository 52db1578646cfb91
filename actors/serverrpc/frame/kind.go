package frame

import "fmt"

// Kind is the first byte of a connection: what will be spoken on it.
type Kind byte

// The kinds of connections. Consul uses no byte up to 19 that TLS would begin with.
const (
	RPC            Kind = 0 // requests, one connection
	Raft           Kind = 1 // the raft library's own protocol
	Multiplex      Kind = 2 // yamux too; before Consul 0.5 it was another library
	TLS            Kind = 3 // TLS, in which another first byte comes
	MultiplexV2    Kind = 4 // yamux, whose streams carry requests
	Snapshot       Kind = 5
	Gossip         Kind = 6
	TLSInsecure    Kind = 7
	GRPC           Kind = 8
	RaftForwarding Kind = 9

	// NativeTLS is the first byte of a TLS handshake.
	NativeTLS Kind = 22
)

var kindNames = map[Kind]string{
	RPC: "RPC", Raft: "raft", Multiplex: "multiplex", TLS: "TLS", MultiplexV2: "multiplex v2",
	Snapshot: "snapshot", Gossip: "WAN gossip", TLSInsecure: "TLS without client certificate",
	GRPC: "gRPC", RaftForwarding: "raft forwarding", NativeTLS: "TLS",
}

// String implements fmt.Stringer.
func (k Kind) String() string {
	if name := kindNames[k]; name != "" {
		return name
	}
	return fmt.Sprintf("0x%02x", byte(k))
}

// BeginsRequest says whether b may be the first byte of a Request: one of those
// that msgpack begins a map with.
func BeginsRequest(b byte) bool { return b&0xf0 == 0x80 || b == 0xde || b == 0xdf }
