package local

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// kind is what a thing is; the plural is the name of its folder on disk.
type kind string

const (
	aService kind = "service"
	aCheck   kind = "check"
	aResult  kind = "result" // of a check that has a TTL
)

// order is in which order records can be made true: a check needs its service, a
// result its check.
func (k kind) order() int { return slices.Index([]kind{aService, aCheck, aResult}, k) }

// thing is what a record is about.
type thing struct {
	kind kind
	id   string
}

// String names the thing as the log does.
func (t thing) String() string { return fmt.Sprintf("%s '%s'", t.kind, t.id) }

// A record is one thing that is registered here or, with nothing set, one that is
// not any more. It is never changed.
type record struct {
	thing
	service    *wire.NodeService
	check      *wire.HealthCheck
	result     *lastResult
	run        *wire.CheckType
	token      string
	fromConfig bool
	checkless  bool // a proxy of a configuration file that gives it no checks
}

// lastResult is what a service has said of itself, and until when it counts.
type lastResult struct {
	status, output string
	expires        time.Time
}

func (r record) gone() bool { return r.service == nil && r.check == nil && r.result == nil }

// byThing orders records such that services come before their checks.
func byThing(a, b record) int {
	return cmp.Or(cmp.Compare(a.kind.order(), b.kind.order()), cmp.Compare(a.id, b.id))
}

// configured returns the definitions of configuration files as records.
func configured(services []*messages.RegisterService, checks []*messages.RegisterCheck) (all []record) {
	add := func(c messages.CheckDefinition, token string) {
		all = append(all, record{thing: thing{aCheck, idOf(c.Check)}, check: c.Check, run: c.Run, token: token, fromConfig: true})
	}
	service := func(r *messages.RegisterService, checkless bool) {
		id := cmp.Or(r.Service.ID, r.Service.Service)
		all = append(all, record{
			thing: thing{aService, id}, service: r.Service, token: r.Token, fromConfig: true, checkless: checkless,
		})
		for _, c := range r.Checks {
			of := *c.Check
			of.ServiceID = id
			c.Check = &of
			add(c, r.Token)
		}
	}
	for _, r := range services {
		service(r, false)
		if r.Sidecar != nil {
			service(r.Sidecar, len(r.Sidecar.Checks) == 0)
		}
	}
	for _, r := range checks {
		add(r.CheckDefinition, r.Token)
	}
	return all
}

func idOf(c *wire.HealthCheck) string { return cmp.Or(c.CheckID, c.Name) }

// settled is what came of what was kept on disk and what configuration files say.
type settled struct {
	all        []record // services first
	superseded []record // kept, and now said by a configuration file
	orphans    []record // kept checks of services that are nowhere, and results of such checks
}

// settle puts together what was kept and what configuration files say, which wins.
// What a configuration file says twice is as it says last.
func settle(kept, config []record) (s settled) {
	have := map[thing]record{}
	for _, r := range config {
		have[r.thing] = r
	}
	for _, r := range kept {
		if _, ok := have[r.thing]; ok {
			s.superseded = append(s.superseded, r)
			continue
		}
		have[r.thing] = r
	}
	for _, r := range have {
		if r.lacks(have) {
			s.orphans = append(s.orphans, r)
			continue
		}
		s.all = append(s.all, r)
	}
	for _, list := range [][]record{s.all, s.superseded, s.orphans} {
		slices.SortFunc(list, byThing)
	}
	return s
}

// lacks says whether something was kept without what it belongs to.
func (r record) lacks(have map[thing]record) bool {
	needs := thing{aCheck, r.id}
	switch {
	case r.check != nil && r.check.ServiceID != "" && !r.fromConfig:
		needs = thing{aService, r.check.ServiceID}
	case r.result == nil:
		return false
	}
	_, there := have[needs]
	return !there
}
