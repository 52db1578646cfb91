package state

import (
	"fmt"
	"strings"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// The tables.
const (
	tableIndex            = "index"
	tableNodes            = "nodes"
	tableServices         = "services"
	tableChecks           = "checks"
	tableKVs              = "kvs"
	tableTombstones       = "tombstones"
	tableSessions         = "sessions"
	tableSessionChecks    = "session_checks"
	tableCoordinates      = "coordinates"
	tablePreparedQueries  = "prepared-queries"
	tableAutopilotConfig  = "autopilot-config"
	tableConnectCAConfig  = "connect-ca-config"
	tableConnectCARoots   = "connect-ca-roots"
	tableConnectCABuiltin = "connect-ca-builtin"
	tableConfigEntries    = "config-entries"
	tableInstances        = "instances"   // nodes, services and checks joined, in no snapshot
	tableLockDelays       = "lock_delays" // by this server's clock
)

// The indexes of tables. memdb finds all rows whose key starts with the given
// arguments under the name with prefixOf added.
const (
	byID          = "id"
	byUUID        = "uuid"
	byNode        = "node"
	byService     = "service"
	byConnect     = "connect"
	byKind        = "kind"
	byStatus      = "status"
	byNodeService = "node_service"
	bySession     = "session"
	byNodeCheck   = "node_check"
	byName        = "name"
	byTemplate    = "template"
	byAddress     = "address"
	byEnding      = "ending"

	prefixOf = "_prefix"
)

// nodeService is a row of the services table: a service on a node.
type nodeService struct {
	Node    string
	Service *wire.NodeService
}

// sessionCheck is a row of the session_checks table: the session ends when the
// check goes critical or goes away.
type sessionCheck struct {
	Node    string
	CheckID string
	Session string
}

// Tombstone remembers that a key was deleted, so that the index of a prefix does
// not go back. The Index is that of the deletion.
type Tombstone struct {
	Key   string
	Index uint64
}

// key makes the value of an index out of the fields of a row, each ended by a NUL.
type key[T any] struct {
	fold bool                 // without regard to case
	of   func(row T) []string // nil when the row is not in the index
}

// FromObject implements memdb.SingleIndexer.
func (k key[T]) FromObject(obj any) (bool, []byte, error) {
	row, ok := obj.(T)
	if !ok {
		return false, nil, fmt.Errorf("row is a %T", obj)
	}
	parts := k.of(row)
	if parts == nil {
		return false, nil, nil
	}
	return true, k.join(parts), nil
}

// FromArgs implements memdb.Indexer. The arguments are strings.
func (k key[T]) FromArgs(args ...any) ([]byte, error) {
	parts := make([]string, len(args))
	for i, arg := range args {
		s, ok := arg.(string)
		if !ok {
			return nil, fmt.Errorf("argument is a %T", arg)
		}
		parts[i] = s
	}
	return k.join(parts), nil
}

// PrefixFromArgs implements memdb.PrefixIndexer: the last argument need not be
// whole.
func (k key[T]) PrefixFromArgs(args ...any) ([]byte, error) {
	val, err := k.FromArgs(args...)
	if err != nil || len(val) == 0 {
		return nil, err
	}
	return val[:len(val)-1], nil
}

// keyList makes the values of an index under which a row may be several times.
type keyList[T any] struct {
	of func(row T) []string
}

// FromObject implements memdb.MultiIndexer.
func (k keyList[T]) FromObject(obj any) (bool, [][]byte, error) {
	row, ok := obj.(T)
	if !ok {
		return false, nil, fmt.Errorf("row is a %T", obj)
	}
	var vals [][]byte
	for _, part := range k.of(row) {
		vals = append(vals, key[T]{fold: true}.join([]string{part}))
	}
	return len(vals) > 0, vals, nil
}

// FromArgs implements memdb.Indexer. The argument is a string.
func (k keyList[T]) FromArgs(args ...any) ([]byte, error) {
	return key[T]{fold: true}.FromArgs(args...)
}

func (k key[T]) join(parts []string) []byte {
	n := len(parts)
	for _, p := range parts {
		n += len(p)
	}
	val := make([]byte, 0, n)
	for _, p := range parts {
		if k.fold {
			p = folded(p)
		}
		val = append(append(val, p...), 0)
	}
	return val
}

// folded is how the tables see a name: without regard to case.
func folded(name string) string { return strings.ToLower(name) }

// unique returns an index in which every row is once.
func unique(name string, ix memdb.Indexer) *memdb.IndexSchema {
	return &memdb.IndexSchema{Name: name, Unique: true, Indexer: ix}
}

// many returns an index that several rows may share a value of. Rows with the
// same value are in the order of their IDs.
func many(name string, ix memdb.Indexer) *memdb.IndexSchema {
	return &memdb.IndexSchema{Name: name, AllowMissing: true, Indexer: ix}
}

func table(name string, indexes ...*memdb.IndexSchema) *memdb.TableSchema {
	t := &memdb.TableSchema{Name: name, Indexes: map[string]*memdb.IndexSchema{}}
	for _, ix := range indexes {
		t.Indexes[ix.Name] = ix
	}
	return t
}

func fold[T any](of func(T) []string) key[T]  { return key[T]{fold: true, of: of} }
func exact[T any](of func(T) []string) key[T] { return key[T]{of: of} }

// present leaves rows out of an index whose value is empty.
func present(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

func schema() *memdb.DBSchema {
	db := &memdb.DBSchema{Tables: map[string]*memdb.TableSchema{}}
	for _, t := range []*memdb.TableSchema{
		table(tableIndex,
			unique(byID, fold(func(r *indexRow) []string { return []string{r.Key} }))),
		nodesTable(), servicesTable(), checksTable(),
		table(tableKVs,
			unique(byID, exact(func(r *wire.DirEntry) []string { return []string{r.Key} })),
			many(bySession, fold(func(r *wire.DirEntry) []string { return present(r.Session) }))),
		table(tableTombstones,
			unique(byID, exact(func(r *Tombstone) []string { return []string{r.Key} }))),
		table(tableSessions,
			unique(byID, fold(func(r *wire.Session) []string { return []string{r.ID} })),
			many(byNode, fold(func(r *wire.Session) []string { return []string{r.Node} }))),
		table(tableSessionChecks,
			unique(byID, fold(func(r *sessionCheck) []string { return []string{r.Node, r.CheckID, r.Session} })),
			many(byNodeCheck, fold(func(r *sessionCheck) []string { return []string{r.Node, r.CheckID} })),
			many(bySession, fold(func(r *sessionCheck) []string { return []string{r.Session} }))),
		table(tableCoordinates,
			unique(byID, fold(func(r *wire.Coordinate) []string { return []string{r.Node, r.Segment} })),
			many(byNode, fold(func(r *wire.Coordinate) []string { return []string{r.Node} }))),
		preparedQueriesTable(),
		table(tableAutopilotConfig, // one row
			unique(byID, exact(func(*wire.AutopilotConfig) []string { return []string{""} }))),
		table(tableConnectCAConfig, // one row
			unique(byID, exact(func(*wire.CAConfiguration) []string { return []string{""} }))),
		table(tableConnectCARoots,
			unique(byID, exact(func(r *wire.CARoot) []string { return []string{r.ID} }))),
		table(tableConnectCABuiltin,
			unique(byID, exact(func(r *wire.CAConsulProviderState) []string { return []string{r.ID} }))),
		table(tableConfigEntries,
			unique(byID, fold(func(r *configEntry) []string { return []string{r.GetKind(), r.GetName()} })),
			many(byKind, fold(func(r *configEntry) []string { return []string{r.GetKind()} }))),
		table(tableInstances,
			unique(byID, fold(func(r *wire.CheckServiceNode) []string {
				return []string{r.Service.Service, r.Node.Node, r.Service.ID}
			}))),
		table(tableLockDelays,
			unique(byID, exact(func(r *lockDelay) []string { return []string{r.Key} }))),
	} {
		db.Tables[t.Name] = t
	}
	return db
}

func nodesTable() *memdb.TableSchema {
	uuid := unique(byUUID, fold(func(r *wire.Node) []string { return present(r.ID) }))
	uuid.AllowMissing = true
	return table(tableNodes,
		unique(byID, fold(func(r *wire.Node) []string { return []string{r.Node} })),
		many(byAddress, exact(func(r *wire.Node) []string { return addressKey(r.Address) })),
		many(byEnding, keyList[*wire.Node]{func(r *wire.Node) []string { return endings(r.Node) }}),
		uuid)
}

func servicesTable() *memdb.TableSchema {
	return table(tableServices,
		unique(byID, fold(func(r *nodeService) []string { return []string{r.Node, r.Service.ID} })),
		many(byNode, fold(func(r *nodeService) []string { return []string{r.Node} })),
		many(byAddress, exact(func(r *nodeService) []string { return addressKey(r.Service.Address) })),
		many(byService, fold(func(r *nodeService) []string { return []string{r.Service.Service} })),
		many(byConnect, fold(func(r *nodeService) []string { return connectName(r.Service) })),
		many(byKind, fold(func(r *nodeService) []string { return []string{string(r.Service.Kind)} })))
}

// connectName is the service that an instance can be reached as through the mesh.
func connectName(s *wire.NodeService) []string {
	switch {
	case s.Kind == wire.ServiceKindConnectProxy:
		return []string{s.Proxy.DestinationServiceName}
	case s.Connect.Native:
		return []string{s.Service}
	default:
		return nil
	}
}

func checksTable() *memdb.TableSchema {
	return table(tableChecks,
		unique(byID, fold(func(r *wire.HealthCheck) []string { return []string{r.Node, r.CheckID} })),
		many(byNode, fold(func(r *wire.HealthCheck) []string { return []string{r.Node} })),
		many(byStatus, fold(func(r *wire.HealthCheck) []string { return []string{r.Status} })),
		many(byService, fold(func(r *wire.HealthCheck) []string { return present(r.ServiceName) })),
		many(byNodeService, fold(func(r *wire.HealthCheck) []string { return []string{r.Node, r.ServiceID} })))
}
