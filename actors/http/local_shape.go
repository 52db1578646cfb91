package http

import (
	"encoding/json"
	"fmt"
	"strconv"

	consul "github.com/hashicorp/consul/api"
	"github.com/mitchellh/hashstructure"

	"github.com/actor-consul/consul/messages/wire"
)

// agentServiceOf shows a service of this agent in the shape of Consul's client,
// which is also what the hash of its content is made of.
func agentServiceOf(s *wire.NodeService, datacenter string) (*consul.AgentService, error) {
	a := &consul.AgentService{
		Kind:              consul.ServiceKind(s.Kind),
		ID:                s.ID,
		Service:           s.Service,
		Tags:              orEmpty(s.Tags),
		Meta:              s.Meta,
		Port:              s.Port,
		Address:           s.Address,
		SocketPath:        s.SocketPath,
		Weights:           consul.AgentWeights{Passing: 1, Warning: 1},
		EnableTagOverride: s.EnableTagOverride,
		Datacenter:        datacenter,
	}
	if a.Meta == nil {
		a.Meta = map[string]string{}
	}
	for _, p := range s.Ports {
		a.Ports = append(a.Ports, consul.ServicePort(p))
	}
	if len(s.TaggedAddresses) > 0 {
		a.TaggedAddresses = make(map[string]consul.ServiceAddress, len(s.TaggedAddresses))
		for tag, addr := range s.TaggedAddresses {
			a.TaggedAddresses[tag] = consul.ServiceAddress(addr)
		}
	}
	if s.Weights != nil {
		a.Weights = consul.AgentWeights{Passing: max(s.Weights.Passing, 1), Warning: s.Weights.Warning}
	}
	if s.Locality != nil {
		a.Locality = &consul.Locality{Region: s.Locality.Region, Zone: s.Locality.Zone}
	}
	if s.Connect.Native {
		a.Connect = &consul.AgentServiceConnect{Native: true}
	}
	if s.Kind == wire.ServiceKindTypical {
		return a, nil
	}
	proxy, err := json.Marshal(s.Proxy)
	if err == nil {
		err = json.Unmarshal(proxy, &a.Proxy)
	}
	if err != nil {
		return nil, fmt.Errorf("show the proxy of service '%s': %w", s.ID, err)
	}
	return a, nil
}

// contentHash returns the hash of a service as Consul has it. Clients compare it
// with one that they were told before, so it has to stay the same for the same
// service.
func contentHash(a *consul.AgentService) (string, error) {
	hash, err := hashstructure.Hash(a, nil)
	if err != nil {
		return "", fmt.Errorf("hash service '%s': %w", a.ID, err)
	}
	return strconv.FormatUint(hash, 16), nil
}

// agentCheckOf shows a check of this agent in the shape of Consul's client, which
// /v1/agent/health has.
func agentCheckOf(c *wire.HealthCheck) *consul.HealthCheck {
	return &consul.HealthCheck{
		Node:        c.Node,
		CheckID:     c.CheckID,
		Name:        c.Name,
		Status:      c.Status,
		Notes:       c.Notes,
		Output:      c.Output,
		ServiceID:   c.ServiceID,
		ServiceName: c.ServiceName,
		ServiceTags: c.ServiceTags,
	}
}
