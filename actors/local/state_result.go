package local

import (
	"fmt"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// resultRecord returns the record of a result that has a deadline, or why there is
// none. A result without a status is that which is in force.
func (s *state) resultRecord(r *messages.SetCheckStatus) ([]record, error) {
	c := s.checks[r.ID]
	if c == nil {
		return nil, unknownCheck(r.ID)
	}
	last := lastResult{r.Status, r.Output, r.Expires}
	if r.Status == "" {
		last.status, last.output = c.def.Status, c.def.Output
	}
	if !wire.ValidStatus(last.status) {
		return nil, invalidStatus(r.ID, last.status)
	}
	return []record{{thing: thing{aResult, r.ID}, result: &last}}, nil
}

// expiring notes until when the result of a check counts. It says whether that is
// news.
func (s *state) expiring(id string, expires time.Time) bool {
	c := s.checks[id]
	if c.expires.Equal(expires) {
		return false
	}
	next := *c
	next.expires = expires
	s.checks[id] = &next
	s.shown.Expires = nil
	return true
}

// resume takes in the results that were kept of checks that have a TTL, at the time
// at. What has not expired is as it was; what has is critical. None lasts for longer
// than its TTL from now: the wall clock, by which they were kept, may have been set
// back.
func (s *state) resume(records []record, at time.Time) {
	for _, r := range records {
		c := s.checks[r.id]
		if r.result == nil || c == nil || c.run == nil || c.run.TTL <= 0 {
			continue
		}
		status := r.result.status
		if !at.Before(r.result.expires) {
			status = wire.HealthCritical
		}
		next := c.with(status, r.result.output)
		next.expires = at.Add(min(r.result.expires.Sub(at), c.run.TTL))
		s.checks[r.id] = next
	}
	s.shown.Checks, s.shown.Expires = nil, nil
}

func invalidStatus(id, status string) error {
	return fmt.Errorf("check %q cannot have the status %q: it is passing, warning or critical", id, status)
}
