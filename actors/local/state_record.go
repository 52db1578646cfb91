package local

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// kind is what a thing is; the plural is the name of its folder on disk.
type kind string

const (
	aService kind = "service"
	aCheck   kind = "check"
)

// thing is what a record is about.
type thing struct {
	kind kind
	id   string
}

// String names the thing as the log does.
func (t thing) String() string { return fmt.Sprintf("%s '%s'", t.kind, t.id) }

// A record is one thing that is registered here or, with neither a service nor a
// check, one that is not any more. It is never changed.
type record struct {
	thing
	service    *wire.NodeService
	check      *wire.HealthCheck
	run        *wire.CheckType
	token      string
	fromConfig bool
}

func (r record) gone() bool { return r.service == nil && r.check == nil }

// byThing orders records such that services come before their checks.
func byThing(a, b record) int {
	return cmp.Or(-cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id))
}

// configured returns the definitions of configuration files as records.
func configured(services []*messages.RegisterService, checks []*messages.RegisterCheck) (all []record) {
	add := func(c messages.CheckDefinition, token string) {
		all = append(all, record{thing: thing{aCheck, idOf(c.Check)}, check: c.Check, run: c.Run, token: token, fromConfig: true})
	}
	for _, r := range services {
		id := cmp.Or(r.Service.ID, r.Service.Service)
		all = append(all, record{thing: thing{aService, id}, service: r.Service, token: r.Token, fromConfig: true})
		for _, c := range r.Checks {
			of := *c.Check
			of.ServiceID = id
			c.Check = &of
			add(c, r.Token)
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
	orphans    []record // kept checks of services that are nowhere
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
		if r.check != nil && r.check.ServiceID != "" && !r.fromConfig {
			if _, ok := have[thing{aService, r.check.ServiceID}]; !ok {
				s.orphans = append(s.orphans, r)
				continue
			}
		}
		s.all = append(s.all, r)
	}
	for _, list := range [][]record{s.all, s.superseded, s.orphans} {
		slices.SortFunc(list, byThing)
	}
	return s
}
