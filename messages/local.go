package messages

import "github.com/actor-consul/consul/messages/wire"

// RegisterService registers a service at this agent, with its checks, in one step:
// the catalog never has the one without the others. A service that is there under
// the same ID is replaced.
//
// From:  http, supervisor
// To:    local
// Reply: Unit, once it is kept on disk
type RegisterService struct {
	Asked[Unit]
	Service *wire.NodeService
	Checks  []*wire.HealthCheck
	Token   string

	// ReplaceChecks takes away the checks of the service that are not among Checks.
	ReplaceChecks bool
	// FromConfig marks a definition of a configuration file: it is not kept on
	// disk a second time.
	FromConfig bool
}

// DeregisterService takes a service and its checks away.
//
// From:  http
// To:    local
// Reply: Unit
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
	Check      *wire.HealthCheck
	Token      string
	FromConfig bool
}

// DeregisterCheck takes a check away.
//
// From:  http
// To:    local
// Reply: Unit
type DeregisterCheck struct {
	Asked[Unit]
	ID string
}

// SetCheckStatus is the result of a check.
//
// From:  http, health
// To:    local
// Reply: Unit
type SetCheckStatus struct {
	Asked[Unit]
	ID     string
	Status string
	Output string
}

// LocalView is what is registered at this agent, at one moment.
type LocalView struct {
	Services map[string]*wire.NodeService // by ID
	Checks   map[string]*wire.HealthCheck // by ID
}
