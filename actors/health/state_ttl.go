package health

import (
	"strings"
	"time"
)

// resumed returns the deadline of a check whose result was to count until expires.
// It is no later than if the service had reported just now: the clock may have been
// set back, or the TTL have become shorter.
func resumed(expires, now time.Time, ttl time.Duration) time.Time {
	if most := now.Add(ttl); expires.After(most) {
		return most
	}
	return expires
}

const expiredOutput = "TTL expired"

// expired is the output of a check whose service has not reported in time, after
// what it reported last.
func expired(last string) string {
	switch {
	case last == "":
		return expiredOutput
	case strings.HasPrefix(last, expiredOutput):
		return last
	default:
		return expiredOutput + " (last output before timeout follows): " + last
	}
}
