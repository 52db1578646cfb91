package raft

import "time"

// replayPatience is for how long a server that has started waits for a leader, who
// alone knows which entries of its log are committed, before it makes do with what it
// has: its newest snapshot.
const replayPatience = 10 * time.Second

// replay is the time after a start in which the state lacks entries that are in the
// log. The state is one of long ago then, and would deny what was added since.
type replay struct {
	began time.Time
	end   uint64 // index of the last entry that the log had
}

// over reports whether the state, which is at applied, has all that the log had. The
// log may end earlier now: a leader has removed what nobody else has.
func (r replay) over(applied, end uint64) bool { return applied >= min(r.end, end) }

// hopeless reports whether it will not be over soon.
func (r replay) hopeless(leader bool, now time.Time) bool {
	return !leader && now.Sub(r.began) >= replayPatience
}
