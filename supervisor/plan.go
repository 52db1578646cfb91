package supervisor

import (
	"time"

	"github.com/actor-consul/consul/actors/leave"
	"github.com/actor-consul/consul/messages"
)

// leavePlan is how an agent leaves: who does what, in which order, and how long it
// may take. A step whose owner is not in the tree is left out.
//
// The order is the point. Nobody is sent here any more before anything stops; a
// leader hands over before it goes, so that writes are held for a moment and not
// refused; it goes from the peer set before it goes from the pool, so that the
// quorum never counts one who is gone; the pools are told, so that the peers see
// it leave and not fail; and only then the listeners close.
var leavePlan = []leave.Step{
	{
		Name: "take this agent's services and node from the catalog", Owner: "local", Budget: 3 * time.Second,
		Make: func(id messages.StepID, budget time.Duration, _ bool) messages.Step {
			return &messages.Withdraw{Step: id, Budget: budget}
		},
	},
	{
		Name: "hand over leadership", Owner: "raft", Budget: 5 * time.Second,
		Make: func(id messages.StepID, budget time.Duration, _ bool) messages.Step {
			return &messages.HandOver{Step: id, Budget: budget}
		},
	},
	{
		Name: "leave the raft peers", Owner: "raft", Budget: 5 * time.Second,
		Make: func(id messages.StepID, budget time.Duration, force bool) messages.Step {
			return &messages.LeavePeers{Step: id, Budget: budget, Force: force}
		},
	},
	{Name: "say goodbye to the LAN", Owner: lanName, Budget: 5 * time.Second, Make: leavePool},
	{Name: "say goodbye to the WAN", Owner: wanName, Budget: 5 * time.Second, Ahead: true, Make: leavePool}, // it takes ten times as long
	{Name: "answer the DNS queries in flight", Owner: "dns", Budget: 2 * time.Second, Make: drain},
	{Name: "answer the HTTP requests in flight", Owner: "http", Budget: 3 * time.Second, Make: drain},
	{Name: "answer the servers' requests in flight", Owner: "serverrpc", Budget: 2 * time.Second, Make: drain},
	{Name: "answer the RPC commands in flight", Owner: "rpc", Budget: 2 * time.Second, Make: drain},
}

func leavePool(id messages.StepID, budget time.Duration, _ bool) messages.Step {
	return &messages.LeavePool{Step: id, Budget: budget}
}

func drain(id messages.StepID, budget time.Duration, _ bool) messages.Step {
	return &messages.Drain{Step: id, Budget: budget}
}
