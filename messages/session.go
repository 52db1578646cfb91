package messages

import "time"

// RenewSession pushes the deadline of a session back to its TTL from now, twice
// over.
//
// From:  invoke
// To:    session
// Reply: true when the session lives on; false when its time was up and it is being
// ended, whatever its renewal. ErrNotLeader unless this server leads
type RenewSession struct {
	Asked[bool]
	ID  string        // as the state has it
	TTL time.Duration // that of the session; more than 0
}
