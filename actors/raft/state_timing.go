package raft

import "time"

// timing is how soon raft notices that a leader is gone, and acts on it.
type timing struct {
	heartbeat time.Duration // a follower that hears nothing for so long, or up to twice that, campaigns
	election  time.Duration // a campaign that has no outcome for so long, or up to twice that, starts anew
	lease     time.Duration // a leader that reaches no quorum for so long steps down
}

// ours is how servers are timed when performance.raft_multiplier is not set: a
// dead leader is replaced within 1.5 seconds. A follower looks at its timer every
// 0.5 to 1 second, so the worst that can happen is that it looks just before the
// half second of silence is over, and again a second later.
var ours = timing{
	heartbeat: 500 * time.Millisecond,
	election:  500 * time.Millisecond,
	lease:     400 * time.Millisecond,
}

// passive is how a server is timed that cannot write its log. As a leader it
// would be of no use, so it leaves the campaigns to those who can.
var passive = timing{heartbeat: 10 * time.Second, election: 10 * time.Second, lease: ours.lease}

// timingFor returns the timing for a raft_multiplier, which scales Consul's
// second for heartbeats and elections and its half second for the lease, as
// https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file
// says. Zero means that it is not set.
func timingFor(multiplier int) timing {
	if multiplier == 0 {
		return ours
	}
	m := time.Duration(multiplier)
	return timing{heartbeat: m * time.Second, election: m * time.Second, lease: m * time.Second / 2}
}
