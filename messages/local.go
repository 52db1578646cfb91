package messages

import (
	"errors"
	"strconv"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// The refusals of what is not registered here. Who refuses adds the ID. Clients
// match the texts.
var (
	// ErrNoTTL is returned when a result is reported for a check that is not told
	// its results, but finds them out.
	ErrNoTTL = errors.New("does not have associated TTL")
	// ErrScriptsDisabled is returned when a check that runs a program is registered
	// over HTTP and the agent does not let it.
	ErrScriptsDisabled = errors.New("Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true")
	// ErrLocalScriptsDisabled is returned when a configuration file has such a check.
	ErrLocalScriptsDisabled = errors.New("Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or 'enable_local_script_checks' to true")
	// ErrUnknownService is returned when no service has the ID.
	ErrUnknownService = errors.New("Unknown service ID")
	// ErrUnknownCheck is returned when no check has the ID.
	ErrUnknownCheck = errors.New("Unknown check ID")
)

// RegisterService registers a service at this agent, with its checks, in one step:
// neither the disk nor the catalog ever has the one without the others. A service
// that is there under the same ID is replaced. A check that is there under the
// same ID keeps its status and output, so that a service that registers again
// does not flap.
//
// From:  http, supervisor
// To:    local
// Reply: Unit, once it is kept on disk
type RegisterService struct {
	Asked[Unit]
	Service *wire.NodeService
	Checks  []CheckDefinition
	Token   string // of the service and its checks

	// Sidecar is the proxy to register in the same step; nil: none. It is deregistered
	// with the service. Without a port it gets one, and without checks those that
	// Consul gives it.
	Sidecar *RegisterService

	// ReplaceChecks takes away the checks of the service that are not among Checks.
	ReplaceChecks bool
	// FromConfig marks a definition of a configuration file: it is not kept on
	// disk a second time.
	FromConfig bool
}

// A CheckDefinition is a check together with how it is run.
type CheckDefinition struct {
	// Check is what the catalog has of it. An empty status means critical.
	Check *wire.HealthCheck
	// Run is how it is run. It is nil when nobody runs it, as with the check that
	// maintenance mode registers.
	Run *wire.CheckType
}

// DeregisterService takes a service and its checks away.
//
// From:  http, health
// To:    local
// Reply: Unit, once its files are gone; ErrUnknownService
type DeregisterService struct {
	Asked[Unit]
	ID string
}

// RegisterCheck registers a check of the node, or of a service of this agent. One
// that is there under the same ID keeps its status and output.
//
// From:  http, supervisor
// To:    local
// Reply: Unit, once it is kept on disk
type RegisterCheck struct {
	Asked[Unit]
	CheckDefinition
	Token      string
	FromConfig bool // as in RegisterService
}

// DeregisterCheck takes a check away.
//
// From:  http
// To:    local
// Reply: Unit, once its file is gone; ErrUnknownCheck
type DeregisterCheck struct {
	Asked[Unit]
	ID string
}

// AwaitSync waits until the catalog has been told of everything that was registered
// here before, or until that has been tried in vain.
//
// From:  http
// To:    local
// Reply: Unit
type AwaitSync struct {
	Asked[Unit]
}

// ReplaceDefinitions puts the definitions of configuration files in the place of
// those before, all in one step: what is defined before and after keeps the results
// of its checks, and what is not any more goes.
//
// From:  supervisor
// To:    local
// Reply: Unit, once LocalView has them; an error means that nothing has changed
type ReplaceDefinitions struct {
	Asked[Unit]
	Services []*RegisterService
	Checks   []*RegisterCheck
}

// ReportCheck is what a service says of itself: the result of a check that has a
// TTL, which begins anew with it.
//
// From:  http
// To:    health
// Reply: Unit, once LocalView has it and it is kept on disk; ErrUnknownCheck, ErrNoTTL
type ReportCheck struct {
	Asked[Unit]
	ID     string
	Status string // passing, warning or critical
	Output string
}

// SetCheckStatus is the result of a check. One without a status leaves the result
// that there is and moves Expires alone.
//
// From:  health
// To:    local
// Reply: Unit, once LocalView has it; ErrUnknownCheck
type SetCheckStatus struct {
	Asked[Unit]
	ID     string
	Status string // passing, warning or critical
	Output string

	// Expires is until when the result counts, of a check that has a TTL. Such a
	// result is kept on disk, so that a restart of the agent changes nothing about it.
	Expires time.Time
}

// ChecksChanged says that checks were registered here or deregistered. The
// LocalView is published before it is told.
//
// From:  local
// To:    health
// Reply: none
type ChecksChanged struct {
	// Anew says that local has been started again, and may have missed what it was told.
	Anew bool
}

// CheckStatusChanged says that a check has another status than before. The
// LocalView is published before it is told.
//
// From:  local
// To:    health
// Reply: none
type CheckStatusChanged struct {
	ID string
}

// LocalView is what is registered at this agent, at one moment. An entry that has
// not changed is the same pointer in the next view.
type LocalView struct {
	Services map[string]*wire.NodeService // by ID
	Checks   map[string]*wire.HealthCheck // by ID
	Runs     map[string]*wire.CheckType   // by ID of the check: those that are run
	Expires  map[string]time.Time         // by ID of the check: until when its result counts, if it has a TTL

	// Changed is closed when there is a newer view.
	Changed <-chan struct{}
}

// Stats returns what `consul info` prints of the group "agent". A nil view has
// nothing.
func (v *LocalView) Stats() map[string]string {
	if v == nil {
		v = &LocalView{}
	}
	types := map[string]int{}
	for _, c := range v.Checks {
		types[c.Type]++
	}
	return map[string]string{
		"check_monitors": strconv.Itoa(types["script"]),
		"check_ttls":     strconv.Itoa(types["ttl"]),
		"checks":         strconv.Itoa(len(v.Checks)),
		"services":       strconv.Itoa(len(v.Services)),
	}
}
