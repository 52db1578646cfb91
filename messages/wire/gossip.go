package wire

// EventFireRequest is the arguments of Internal.EventFire: a user event of a client
// agent, which has encoded it already. A server spreads it.
type EventFireRequest struct {
	Datacenter string
	Name       string // without the prefix
	Payload    []byte
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *EventFireRequest) RequestDatacenter() string { return r.Datacenter }

// EventFireResponse answers Internal.EventFire.
type EventFireResponse struct {
	QueryMeta
}

// KeyringRequest is the arguments of Internal.KeyringOperation.
type KeyringRequest struct {
	Operation   string // list, install, use or remove
	Key         string // base64; empty with list
	Datacenter  string
	Forwarded   bool // the asker asks the other datacenters, and the WAN pool, itself
	RelayFactor uint8
	LocalOnly   bool // of the LAN pool only; with list only
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *KeyringRequest) RequestDatacenter() string { return r.Datacenter }

// KeyringResponse is what the members of a pool said.
type KeyringResponse struct {
	WAN         bool
	Datacenter  string
	Segment     string
	Partition   string            `json:",omitempty"`
	Messages    map[string]string `json:",omitempty"` // by member
	Keys        map[string]int    // on how many members each key is
	PrimaryKeys map[string]int
	NumNodes    int
	Error       string `json:",omitempty"`
}

// KeyringResponses answers Internal.KeyringOperation, a response for each pool.
type KeyringResponses struct {
	Responses []*KeyringResponse
	QueryMeta
}
