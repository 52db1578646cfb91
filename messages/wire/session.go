package wire

import "time"

// SessionBehavior is what happens to the locks of a session that ends.
type SessionBehavior string

// The behaviours of sessions.
const (
	SessionKeysRelease SessionBehavior = "release"
	SessionKeysDelete  SessionBehavior = "delete"
)

// Bounds on what a session may ask for.
const (
	// SessionTTLMax is the longest TTL.
	SessionTTLMax = 24 * time.Hour
	// SessionTTLMultiplier is how many TTLs a session lives when it is not
	// renewed: the TTL is a promise of the least, not the most.
	SessionTTLMultiplier = 2
	// MaxLockDelay is the longest lock delay.
	MaxLockDelay = 60 * time.Second
)

// Session is a lease that locks are held with. It lives while its node and its
// checks are well and, if it has a TTL, while it is renewed.
type Session struct {
	ID            string
	Name          string
	Node          string
	LockDelay     time.Duration
	Behavior      SessionBehavior
	TTL           string // as text; empty means for ever
	NodeChecks    []string
	ServiceChecks []ServiceCheck

	// Checks is what NodeChecks was called before Consul 1.7.
	Checks []string `json:",omitempty"`

	RaftIndex
}

// ServiceCheck names a check of a service that a session depends on.
type ServiceCheck struct {
	ID        string
	Namespace string
}

// Sessions is a list of sessions.
type Sessions []*Session

// CheckIDs returns the IDs of all checks that the session depends on.
func (s *Session) CheckIDs() []string {
	checks := s.NodeChecks
	if len(checks) == 0 {
		checks = s.Checks
	}
	ids := make([]string, 0, len(checks)+len(s.ServiceChecks))
	ids = append(ids, checks...)
	for _, c := range s.ServiceChecks {
		ids = append(ids, c.ID)
	}
	return ids
}

// Lease returns how long the session may go without a renewal before it is due to
// end, SessionTTLMultiplier not counted; 0 when it need not be renewed. A TTL that
// cannot be read is none.
func (s *Session) Lease() time.Duration {
	ttl, err := time.ParseDuration(s.TTL)
	if err != nil {
		return 0
	}
	return max(ttl, 0)
}

// SessionOp is an operation on sessions.
type SessionOp string

// The operations on sessions.
const (
	SessionCreate  SessionOp = "create"
	SessionDestroy SessionOp = "destroy"
)

// SessionRequest makes or ends a session. It is a log entry of type
// SessionRequestType. The leader chooses the ID before the entry is written.
type SessionRequest struct {
	Datacenter string
	Op         SessionOp
	Session    Session
	WriteRequest
}

// RequestDatacenter implements Request.
func (r *SessionRequest) RequestDatacenter() string { return r.Datacenter }

// SessionSpecificRequest asks for one session.
type SessionSpecificRequest struct {
	Datacenter string
	SessionID  string
	// Session is what SessionID was called before Consul 1.7; both are sent.
	Session string
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *SessionSpecificRequest) RequestDatacenter() string { return r.Datacenter }

// ID returns the session that is asked for, whichever field it came in.
func (r *SessionSpecificRequest) ID() string {
	if r.SessionID != "" {
		return r.SessionID
	}
	return r.Session
}

// IndexedSessions answers Session.Get, List and NodeSessions.
type IndexedSessions struct {
	Sessions Sessions
	QueryMeta
}
