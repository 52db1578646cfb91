package invoke

import (
	"context"
	"slices"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages/wire"
)

// The methods that carry out prepared queries. They are never waited on.
var (
	// PreparedQueryExecute carries out a prepared query, in other datacenters too if
	// there is nothing here and the query says so.
	PreparedQueryExecute = &Duty[wire.PreparedQueryExecuteRequest, wire.PreparedQueryExecuteResponse]{
		method: "PreparedQuery.Execute", run: executeQuery,
	}
	// PreparedQueryExecuteRemote carries out a query of another datacenter.
	PreparedQueryExecuteRemote = &Duty[wire.PreparedQueryExecuteRemoteRequest, wire.PreparedQueryExecuteResponse]{
		method: "PreparedQuery.ExecuteRemote",
		run: func(ctx context.Context, inv *Invoker, args *wire.PreparedQueryExecuteRemoteRequest, reply *wire.PreparedQueryExecuteResponse) error {
			args.MinQueryIndex = 0
			return inv.read(ctx, &endpoint.PreparedQueryExecuteRemote, args, reply)
		},
	}
	// PreparedQueryExplain says what would be carried out.
	PreparedQueryExplain = &Duty[wire.PreparedQueryExecuteRequest, wire.PreparedQueryExplainResponse]{
		method: "PreparedQuery.Explain",
		run: func(ctx context.Context, inv *Invoker, args *wire.PreparedQueryExecuteRequest, reply *wire.PreparedQueryExplainResponse) error {
			args.MinQueryIndex = 0
			return inv.read(ctx, &endpoint.PreparedQueryExplain, args, reply)
		},
	}
)

func executeQuery(ctx context.Context, inv *Invoker, args *wire.PreparedQueryExecuteRequest, reply *wire.PreparedQueryExecuteResponse) error {
	args.MinQueryIndex = 0
	var here endpoint.Execution
	if err := inv.read(ctx, &endpoint.PreparedQueryExecute, args, &here); err != nil {
		return err
	}
	*reply = here.PreparedQueryExecuteResponse
	if len(reply.Nodes) == 0 {
		inv.failOver(ctx, here.Query, args, reply)
	}
	return nil
}

// failOver asks one place after the other, until one has something. The reply is what
// the last one has said that answered, and how many were asked.
func (inv *Invoker) failOver(ctx context.Context, q *wire.PreparedQuery, args *wire.PreparedQueryExecuteRequest, reply *wire.PreparedQueryExecuteResponse) {
	asked := 0
	for _, target := range failoverTargets(&q.Service.Failover, inv.Datacenters()) {
		asked++
		remote := &wire.PreparedQueryExecuteRemoteRequest{
			Datacenter: target.Datacenter, Query: *q, Limit: args.Limit, Connect: args.Connect, QueryOptions: args.QueryOptions,
		}
		if remote.Query.Service.Peer = target.Peer; target.Peer != "" {
			remote.Datacenter = inv.cfg.Datacenter
		}
		var there wire.PreparedQueryExecuteResponse
		if err := Do(ctx, inv, PreparedQueryExecuteRemote, remote, &there); err != nil {
			continue // the next may do
		}
		if *reply = there; len(reply.Nodes) > 0 {
			break
		}
	}
	reply.Failovers = asked
}

// failoverTargets returns where to look, in order: the nearest datacenters, then those
// and the peers that are named. No datacenter comes twice for being both, and one that
// nobody knows is left out. known is ours first, then the nearest.
func failoverTargets(f *wire.QueryFailoverOptions, known []string) (targets []wire.QueryFailoverTarget) {
	others := known[1:]
	nearest := others[:min(max(f.NearestN, 0), len(others))]
	for _, dc := range nearest {
		targets = append(targets, wire.QueryFailoverTarget{Datacenter: dc})
	}
	for _, target := range f.AsTargets() {
		known, tried := slices.Contains(others, target.Datacenter), slices.Contains(nearest, target.Datacenter)
		if target.Peer != "" || known && !tried {
			targets = append(targets, target)
		}
	}
	return targets
}
