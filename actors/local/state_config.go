package local

import (
	"fmt"
	"maps"
	"slices"

	"github.com/actor-consul/consul/messages"
)

// replaceDefinitions returns the records that put the definitions of configuration
// files in the place of those before, or why that cannot be. A check that is there
// before and after keeps its result.
func (s *state) replaceDefinitions(r *messages.ReplaceDefinitions) ([]record, error) {
	next := s.draft()
	var all []record
	take := func(records []record) {
		all = append(all, records...)
		next.apply(records)
	}
	take(s.outdated(r))
	for _, svc := range r.Services {
		records, err := next.registerService(svc)
		if err != nil {
			return nil, fmt.Errorf("service %q: %w", svc.Service.ID, err)
		}
		take(records)
	}
	for _, c := range r.Checks {
		records, err := next.registerCheck(c)
		if err != nil {
			return nil, fmt.Errorf("check %q: %w", idOf(c.Check), err)
		}
		take(records)
	}
	return all, nil
}

// outdated returns the records of what configuration files have said and say no
// more being gone.
func (s *state) outdated(r *messages.ReplaceDefinitions) (all []record) {
	said := map[thing]bool{}
	for _, d := range configured(r.Services, r.Checks) {
		said[d.thing] = true
		if d.checkless { // those that it gets are said with it
			for _, c := range s.checksOf(d.id) {
				said[thing{aCheck, c.def.CheckID}] = true
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.services)) {
		if s.services[id].fromConfig && !said[thing{aService, id}] {
			all = append(all, s.withoutService(id)...)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.checks)) {
		if t := (thing{aCheck, id}); s.checks[id].fromConfig && !said[t] {
			all = append(all, record{thing: t})
		}
	}
	return all
}

// draft returns a copy that changes can be tried on.
func (s *state) draft() *state {
	d := *s
	d.services, d.checks, d.departed = maps.Clone(s.services), maps.Clone(s.checks), maps.Clone(s.departed)
	return &d
}
