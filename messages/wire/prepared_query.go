package wire

import (
	"maps"
	"slices"
)

// QueryTemplateNamePrefixMatch is the one type of templates: it answers for every
// name that begins with its own.
const QueryTemplateNamePrefixMatch = "name_prefix_match"

// RedactedToken is shown in the place of a token that the asker may not see.
const RedactedToken = "<hidden>"

// PreparedQuery is a query for instances of a service that is stored, and carried out
// by its ID or name.
type PreparedQuery struct {
	ID      string // a UUID; the leader chooses it
	Name    string // unique without regard to case; empty for none
	Session string // the query goes with it; empty: it stays
	Token   string // it is carried out with, instead of the asker's; must not be logged

	Template QueryTemplateOptions
	Service  ServiceQuery
	DNS      QueryDNSOptions

	RaftIndex
}

// PreparedQueries is a list of prepared queries.
type PreparedQueries []*PreparedQuery

// QueryTemplateOptions make a template of a query, unless Type is empty.
type QueryTemplateOptions struct {
	Type            string
	Regexp          string // what ${match(N)} refers to; empty: nothing
	RemoveEmptyTags bool   // of those that are left when the template is filled in
}

// ServiceQuery says which instances are wanted.
type ServiceQuery struct {
	Service        string
	SamenessGroup  string // of Consul Enterprise
	Failover       QueryFailoverOptions
	OnlyPassing    bool // those that warn are not well
	IgnoreCheckIDs []string
	// Near is the node by which instances are sorted: "_agent" is the asker's, "_ip"
	// the one at the asker's address.
	Near        string
	Tags        []string // all must be there; those after a "!" must not
	NodeMeta    map[string]string
	ServiceMeta map[string]string
	Connect     bool // proxies instead, and what needs none
	Peer        string
}

// QueryFailoverOptions say where to look when there is no instance here.
type QueryFailoverOptions struct {
	NearestN    int      // in so many of the nearest datacenters
	Datacenters []string // and then in these
	Targets     []QueryFailoverTarget
}

// QueryFailoverTarget is a datacenter or a peer.
type QueryFailoverTarget struct {
	Peer       string
	Datacenter string
}

// AsTargets returns Datacenters, or Targets if there are none.
func (f *QueryFailoverOptions) AsTargets() []QueryFailoverTarget {
	if len(f.Datacenters) == 0 {
		return f.Targets
	}
	targets := make([]QueryFailoverTarget, len(f.Datacenters))
	for i, dc := range f.Datacenters {
		targets[i].Datacenter = dc
	}
	return targets
}

// QueryDNSOptions say how the result is served over DNS.
type QueryDNSOptions struct {
	TTL string // as text; empty: that of the service
}

// IsTemplate says whether the query answers for many names.
func (q *PreparedQuery) IsTemplate() bool { return q.Template.Type != "" }

// ACLPrefix returns the name that rights on the query are about, and false when there
// is none: then whoever knows the ID may see it.
func (q *PreparedQuery) ACLPrefix() (string, bool) {
	if q.Name != "" || q.IsTemplate() {
		return q.Name, true
	}
	return "", false
}

// PreparedQueryOp is an operation on prepared queries.
type PreparedQueryOp string

// The operations on prepared queries.
const (
	PreparedQueryCreate PreparedQueryOp = "create"
	PreparedQueryUpdate PreparedQueryOp = "update"
	PreparedQueryDelete PreparedQueryOp = "delete"
)

// PreparedQueryRequest makes, changes or deletes a prepared query. It is a log entry
// of type PreparedQueryRequestType.
type PreparedQueryRequest struct {
	Datacenter string
	Op         PreparedQueryOp
	Query      *PreparedQuery
	WriteRequest
}

// RequestDatacenter implements Request.
func (r *PreparedQueryRequest) RequestDatacenter() string { return r.Datacenter }

// PreparedQuerySpecificRequest asks for one query by its ID.
type PreparedQuerySpecificRequest struct {
	Datacenter string
	QueryID    string
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *PreparedQuerySpecificRequest) RequestDatacenter() string { return r.Datacenter }

// PreparedQueryExecuteRequest has a query carried out, or explained.
type PreparedQueryExecuteRequest struct {
	Datacenter    string
	QueryIDOrName string
	Limit         int         // of the instances; 0: all
	Connect       bool        // as if the query said so
	Source        QuerySource // what to sort by, before what the query says
	Agent         QuerySource // the agent that was asked
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *PreparedQueryExecuteRequest) RequestDatacenter() string { return r.Datacenter }

// PreparedQueryExecuteRemoteRequest has a query of another datacenter carried out,
// without failing over any further.
type PreparedQueryExecuteRemoteRequest struct {
	Datacenter string
	Query      PreparedQuery
	Limit      int
	Connect    bool
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *PreparedQueryExecuteRemoteRequest) RequestDatacenter() string { return r.Datacenter }

// IndexedPreparedQueries answers PreparedQuery.Get and List.
type IndexedPreparedQueries struct {
	Queries PreparedQueries
	QueryMeta
}

// PreparedQueryExecuteResponse is what a query has found.
type PreparedQueryExecuteResponse struct {
	Service    string
	Nodes      CheckServiceNodes
	DNS        QueryDNSOptions
	Datacenter string // where they are
	PeerName   string // or of which peer
	Failovers  int    // how many other places were asked
	QueryMeta
}

// PreparedQueryExplainResponse is a query as it would be carried out: a template is
// filled in.
type PreparedQueryExplainResponse struct {
	Query PreparedQuery
	QueryMeta
}

// Clone returns a copy of the query that shares nothing with it.
func (s *ServiceQuery) Clone() ServiceQuery {
	c := *s
	c.Failover.Datacenters = slices.Clone(s.Failover.Datacenters)
	c.Failover.Targets = slices.Clone(s.Failover.Targets)
	c.IgnoreCheckIDs = slices.Clone(s.IgnoreCheckIDs)
	c.Tags = slices.Clone(s.Tags)
	c.NodeMeta = maps.Clone(s.NodeMeta)
	c.ServiceMeta = maps.Clone(s.ServiceMeta)
	return c
}
