package http

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/query: https://developer.hashicorp.com/consul/api-docs/query.
var (
	queryList = query[wire.DCSpecificRequest, wire.IndexedPreparedQueries]{
		read: endpoint.PreparedQueryList, names: anyNames, args: inDatacenter, show: showQueries,
	}.handle

	queryGet = query[wire.PreparedQuerySpecificRequest, wire.IndexedPreparedQueries]{
		read: endpoint.PreparedQueryGet, names: anyNames, show: showQueries,
		args: func(r *request, args *wire.PreparedQuerySpecificRequest) error {
			args.Datacenter, args.QueryID = r.datacenter(), r.tail
			return nil
		},
	}.handle

	queryExecute = duty[wire.PreparedQueryExecuteRequest, wire.PreparedQueryExecuteResponse]{
		do: invoke.PreparedQueryExecute, args: toExecute, show: showExecuted,
	}.handle

	queryExplain = duty[wire.PreparedQueryExecuteRequest, wire.PreparedQueryExplainResponse]{
		do: invoke.PreparedQueryExplain, args: toExecute,
		show: func(_ *request, reply *wire.PreparedQueryExplainResponse) (*answer, error) {
			return &answer{json: reply, meta: &reply.QueryMeta, level: reply.ConsistencyLevel}, nil
		},
	}.handle

	queryCreate = command[wire.PreparedQueryRequest, string]{
		write: endpoint.PreparedQueryApply, args: newQuery,
		show: func(_ *wire.PreparedQueryRequest, id *string) *answer { return with(struct{ ID string }{*id}) },
	}.handle

	queryUpdate = command[wire.PreparedQueryRequest, string]{
		write: endpoint.PreparedQueryApply, args: changedQuery,
		show: func(*wire.PreparedQueryRequest, *string) *answer { return nothing },
	}.handle

	queryDelete = command[wire.PreparedQueryRequest, string]{
		write: endpoint.PreparedQueryApply,
		args: func(r *request, args *wire.PreparedQueryRequest) error {
			args.Datacenter, args.Op = r.datacenter(), wire.PreparedQueryDelete
			args.Query = &wire.PreparedQuery{ID: r.tail}
			return nil
		},
		show: func(*wire.PreparedQueryRequest, *string) *answer { return nothing },
	}.handle
)

// What may follow the ID or the name of a query in a path.
const (
	executeSuffix = "/execute"
	explainSuffix = "/explain"
)

// queryRead answers what is read of one query. Names may have slashes, so what is
// wanted is at the end.
func queryRead(r *request) (*answer, error) {
	handle := queryGet
	if name, ok := strings.CutSuffix(r.tail, executeSuffix); ok {
		r.tail, handle = name, queryExecute
	} else if name, ok := strings.CutSuffix(r.tail, explainSuffix); ok {
		r.tail, handle = name, queryExplain
	}
	ans, err := handle(r)
	if err != nil && strings.Contains(err.Error(), endpoint.ErrQueryNotFound.Error()) { // from another server it comes as a text
		return &answer{status: http.StatusNotFound, text: endpoint.ErrQueryNotFound.Error(), meta: &wire.QueryMeta{}}, nil
	}
	return ans, err
}

// queryWrite lets nobody write to what is only read.
func queryWrite(write handler) handler {
	return func(r *request) (*answer, error) {
		if strings.HasSuffix(r.tail, executeSuffix) || strings.HasSuffix(r.tail, explainSuffix) {
			return nil, &problem{status: http.StatusMethodNotAllowed, text: fmt.Sprintf("method %s not allowed", r.Method), allow: "OPTIONS,GET"}
		}
		return write(r)
	}
}

func newQuery(r *request, args *wire.PreparedQueryRequest) error {
	args.Datacenter, args.Op, args.Query = r.datacenter(), wire.PreparedQueryCreate, new(wire.PreparedQuery)
	return r.decode(args.Query)
}

func changedQuery(r *request, args *wire.PreparedQueryRequest) error {
	args.Datacenter, args.Op, args.Query = r.datacenter(), wire.PreparedQueryUpdate, new(wire.PreparedQuery)
	if len(r.body) > 0 {
		if err := r.decode(args.Query); err != nil {
			return err
		}
	}
	args.Query.ID = r.tail
	return nil
}

func toExecute(r *request, args *wire.PreparedQueryExecuteRequest) error {
	own := &r.api.cfg.Facts
	args.Datacenter, args.QueryIDOrName, args.Source = r.datacenter(), r.tail, r.source()
	args.Agent = wire.QuerySource{Datacenter: own.Datacenter, Node: own.NodeName}
	if text := r.param("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("Bad limit: %w", err)
		}
		args.Limit = limit
	}
	if text := r.param("connect"); text != "" {
		connect, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("Error parsing 'connect' value: %w", err)
		}
		args.Connect = connect
	}
	return nil
}

func showQueries(_ *request, reply *wire.IndexedPreparedQueries) (*answer, error) {
	return with(orEmpty(reply.Queries)), nil
}

func showExecuted(r *request, reply *wire.PreparedQueryExecuteResponse) (*answer, error) {
	if cfg := &r.api.cfg; cfg.TranslateWANAddrs && reply.Datacenter != "" && reply.Datacenter != cfg.Facts.Datacenter {
		translate(reply) // wherever it was asked: it may have failed over
	}
	reply.Nodes = orEmpty(reply.Nodes)
	for i := range reply.Nodes {
		n := &reply.Nodes[i]
		n.Checks = mended(n.Checks, taggedCheck)
		n.Service = taggedService(n.Service)
	}
	ans := &answer{json: reply, meta: &reply.QueryMeta, level: reply.ConsistencyLevel}
	if r.has("cached") {
		ans.header = miss()
	}
	return ans, nil
}
