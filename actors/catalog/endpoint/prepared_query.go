package endpoint

import (
	"errors"
	"fmt"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// ErrQueryNotFound is returned for a prepared query that there is not. Clients match
// the text.
var ErrQueryNotFound = errors.New("Query not found")

// PreparedQueryGet returns a prepared query by its ID.
var PreparedQueryGet = Read[wire.PreparedQuerySpecificRequest, wire.IndexedPreparedQueries]{"PreparedQuery.Get", preparedQueryGet}

func preparedQueryGet(env *Env, args *wire.PreparedQuerySpecificRequest, reply *wire.IndexedPreparedQueries) error {
	idx, q := env.View.PreparedQueryGet(env.Watch, args.QueryID)
	if q == nil {
		return ErrQueryNotFound
	}
	if _, named := q.ACLPrefix(); named { // who knows the ID of another may see it
		if err := env.may(func(a Authorizer) bool { return canReadQuery(a, q) }); err != nil {
			return err
		}
	}
	reply.Index, reply.Queries = idx, redacted(env, wire.PreparedQueries{q})
	return nil
}

// PreparedQueryList lists the prepared queries.
var PreparedQueryList = Read[wire.DCSpecificRequest, wire.IndexedPreparedQueries]{"PreparedQuery.List", preparedQueryList}

func preparedQueryList(env *Env, _ *wire.DCSpecificRequest, reply *wire.IndexedPreparedQueries) error {
	reply.Index, reply.Queries = env.View.PreparedQueries(env.Watch)
	reply.Queries = redacted(env, visible(env, &reply.QueryMeta, reply.Queries, canReadQuery))
	return nil
}

// PreparedQueryExplain returns the query that a name stands for, as it would be carried
// out.
var PreparedQueryExplain = Read[wire.PreparedQueryExecuteRequest, wire.PreparedQueryExplainResponse]{"PreparedQuery.Explain", preparedQueryExplain}

func preparedQueryExplain(env *Env, args *wire.PreparedQueryExecuteRequest, reply *wire.PreparedQueryExplainResponse) error {
	q, err := resolveQuery(env, args)
	if err != nil {
		return err
	}
	if err := env.may(func(a Authorizer) bool { return canReadQuery(a, q) }); err != nil {
		return err
	}
	reply.Query = *redacted(env, wire.PreparedQueries{q})[0]
	return nil
}

// resolveQuery returns the query that an ID or a name stands for, its template filled in.
func resolveQuery(env *Env, args *wire.PreparedQueryExecuteRequest) (*wire.PreparedQuery, error) {
	q, err := env.View.PreparedQueryResolve(args.QueryIDOrName, args.Agent.Segment)
	if err == nil && q == nil {
		err = ErrQueryNotFound
	}
	return q, err
}

// canReadQuery says whether a query is shown. One without a name is nobody's but the
// operator's.
func canReadQuery(a Authorizer, q *wire.PreparedQuery) bool {
	name, named := q.ACLPrefix()
	return a.ACLWrite() || named && a.PreparedQueryRead(name)
}

// redacted returns queries without the tokens that the asker may not see.
func redacted(env *Env, queries wire.PreparedQueries) wire.PreparedQueries {
	if env.Authz == nil || env.Authz.ACLWrite() {
		return queries
	}
	shown := make(wire.PreparedQueries, len(queries))
	for i, q := range queries {
		shown[i] = q
		if q.Token != "" {
			hidden := *q
			hidden.Token = wire.RedactedToken
			shown[i] = &hidden
		}
	}
	return shown
}

// PreparedQueryApply makes, changes or deletes a prepared query. The reply is its ID.
var PreparedQueryApply = Write[wire.PreparedQueryRequest, string]{
	"PreparedQuery.Apply", wire.PreparedQueryRequestType, preparePreparedQuery, resultPreparedQuery,
}

// resultPreparedQuery leaves the reply as Prepare has made it.
func resultPreparedQuery(result any, _ *string) error {
	if err, ok := result.(error); ok {
		return fmt.Errorf("raft apply failed: %w", err)
	}
	return nil
}

func preparePreparedQuery(env *Env, args *wire.PreparedQueryRequest, reply *string) (bool, error) {
	q := args.Query
	if q == nil {
		return false, errors.New("Must provide a query")
	}
	if args.Op == wire.PreparedQueryCreate {
		if q.ID != "" {
			return false, errors.New("ID must be empty when creating a new prepared query")
		}
		id, err := freeQueryID(env)
		if err != nil {
			return false, err
		}
		q.ID = id
	}
	*reply = q.ID
	if err := mayWriteQuery(env, q); err != nil {
		return false, err
	}
	if args.Op != wire.PreparedQueryCreate {
		_, existing := env.View.PreparedQueryGet(nil, q.ID)
		if existing == nil {
			return false, fmt.Errorf("Cannot modify non-existent prepared query: '%s'", q.ID)
		}
		if err := mayWriteQuery(env, existing); err != nil {
			return false, err
		}
	}
	switch args.Op {
	case wire.PreparedQueryCreate, wire.PreparedQueryUpdate:
		if err := checkQuery(q); err != nil {
			return false, fmt.Errorf("Invalid prepared query: %w", err)
		}
	case wire.PreparedQueryDelete:
	default:
		return false, fmt.Errorf("Unknown prepared query operation: %s", args.Op)
	}
	return true, nil
}

func mayWriteQuery(env *Env, q *wire.PreparedQuery) error {
	name, named := q.ACLPrefix()
	if !named {
		return nil
	}
	return env.may(func(a Authorizer) bool { return a.PreparedQueryWrite(name) })
}

func freeQueryID(env *Env) (string, error) {
	for {
		id, err := env.newID()
		if err != nil {
			return "", fmt.Errorf("UUID generation for prepared query failed: %w", err)
		}
		if _, taken := env.View.PreparedQueryGet(nil, id); taken == nil {
			return id, nil
		}
	}
}

// checkQuery checks what the state does not: names, sessions and templates are its.
func checkQuery(q *wire.PreparedQuery) error {
	s := &q.Service
	switch {
	case q.Name == "" && q.Template.Type == "" && q.Session == "":
		return errors.New("Must be bound to a session")
	case q.Token == wire.RedactedToken:
		return fmt.Errorf("Bad Token '%s', it looks like a query definition with a redacted token was submitted", q.Token)
	case s.Service == "":
		return errors.New("Must provide a Service name to query")
	case s.Failover.NearestN < 0:
		return fmt.Errorf("Bad NearestN '%d', must be >= 0", s.Failover.NearestN)
	case (s.Failover.NearestN != 0 || len(s.Failover.Datacenters) != 0) && len(s.Failover.Targets) != 0:
		return errors.New("Targets cannot be populated with NearestN or Datacenters")
	}
	if err := wire.ValidateNodeMeta(s.NodeMeta, true); err != nil {
		return err
	}
	if s.SamenessGroup != "" {
		return errors.New("sameness-groups are an enterprise-only feature")
	}
	return checkQueryDNS(&q.DNS)
}

func checkQueryDNS(dns *wire.QueryDNSOptions) error {
	if dns.TTL == "" {
		return nil
	}
	ttl, err := time.ParseDuration(dns.TTL)
	switch {
	case err != nil:
		return fmt.Errorf("Bad DNS TTL '%s': %w", dns.TTL, err)
	case ttl < 0:
		return fmt.Errorf("DNS TTL '%d', must be >=0", ttl)
	default:
		return nil
	}
}
