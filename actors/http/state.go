package http

import "time"

// How long a socket that was ours is waited for after a restart: the wait between
// two tries, and how many there are.
const (
	rebindEvery = 100 * time.Millisecond
	rebindTries = 50
)

// rebinding counts the tries to open the sockets after a restart.
type rebinding struct{ tries int }

// next says whether to try again, and after how long: only for a socket that is
// taken and was ours before.
func (r *rebinding) next(wasOurs, taken bool) (wait time.Duration, again bool) {
	if !wasOurs || !taken || r.tries == rebindTries {
		return 0, false
	}
	r.tries++
	return rebindEvery, true
}

// verdict is what becomes of a new connection.
type verdict int

const (
	serve  verdict = iota // its requests are served
	refuse                // its one request is answered with 429, so that a person can read why
	drop                  // it is closed at once: too many are being refused already
)

// refusable is how many connections beyond the limit a client may have at a time
// that are still told why they are refused.
const refusable = 50

// judge decides about a connection of a client that then has open connections. A
// limit of 0 is none.
func judge(open, limit int) verdict {
	switch {
	case limit <= 0 || open <= limit:
		return serve
	case open <= limit+refusable:
		return refuse
	default:
		return drop
	}
}
