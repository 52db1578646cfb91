package http

import (
	"slices"

	"github.com/actor-consul/consul/messages/wire"
)

// Clients expect an empty list where the state has none, which JSON would show as
// null. What comes from the state belongs to everybody, so what has to be mended is
// copied first.

// orEmpty returns the list, or an empty one.
func orEmpty[S ~[]T, T any](list S) S {
	if list == nil {
		return S{}
	}
	return list
}

// mended returns the list with each item mended, the very same list when none needs
// it. An item that needs no mending is returned by mend as it is.
func mended[S ~[]T, T comparable](list S, mend func(T) T) S {
	own := false
	for i, item := range list {
		fixed := mend(item)
		if fixed == item {
			continue
		}
		if !own {
			list, own = slices.Clone(list), true
		}
		list[i] = fixed
	}
	return orEmpty(list)
}

func taggedInstance(s *wire.ServiceNode) *wire.ServiceNode {
	if s.ServiceTags != nil {
		return s
	}
	fixed := *s
	fixed.ServiceTags = []string{}
	return &fixed
}

func taggedService(s *wire.NodeService) *wire.NodeService {
	if s.Tags != nil {
		return s
	}
	fixed := *s
	fixed.Tags = []string{}
	return &fixed
}

func taggedCheck(c *wire.HealthCheck) *wire.HealthCheck {
	if c.ServiceTags != nil {
		return c
	}
	fixed := *c
	fixed.ServiceTags = []string{}
	return &fixed
}
