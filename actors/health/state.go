package health

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// result is what came of a check.
type result struct{ status, output string }

// minInterval is the shortest rest between two tries of a check: a program that is
// started again and again without one would bring a machine down.
const minInterval = time.Second

// A verdict says when results count: as many in a row as the check asks for. The
// first result counts at once.
type verdict struct {
	passes, failures int // in a row

	passAfter, warnAfter, failAfter int
}

func newVerdict(run *wire.CheckType) verdict {
	v := verdict{
		passAfter: run.SuccessBeforePassing, warnAfter: run.FailuresBeforeWarning, failAfter: run.FailuresBeforeCritical,
	}
	if v.warnAfter == 0 {
		v.warnAfter = v.failAfter
	}
	v.passes, v.failures = v.passAfter, v.failAfter
	return v
}

// judge takes in the status of a result. It returns the status that the check has
// now, unless the result does not count yet.
func (v *verdict) judge(status string) (now string, counts bool) {
	if status != wire.HealthCritical {
		v.passes++
		v.failures = 0
		return status, v.passes >= v.passAfter
	}
	v.failures++
	v.passes = 0
	if v.failures >= v.failAfter {
		return status, true
	}
	return wire.HealthWarning, v.failures >= v.warnAfter
}

// changes is what has to happen for the children to be those of the checks.
type changes struct{ stop, start, renewed []string }

// compare finds the changes from the checks that have a child to those that there
// should be. One whose definition has become another is stopped and started; one
// that was registered again just as it was is renewed.
func compare(have, want map[string]*wire.CheckType) (c changes) {
	for _, id := range slices.Sorted(maps.Keys(have)) {
		switch run := want[id]; {
		case run == nil || run != have[id] && !reflect.DeepEqual(run, have[id]):
			c.stop = append(c.stop, id)
		case run != have[id]:
			c.renewed = append(c.renewed, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if have[id] == nil || slices.Contains(c.stop, id) {
			c.start = append(c.start, id)
		}
	}
	return c
}

// The times of reaping. Those of Consul.
const (
	reapEvery = 30 * time.Second
	reapLeast = time.Minute // a check cannot ask for less
)

// critical is since when checks are critical, by their IDs.
type critical map[string]time.Time

// note takes in which checks are critical at the time at.
func (c critical) note(view *messages.LocalView, at time.Time) {
	for id, check := range view.Checks {
		if check.Status != wire.HealthCritical {
			delete(c, id)
		} else if _, known := c[id]; !known {
			c[id] = at
		}
	}
	maps.DeleteFunc(c, func(id string, _ time.Time) bool { return view.Checks[id] == nil })
}

// A reaped service goes because of a check.
type reaped struct {
	service, check string
	after          time.Duration
}

// reap returns the services that have been critical for longer than a check of
// theirs lets them.
func reap(view *messages.LocalView, since critical, now time.Time) (all []reaped) {
	gone := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(since)) {
		run, check := view.Runs[id], view.Checks[id]
		if run == nil || check == nil || check.ServiceID == "" || run.DeregisterCriticalServiceAfter <= 0 || gone[check.ServiceID] {
			continue
		}
		after := max(run.DeregisterCriticalServiceAfter, reapLeast)
		if now.Sub(since[id]) > after {
			gone[check.ServiceID] = true
			all = append(all, reaped{check.ServiceID, id, after})
		}
	}
	return all
}

// fate is when a child that fails is started again: the later, the oftener it has
// failed in a row.
type fate struct {
	row  int
	born time.Time
}

// The times of a child that fails.
const (
	riseFirst   = time.Second
	riseLongest = time.Minute
	calm        = time.Minute // who has lived this long starts afresh
)

func (f *fate) rose(at time.Time) { f.born = at }

// fell notes a failure and returns how long to wait. chance is in [0, 1).
func (f *fate) fell(at time.Time, chance float64) time.Duration {
	if at.Sub(f.born) >= calm {
		f.row = 0
	}
	wait := riseFirst
	for i := 0; i < f.row && wait < riseLongest; i++ {
		wait *= 2
	}
	f.row++
	wait = min(wait, riseLongest)
	return wait/2 + time.Duration(chance*float64(wait)/2)
}

// timeout returns how long a try may take.
func timeout(run *wire.CheckType) time.Duration {
	switch {
	case run.Timeout > 0:
		return run.Timeout
	case len(run.ScriptArgs) > 0 || run.OSService != "":
		return 30 * time.Second
	default:
		return 10 * time.Second
	}
}

// timedOut is the output of a try that took too long.
func timedOut(after time.Duration, output string) string {
	text := fmt.Sprintf("Timed out (%s) running check", after)
	if output != "" {
		text += "\n\n" + output
	}
	return text
}

// cut bounds what a service says of itself.
func cut(output string, most int) string {
	if len(output) <= most {
		return output
	}
	return fmt.Sprintf("%s ... (captured %d of %d bytes)", output[:most], most, len(output))
}

// brief is an output for the log: its first line, and not too much of it.
func brief(output string) string {
	line, _, _ := strings.Cut(output, "\n")
	return line[:min(len(line), 200)]
}
