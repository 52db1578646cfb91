package local

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/definition"
	"github.com/actor-consul/consul/messages/wire"
)

// state is what is registered at this agent, and what the node says of itself. It
// is the truth for this node; the catalog is made to agree (state_sync.go).
//
// Changes are records: a request is turned into records by the state as it is, the
// records are kept on disk, and then they are applied.
type state struct {
	node     *wire.Node
	server   bool // its service "consul" and its health are the leader's to write
	allows   allowed
	services map[string]*service
	checks   map[string]*check

	// departed has the tokens of what is not registered any more and may be in the
	// catalog still.
	departed map[thing]string

	shown messages.LocalView // the newest view; a map is nil when it has to be made anew
}

// allowed is what may be registered here.
type allowed struct {
	scripts, localScripts bool // checks that run programs: over HTTP, in configuration files
	ports                 ports
}

// service is a service that is registered here. It is replaced, never changed.
type service struct {
	def        *wire.NodeService
	token      string
	fromConfig bool
	// fresh marks a service that was registered anew and has not reached the catalog
	// yet: its tags count, although others may override them.
	fresh bool
}

// check is a check that is registered here. It is replaced, never changed.
type check struct {
	def        *wire.HealthCheck
	run        *wire.CheckType
	token      string
	fromConfig bool
	// expires is until when the result counts; zero: until the next.
	expires time.Time
	// outputDue is until when the catalog may have an older output; zero when it has
	// this one, or must have it at once.
	outputDue time.Time
}

func newState(node *wire.Node, server bool, allows allowed) *state {
	return &state{
		node: node, server: server, allows: allows,
		services: map[string]*service{}, checks: map[string]*check{},
		departed: map[thing]string{},
	}
}

// registerService returns the records of a service, its checks and its sidecar, or
// why it cannot be registered.
func (s *state) registerService(r *messages.RegisterService) ([]record, error) {
	all, err := s.registerOne(r)
	if err != nil || r.Sidecar == nil {
		return all, err
	}
	side, err := s.registerSidecar(r.Sidecar)
	return append(all, side...), err
}

func (s *state) registerOne(r *messages.RegisterService) ([]record, error) {
	def, err := normalService(r.Service)
	if err != nil {
		return nil, err
	}
	if s.server && def.ID == wire.ConsulServiceID {
		return nil, errConsulService
	}
	if other, ok := confused(s.services, def.ID); ok {
		return nil, fmt.Errorf("service %q is registered here, and the catalog does not tell %q from it; deregister it first", other, def.ID)
	}
	all := []record{{
		thing: thing{aService, def.ID}, service: def, token: r.Token, fromConfig: r.FromConfig,
	}}
	named := map[string]bool{}
	for _, c := range r.Checks {
		one, err := s.checkRecord(c, def, r.FromConfig)
		if err != nil {
			return nil, err
		}
		one.token, one.fromConfig = r.Token, r.FromConfig
		named[one.id] = true
		all = append(all, one)
	}
	if !r.ReplaceChecks {
		return all, nil
	}
	for _, c := range s.checksOf(def.ID) {
		if !named[c.def.CheckID] {
			all = append(all, record{thing: thing{aCheck, c.def.CheckID}})
		}
	}
	return all, nil
}

// deregisterService returns the records of a service, its checks and its sidecar
// being gone.
func (s *state) deregisterService(id string) ([]record, error) {
	if s.services[id] == nil {
		return nil, fmt.Errorf("%w %q. Ensure that the service ID is passed, not the service name.", messages.ErrUnknownService, id) // Consul's text
	}
	all := s.withoutService(id)
	side := definition.SidecarID(id)
	if svc := s.services[side]; svc != nil && svc.def.LocallyRegisteredAsSidecar {
		all = append(all, s.withoutService(side)...)
	}
	return all, nil
}

func (s *state) withoutService(id string) []record {
	all := []record{{thing: thing{aService, id}}}
	for _, c := range s.checksOf(id) {
		all = append(all, record{thing: thing{aCheck, c.def.CheckID}})
	}
	return all
}

// registerCheck returns the record of a check, or why it cannot be registered.
func (s *state) registerCheck(r *messages.RegisterCheck) ([]record, error) {
	var def *wire.NodeService
	if r.Check != nil && r.Check.ServiceID != "" {
		svc := s.services[r.Check.ServiceID]
		if svc == nil {
			return nil, fmt.Errorf("ServiceID %q does not exist", r.Check.ServiceID)
		}
		def = svc.def
	}
	one, err := s.checkRecord(r.CheckDefinition, def, r.FromConfig)
	if err != nil {
		return nil, err
	}
	one.token, one.fromConfig = r.Token, r.FromConfig
	return []record{one}, nil
}

// deregisterCheck returns the record of a check being gone.
func (s *state) deregisterCheck(id string) ([]record, error) {
	if s.checks[id] == nil {
		return nil, unknownCheck(id)
	}
	return []record{{thing: thing{aCheck, id}}}, nil
}

// checkRecord returns the record of a check of the node or, unless of is nil, of a
// service. One that is registered again keeps its result.
func (s *state) checkRecord(c messages.CheckDefinition, of *wire.NodeService, fromConfig bool) (record, error) {
	def, err := normalCheck(c.Check, s.node.Node, of)
	if err != nil {
		return record{}, err
	}
	switch {
	case !c.Run.RunsProgram():
	case fromConfig && !s.allows.localScripts:
		return record{}, messages.ErrLocalScriptsDisabled
	case !fromConfig && !s.allows.scripts:
		return record{}, messages.ErrScriptsDisabled
	}
	if had := s.checks[def.CheckID]; had != nil && had.def.ServiceID == def.ServiceID {
		def.Status, def.Output = had.def.Status, had.def.Output
	}
	if other, ok := confused(s.checks, def.CheckID); ok {
		return record{}, fmt.Errorf("check %q is registered here, and the catalog does not tell %q from it; deregister it first", other, def.CheckID)
	}
	return record{thing: thing{aCheck, def.CheckID}, check: def, run: c.Run}, nil
}

// apply makes the records true. It says whether checks came or went.
func (s *state) apply(records []record) (checksChanged bool) {
	for _, r := range records {
		switch r.kind {
		case aService:
			s.applyService(r)
		case aCheck:
			s.applyCheck(r)
			checksChanged = true
		}
	}
	return checksChanged
}

func (s *state) applyService(r record) {
	s.shown.Services = nil
	had := s.services[r.id]
	if r.gone() {
		if had != nil {
			s.departed[r.thing] = had.token
		}
		delete(s.services, r.id)
		return
	}
	delete(s.departed, r.thing)
	s.services[r.id] = &service{
		def: r.service, token: r.token, fromConfig: r.fromConfig,
		fresh: had == nil || had.fresh || !sameService(had.def, r.service),
	}
	s.rebind(r.id)
}

func (s *state) applyCheck(r record) {
	s.shown.Checks, s.shown.Runs, s.shown.Expires = nil, nil, nil
	had := s.checks[r.id]
	if r.gone() {
		if had != nil {
			s.departed[r.thing] = had.token
		}
		delete(s.checks, r.id)
		return
	}
	delete(s.departed, r.thing)
	next := &check{def: r.check, run: r.run, token: r.token, fromConfig: r.fromConfig}
	if had != nil && had.def.ServiceID == r.check.ServiceID {
		next.expires = had.expires
	}
	s.checks[r.id] = next
}

// rebind has the checks of a service say what the service says, as the catalog
// will have it.
func (s *state) rebind(serviceID string) {
	svc := s.services[serviceID].def
	for _, c := range s.checksOf(serviceID) {
		if c.def.ServiceName == svc.Service && slices.Equal(c.def.ServiceTags, svc.Tags) {
			continue
		}
		next, def := *c, *c.def
		def.ServiceName, def.ServiceTags = svc.Service, svc.Tags
		next.def = &def
		s.checks[def.CheckID] = &next
		s.shown.Checks = nil
	}
}

// restore applies what was kept and what configuration files say. It returns why
// some of it is left out.
func (s *state) restore(records []record) (problems []error) {
	for _, r := range sidecarsLast(records) {
		var usable []record
		var err error
		switch r.kind {
		case aService:
			usable, err = s.restoreService(r)
		case aCheck:
			usable, err = s.registerCheck(&messages.RegisterCheck{
				CheckDefinition: messages.CheckDefinition{Check: r.check, Run: r.run}, Token: r.token, FromConfig: r.fromConfig,
			})
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s is left out: %w", r.thing, err))
			continue
		}
		s.apply(usable)
	}
	for id, svc := range s.services {
		known := *svc
		known.fresh = false // it has been in the catalog, where others may have overridden its tags
		s.services[id] = &known
	}
	return problems
}

// recall takes the results of checks from a view that an earlier instance has
// published. A nil view has none.
func (s *state) recall(before *messages.LocalView) {
	if before == nil {
		return
	}
	for id, had := range before.Checks {
		if c := s.checks[id]; c != nil && c.def.ServiceID == had.ServiceID {
			next := c.with(had.Status, had.Output)
			next.expires = before.Expires[id]
			s.checks[id] = next
		}
	}
	s.shown.Checks, s.shown.Expires = nil, nil
}

// How soon the catalog has to hear of the result of a check.
type urgency int

const (
	never urgency = iota // nothing has changed
	later                // the output only
	now                  // the status
)

// setCheck takes in the result of a check at the time at. When nothing but its
// output changes, the catalog need not have it for as long as hold; a change that
// is held already is not held for longer.
func (s *state) setCheck(id, status, output string, at time.Time, hold time.Duration) (urgency, error) {
	c := s.checks[id]
	switch {
	case c == nil:
		return never, unknownCheck(id)
	case !wire.ValidStatus(status):
		return never, invalidStatus(id, status)
	case c.def.Status == status && c.def.Output == output:
		return never, nil
	}
	next := c.with(status, output)
	s.checks[id] = next
	s.shown.Checks = nil
	if c.def.Status != status || hold == 0 {
		return now, nil
	}
	next.outputDue = c.outputDue
	if next.outputDue.IsZero() {
		next.outputDue = at.Add(hold)
	}
	return later, nil
}

// with returns the check with a result.
func (c *check) with(status, output string) *check {
	def := *c.def
	def.Status, def.Output = status, output
	next := *c
	next.def, next.outputDue = &def, time.Time{}
	return &next
}

// view returns what is registered, for everybody to read. What has not changed is
// shared with the view before.
func (s *state) view() *messages.LocalView {
	if s.shown.Services == nil {
		s.shown.Services = make(map[string]*wire.NodeService, len(s.services))
		for id, svc := range s.services {
			s.shown.Services[id] = svc.def
		}
	}
	if s.shown.Checks == nil {
		s.shown.Checks = make(map[string]*wire.HealthCheck, len(s.checks))
		for id, c := range s.checks {
			s.shown.Checks[id] = c.def
		}
	}
	if s.shown.Runs == nil {
		s.shown.Runs = map[string]*wire.CheckType{}
		for id, c := range s.checks {
			if c.run != nil {
				s.shown.Runs[id] = c.run
			}
		}
	}
	if s.shown.Expires == nil {
		s.shown.Expires = map[string]time.Time{}
		for id, c := range s.checks {
			if !c.expires.IsZero() {
				s.shown.Expires[id] = c.expires
			}
		}
	}
	v := s.shown
	return &v
}

// checksOf returns the checks of a service, by ID.
func (s *state) checksOf(serviceID string) (all []*check) {
	for _, c := range s.checks {
		if c.def.ServiceID == serviceID {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *check) int { return strings.Compare(a.def.CheckID, b.def.CheckID) })
	return all
}

// setMeta replaces the node's metadata, but for what the agent itself has put
// there.
func (s *state) setMeta(meta map[string]string) {
	node := *s.node // the old one may be on its way to the catalog
	node.Meta = maps.Clone(meta)
	for k, v := range s.node.Meta {
		if strings.HasPrefix(k, wire.MetaKeyReservedPrefix) {
			if node.Meta == nil {
				node.Meta = map[string]string{}
			}
			node.Meta[k] = v
		}
	}
	s.node = &node
}

// confused returns an ID that is in use and that the catalog, which goes by lower
// case, does not tell from id.
func confused[T any](in map[string]T, id string) (string, bool) {
	if _, known := in[id]; known {
		return "", false
	}
	lower := strings.ToLower(id)
	for other := range in {
		if strings.ToLower(other) == lower { // and not by folding, by which other pairs are alike
			return other, true
		}
	}
	return "", false
}

func unknownCheck(id string) error {
	return fmt.Errorf("%w %q. Ensure that the check ID is passed, not the check name.", messages.ErrUnknownCheck, id) // Consul's text
}
