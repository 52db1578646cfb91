package wire

// SnapshotOp is what to do with a snapshot.
type SnapshotOp int

// What can be done.
const (
	SnapshotSave    SnapshotOp = 0
	SnapshotRestore SnapshotOp = 1
)

// SnapshotRequest asks for an archive of the state, or to restore one. On port
// 8300 it has a connection of its own, on which the archive follows it, or the
// SnapshotResponse.
type SnapshotRequest struct {
	Datacenter string
	Token      string
	AllowStale bool // with SnapshotSave: of any server, as it is there
	Op         SnapshotOp
}

// SnapshotResponse answers a SnapshotRequest. On port 8300 the archive follows it,
// after a SnapshotSave.
type SnapshotResponse struct {
	Error string // empty when all is well
	QueryMeta
}
