package wire

import "fmt"

// TxnOp is one operation of a transaction: exactly one field is set.
type TxnOp struct {
	KV      *TxnKVOp
	Node    *TxnNodeOp
	Service *TxnServiceOp
	Check   *TxnCheckOp
	Session *TxnSessionOp
}

// TxnOps is what a transaction does, in order.
type TxnOps []*TxnOp

// TxnKVOp is an operation on a key; Verb is one of the KVOps.
type TxnKVOp struct {
	Verb   KVOp
	DirEnt DirEntry
}

// CatalogOp is an operation of a transaction on a node, service, check or session.
type CatalogOp string

// The operations on nodes, services and checks; on sessions only CatalogDelete.
const (
	CatalogGet       CatalogOp = "get"
	CatalogSet       CatalogOp = "set"
	CatalogCAS       CatalogOp = "cas"
	CatalogDelete    CatalogOp = "delete"
	CatalogDeleteCAS CatalogOp = "delete-cas"
)

// TxnNodeOp is an operation on a node.
type TxnNodeOp struct {
	Verb CatalogOp
	Node Node
}

// TxnServiceOp is an operation on a service.
type TxnServiceOp struct {
	Verb    CatalogOp
	Node    string
	Service NodeService
}

// TxnCheckOp is an operation on a check.
type TxnCheckOp struct {
	Verb  CatalogOp
	Check HealthCheck
}

// TxnSessionOp is an operation on a session.
type TxnSessionOp struct {
	Verb    CatalogOp
	Session Session
}

// TxnRequest does all its operations or none. It is a log entry of type
// TxnRequestType.
type TxnRequest struct {
	Datacenter string
	Ops        TxnOps
	WriteRequest
}

// RequestDatacenter implements Request.
func (r *TxnRequest) RequestDatacenter() string { return r.Datacenter }

// TxnReadRequest is a transaction that only reads, and so needs no log entry.
type TxnReadRequest struct {
	Datacenter string
	Ops        TxnOps
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *TxnReadRequest) RequestDatacenter() string { return r.Datacenter }

// TxnError says which operation of a transaction was refused, and why.
type TxnError struct {
	OpIndex int
	What    string
}

// Error implements error.
func (e TxnError) Error() string { return fmt.Sprintf("op %d: %s", e.OpIndex, e.What) }

// TxnErrors are the reasons a transaction was refused.
type TxnErrors []*TxnError

// TxnResult is the outcome of one operation: exactly one field is set.
type TxnResult struct {
	KV      *DirEntry    `json:",omitempty"`
	Node    *Node        `json:",omitempty"`
	Service *NodeService `json:",omitempty"`
	Check   *HealthCheck `json:",omitempty"`
}

// TxnResults are the outcomes of a transaction.
type TxnResults []*TxnResult

// TxnResponse answers TxnRequest: results or errors, never both.
type TxnResponse struct {
	Results TxnResults
	Errors  TxnErrors
}

// TxnReadResponse answers TxnReadRequest.
type TxnReadResponse struct {
	TxnResponse
	QueryMeta
}
