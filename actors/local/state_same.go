package local

import (
	"maps"
	"reflect"
	"slices"

	"github.com/actor-consul/consul/messages/wire"
)

// sameService says whether two definitions mean the same. What the catalog adds,
// indexes and empty collections, does not count.
func sameService(a, b *wire.NodeService) bool {
	return a.Kind == b.Kind && a.Service == b.Service && a.Address == b.Address && a.Port == b.Port &&
		a.SocketPath == b.SocketPath && a.EnableTagOverride == b.EnableTagOverride &&
		slices.Equal(a.Tags, b.Tags) &&
		maps.Equal(a.Meta, b.Meta) &&
		maps.Equal(a.TaggedAddresses, b.TaggedAddresses) &&
		weights(a) == weights(b) &&
		reflect.DeepEqual(a.Locality, b.Locality) &&
		reflect.DeepEqual(a.Proxy, b.Proxy) &&
		reflect.DeepEqual(a.Connect, b.Connect)
}

// weights returns the weights in force: 1 and 1 unless they are given.
func weights(s *wire.NodeService) wire.Weights {
	if s.Weights == nil {
		return wire.Weights{Passing: 1, Warning: 1}
	}
	return *s.Weights
}

// sameCheck says whether the catalog's check, which may be nil, says the same.
func sameCheck(a, b *wire.HealthCheck) bool {
	return b != nil && a.Name == b.Name && a.Status == b.Status && a.Output == b.Output && a.Notes == b.Notes &&
		a.ServiceID == b.ServiceID && a.Type == b.Type && a.Interval == b.Interval && a.Timeout == b.Timeout &&
		a.ExposedPort == b.ExposedPort && reflect.DeepEqual(a.Definition, b.Definition)
}

func withTags(s *wire.NodeService, tags []string) *wire.NodeService {
	own := *s
	own.Tags = tags
	return &own
}
