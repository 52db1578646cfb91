package local

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/actor-consul/consul/messages/wire"
)

// The catalog fills in what a registration leaves out. What is registered here is
// brought into the form that the catalog will give it, so that what is added there
// never looks like a difference, which would be written anew once a minute for
// ever. What the catalog would refuse for ever is refused here.

var (
	errNoServiceName = errors.New("Missing service name")         // Consul's text
	errNoCheckID     = errors.New("Must provide CheckID or Name") // Consul's text
	errAddress       = errors.New("Invalid service address")      // Consul's text
	errConsulService = fmt.Errorf("the service ID %q is that of this server itself; choose another", wire.ConsulServiceID)
	errSerfCheck     = fmt.Errorf("the check ID %q is that of the leader's check; choose another", wire.SerfCheckID)
	errNUL           = errors.New("an ID must not contain a NUL byte")
)

// normalService returns a copy of a service as the catalog will keep it.
func normalService(s *wire.NodeService) (*wire.NodeService, error) {
	if s == nil || s.Service == "" {
		return nil, errNoServiceName
	}
	def := *s
	def.ID = cmp.Or(def.ID, def.Service)
	def.RaftIndex = wire.RaftIndex{}
	if def.Weights == nil {
		def.Weights = &wire.Weights{Passing: 1, Warning: 1}
	}
	if strings.ContainsRune(def.ID+def.Service, 0) {
		return nil, errNUL
	}
	if addr, err := netip.ParseAddr(def.Address); err == nil && addr.IsUnspecified() {
		return nil, errAddress
	}
	if err := wire.ValidateWeights(def.Weights); err != nil {
		return nil, fmt.Errorf("Invalid Weights: %w", err) // Consul's text
	}
	if err := wire.ValidateServiceMeta(def.Kind, def.Meta); err != nil {
		return nil, fmt.Errorf("Invalid Service Meta: %w", err) // Consul's text
	}
	if err := wire.ValidateService(&def); err != nil {
		return nil, err
	}
	def.Connect.SidecarService = nil // it never reaches the catalog
	return &def, nil
}

// normalCheck returns a copy of a check as the catalog will keep it: of a node,
// or of a service on it unless of is nil.
func normalCheck(c *wire.HealthCheck, node string, of *wire.NodeService) (*wire.HealthCheck, error) {
	if c == nil || idOf(c) == "" {
		return nil, errNoCheckID
	}
	def := *c
	def.Node, def.CheckID = node, idOf(c)
	def.RaftIndex = wire.RaftIndex{}
	def.Type = cmp.Or(def.Type, def.Definition.Type())
	def.Status = cmp.Or(def.Status, wire.HealthCritical)
	def.ServiceID, def.ServiceName, def.ServiceTags = "", "", nil
	if of != nil {
		def.ServiceID, def.ServiceName, def.ServiceTags = of.ID, of.Service, of.Tags
	}
	switch {
	case strings.ContainsRune(def.CheckID, 0):
		return nil, errNUL
	case def.CheckID == wire.SerfCheckID:
		return nil, errSerfCheck
	case !wire.ValidStatus(def.Status):
		return nil, invalidStatus(def.CheckID, def.Status)
	}
	return &def, nil
}

// The comparisons below begin with what they treat in a way of its own and end with
// all the rest, so that a field that is added is compared from the first day.

// sameService says whether the catalog's service says the same as ours.
func sameService(ours, theirs *wire.NodeService) bool {
	if !slices.Equal(ours.Tags, theirs.Tags) || !maps.Equal(ours.Meta, theirs.Meta) ||
		!sameAddresses(ours.TaggedAddresses, theirs.TaggedAddresses) {
		return false
	}
	rest := func(s wire.NodeService) wire.NodeService {
		s.Tags, s.Meta, s.TaggedAddresses = nil, nil, nil
		s.LocallyRegisteredAsSidecar, s.PeerName, s.RaftIndex = false, "", wire.RaftIndex{}
		return s
	}
	return sameText(rest(*ours), rest(*theirs))
}

// sameAddresses overlooks the addresses that servers themselves give to a service,
// such as the virtual address of one in the mesh.
func sameAddresses(ours, theirs map[string]wire.ServiceAddress) bool {
	n := 0
	for tag, addr := range theirs {
		own, ok := ours[tag]
		if !ok && strings.HasPrefix(tag, wire.MetaKeyReservedPrefix) {
			continue
		}
		if !ok || own != addr {
			return false
		}
		n++
	}
	return n == len(ours)
}

// sameText compares what may hold values of any type, whose numbers have changed
// their types on the way through the log or the disk.
func sameText(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// sameCheck says whether the catalog's check, which may be nil, says the same as
// ours. It overlooks the output when asked to.
func sameCheck(ours, theirs *wire.HealthCheck, butOutput bool) bool {
	if theirs == nil || !butOutput && ours.Output != theirs.Output || !slices.Equal(ours.ServiceTags, theirs.ServiceTags) ||
		!slices.Equal(ours.Definition.ScriptArgs, theirs.Definition.ScriptArgs) ||
		!maps.EqualFunc(ours.Definition.Header, theirs.Definition.Header, slices.Equal[[]string]) {
		return false
	}
	rest := func(c wire.HealthCheck) wire.HealthCheck {
		c.Output, c.ServiceTags, c.Definition.ScriptArgs, c.Definition.Header = "", nil, nil, nil
		c.Node, c.PeerName, c.RaftIndex = "", "", wire.RaftIndex{}
		return c
	}
	return reflect.DeepEqual(rest(*ours), rest(*theirs))
}

// sameNode says whether the catalog's node, which may be nil, says the same of
// itself as ours.
func sameNode(ours, theirs *wire.Node) bool {
	if theirs == nil || !maps.Equal(ours.TaggedAddresses, theirs.TaggedAddresses) || !maps.Equal(ours.Meta, theirs.Meta) {
		return false
	}
	rest := func(n wire.Node) wire.Node {
		n.TaggedAddresses, n.Meta = nil, nil
		n.Node, n.Datacenter, n.Partition, n.PeerName, n.RaftIndex = "", "", "", "", wire.RaftIndex{}
		return n
	}
	return reflect.DeepEqual(rest(*ours), rest(*theirs))
}
