package local

import (
	"fmt"
	"maps"
	"slices"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// state is what is registered at this agent, and what the node says of itself. It
// is the truth for this node; the catalog is made to agree.
type state struct {
	node     *wire.Node
	server   bool // its service "consul" and its health are the leader's to write
	services map[string]*service
	checks   map[string]*check
}

type service struct {
	def        *wire.NodeService
	token      string
	fromConfig bool
}

type check struct {
	def        *wire.HealthCheck
	token      string
	fromConfig bool
}

func newState(node *wire.Node, server bool) *state {
	return &state{node: node, server: server, services: map[string]*service{}, checks: map[string]*check{}}
}

// A remote is what the catalog has of this node.
type remote struct {
	node     *wire.Node // nil when it is not there
	services map[string]*wire.NodeService
	checks   wire.HealthChecks
}

// A write is one request that makes the catalog agree in one thing. One of the
// requests is set.
type write struct {
	what       string // for the log: "service 'web'"
	register   *wire.RegisterRequest
	deregister *wire.DeregisterRequest
}

// addService registers a service. Its checks that are not named stay, unless
// replace takes them away. It returns the IDs of the checks that went.
func (s *state) addService(r *messages.RegisterService) (gone []string) {
	s.services[r.Service.ID] = &service{r.Service, r.Token, r.FromConfig}
	named := map[string]bool{}
	for _, c := range r.Checks {
		named[c.CheckID] = true
		s.checks[c.CheckID] = &check{s.bound(c), r.Token, r.FromConfig}
	}
	if !r.ReplaceChecks {
		return nil
	}
	return s.dropChecks(func(c *check) bool { return c.def.ServiceID == r.Service.ID && !named[c.def.CheckID] })
}

// removeService takes a service away, and its checks, whose IDs it returns.
func (s *state) removeService(id string) (gone []string, err error) {
	if s.services[id] == nil {
		return nil, fmt.Errorf("Unknown service ID %q. Ensure that the service ID is passed, not the service name.", id) //nolint:staticcheck,revive // Consul's text
	}
	delete(s.services, id)
	return s.dropChecks(func(c *check) bool { return c.def.ServiceID == id }), nil
}

// addCheck registers a check.
func (s *state) addCheck(r *messages.RegisterCheck) error {
	if err := s.mayAddCheck(r.Check); err != nil {
		return err
	}
	s.checks[r.Check.CheckID] = &check{s.bound(r.Check), r.Token, r.FromConfig}
	return nil
}

func (s *state) mayAddCheck(c *wire.HealthCheck) error {
	if c.ServiceID != "" && s.services[c.ServiceID] == nil {
		return fmt.Errorf("ServiceID %q does not exist", c.ServiceID)
	}
	return nil
}

func (s *state) removeCheck(id string) error {
	if s.checks[id] == nil {
		return fmt.Errorf("Unknown check ID %q. Ensure that the check ID is passed, not the check name.", id) //nolint:staticcheck,revive // Consul's text
	}
	delete(s.checks, id)
	return nil
}

// setCheck takes in the result of a check. It says whether that changed anything.
func (s *state) setCheck(id, status, output string) (changed bool, err error) {
	c := s.checks[id]
	if c == nil {
		return false, fmt.Errorf("Unknown check ID %q. Ensure that the check ID is passed, not the check name.", id) //nolint:staticcheck,revive // Consul's text
	}
	if c.def.Status == status && c.def.Output == output {
		return false, nil
	}
	def := *c.def // views that are out hold the old one
	def.Status, def.Output = status, output
	c.def = &def
	return true, nil
}

// bound fills in what a check has from its node and its service.
func (s *state) bound(c *wire.HealthCheck) *wire.HealthCheck {
	def := *c
	def.Node = s.node.Node
	if svc := s.services[def.ServiceID]; svc != nil {
		def.ServiceName = svc.def.Service
		def.ServiceTags = svc.def.Tags
	}
	return &def
}

func (s *state) dropChecks(gone func(*check) bool) (ids []string) {
	for id, c := range s.checks {
		if gone(c) {
			ids = append(ids, id)
			delete(s.checks, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// view returns what is registered, for everybody to read.
func (s *state) view() *messages.LocalView {
	v := &messages.LocalView{
		Services: make(map[string]*wire.NodeService, len(s.services)),
		Checks:   make(map[string]*wire.HealthCheck, len(s.checks)),
	}
	for id, svc := range s.services {
		v.Services[id] = svc.def
	}
	for id, c := range s.checks {
		v.Checks[id] = c.def
	}
	return v
}

// compare returns the writes that make the catalog agree, each about one thing, so
// that one that is refused does not hold up the others. Things that are gone go
// first: a new one may have taken an ID that is theirs.
func (s *state) compare(has remote) []write {
	var all []write
	all = append(all, s.gone(has)...)
	if w, ok := s.compareNode(has.node); ok {
		all = append(all, w)
	}
	written := map[string]bool{} // checks that go with their service
	for _, id := range slices.Sorted(maps.Keys(s.services)) {
		svc, there := s.services[id], has.services[id]
		def := svc.def
		if there != nil && def.EnableTagOverride {
			def = withTags(def, there.Tags)
		}
		if there != nil && sameService(def, there) {
			continue
		}
		checks := s.checksOf(id)
		for _, c := range checks {
			written[c.CheckID] = true
		}
		r := s.registration(svc.token)
		r.Service, r.Checks = def, checks
		all = append(all, write{what: "service '" + id + "'", register: r})
	}
	return append(all, s.compareChecks(has, written)...)
}

func (s *state) compareNode(has *wire.Node) (write, bool) {
	n := s.node
	if has != nil && has.ID == n.ID && has.Address == n.Address &&
		maps.Equal(has.TaggedAddresses, n.TaggedAddresses) && maps.Equal(has.Meta, n.Meta) {
		return write{}, false
	}
	r := s.registration("")
	r.SkipNodeUpdate = false
	return write{what: "node info", register: r}, true
}

func (s *state) compareChecks(has remote, written map[string]bool) (all []write) {
	there := make(map[string]*wire.HealthCheck, len(has.checks))
	for _, c := range has.checks {
		there[c.CheckID] = c
	}
	for _, id := range slices.Sorted(maps.Keys(s.checks)) {
		c := s.checks[id]
		if written[id] || sameCheck(c.def, there[id]) {
			continue
		}
		r := s.registration(c.token)
		r.Checks = wire.HealthChecks{c.def}
		all = append(all, write{what: "check '" + id + "'", register: r})
	}
	return all
}

// gone returns the writes that take away what is in the catalog and not here.
func (s *state) gone(has remote) (all []write) {
	for _, id := range slices.Sorted(maps.Keys(has.services)) {
		if s.services[id] != nil || s.server && id == wire.ConsulServiceID {
			continue
		}
		all = append(all, write{what: "service '" + id + "'", deregister: &wire.DeregisterRequest{
			Datacenter: s.node.Datacenter, Node: s.node.Node, ServiceID: id,
		}})
	}
	for _, c := range has.checks {
		left := has.services[c.ServiceID] != nil && s.services[c.ServiceID] == nil // goes with its service
		if s.checks[c.CheckID] != nil || c.CheckID == wire.SerfCheckID || left {
			continue
		}
		all = append(all, write{what: "check '" + c.CheckID + "'", deregister: &wire.DeregisterRequest{
			Datacenter: s.node.Datacenter, Node: s.node.Node, CheckID: c.CheckID,
		}})
	}
	return all
}

// registration returns a request about this node that leaves the node as it is.
func (s *state) registration(token string) *wire.RegisterRequest {
	return &wire.RegisterRequest{
		Datacenter:      s.node.Datacenter,
		ID:              s.node.ID,
		Node:            s.node.Node,
		Address:         s.node.Address,
		TaggedAddresses: s.node.TaggedAddresses,
		NodeMeta:        s.node.Meta,
		SkipNodeUpdate:  true,
		WriteRequest:    wire.WriteRequest{Token: token},
	}
}

func (s *state) checksOf(serviceID string) (all wire.HealthChecks) {
	for _, id := range slices.Sorted(maps.Keys(s.checks)) {
		if s.checks[id].def.ServiceID == serviceID {
			all = append(all, s.checks[id].def)
		}
	}
	return all
}
