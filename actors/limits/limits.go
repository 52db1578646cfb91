// Package limits tells of what was refused because there was too much of it.
//
//	http, serverrpc, raft, coordinate ──Refused──▶ a counter, and a line in the log
//
// The package is no actor; whoever refuses something has a Refusals of its own, and
// any goroutine may use it.
package limits

import (
	"sync"
	"time"

	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"
)

// every is how often the log tells of one limit. Who refuses a lot does so quickly.
const every = 10 * time.Second

// Refusals counts what is refused, and tells of each limit now and then.
type Refusals struct {
	log *zap.Logger

	mu   sync.Mutex // askers' goroutines
	last map[string]time.Time
	more map[string]int // since then
}

// New returns Refusals that tell log.
func New(log *zap.Logger) *Refusals {
	return &Refusals{log: log, last: map[string]time.Time{}, more: map[string]int{}}
}

// Refused counts one more refusal under a limit, as limits.refused with the limit as a
// label, and logs what says about it unless that was done a moment ago. There are few
// limits: their names are not of what somebody sends.
func (r *Refusals) Refused(limit, says string, fields ...zap.Field) {
	metrics.IncrCounterWithLabels([]string{"limits", "refused"}, 1, []metrics.Label{{Name: "limit", Value: limit}})
	now := time.Now()
	r.mu.Lock()
	last, told := r.last[limit]
	hush := told && now.Sub(last) < every
	more := r.more[limit]
	if hush {
		r.more[limit]++
	} else {
		r.last[limit], r.more[limit] = now, 0
	}
	r.mu.Unlock()
	if hush {
		return
	}
	if more > 0 {
		fields = append(fields, zap.Int("others_before", more))
	}
	r.log.Warn(says, append(fields, zap.String("limit", limit))...)
}
