package agentrpc

// DefaultAddr is where an agent listens unless it is told otherwise.
const DefaultAddr = "127.0.0.1:8400"

// AddrEnv names the environment variable that overrides DefaultAddr in clients.
const AddrEnv = "CONSUL_RPC_ADDR"

// Version is the only version of the protocol there has been.
const Version = 1

// A Command is what a request asks for.
type Command string

// The commands of Consul 0.1 to 0.7, with the bodies that follow the headers of
// request and answer. Where the answer has a body, it has it with an error as
// well: clients of Consul wait for it.
const (
	Handshake  Command = "handshake"   // HandshakeRequest; no body
	ForceLeave Command = "force-leave" // ForceLeaveRequest; no body
	Join       Command = "join"        // JoinRequest; JoinResponse
	MembersLAN Command = "members-lan" // no body; MembersResponse
	MembersWAN Command = "members-wan" // no body; MembersResponse
	Monitor    Command = "monitor"     // MonitorRequest; no body, then LogRecords
	Stop       Command = "stop"        // StopRequest; no body
	Leave      Command = "leave"       // no body; no body, once the agent has left
	Stats      Command = "stats"       // no body; map[string]map[string]string
	Reload     Command = "reload"      // no body; no body
	InstallKey Command = "install-key" // KeyringRequest; KeyringResponse
	UseKey     Command = "use-key"     // likewise
	RemoveKey  Command = "remove-key"  // likewise
	ListKeys   Command = "list-keys"   // likewise, but clients before 0.7.4 send no body
)

// The commands of our own.
const (
	// Actors asks for the live tree of the agent: no body; ActorsResponse.
	Actors Command = "actors"

	// LeaveProgress is leave with a report: LeaveRequest; no body, then
	// LeaveRecords until one with End.
	LeaveProgress Command = "leave-progress"

	// ReloadReport is reload with a report: no body; ReloadResponse.
	ReloadReport Command = "reload-report"
)

// The errors of the protocol itself, which programs match.
const (
	UnsupportedCommand = "Unsupported command"         // and the connection ends
	UnsupportedVersion = "Unsupported RPC version"     // in a handshake
	DuplicateHandshake = "Handshake already performed" // in a second one
	HandshakeRequired  = "Handshake required"          // and the connection ends
	MonitorExists      = "Monitor already exists"      // a connection has one monitor
	UnknownLogLevel    = "Unknown log level: "         // and the level, in capitals
)
