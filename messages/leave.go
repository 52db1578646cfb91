package messages

import "time"

// BeginLeave starts the leave plan. Asking again while it runs joins it.
//
// From:  cmd (signals), rpc, http
// To:    leave
// Reply: LeaveBegun
type BeginLeave struct {
	Asked[LeaveBegun]
	Why   string // for the log: "interrupt", "consul leave"
	Force bool   // go on although the cluster would lose its quorum

	// Signal says that nobody is there to be refused: the leave goes on, and the
	// peer set is left as it is where that would cost the quorum.
	Signal bool
}

// LeaveBegun is the answer to BeginLeave.
type LeaveBegun struct {
	// Progress tells each step as it begins and as it ends, and is closed when the
	// plan is done. It is never waited for: it has room for all there will be.
	Progress <-chan LeaveProgress

	// Heard says that all of Progress has been passed on. The agent waits for it a
	// moment before it stops, so that who watches sees the end. It never blocks.
	Heard func()
}

// LeaveProgress is one line of a leave: a step has begun, or has ended.
type LeaveProgress struct {
	Step   string // such as "say goodbye to the LAN"
	Owner  string // the actor that does it
	Done   bool
	Note   string        // what was done, or why there was nothing to do
	Err    string        // why it failed; the plan goes on
	Took   time.Duration // once done
	Budget time.Duration // how long it may take
}

// LeaveEnded says that the plan is done and the actors can be stopped.
//
// From:  leave
// To:    supervisor
// Reply: none
type LeaveEnded struct {
	Report []LeaveProgress // the steps that have ended, in order
}

// LeaveStarted tells the supervisor that a leave is under way, so that it can
// begin it anew should the coordinator fail on the way.
//
// From:  leave
// To:    supervisor
// Reply: none
type LeaveStarted struct {
	Begin BeginLeave // as it was asked for, but that nobody waits
}

// Again returns the same request, for which nobody waits.
func (b *BeginLeave) Again() *BeginLeave {
	return &BeginLeave{Why: b.Why, Force: b.Force, Signal: b.Signal}
}

// StepID names a step of a leave that is under way, so that a late answer is not
// taken for the answer to the next.
type StepID int

// A Step is a request to take one step of a leave. Its Failed makes the answer of
// an owner that could not: its guard gives it when the owner panics.
type Step interface {
	Failed(err error) *StepDone
}

// Withdraw is the step that takes this agent's services, checks and node from the
// catalog, so that nobody is sent here any more.
//
// From:  leave
// To:    local
// Reply: StepDone
type Withdraw struct {
	Step   StepID
	Budget time.Duration
}

// HandOver is the step in which a leading server gives leadership to another
// voter and waits until it has it.
//
// From:  leave
// To:    raft
// Reply: StepDone
type HandOver struct {
	Step   StepID
	Budget time.Duration
}

// LeavePeers is the step that removes this server from the raft configuration.
//
// From:  leave
// To:    raft
// Reply: StepDone
type LeavePeers struct {
	Step   StepID
	Budget time.Duration
	Force  bool // although the quorum is lost with it
}

// LeavePool is the step that says goodbye to a gossip pool, so that the peers see
// this agent as left and not as failed.
//
// From:  leave
// To:    gossip
// Reply: StepDone
type LeavePool struct {
	Step   StepID
	Budget time.Duration
}

// Drain is the step in which a listener takes on nothing new and answers what is
// in flight.
//
// From:  leave
// To:    dns, http, rpc, serverrpc
// Reply: StepDone
type Drain struct {
	Step   StepID
	Budget time.Duration
}

// StepDone answers each of the steps above.
//
// From:  the owner of the step
// To:    leave
// Reply: none
type StepDone struct {
	Step StepID
	Note string // for the person who watches: what was done, or why nothing was
	Err  error
}

// Failed implements Step.
func (s *Withdraw) Failed(err error) *StepDone { return &StepDone{Step: s.Step, Err: err} }

// Failed implements Step.
func (s *HandOver) Failed(err error) *StepDone { return &StepDone{Step: s.Step, Err: err} }

// Failed implements Step.
func (s *LeavePeers) Failed(err error) *StepDone { return &StepDone{Step: s.Step, Err: err} }

// Failed implements Step.
func (s *LeavePool) Failed(err error) *StepDone { return &StepDone{Step: s.Step, Err: err} }

// Failed implements Step.
func (s *Drain) Failed(err error) *StepDone { return &StepDone{Step: s.Step, Err: err} }
