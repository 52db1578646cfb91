package messages

// EventPrefix is what Consul puts before the name of a user event in the gossip
// pool.
const EventPrefix = "consul:event:"

// A UserEvent is an event that somebody fired in the datacenter. Its msgpack, with
// the keys that Consul gives them, is the payload of the event in the gossip pool;
// its JSON is what the HTTP API shows.
type UserEvent struct {
	ID            string // a UUID
	Name          string `codec:"n"`
	Payload       []byte `codec:"p,omitempty"`
	NodeFilter    string `codec:"nf,omitempty"` // regular expression; empty: all nodes
	ServiceFilter string `codec:"sf,omitempty"` // regular expression; the node must have such a service
	TagFilter     string `codec:"tf,omitempty"` // regular expression; and with such a tag
	Version       int    `codec:"v"`            // of this encoding
	LTime         uint64 `codec:"-"`            // Serf's Lamport time, once it has reached an agent
}

// EventView is the newest user events that were for this agent, at one moment.
type EventView struct {
	Events []UserEvent // the oldest first; read only

	// Changed is closed when there is a newer view.
	Changed <-chan struct{}
}

// FireEvent asks to spread an event. Its ID, Version and LTime are not the asker's
// to give.
//
// From:  http
// To:    event
// Reply: UserEvent, as it was fired
type FireEvent struct {
	Asked[UserEvent]
	Event      UserEvent
	Datacenter string // empty: ours
}
