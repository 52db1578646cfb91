package leave

import (
	"time"

	"github.com/actor-consul/consul/messages"
)

// A Step is one line of the plan: who does what, within which time.
type Step struct {
	Name   string // for people: "say goodbye to the LAN"
	Owner  string // the actor that does it
	Budget time.Duration

	// Ahead asks the owner already when the step before begins, and again when it
	// is the step's turn. The owner takes being asked twice.
	Ahead bool

	// Make makes the message that asks the owner.
	Make func(id messages.StepID, budget time.Duration, force bool) messages.Step
}

// progress is how far a plan has come. It decides; the actor does.
type progress struct {
	plan  []Step
	at    int // the step under way; -1 before the first
	since time.Time
	ended []messages.LeaveProgress
}

func newProgress(plan []Step) *progress { return &progress{plan: plan, at: -1} }

// next begins the next step. It returns false when the plan is done.
func (p *progress) next(now time.Time) (messages.LeaveProgress, bool) {
	p.at++
	if p.at >= len(p.plan) {
		return messages.LeaveProgress{}, false
	}
	p.since = now
	s := p.plan[p.at]
	return messages.LeaveProgress{Step: s.Name, Owner: s.Owner, Budget: s.Budget}, true
}

// done ends the step that an answer belongs to. It returns false for an answer
// to a step that is over, or was never begun.
func (p *progress) done(now time.Time, answer *messages.StepDone) (messages.LeaveProgress, bool) {
	if int(answer.Step) != p.at || p.at >= len(p.plan) {
		return messages.LeaveProgress{}, false
	}
	s := p.plan[p.at]
	line := messages.LeaveProgress{
		Step: s.Name, Owner: s.Owner, Budget: s.Budget,
		Done: true, Note: answer.Note, Took: now.Sub(p.since),
	}
	if answer.Err != nil {
		line.Err = answer.Err.Error()
	}
	p.ended = append(p.ended, line)
	return line, true
}
