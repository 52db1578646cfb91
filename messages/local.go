package messages

import (
	"errors"
	"strconv"

	"github.com/actor-consul/consul/messages/wire"
)

// The refusals of what is not registered here. Who refuses adds the ID. Clients
// match the texts.
var (
	// ErrUnknownService is returned when no service has the ID.
	ErrUnknownService = errors.New("Unknown service ID") //nolint:staticcheck,revive // Consul's text
	// ErrUnknownCheck is returned when no check has the ID.
	ErrUnknownCheck = errors.New("Unknown check ID") //nolint:staticcheck,revive // Consul's text
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

// RegisterCheck registers a check of the node, or of a service of this agent.
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

// SetCheckStatus is the result of a check.
//
// From:  http, health
// To:    local
// Reply: Unit, once LocalView has it; ErrUnknownCheck
type SetCheckStatus struct {
	Asked[Unit]
	ID     string
	Status string // passing, warning or critical
	Output string
}

// ChecksChanged says that checks were registered here or deregistered. The
// LocalView is published before it is told.
//
// From:  local
// To:    health
// Reply: none
type ChecksChanged struct{}

// LocalView is what is registered at this agent, at one moment. An entry that has
// not changed is the same pointer in the next view.
type LocalView struct {
	Services map[string]*wire.NodeService // by ID
	Checks   map[string]*wire.HealthCheck // by ID
	Runs     map[string]*wire.CheckType   // by ID of the check: those that are run
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
