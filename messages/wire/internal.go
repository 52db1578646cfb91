package wire

// NodeInfo is a node with all that runs on it.
type NodeInfo struct {
	ID              string
	Node            string
	Partition       string `json:",omitempty"`
	PeerName        string `json:",omitempty"`
	Address         string
	TaggedAddresses map[string]string
	Meta            map[string]string
	Services        []*NodeService
	Checks          HealthChecks
}

// NodeDump is a list of nodes with all that runs on them.
type NodeDump []*NodeInfo

// IndexedNodeDump answers Internal.NodeInfo and Internal.NodeDump.
type IndexedNodeDump struct {
	ImportedDump NodeDump // of peers: always empty here
	Dump         NodeDump
	QueryMeta
}

// ServiceDumpRequest asks for all instances of all services, of one kind if
// UseServiceKind is set.
type ServiceDumpRequest struct {
	Datacenter     string
	ServiceKind    ServiceKind
	UseServiceKind bool
	Source         QuerySource
	PeerName       string
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *ServiceDumpRequest) RequestDatacenter() string { return r.Datacenter }

// QuerySource returns where the query comes from.
func (r *ServiceDumpRequest) QuerySource() *QuerySource { return &r.Source }

// Peer returns the peer whose imported part of the catalog is asked for; empty
// means our own.
func (r *ServiceDumpRequest) Peer() string { return r.PeerName }

// IndexedNodesWithGateways answers Internal.ServiceDump.
type IndexedNodesWithGateways struct {
	ImportedNodes CheckServiceNodes // of peers: always empty here
	Nodes         CheckServiceNodes
	QueryMeta
}

// OperatorUsageRequest asks how much is in the catalog.
type OperatorUsageRequest struct {
	DCSpecificRequest
	Global bool
}

// Usage answers Operator.Usage, by datacenter.
type Usage struct {
	Usage map[string]ServiceUsage
	QueryMeta
}

// ServiceUsage counts what is in a catalog.
type ServiceUsage struct {
	Services                 int
	ServiceInstances         int
	ConnectServiceInstances  map[string]int
	BillableServiceInstances int
	Nodes                    int
}
