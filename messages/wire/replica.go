package wire

// The methods of this file are ours: servers push their catalog to client agents
// with them, so that those can answer DNS by themselves. Servers of Consul do not
// know them.

// ReplicaSnapshotRequest asks for the nodes after one of that name, with their
// services and checks.
type ReplicaSnapshotRequest struct {
	Datacenter string
	After      string // empty: from the beginning
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *ReplicaSnapshotRequest) RequestDatacenter() string { return r.Datacenter }

// ReplicaSnapshot is a page of the catalog.
type ReplicaSnapshot struct {
	Records []*RegisterRequest // with the indexes that they have
	Next    string             // the next request's After; empty at the end
	QueryMeta
}

// ReplicaChangesRequest asks for the log entries that have changed the catalog after
// MinQueryIndex, and waits for one if there is none.
type ReplicaChangesRequest struct {
	Datacenter string
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *ReplicaChangesRequest) RequestDatacenter() string { return r.Datacenter }

// ReplicaChanges are log entries in their order. Index is that of the last.
type ReplicaChanges struct {
	// TooOld says that the server does not go back that far: start over with a
	// snapshot.
	TooOld  bool
	Indexes []uint64
	Entries [][]byte
	QueryMeta
}
