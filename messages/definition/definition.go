// Package definition turns services and checks, as users write them, into what is
// registered at an agent.
//
//	http ──body──▶ definition ──RegisterService, RegisterCheck──▶ local
//	cmd  ──file──▶
//
// It is rules alone: what a definition must say, what it means to leave something
// out, and what Consul adds to it. What needs to know of the agent, such as a free
// port for a sidecar, is left to local.
package definition

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// The faults of definitions. Clients match the texts.
var (
	errNoServiceName = errors.New("Missing service name")
	errNoCheckName   = errors.New("Missing check name")
	errAddress       = errors.New("Invalid service address")
	errCheckStatus   = errors.New("Bad check status")
	errStatus        = errors.New("Status for checks must 'passing', 'warning', 'critical'")
	errNoCheck       = errors.New("a check is null")
)

// sidecarSuffix is what the name and the ID of a proxy have beyond those of its
// service.
const sidecarSuffix = "-sidecar-proxy"

// Service returns the registration of a service, its checks and its sidecar, or
// what is wrong with the definition, which is used up.
func Service(d *wire.ServiceDefinition) (*messages.RegisterService, error) {
	switch {
	case d.Name == "":
		return nil, errNoServiceName
	case isAny(d.Address):
		return nil, errAddress
	}
	s := nodeService(d)
	if err := validate(s); err != nil {
		return nil, err
	}
	checks, err := serviceChecks(d)
	if err != nil {
		return nil, fmt.Errorf("Invalid check: %w", err)
	}
	if err := statuses(checks); err != nil {
		return nil, err
	}
	r := &messages.RegisterService{Service: s, Checks: ofService(s, checks), Token: d.Token}
	if side := s.Connect.SidecarService; side != nil {
		if r.Sidecar, err = sidecar(s, side); err != nil {
			return nil, err
		}
		r.Sidecar.Token = cmp.Or(side.Token, d.Token)
		s.Connect.SidecarService = nil // it has done its work
	}
	return r, nil
}

// Check returns the registration of a check, or what is wrong with the definition,
// which is used up.
func Check(d *wire.CheckDefinition) (*messages.RegisterCheck, error) {
	switch {
	case d.Name == "":
		return nil, errNoCheckName
	case d.Status != "" && !wire.ValidStatus(d.Status):
		return nil, errCheckStatus
	}
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("Invalid check: %w", err)
	}
	run := &d.CheckType
	return &messages.RegisterCheck{
		Token: d.Token,
		CheckDefinition: messages.CheckDefinition{Run: run, Check: &wire.HealthCheck{
			CheckID:   cmp.Or(d.CheckID, d.Name),
			Name:      d.Name,
			Status:    cmp.Or(d.Status, wire.HealthCritical),
			Notes:     d.Notes,
			ServiceID: d.ServiceID,
			Type:      run.Type(),
			Interval:  d.Interval.String(),
			Timeout:   d.Timeout.String(),
		}},
	}, nil
}

// nodeService returns the service as the catalog will have it.
func nodeService(d *wire.ServiceDefinition) *wire.NodeService {
	s := &wire.NodeService{
		Kind: d.Kind, ID: cmp.Or(d.ID, d.Name), Service: d.Name, Tags: d.Tags, Meta: d.Meta,
		Address: d.Address, Port: d.Port, Ports: d.Ports, SocketPath: d.SocketPath,
		Weights: d.Weights, EnableTagOverride: d.EnableTagOverride, Locality: d.Locality,
		TaggedAddresses: taggedAddresses(d),
	}
	if d.Connect != nil {
		s.Connect = *d.Connect
	}
	if d.Proxy != nil {
		s.Proxy = *d.Proxy
		s.Proxy.Upstreams = slices.Clone(s.Proxy.Upstreams)
		for i := range s.Proxy.Upstreams {
			u := &s.Proxy.Upstreams[i]
			u.DestinationType = cmp.Or(u.DestinationType, "service")
		}
	}
	return s
}

// taggedAddresses adds the addresses that an agent tags by itself.
func taggedAddresses(d *wire.ServiceDefinition) map[string]wire.ServiceAddress {
	addr, err := netip.ParseAddr(d.Address)
	if err != nil {
		return d.TaggedAddresses
	}
	own := []string{wire.TaggedAddressLANIPv4, wire.TaggedAddressWANIPv4}
	if addr.Is6() && !addr.Is4In6() {
		own = []string{wire.TaggedAddressLANIPv6, wire.TaggedAddressWANIPv6}
	}
	tagged := map[string]wire.ServiceAddress{}
	for _, tag := range own {
		tagged[tag] = wire.ServiceAddress{Address: d.Address, Port: d.Port}
	}
	maps.Copy(tagged, d.TaggedAddresses)
	return tagged
}

// serviceChecks gathers what a definition says of checks.
func serviceChecks(d *wire.ServiceDefinition) ([]*wire.CheckType, error) {
	var all []*wire.CheckType
	if !d.Check.Empty() {
		all = append(all, &d.Check)
	}
	all = append(all, d.Checks...)
	for _, c := range all {
		if c == nil {
			return nil, errNoCheck
		}
		if err := c.Validate(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func statuses(checks []*wire.CheckType) error {
	for _, c := range checks {
		if c.Status != "" && !wire.ValidStatus(c.Status) {
			return errStatus
		}
	}
	return nil
}

// ofService returns the checks of a service under the IDs and names that Consul
// gives those that have none.
func ofService(s *wire.NodeService, checks []*wire.CheckType) []messages.CheckDefinition {
	all := make([]messages.CheckDefinition, len(checks))
	for i, run := range checks {
		id := "service:" + s.ID
		if len(checks) > 1 {
			id = fmt.Sprintf("%s:%d", id, i+1)
		}
		all[i] = messages.CheckDefinition{Run: run, Check: &wire.HealthCheck{
			CheckID:   cmp.Or(run.CheckID, id),
			Name:      cmp.Or(run.Name, fmt.Sprintf("Service '%s' check", s.Service)),
			Status:    cmp.Or(run.Status, wire.HealthCritical),
			Notes:     run.Notes,
			ServiceID: s.ID,
			Type:      run.Type(),
			Interval:  said(run.Interval),
			Timeout:   said(run.Timeout),
		}}
	}
	return all
}

// said writes a duration; one that nobody has given is no text.
func said(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// sidecar returns the registration of the proxy of s. Its port and, when it has no
// checks, those that Consul gives it are left to local.
func sidecar(s *wire.NodeService, d *wire.ServiceDefinition) (*messages.RegisterService, error) {
	checks, err := serviceChecks(d)
	if err != nil {
		return nil, fmt.Errorf("Invalid check in sidecar_service: %w", err)
	}
	if err := statuses(checks); err != nil {
		return nil, err
	}
	own := *d
	own.Name = cmp.Or(d.Name, s.Service+sidecarSuffix)
	own.ID = SidecarID(s.ID)
	own.Kind = cmp.Or(d.Kind, wire.ServiceKindConnectProxy)
	own.Address = cmp.Or(d.Address, s.Address)
	if err := wire.ValidateServiceMeta(own.Kind, own.Meta); err != nil {
		return nil, fmt.Errorf("Invalid SidecarService: %w", err)
	}
	if len(own.Meta) == 0 {
		own.Meta = maps.Clone(s.Meta)
	}
	if len(own.Tags) == 0 {
		own.Tags = slices.Clone(s.Tags)
	}
	if own.Locality == nil {
		own.Locality = s.Locality
	}
	p := nodeService(&own)
	p.LocallyRegisteredAsSidecar = true
	proxyOf(s, p)
	tried := *p
	tried.Port = cmp.Or(p.Port, 1) // it will get one
	if err := validate(&tried); err != nil {
		return nil, fmt.Errorf("Failed Validation: %w", err)
	}
	return &messages.RegisterService{Service: p, Checks: ofService(p, checks)}, nil
}

// proxyOf has p be the proxy of s, as far as it does not say something else.
func proxyOf(s, p *wire.NodeService) {
	c := &p.Proxy
	c.DestinationServiceName = cmp.Or(c.DestinationServiceName, s.Service)
	c.DestinationServiceID = cmp.Or(c.DestinationServiceID, s.ID)
	switch {
	case c.LocalServiceSocketPath != "" || c.LocalServiceAddress != "" && c.LocalServicePort > 0:
	case s.SocketPath != "":
		c.LocalServiceSocketPath = s.SocketPath
	default:
		c.LocalServiceAddress = cmp.Or(c.LocalServiceAddress, "127.0.0.1")
		if c.LocalServicePort < 1 {
			c.LocalServicePort = s.Port
		}
	}
}

// SidecarID returns the ID of the proxy of the service with the ID.
func SidecarID(serviceID string) string { return serviceID + sidecarSuffix }

// SidecarChecks returns the checks of a proxy that was given none: that it listens,
// and that its service is well.
func SidecarChecks(p *wire.NodeService) []messages.CheckDefinition {
	host, service := cmp.Or(p.Address, p.Proxy.LocalServiceAddress), strings.TrimSuffix(p.ID, sidecarSuffix)
	return ofService(p, []*wire.CheckType{
		{Name: "Connect Sidecar Listening", TCP: joinHostPort(host, p.Port), Interval: 10 * time.Second},
		{Name: "Connect Sidecar Aliasing " + service, AliasService: service},
	})
}
