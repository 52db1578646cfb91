package wire

// EmptyReadRequest is the arguments of a method that needs none, such as
// Status.Ping.
type EmptyReadRequest struct{}

// RequestDatacenter implements Request.
func (*EmptyReadRequest) RequestDatacenter() string { return "" }

// IsRead implements Request.
func (*EmptyReadRequest) IsRead() bool { return true }

// AllowStaleRead implements Request.
func (*EmptyReadRequest) AllowStaleRead() bool { return true }

// TokenSecret implements Request.
func (*EmptyReadRequest) TokenSecret() string { return "" }

// SetTokenSecret implements Request. There is no token to set.
func (*EmptyReadRequest) SetTokenSecret(string) {}

// RaftStats is the reply of Status.RaftStats: what a server says of its log.
type RaftStats struct {
	LastContact string // since it heard of the leader, as a duration; "never", or "0" on the leader
	LastTerm    uint64 // of its last entry
	LastIndex   uint64 // of its last entry
}

// RemovePeerRequest is the arguments of Peer.Remove, a method of ours: the leader
// takes the server with that ID from the peer set.
type RemovePeerRequest struct {
	Datacenter string
	ID         string
	WriteRequest
}

// RequestDatacenter implements Request.
func (r *RemovePeerRequest) RequestDatacenter() string { return r.Datacenter }
