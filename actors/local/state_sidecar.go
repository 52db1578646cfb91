package local

import (
	"errors"
	"fmt"
	"slices"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/definition"
)

// ports is a range of ports, both ends included; none when the first is 0.
type ports struct{ first, last int }

var errNoSidecarPorts = errors.New("no port provided for sidecar_service and auto-assignment disabled in config")

// registerSidecar returns the records of a proxy and its checks. It gets a port, and
// checks, when it has none.
func (s *state) registerSidecar(r *messages.RegisterService) ([]record, error) {
	full, def := *r, *r.Service
	full.Service = &def
	if def.Port < 1 {
		port, err := s.sidecarPort(def.ID)
		if err != nil {
			return nil, err
		}
		def.Port = port
	}
	if len(full.Checks) == 0 {
		full.Checks = definition.SidecarChecks(&def)
	}
	return s.registerOne(&full)
}

// sidecarPort returns the port of the proxy with the ID: the one that it has, or the
// first that none has.
func (s *state) sidecarPort(id string) (int, error) {
	from := s.allows.ports
	if from.first < 1 || from.last < from.first {
		return 0, errNoSidecarPorts
	}
	taken := map[int]bool{}
	for other, svc := range s.services {
		if port := svc.def.Port; port >= from.first && port <= from.last {
			if other == id {
				return port, nil
			}
			taken[port] = true
		}
	}
	for port := from.first; port <= from.last; port++ {
		if !taken[port] {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port provided for sidecar_service and none left in the configured range [%d, %d]", from.first, from.last)
}

// wantsPort says whether a record is that of a proxy that has no port yet.
func (r record) wantsPort() bool {
	return r.service != nil && r.service.LocallyRegisteredAsSidecar && r.service.Port < 1
}

// sidecarsLast puts the services that want a port after those that have one, and
// before all checks.
func sidecarsLast(records []record) []record {
	rank := func(r record) int {
		switch {
		case r.kind != aService:
			return 2
		case r.wantsPort():
			return 1
		default:
			return 0
		}
	}
	sorted := slices.Clone(records)
	slices.SortStableFunc(sorted, func(a, b record) int { return rank(a) - rank(b) })
	return sorted
}

// restoreService returns the records of a service that was kept, or that a
// configuration file says. Of these, proxies may come without a port, and without
// checks, which they then get.
func (s *state) restoreService(r record) ([]record, error) {
	msg := &messages.RegisterService{Service: r.service, Token: r.token, FromConfig: r.fromConfig}
	switch {
	case r.checkless:
		return s.registerSidecar(msg)
	case r.wantsPort():
		port, err := s.sidecarPort(r.id)
		if err != nil {
			return nil, err
		}
		def := *r.service
		def.Port = port
		msg.Service = &def
	}
	return s.registerOne(msg)
}
