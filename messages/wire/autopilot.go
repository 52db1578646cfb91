package wire

import "time"

// AutopilotConfig steers what the leader does about servers by itself.
type AutopilotConfig struct {
	// CleanupDeadServers removes failed servers when a new one has joined.
	CleanupDeadServers bool
	// LastContactThreshold is how long a healthy server may not have heard of the leader.
	LastContactThreshold time.Duration
	// MaxTrailingLogs is how many log entries a healthy server may be behind.
	MaxTrailingLogs uint64
	// MinQuorum is the number of servers below which none is removed.
	MinQuorum uint
	// ServerStabilizationTime is how long a server must be healthy to become a voter.
	ServerStabilizationTime time.Duration

	RedundancyZoneTag       string
	DisableUpgradeMigration bool
	UpgradeVersionTag       string

	CreateIndex uint64
	ModifyIndex uint64
}

// AutopilotSetConfigRequest replaces the autopilot configuration, with CAS only if
// Config.ModifyIndex is the current one. It is a log entry of type
// AutopilotRequestType.
type AutopilotSetConfigRequest struct {
	Datacenter string
	Config     AutopilotConfig
	CAS        bool
	WriteRequest
}

// RequestDatacenter implements Request.
func (r *AutopilotSetConfigRequest) RequestDatacenter() string { return r.Datacenter }
