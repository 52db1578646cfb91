package supervisor

import "time"

// policy says when an actor that failed is started again, and when it is given
// up, which ends the agent. It is plain arithmetic: time and chance come in as
// arguments.
//
// What counts is a failure in a row: one that comes before the actor has lived
// for calm. The first is forgiven at once, so that a bug that a single message
// sets off costs a moment and no more; each further one doubles the wait, up to
// longest. An actor that fails now and then never gets near the end, one that
// cannot stand does.
type policy struct {
	tries   int           // failures in a row that are forgiven
	first   time.Duration // the wait after the second failure in a row
	longest time.Duration // no wait is longer
	calm    time.Duration // who has lived this long starts afresh
}

var (
	// alone restarts the actor that failed and leaves the others be.
	alone = policy{tries: 12, first: 50 * time.Millisecond, longest: 5 * time.Second, calm: 500 * time.Millisecond}

	// never is for an actor whose state is wrong once it has failed: the agent
	// ends, and is right again after its next start.
	never = policy{}
)

// record is what is remembered of one actor's failures.
type record struct {
	row int // failures in a row
}

// judge notes a failure after the actor has lived for lived. It returns how long
// to wait before the restart, or false when the actor is to be given up. chance
// is in [0, 1): it spreads the waits, so that actors which fell together do not
// rise together.
func (p policy) judge(r *record, lived time.Duration, chance float64) (wait time.Duration, again bool) {
	if lived >= p.calm {
		r.row = 0
	}
	r.row++
	if r.row > p.tries {
		return 0, false
	}
	if r.row == 1 {
		return 0, true
	}
	wait = p.first
	for i := 2; i < r.row && wait < p.longest; i++ {
		wait *= 2
	}
	wait = min(wait, p.longest)
	return wait/2 + time.Duration(chance*float64(wait)/2), true
}
