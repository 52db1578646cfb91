package http

import (
	"sync"

	"github.com/actor-consul/consul/messages/definition"
	"github.com/actor-consul/consul/messages/wire"
)

// mostOdd is how many odd names are told.
const mostOdd = 1024

// oddities are what was odd about registrations, as far as it has been told: programs
// that register for others do so again and again.
type oddities struct {
	mu   sync.Mutex
	told map[string]struct{}
}

// news says whether something odd has not been told yet.
func (o *oddities) news(what string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.told == nil {
		o.told = map[string]struct{}{}
	}
	if _, told := o.told[what]; told || len(o.told) == mostOdd {
		return false
	}
	o.told[what] = struct{}{}
	return true
}

// tellOdd logs the names of a registration in the catalog that DNS does not find, or not
// for everybody. The agent's own registrations are told by who keeps them.
func (a *api) tellOdd(args *wire.RegisterRequest) {
	var all []string
	if odd := definition.OddNode(args.Node); odd != "" {
		all = append(all, odd)
	}
	if args.Service != nil {
		all = append(all, definition.Odd(args.Service)...)
	}
	for _, odd := range all {
		if a.odd.news(odd) {
			a.log.Warn(odd)
		}
	}
}
