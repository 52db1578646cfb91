package wire

// KVOp is an operation on the KV store.
type KVOp string

// The operations on the KV store. KVSRequest carries the first seven; the rest
// are for transactions.
const (
	KVSet            KVOp = "set"
	KVDelete         KVOp = "delete"
	KVDeleteCAS      KVOp = "delete-cas" // if ModifyIndex is the given one
	KVDeleteTree     KVOp = "delete-tree"
	KVCAS            KVOp = "cas"    // if ModifyIndex is the given one; 0 means if there is none
	KVLock           KVOp = "lock"   // with a session
	KVUnlock         KVOp = "unlock" // with the same session
	KVGet            KVOp = "get"
	KVGetOrEmpty     KVOp = "get-or-empty"
	KVGetTree        KVOp = "get-tree"
	KVCheckSession   KVOp = "check-session"
	KVCheckIndex     KVOp = "check-index"
	KVCheckNotExists KVOp = "check-not-exists"
)

// DirEntry is a key of the KV store with its value.
type DirEntry struct {
	LockIndex uint64 // how often the key was locked
	Key       string
	Flags     uint64 // the user's
	Value     []byte
	Session   string `json:",omitempty"` // that holds the lock

	RaftIndex
}

// DirEntries is a list of keys with values.
type DirEntries []*DirEntry

// KVSRequest changes the KV store. It is a log entry of type KVSRequestType.
type KVSRequest struct {
	Datacenter string
	Op         KVOp
	DirEnt     DirEntry
	WriteRequest
}

// RequestDatacenter implements Request.
func (r *KVSRequest) RequestDatacenter() string { return r.Datacenter }

// KeyRequest asks for a key, or for all with a prefix.
type KeyRequest struct {
	Datacenter string
	Key        string
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *KeyRequest) RequestDatacenter() string { return r.Datacenter }

// KeyListRequest asks for the names of keys with a prefix, up to a separator.
type KeyListRequest struct {
	Datacenter string
	Prefix     string
	Seperator  string
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *KeyListRequest) RequestDatacenter() string { return r.Datacenter }

// IndexedDirEntries answers KVS.Get and KVS.List.
type IndexedDirEntries struct {
	Entries DirEntries
	QueryMeta
}

// IndexedKeyList answers KVS.ListKeys.
type IndexedKeyList struct {
	Keys []string
	QueryMeta
}

// TombstoneOp is an operation on the tombstones of the KV store.
type TombstoneOp string

// TombstoneReap forgets the tombstones up to an index.
const TombstoneReap TombstoneOp = "reap"

// TombstoneRequest forgets old tombstones. It is a log entry of type
// TombstoneRequestType, written by the leader.
type TombstoneRequest struct {
	Datacenter string
	Op         TombstoneOp
	ReapIndex  uint64
	WriteRequest
}

// RequestDatacenter implements Request.
func (r *TombstoneRequest) RequestDatacenter() string { return r.Datacenter }
