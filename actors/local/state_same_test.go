package local

import (
	"reflect"
	"slices"
	"testing"

	"github.com/actor-consul/consul/messages/wire"
)

// TestEveryFieldCounts empties the fields one by one: what is not overlooked on
// purpose makes a difference.
func TestEveryFieldCounts(t *testing.T) {
	each(t, sameService, "LocallyRegisteredAsSidecar", "PeerName", "RaftIndex")
	each(t, func(a, b *wire.HealthCheck) bool { return sameCheck(a, b, false) }, "Node", "PeerName", "RaftIndex")
	each(t, func(a, b *wire.HealthCheck) bool { return sameCheck(a, b, true) }, "Output", "Node", "PeerName", "RaftIndex")
	each(t, sameNode, "Node", "Datacenter", "Partition", "PeerName", "RaftIndex")
}

func each[T any](t *testing.T, same func(a, b *T) bool, overlooked ...string) {
	t.Helper()
	full := filled[T]()
	for i := range reflect.TypeFor[T]().NumField() {
		field := reflect.TypeFor[T]().Field(i)
		other := full
		reflect.ValueOf(&other).Elem().Field(i).SetZero()
		if got, want := same(&full, &other), slices.Contains(overlooked, field.Name); got != want {
			t.Errorf("%T without its %s is the same: %t, want %t", full, field.Name, got, want)
		}
	}
}
