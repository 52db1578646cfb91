package wire

import "time"

// RaftIndex says when a record was made and last changed, as raft log indexes.
type RaftIndex struct {
	CreateIndex uint64 `bexpr:"-"`
	ModifyIndex uint64 `bexpr:"-"`
}

// Request is what every request to a server can say about itself. Reads embed
// QueryOptions and writes embed WriteRequest, which supply most of it.
type Request interface {
	// RequestDatacenter is where the request is to be answered; empty means here.
	RequestDatacenter() string
	// IsRead says whether the request leaves the state alone.
	IsRead() bool
	// AllowStaleRead says whether a server that does not lead may answer.
	AllowStaleRead() bool
	// TokenSecret is the ACL token of the asker. It must never be logged.
	TokenSecret() string
	// SetTokenSecret replaces the token, for instance by the agent's own.
	SetTokenSecret(token string)
}

// Read is a request that embeds QueryOptions.
type Read interface {
	Request
	Options() *QueryOptions
}

// Reply is a reply that embeds QueryMeta.
type Reply interface {
	Meta() *QueryMeta
}

// QueryOptions is embedded by every read.
type QueryOptions struct {
	Token string

	// MinQueryIndex makes the query blocking: it is answered when the index of
	// the result is greater, or when MaxQueryTime has passed.
	MinQueryIndex uint64
	// MaxQueryTime is how long a blocking query may wait; 0 means the server's default.
	MaxQueryTime time.Duration

	// AllowStale lets any server answer from what it has.
	AllowStale bool
	// RequireConsistent makes the leader confirm that it still leads.
	RequireConsistent bool

	// UseCache, MaxStaleDuration, MaxAge, MustRevalidate and StaleIfError steer
	// the cache of the agent that was asked; servers ignore them.
	UseCache         bool
	MaxStaleDuration time.Duration
	MaxAge           time.Duration
	MustRevalidate   bool
	StaleIfError     time.Duration

	// Filter is a go-bexpr expression that the results must match.
	Filter string

	// AllowNotModifiedResponse lets the server leave out a result that the asker
	// has already (QueryMeta.NotModified).
	AllowNotModifiedResponse bool
}

// Options returns o itself; through embedding every read has it.
func (o *QueryOptions) Options() *QueryOptions { return o }

// IsRead implements Request.
func (*QueryOptions) IsRead() bool { return true }

// AllowStaleRead implements Request.
func (o *QueryOptions) AllowStaleRead() bool { return o.AllowStale }

// TokenSecret implements Request.
func (o *QueryOptions) TokenSecret() string { return o.Token }

// SetTokenSecret implements Request.
func (o *QueryOptions) SetTokenSecret(token string) { o.Token = token }

// ConsistencyLevel names the consistency that was asked for, as the header
// X-Consul-Effective-Consistency and QueryMeta.ConsistencyLevel spell it.
func (o *QueryOptions) ConsistencyLevel() string {
	switch {
	case o.RequireConsistent:
		return "consistent"
	case o.AllowStale:
		return "stale"
	default:
		return "leader"
	}
}

// WriteRequest is embedded by every write.
type WriteRequest struct {
	Token string
}

// IsRead implements Request.
func (*WriteRequest) IsRead() bool { return false }

// AllowStaleRead implements Request.
func (*WriteRequest) AllowStaleRead() bool { return false }

// TokenSecret implements Request.
func (w *WriteRequest) TokenSecret() string { return w.Token }

// SetTokenSecret implements Request.
func (w *WriteRequest) SetTokenSecret(token string) { w.Token = token }

// QueryBackend says how a server found a reply.
type QueryBackend int

// QueryBackendBlocking is the only backend here: a query on the state.
const QueryBackendBlocking QueryBackend = 0

// QueryMeta is embedded by every reply to a read.
type QueryMeta struct {
	// Index is the raft index of the last change to anything the reply shows; it
	// is the MinQueryIndex of the next blocking query.
	Index uint64
	// LastContact is how long ago the answering server heard of the leader; 0 on the leader.
	LastContact time.Duration
	// KnownLeader says whether the answering server knows a leader.
	KnownLeader bool
	// ConsistencyLevel is the level the query was answered with.
	ConsistencyLevel string
	// NotModified says that the result was left out, since the asker has it.
	NotModified bool
	// Backend is how the reply was found.
	Backend QueryBackend
	// ResultsFilteredByACLs says that the token may not see part of the result.
	ResultsFilteredByACLs bool
}

// Meta returns m itself; through embedding every reply has it.
func (m *QueryMeta) Meta() *QueryMeta { return m }

// QuerySource is where a query comes from, for sorting by distance.
type QuerySource struct {
	Datacenter    string
	Segment       string
	Node          string
	NodePartition string `json:",omitempty"`
	Ip            string
}

// DCSpecificRequest asks for something of a whole datacenter.
type DCSpecificRequest struct {
	Datacenter      string
	NodeMetaFilters map[string]string
	Source          QuerySource
	PeerName        string
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *DCSpecificRequest) RequestDatacenter() string { return r.Datacenter }

// QuerySource returns where the query comes from.
func (r *DCSpecificRequest) QuerySource() *QuerySource { return &r.Source }

// Peer returns the peer whose imported part of the catalog is asked for; empty
// means our own.
func (r *DCSpecificRequest) Peer() string { return r.PeerName }
