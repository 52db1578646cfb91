package messages

import "time"

// Ready says that an actor has what it needs and can be spoken to. The
// supervisor starts the next actor only then.
//
// From:  every actor, to its parent, once after each (re)start
// To:    supervisor
// Reply: none
type Ready struct{}

// StartFailed says that an actor cannot start for a reason that a restart does
// not mend, such as a port that is taken. The agent then does not start, or, when
// it has been running, ends.
//
// From:  every actor, to its parent
// To:    supervisor
// Reply: none
type StartFailed struct {
	Err error // what, where, and what to do
}

// ListActors asks for the live tree.
//
// From:  http, rpc
// To:    supervisor
// Reply: []ActorInfo, in start order
type ListActors struct {
	Asked[[]ActorInfo]
}

// ActorState is where an actor is in its life.
type ActorState string

// The states of an actor.
const (
	ActorStarting   ActorState = "starting"
	ActorRunning    ActorState = "running"
	ActorRestarting ActorState = "restarting" // failed, waiting for its next start
	ActorStopping   ActorState = "stopping"
	ActorStopped    ActorState = "stopped"
)

// ActorInfo is one line of the live tree.
type ActorInfo struct {
	Name          string
	State         ActorState
	MailboxDepth  int64     // messages that wait
	Handled       int64     // messages taken from the mailbox since the agent started
	Restarts      int       // since the agent started
	Since         time.Time // of the last start
	LastFailure   string    `json:",omitempty"` // what the last panic said
	LastFailureAt time.Time `json:",omitzero"`
}

// Reload asks the agent to read its configuration again.
//
// From:  http, rpc, cmd (SIGHUP)
// To:    supervisor
// Reply: ReloadReport
type Reload struct {
	Asked[ReloadReport]
}

// ReloadReport says what became of each key that has changed, and of the files of
// certificates, which may change where no key does.
type ReloadReport struct {
	Applied      []string // keys now in force
	NeedsRestart []string // keys that differ, and will count after a restart
	Unchanged    int      // how many keys are as they were
	Certificates []string `json:",omitempty"` // files whose certificates are others than before, and in force
}

// Reconfigure carries the part of the configuration that can change while the
// agent runs. Each actor takes what concerns it.
//
// From:  supervisor
// To:    logs, dns, http, local
// Reply: none
type Reconfigure struct {
	LogLevel string
	DNS      DNSConfig
	HTTP     HTTPConfig
	TLS      TLSConfig // has been taken over when this is told
	NodeMeta map[string]string

	// Services and Checks are the definitions of configuration files. They have been
	// taken over when this is told.
	Services []*RegisterService
	Checks   []*RegisterCheck
}
