package local

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// A remote is what the catalog has of this node.
type remote struct {
	node     *wire.Node // nil when it is not there
	services map[string]*wire.NodeService
	checks   wire.HealthChecks
}

// newRemote returns what the catalog answered about the node of that name, as far
// as it is about that node: the catalog also finds a node by the start of its ID.
func newRemote(name string, node *wire.NodeServices, checks wire.HealthChecks) remote {
	if node == nil || node.Node == nil || !strings.EqualFold(node.Node.Node, name) {
		return remote{}
	}
	return remote{node: node.Node, services: node.Services, checks: checks}
}

// A write is one request that makes the catalog agree in one thing. One of the
// requests is set.
type write struct {
	what       string // for the log: "service 'web'"
	register   *wire.RegisterRequest
	deregister *wire.DeregisterRequest

	service *service // what is registered, as it is here
	checks  []*check

	then []*write // to make once this one went well
}

// A plan is the writes that make the catalog agree, each about one thing, so that
// one that is refused does not hold up the others.
type plan struct {
	// node is nil when the catalog agrees about the node itself. Otherwise it comes
	// first, and the rest has to wait until it went well: without it the rest would
	// be written to the node that has the name, whoever that is.
	node *write
	// known says that the node with the name is this one, so that the rest may be
	// written although this agent may not write what it says of itself.
	known bool
	rest  []*write
}

func (p *plan) empty() bool { return p.node == nil && len(p.rest) == 0 }

// An outcome is what became of a write.
type outcome struct {
	write *write
	err   error
}

// learn takes in what the catalog has, as far as it counts here. It says whether
// the view has changed.
func (s *state) learn(has remote) (changed bool) {
	there := map[thing]bool{}
	for id, theirs := range has.services {
		there[thing{aService, id}] = true
		changed = s.adopt(id, theirs.Tags) || changed
	}
	for _, theirs := range has.checks {
		there[thing{aCheck, theirs.CheckID}] = true
		if c := s.checks[theirs.CheckID]; c != nil && c.def.Output == theirs.Output {
			s.delivered(c)
		}
	}
	maps.DeleteFunc(s.departed, func(t thing, _ string) bool { return !there[t] })
	return changed
}

// adopt takes over the tags that others have given to a service that lets them. It
// says whether it did.
func (s *state) adopt(id string, tags []string) bool {
	svc := s.services[id]
	if svc == nil || svc.fresh || !svc.def.EnableTagOverride || slices.Equal(svc.def.Tags, tags) {
		return false
	}
	next, def := *svc, *svc.def
	def.Tags = slices.Clone(tags)
	next.def = &def
	s.services[id] = &next
	s.shown.Services = nil
	s.rebind(id)
	return true
}

// compare returns the writes that make the catalog agree at the time at. Things
// that are gone go first: a new one may have taken an ID that is theirs.
func (s *state) compare(has remote, at time.Time) plan {
	p := plan{known: has.node != nil && (has.node.ID == "" || has.node.ID == s.node.ID)}
	if !sameNode(s.node, has.node) {
		r := s.registration("")
		r.SkipNodeUpdate = false
		p.node = &write{what: "node info", register: r}
	}
	p.rest = s.compareGone(has)
	there := make(map[string]*wire.HealthCheck, len(has.checks))
	for _, c := range has.checks {
		there[c.CheckID] = c
	}
	onTheirWay := map[string]bool{} // checks that go with their service
	for _, id := range slices.Sorted(maps.Keys(s.services)) {
		svc, theirs := s.services[id], has.services[id]
		if theirs != nil && sameService(svc.def, theirs) {
			continue
		}
		w := s.writeService(svc)
		for _, c := range s.checksOf(id) {
			onTheirWay[c.def.CheckID] = true
		}
		p.rest = append(p.rest, w)
	}
	for _, id := range slices.Sorted(maps.Keys(s.checks)) {
		c := s.checks[id]
		if !onTheirWay[id] && !sameCheck(c.def, there[id], at.Before(c.outputDue)) {
			p.rest = append(p.rest, s.writeCheck(c))
		}
	}
	return p
}

// compareGone returns the writes that take away what is in the catalog and not
// here.
func (s *state) compareGone(has remote) (all []*write) {
	leaves := map[string]bool{} // services whose checks go with them
	for _, id := range slices.Sorted(maps.Keys(has.services)) {
		if s.services[id] != nil || s.server && id == wire.ConsulServiceID {
			continue
		}
		leaves[id] = true
		all = append(all, s.writeGone(thing{aService, id}, wire.DeregisterRequest{ServiceID: id}))
	}
	for _, c := range has.checks {
		if s.checks[c.CheckID] != nil || c.CheckID == wire.SerfCheckID || leaves[c.ServiceID] {
			continue
		}
		all = append(all, s.writeGone(thing{aCheck, c.CheckID}, wire.DeregisterRequest{CheckID: c.CheckID}))
	}
	return all
}

func (s *state) writeGone(what thing, r wire.DeregisterRequest) *write {
	r.Datacenter, r.Node, r.Token = s.node.Datacenter, s.node.Node, s.departed[what]
	return &write{what: what.String(), deregister: &r}
}

// writeService registers a service and, in the same step, its checks. Those that
// have a token of their own follow it.
func (s *state) writeService(svc *service) *write {
	r, def := s.registration(svc.token), *svc.def
	r.Service = &def // endpoints fill in what they are given
	w := &write{what: thing{aService, def.ID}.String(), register: r, service: svc}
	for _, c := range s.checksOf(def.ID) {
		if c.token != svc.token {
			w.then = append(w.then, s.writeCheck(c))
			continue
		}
		check := *c.def
		r.Checks = append(r.Checks, &check)
		w.checks = append(w.checks, c)
	}
	return w
}

func (s *state) writeCheck(c *check) *write {
	r, def := s.registration(c.token), *c.def
	r.Checks = wire.HealthChecks{&def}
	return &write{what: thing{aCheck, def.CheckID}.String(), register: r, checks: []*check{c}}
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
		Locality:        s.node.Locality,
		SkipNodeUpdate:  true,
		WriteRequest:    wire.WriteRequest{Token: token},
	}
}

// wrote notes that a write went well. What has changed since does not count as
// written.
func (s *state) wrote(w *write) {
	if w.service != nil && s.services[w.service.def.ID] == w.service {
		next := *w.service
		next.fresh = false
		s.services[next.def.ID] = &next
	}
	for _, c := range w.checks {
		if s.checks[c.def.CheckID] == c {
			s.delivered(c)
		}
	}
}

// delivered notes that the catalog has the output of a check.
func (s *state) delivered(c *check) {
	if !c.outputDue.IsZero() {
		next := *c
		next.outputDue = time.Time{}
		s.checks[c.def.CheckID] = &next
	}
}

// outputDue returns when the next output that is held is due, after the time at.
func (s *state) outputDue(at time.Time) (due time.Time, ok bool) {
	for _, c := range s.checks {
		if c.outputDue.After(at) && (!ok || c.outputDue.Before(due)) {
			due, ok = c.outputDue, true
		}
	}
	return due, ok
}

// The times between two comparisons. Those of Consul that operators know.
const (
	syncInterval = time.Minute      // in a cluster of up to syncScale members
	retryFirst   = time.Second      // after a failure, and twice as long after each further one,
	retryLongest = 15 * time.Second // but no longer
	syncScale    = 128
)

// syncEvery returns how long to wait after a comparison that went well. Every
// doubling of the cluster beyond syncScale adds an interval, so that the servers
// bear it: https://developer.hashicorp.com/consul/docs/architecture/anti-entropy
func syncEvery(members int) time.Duration {
	if members <= syncScale {
		return syncInterval
	}
	return syncInterval * time.Duration(1+math.Ceil(math.Log2(float64(members))-math.Log2(syncScale)))
}

// retryAfter returns how long to wait after so many failures in a row.
func retryAfter(failures int) time.Duration {
	d := retryFirst
	for range failures - 1 {
		if d *= 2; d >= retryLongest {
			return retryLongest
		}
	}
	return d
}

// spread adds up to a quarter to a wait, so that agents that started together do
// not all ask at once. chance is in [0, 1).
func spread(d time.Duration, chance float64) time.Duration {
	return d + time.Duration(chance*float64(d)/4)
}

// holdOutput returns for how long a new output is held, when updates have to reach
// the catalog within interval. chance is in [0, 1): it spreads the outputs of
// checks that run together.
func holdOutput(interval time.Duration, chance float64) time.Duration {
	return interval/2 + time.Duration(chance*float64(interval)/2)
}
