package wire

import (
	"cmp"
	"slices"

	"github.com/hashicorp/consul/api"
)

// NormalizeConfigEntry fills in what is left out of an entry that nobody else has
// yet, as servers do before they keep it.
func NormalizeConfigEntry(e ConfigEntry) {
	switch e := e.(type) {
	case *api.IngressGatewayConfigEntry:
		if d := e.Defaults; d != nil {
			for _, limit := range []**uint32{&d.MaxConnections, &d.MaxPendingRequests, &d.MaxConcurrentRequests} {
				if *limit == nil {
					*limit = new(uint32)
				}
			}
		}
	case *api.ServiceIntentionsConfigEntry:
		e.Sources = slices.DeleteFunc(e.Sources, func(s *api.SourceIntention) bool { return s == nil })
		for _, s := range e.Sources {
			s.Type = api.IntentionSourceType(cmp.Or(string(s.Type), string(api.IntentionSourceConsul)))
			s.Precedence = IntentionPrecedence(s.Name, e.Name)
		}
		slices.SortStableFunc(e.Sources, func(a, b *api.SourceIntention) int {
			return cmp.Or(cmp.Compare(b.Precedence, a.Precedence), cmp.Compare(a.Name, b.Name))
		})
	}
}

// WildcardName stands for every service.
const WildcardName = "*"

// IntentionPrecedence says which of several intentions counts for a pair of services:
// the one with the greatest precedence.
func IntentionPrecedence(source, destination string) int {
	switch {
	case destination != WildcardName && source != WildcardName:
		return 9
	case destination != WildcardName:
		return 8
	case source != WildcardName:
		return 6
	default:
		return 5
	}
}
