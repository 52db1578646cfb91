package endpoint

import (
	"slices"
	"strings"

	"github.com/actor-consul/consul/messages/wire"
)

// nearAgent is the node of the agent that was asked, in what a query is sorted by; see
// atIP for the other such name.
const nearAgent = "_agent"

// Execution is what one datacenter has for a prepared query, and the query, in case
// that others have to be asked.
type Execution struct {
	Query *wire.PreparedQuery
	wire.PreparedQueryExecuteResponse
}

// PreparedQueryExecute carries out a prepared query in this datacenter. It is not in
// Methods: to fail over needs more than the state, and invoke brings both together.
var PreparedQueryExecute = Read[wire.PreparedQueryExecuteRequest, Execution]{"PreparedQuery.Execute", preparedQueryExecute}

func preparedQueryExecute(env *Env, args *wire.PreparedQueryExecuteRequest, reply *Execution) error {
	q, err := resolveQuery(env, args)
	if err != nil {
		return err
	}
	reply.Query = q
	execute(env, q, args.Connect, &reply.PreparedQueryExecuteResponse)
	sortQuery(env, q, args, reply.Nodes)
	reply.Nodes = limited(reply.Nodes, args.Limit)
	return nil
}

// PreparedQueryExecuteRemote carries out a query that another datacenter has sent. It
// is not sorted, since whoever asked is far from all of it.
var PreparedQueryExecuteRemote = Read[wire.PreparedQueryExecuteRemoteRequest, wire.PreparedQueryExecuteResponse]{
	"PreparedQuery.ExecuteRemote", preparedQueryExecuteRemote,
}

func preparedQueryExecuteRemote(env *Env, args *wire.PreparedQueryExecuteRemoteRequest, reply *wire.PreparedQueryExecuteResponse) error {
	execute(env, &args.Query, args.Connect, reply)
	reply.Nodes = limited(reply.Nodes, args.Limit)
	return nil
}

func limited(nodes wire.CheckServiceNodes, limit int) wire.CheckServiceNodes {
	if limit > 0 && len(nodes) > limit {
		return nodes[:limit]
	}
	return nodes
}

// execute finds the instances that a query asks for, in any order.
func execute(env *Env, q *wire.PreparedQuery, connect bool, reply *wire.PreparedQueryExecuteResponse) {
	s := &q.Service
	reply.Service, reply.DNS, reply.Datacenter = s.Service, q.DNS, env.Datacenter
	if s.Peer != "" {
		reply.PeerName, reply.Datacenter = s.Peer, ""
		return // nothing is imported from peers here
	}
	var found wire.CheckServiceNodes
	if s.Connect || connect {
		_, found = env.View.CheckConnectServiceNodes(env.Watch, s.Service)
	} else {
		_, found = env.View.CheckServiceNodes(env.Watch, s.Service)
	}
	want := newTagRule(s.Tags)
	found = slices.DeleteFunc(found, func(n wire.CheckServiceNode) bool {
		return !wellFor(s, n.Checks) ||
			!wire.SatisfiesMeta(n.Node.Meta, s.NodeMeta) ||
			!wire.SatisfiesMeta(n.Service.Meta, s.ServiceMeta) ||
			!want.allows(n.Service.Tags)
	})
	reply.Nodes = visible(env, &reply.QueryMeta, found, canReadInstance)
	if env.Shuffle != nil {
		env.Shuffle(len(reply.Nodes), func(i, j int) { reply.Nodes[i], reply.Nodes[j] = reply.Nodes[j], reply.Nodes[i] })
	}
}

// wellFor says whether checks let a query have an instance.
func wellFor(s *wire.ServiceQuery, checks wire.HealthChecks) bool {
	for _, c := range checks {
		if slices.Contains(s.IgnoreCheckIDs, c.CheckID) {
			continue
		}
		if c.Status == wire.HealthCritical || s.OnlyPassing && c.Status != wire.HealthPassing {
			return false
		}
	}
	return true
}

// tagRule says which tags an instance must have, and must not.
type tagRule struct{ must, not []string }

func newTagRule(tags []string) (r tagRule) {
	for _, tag := range tags {
		if bad, ok := strings.CutPrefix(tag, "!"); ok {
			r.not = append(r.not, bad)
		} else {
			r.must = append(r.must, tag)
		}
	}
	return r
}

func (r tagRule) allows(tags []string) bool {
	has := func(want string) bool {
		return slices.ContainsFunc(tags, func(tag string) bool { return strings.EqualFold(tag, want) })
	}
	return !slices.ContainsFunc(r.not, has) && !slices.ContainsFunc(r.must, func(tag string) bool { return !has(tag) })
}

// firstOf is how far down the node that a query is sorted by is looked for.
const firstOf = 10

// sortQuery puts what is nearest to the asker first, or to the node that the query
// names. That node itself is the very first.
func sortQuery(env *Env, q *wire.PreparedQuery, args *wire.PreparedQueryExecuteRequest, nodes wire.CheckServiceNodes) {
	from := args.Source
	if from.Datacenter == "" {
		from.Datacenter = args.Agent.Datacenter
	}
	if from.Node == "" {
		from.Node = q.Service.Near
	}
	switch from.Node {
	case nearAgent:
		from.Node = args.Agent.Node
	case atIP:
		from.Node = sourceNode(env, &from)
	}
	sortNear(env, env.Datacenter, &from, nodes, func(n wire.CheckServiceNode) string { return n.Node.Node })
	if from.Node == "" || from.Datacenter != env.Datacenter {
		return
	}
	at := slices.IndexFunc(nodes, func(n wire.CheckServiceNode) bool { return strings.EqualFold(n.Node.Node, from.Node) })
	if at > 0 && at < firstOf {
		nodes[0], nodes[at] = nodes[at], nodes[0]
	}
}
