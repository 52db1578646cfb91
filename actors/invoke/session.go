package invoke

import (
	"context"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// SessionRenew pushes the deadline of a session back. The reply has the session, or
// nothing when it has ended.
var SessionRenew = &Duty[wire.SessionSpecificRequest, wire.IndexedSessions]{method: "Session.Renew", run: renewSession}

// renewSession is for the leader, who must be confirmed as such: a deposed one that
// does not know it would promise what its successor knows nothing of.
func renewSession(ctx context.Context, inv *Invoker, args *wire.SessionSpecificRequest, reply *wire.IndexedSessions) error {
	args.AllowStale = false // the next try goes to the leader
	if !inv.cfg.Status.Load().Leads() {
		return messages.ErrNotLeader
	}
	if err := inv.mayAnswer(ctx, &wire.QueryOptions{}); err != nil {
		return err
	}
	*reply = wire.IndexedSessions{}
	if err := endpoint.SessionRenew.Eval(inv.env(), args, reply); err != nil || len(reply.Sessions) == 0 {
		return err
	}
	sess := reply.Sessions[0]
	if sess.Lease() == 0 {
		return nil
	}
	lives, err := ask.Do(ctx, inv.cfg.Sessions, &messages.RenewSession{ID: sess.ID, TTL: sess.Lease()})
	if !lives {
		reply.Sessions = nil
	}
	return err
}
